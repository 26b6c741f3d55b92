-- Administration: the migration history, and settings of this database.

-------------------------------------------------------------------------------------------------------------------
-- The migration history. hacs-refinery makes it before the first file runs; refinery reads and writes four columns of
-- it.
-------------------------------------------------------------------------------------------------------------------

-- Whoever runs this file by hand, or with refinery alone, gets the same table.
create table if not exists hacs_admin.migrations (
    version integer primary key,
    name varchar(255),
    applied_on varchar(255),
    checksum varchar(255)
);

alter table hacs_admin.migrations
    add column if not exists applied_at timestamptz not null default clock_timestamp(),
    add column if not exists applied_by text not null default session_user,
    add column if not exists duration interval,
    add column if not exists tool_version text,
    alter column duration set default
        clock_timestamp() - nullif(current_setting('hacs_refinery.migration_started', true), '')::timestamptz,
    alter column tool_version set default nullif(current_setting('hacs_refinery.tool_version', true), '');

comment on table hacs_admin.migrations is
    'Which migrations have been applied here; written by the migration tool alone';
comment on column hacs_admin.migrations.version is 'Number of the migration: 1 for V1';
comment on column hacs_admin.migrations.name is 'Name of the migration: hacs_core for V1__hacs_core.sql';
comment on column hacs_admin.migrations.applied_on is
    'When the run that applied it began, as refinery writes it (RFC 3339)';
comment on column hacs_admin.migrations.checksum is 'Checksum of its name, number and text, as refinery computes it';
comment on column hacs_admin.migrations.applied_at is 'When it had been applied';
comment on column hacs_admin.migrations.applied_by is 'Role that was logged in';
comment on column hacs_admin.migrations.duration is 'How long it took; null where the tool did not measure';
comment on column hacs_admin.migrations.tool_version is
    'Version of hacs-refinery that applied it; null for another tool';

-------------------------------------------------------------------------------------------------------------------
-- Settings of this database that are neither schema nor clinical data.
-------------------------------------------------------------------------------------------------------------------

create table if not exists hacs_admin.system_config (
    key text primary key constraint system_config_key_valid check (key ~ '^[a-z][a-z0-9_]*([.][a-z0-9_]+)*$'),
    value jsonb not null,
    description text,
    is_sensitive boolean not null default false,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),

    constraint system_config_times_finite check (
        least(created_at, updated_at) >= '0001-01-01 00:00+00'
        and greatest(created_at, updated_at) < '10000-01-01 00:00+00'
    )
);

comment on table hacs_admin.system_config is 'One row is one setting of this HACS database';
comment on column hacs_admin.system_config.key is 'Name of the setting: lower-case words with dots between them';
comment on column hacs_admin.system_config.value is 'Its value, of any JSON type';
comment on column hacs_admin.system_config.description is 'What it does, in words';
comment on column hacs_admin.system_config.is_sensitive is
    'True keeps the value out of screens and logs; it is no encryption';
comment on column hacs_admin.system_config.created_at is 'When it was set first';
comment on column hacs_admin.system_config.updated_at is
    'When it was last changed; an UPDATE that does not set it gets the current time';

comment on constraint system_config_key_valid on hacs_admin.system_config is
    'Lower-case words joined by dots, such as audit.require_actor';
comment on constraint system_config_times_finite on hacs_admin.system_config is
    'Days and times lie in the years 0001 to 9999, in UTC; infinity is none';

create or replace trigger system_config_touch_updated_at
    before update on hacs_admin.system_config
    for each row when (new.updated_at is not distinct from old.updated_at)
    execute function hacs_core.touch_updated_at();

-------------------------------------------------------------------------------------------------------------------
-- What `alter default privileges` gives away when an object is made: not here. Whoever could write the history, the
-- settings or the audit would write their own story.
-------------------------------------------------------------------------------------------------------------------

create or replace function hacs_admin.revoke_default_privileges(schema_name text)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    schema_id constant oid := to_regnamespace(quote_ident(schema_name));
    taken text;
begin
    for taken in
        with objects (kind, name, owner, acl, default_kind) as (
            select 'schema', n.oid::regnamespace::text, n.nspowner, n.nspacl, 'n'
            from pg_namespace as n
            where n.oid = schema_id
            union all
            select
                case c.relkind when 'S' then 'sequence' else 'table' end, c.oid::regclass::text, c.relowner, c.relacl,
                case c.relkind when 'S' then 'S' else 'r' end
            from pg_class as c
            where c.relnamespace = schema_id and c.relkind in ('r', 'p', 'v', 'm', 'S')
            union all
            select 'routine', p.oid::regprocedure::text, p.proowner, p.proacl, 'f'
            from pg_proc as p
            where p.pronamespace = schema_id
        )
        select distinct format(
            'revoke all on %s %s from %s',
            o.kind, o.name,
            case when given.grantee = 0 then 'public' else quote_ident(pg_get_userbyid(given.grantee)) end
        )
        from objects as o
        cross join lateral aclexplode(o.acl) as given
        join pg_default_acl as d
            on d.defaclrole = o.owner and d.defaclnamespace in (0, schema_id) and d.defaclobjtype::text = o.default_kind
        where given.grantee <> o.owner
            and given.grantee in (select g.grantee from aclexplode(d.defaclacl) as g)
    loop
        execute taken;
    end loop;
end
$$;
comment on function hacs_admin.revoke_default_privileges(text) is
    'Takes back what default privileges gave to others than the owner on a schema, its tables, sequences and functions';

revoke all on function hacs_admin.revoke_default_privileges(text) from public;
select hacs_admin.revoke_default_privileges('hacs_admin');
