-- What is written down of a run: rejects, what is older, how far was read; and the report.

create function pg_temp.hacs_make_lists()
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
set client_min_messages = warning
as $$
begin
    if to_regnamespace('hacs_legacy') is null then
        create schema hacs_legacy;
        comment on schema hacs_legacy is
            'Tables of the original Python system, set aside by hacs-refinery adopt; its --finish drops them';
    end if;
    if to_regclass('hacs_legacy.rejects') is null then
        create table hacs_legacy.rejects (
            reject_id bigint generated always as identity constraint rejects_pkey primary key,
            table_name text not null,
            stands_as text not null,
            resource_type text,
            id text,
            row jsonb not null,
            code text not null,
            field text,
            constraint_name text,
            message text not null,
            found_at timestamptz not null default now()
        );
        create index rejects_id_idx on hacs_legacy.rejects using hash (id);
        comment on table hacs_legacy.rejects is
            'One row is an old row that was set aside: mend its row, and hacs-refinery adopt --retry takes it in';
        comment on column hacs_legacy.rejects.reject_id is 'A number of its own';
        comment on column hacs_legacy.rejects.table_name is 'The table where it was found';
        comment on column hacs_legacy.rejects.stands_as is 'The name of that table now';
        comment on column hacs_legacy.rejects.resource_type is 'The type of its document, as far as it was known';
        comment on column hacs_legacy.rejects.id is 'The id of the row or its document';
        comment on column hacs_legacy.rejects.row is 'The row as it was, to be mended here';
        comment on column hacs_legacy.rejects.code is 'The SQLSTATE with which it was refused';
        comment on column hacs_legacy.rejects.field is 'The field at fault, where there is one';
        comment on column hacs_legacy.rejects.constraint_name is 'The rule that it breaks, where it has a name';
        comment on column hacs_legacy.rejects.message is 'What is wrong, in words';
        comment on column hacs_legacy.rejects.found_at is 'When it was set aside';
        create table hacs_legacy.older (
            table_name text not null,
            resource_type text,
            id text,
            newer_in text not null,
            found_at timestamptz not null default now()
        );
        comment on table hacs_legacy.older is
            'One row is an old row that was not taken over, since a newer one of the same resource was elsewhere';
        comment on column hacs_legacy.older.table_name is 'The table where it was found';
        comment on column hacs_legacy.older.resource_type is 'The type of its document';
        comment on column hacs_legacy.older.id is 'The id of its document';
        comment on column hacs_legacy.older.newer_in is 'The table that has the newer one';
        comment on column hacs_legacy.older.found_at is 'When it was found';
    end if;
end
$$;

-- Why a row was set aside, without a value of it: for reports and logs.
create function pg_temp.hacs_reason(code text, resource_type text, field text, rule text, message text)
returns text
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
    select case
        when rule is not null then rule
        when field is not null then format('%s.%s %s', coalesce(resource_type, 'the document'), field, case code
            when '23502' then 'must not be null'
            when '23503' then 'refers to what is not here'
            else 'is not of its kind' end)
        when code = '22023' and message !~ '[0-9"]' then message
        else 'SQLSTATE ' || code
    end
$$;

-- Counts what was refused and what is older, table by table.
create function pg_temp.hacs_count()
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    update pg_temp.hacs_sources as h
    set set_aside = coalesce(f.rows, 0), reasons = coalesce(f.reasons, '[]'), older = coalesce(w.rows, 0)
    from pg_temp.hacs_sources as o
    left join (
        select r.number, sum(r.rows) as rows,
            jsonb_agg(jsonb_build_object('reason', r.reason, 'rows', r.rows) order by r.rows desc, r.reason) as reasons
        from (
            select f.line >> 48 as number, pg_temp.hacs_reason(f.code, f.resource_type, f.field, f.rule,
                f.message) as reason,
                count(*) as rows
            from pg_temp.hacs_refused as f
            group by 1, 2
        ) as r
        group by r.number
    ) as f on f.number = o.number
    left join (
        select w.line >> 48 as number, count(*) as rows from pg_temp.hacs_older as w group by 1
    ) as w on w.number = o.number
    where o.number = h.number;
