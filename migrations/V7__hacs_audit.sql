-- The audit trail.

-------------------------------------------------------------------------------------------------------------------
-- One row for each change of a row, whoever made it and by whatever way.
-------------------------------------------------------------------------------------------------------------------

create table if not exists hacs_audit.resource_changes (
    change_id bigint generated always as identity primary key,
    changed_at timestamptz not null default clock_timestamp(),
    transaction_id xid8 not null default pg_current_xact_id(),
    operation text not null
        constraint resource_changes_operation_valid check (operation in ('INSERT', 'UPDATE', 'DELETE')),
    table_name text not null,
    resource_id text not null,
    old_row jsonb,
    new_row jsonb,
    changed_by text not null default session_user,

    constraint resource_changes_images check (
        (old_row is null) = (operation = 'INSERT')
        and (new_row is null) = (operation = 'DELETE')
    )
);

comment on table hacs_audit.resource_changes is 'One row is one change of one row in an audited table';
comment on column hacs_audit.resource_changes.change_id is 'Number of the change';
comment on column hacs_audit.resource_changes.changed_at is 'When it happened, by the clock';
comment on column hacs_audit.resource_changes.transaction_id is 'Transaction that made it';
comment on column hacs_audit.resource_changes.operation is 'What was done';
comment on column hacs_audit.resource_changes.table_name is 'Table, with its schema';
comment on column hacs_audit.resource_changes.resource_id is 'Key of the row';
comment on column hacs_audit.resource_changes.old_row is 'The row before; null for an INSERT';
comment on column hacs_audit.resource_changes.new_row is 'The row after; null for a DELETE';
comment on column hacs_audit.resource_changes.changed_by is 'Role that was logged in';

comment on constraint resource_changes_images on hacs_audit.resource_changes is 'An INSERT has no old row, a DELETE no new one, an UPDATE both';

create index if not exists resource_changes_resource_idx on hacs_audit.resource_changes (table_name, resource_id, change_id);

create or replace function hacs_audit.record_change()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
declare
    old_row constant jsonb := case when tg_op <> 'INSERT' then to_jsonb(old) end;
    new_row constant jsonb := case when tg_op <> 'DELETE' then to_jsonb(new) end;
begin
    insert into hacs_audit.resource_changes (operation, table_name, resource_id, old_row, new_row)
    values (tg_op, tg_argv[0], coalesce(new_row, old_row) ->> tg_argv[1], old_row, new_row);
    return null;
end
$$;
comment on function hacs_audit.record_change() is 'Trigger: writes down a change; arguments: the table with its schema, and its key column';
