-- The source is NOT NULL now. PostgreSQL sees from the valid constraint that every row has one, and reads none of them.

set local lock_timeout = '100ms';

alter table hacs_core.observations alter column source set not null;

-- put and import say what a document lacks: they have to know.
select hacs_core.attach_documents('hacs_core.observations');