end
$$;

create function pg_temp.hacs_write_down()
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
set client_min_messages = warning
as $$
declare
    read_now jsonb;
    s pg_temp.hacs_sources;
    rows bigint;
    rows_read bigint;
begin
    for s in select * from pg_temp.hacs_sources as h where h.kind <> 'left' loop
        execute format(
            'select count(*), count(*) filter (where %s) from only %s as t', pg_temp.hacs_changed_sql((s).since),
                (s).stands_as
        )
        into rows, rows_read;
        update pg_temp.hacs_sources as h set found = rows, staged = rows_read, snapshot = pg_current_snapshot()
        where h.number = (s).number;
        -- a row that was written anew or removed since is what it was no more
        if to_regclass('hacs_legacy.rejects') is not null and (s).since is not null
            and pg_temp.hacs_has((s).relation, 'id') then
            execute format(
                'delete from hacs_legacy.rejects as r where r.stands_as = %L and r.id is not null '
                'and not exists (select 1 from only %s as t where t.id::text = r.id and (%s) is not true)',
                (s).stands_as, (s).stands_as, pg_temp.hacs_changed_sql((s).since)
            );
        end if;
    end loop;
    if exists (select 1 from pg_temp.hacs_refused) or exists (select 1 from pg_temp.hacs_older) then
        perform pg_temp.hacs_make_lists();
        insert into hacs_legacy.rejects (table_name, stands_as, resource_type, id, row, code, field, constraint_name,
            message)
        select h.found_as, h.stands_as, f.resource_type, f.id, pg_temp.hacs_row(f.line), f.code, f.field, f.rule,
            f.message
        from pg_temp.hacs_refused as f
        join pg_temp.hacs_sources as h on h.number = f.line >> 48
        order by f.line;
        insert into hacs_legacy.older (table_name, resource_type, id, newer_in)
        select h.found_as, w.resource_type, w.id, w.newer
        from pg_temp.hacs_older as w
        join pg_temp.hacs_sources as h on h.number = w.line >> 48;
    end if;
    perform pg_temp.hacs_count();
    select jsonb_object_agg(h.relation::text, jsonb_build_object(
        'table', h.found_as, 'stands_as', h.stands_as, 'cluster', pg_temp.hacs_cluster(), 'snapshot', h.snapshot::text
    ))
    into read_now
    from pg_temp.hacs_sources as h
    where h.kind <> 'left';
    if read_now is not null and exists (select 1 from pg_temp.hacs_sources as h where h.staged > 0 or h.since is null
        and h.kind <> 'left') then
        insert into hacs_admin.system_config as c (key, value, description)
        values ('adopt.read', read_now, 'Tables of the original Python system, and how far hacs-refinery adopt has '
            'read each')
        on conflict (key) do update set value = c.value || excluded.value;
    end if;
end
$$;

-- One row for each table.
create function pg_temp.hacs_report()
returns table (
    found_as text, stands_as text, kind text, found bigint, taken_over bigint, before bigint, older bigint,
        set_aside bigint,
    left_alone bigint, note text, reasons jsonb
)
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select h.found_as, nullif(h.stands_as, h.found_as), h.kind, h.found,
        case when h.kind = 'left' then 0 else h.staged - h.older - h.set_aside end,
        case when h.kind = 'left' then 0 else h.found - h.staged end,
        h.older, h.set_aside, case when h.kind = 'left' then h.found else 0 end, h.note, h.reasons
    from pg_temp.hacs_sources as h
    order by h.kind = 'left', h.found_as
$$;

-- Nothing of this outlives the transaction.
create function pg_temp.hacs_clear()
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    f record;
begin
    for f in
        select p.oid::regprocedure as function from pg_proc as p
        where p.pronamespace = pg_my_temp_schema() and p.proname ~ '^hacs_' and p.proname <> 'hacs_clear'
    loop
        execute format('drop function %s', f.function);
    end loop;
end
$$;
