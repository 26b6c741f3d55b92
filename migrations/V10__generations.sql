-- Generations of documents: the models of HACS after 0.3 write other documents of the same types. They are told apart by
-- their keys, turned into the columns of the tables, and given back in the form in which they came.

create or replace function hacs_core.generation_mark()
returns text
language sql immutable parallel safe
return 'hacs:generation';
comment on function hacs_core.generation_mark() is
    'The key in extra that tells of which generation, and of which shape, a document was that was put in another form';
