-- What comes after: rejects that were mended are taken in, and hacs_legacy goes when nothing in it is needed any more.

-- Takes in what is set aside, as its rows are now.
create function pg_temp.hacs_retry()
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    s pg_temp.hacs_sources;
    r record;
    rows bigint;
    code text;
begin
    delete from pg_temp.hacs_sources as h where h.kind = 'left' or to_regclass('hacs_legacy.rejects') is null;
    if to_regclass('hacs_legacy.rejects') is null then
        return;
    end if;
    perform set_config('hacs_audit.actor_id', 'adopt', true), set_config('hacs_audit.purpose', 'migration', true);
    lock table only hacs_legacy.rejects in share row exclusive mode;
    perform pg_temp.hacs_stage_tables();
    for s in select * from pg_temp.hacs_sources as h order by h.number loop
        select count(*) into rows from hacs_legacy.rejects as e where e.stands_as = (s).stands_as;
        update pg_temp.hacs_sources as h set found = rows, staged = rows where h.number = (s).number;
        continue when rows = 0;
        for r in select e.reject_id, e.row, e.id from hacs_legacy.rejects as e where e.stands_as = (s).stands_as loop
            begin
                execute format('select jsonb_populate_record(null::%s, $1)', (s).stands_as) using r.row;
            exception
                when data_exception or integrity_constraint_violation then
                    get stacked diagnostics code = returned_sqlstate;
                    insert into pg_temp.hacs_refused (line, resource_type, id, code, message)
                    values (
                        ((s).number::bigint << 48) | r.reject_id, (s).resource_type, r.id, code,
                        'the row does not fit into the columns of its table'
                    );
            end;
        end loop;
        perform pg_temp.hacs_stage(
            s,
            format(
                '(select e.* from hacs_legacy.rejects as e where e.stands_as = %1$L and not exists ('
                '    select 1 from pg_temp.hacs_refused as f where f.line = (%2$s::bigint << 48) | e.reject_id'
                ') offset 0) as e cross join lateral jsonb_populate_record(null::%3$s, e.row) as t',
                (s).stands_as, (s).number, (s).stands_as
            ),
            format('(%s::bigint << 48) | e.reject_id', (s).number),
            'true'
        );
    end loop;
    if exists (select 1 from pg_temp.hacs_sources as h where h.staged > 0) then
        perform pg_temp.hacs_sort_out(false);
        perform pg_temp.hacs_put(false);
    end if;
    update hacs_legacy.rejects as e
    set code = f.code, field = f.field, constraint_name = f.rule, message = f.message, resource_type = f.resource_type
    from pg_temp.hacs_refused as f
    join pg_temp.hacs_sources as h on h.number = f.line >> 48
    where e.stands_as = h.stands_as and e.reject_id = f.line & 281474976710655;
    insert into hacs_legacy.older (table_name, resource_type, id, newer_in)
    select e.table_name, w.resource_type, w.id, w.newer
    from pg_temp.hacs_older as w
    join hacs_legacy.rejects as e on e.reject_id = w.line & 281474976710655;
    delete from hacs_legacy.rejects as e using pg_temp.hacs_sources as h
    where h.stands_as = e.stands_as and not exists (
        select 1 from pg_temp.hacs_refused as f where f.line = (h.number::bigint << 48) | e.reject_id
    );
    perform pg_temp.hacs_count();
    delete from pg_temp.hacs_sources as h where h.found = 0;
end
$$;

-- One row for each table of hacs_legacy: how many rows it has, and how many of them are nowhere else.
create function pg_temp.hacs_leftovers()
returns table (table_name text, rows bigint, only_here bigint, note text)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    t record;
    changed text;
begin
    for t in
        select format('%I.%I', n.nspname, c.relname) as name, c.relname, h.kind, h.since, h.note
        from pg_class as c
        join pg_namespace as n on n.oid = c.relnamespace
        left join pg_temp.hacs_sources as h on h.relation = c.oid
        where n.nspname = 'hacs_legacy' and c.relkind in ('r', 'p', 'f') and not c.relispartition
        order by c.relname
    loop
        table_name := t.name;
        changed := case
            when t.relname = 'older' then 'false'
            when t.relname = 'rejects' or t.kind = 'left' or t.kind is null then 'true'
            else pg_temp.hacs_changed_sql(t.since)
        end;
        execute format('select count(*), count(*) filter (where %s) from %s as t', changed, t.name) into rows,
            only_here;
        note := case
            when only_here = 0 then null
            when t.relname = 'rejects' then 'set aside: mend them, and adopt --retry takes them in'
            when t.kind = 'left' then t.note
            else 'not read yet: adopt takes them over'
        end;
        return next;
    end loop;
end
$$;

-- Drops them, and nothing that depends on them.
create function pg_temp.hacs_finish()
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    tables text;
begin
    perform set_config('hacs_audit.actor_id', 'adopt', true), set_config('hacs_audit.purpose', 'migration', true);
    select string_agg(format('%I.%I', n.nspname, c.relname), ', ')
    into tables
    from pg_class as c
    join pg_namespace as n on n.oid = c.relnamespace
    where n.nspname = 'hacs_legacy' and c.relkind in ('r', 'p') and not c.relispartition;
    update hacs_admin.system_config as c
    set value = c.value - array(
        select r.oid::text from pg_class as r where r.relnamespace = to_regnamespace('hacs_legacy')
    )
    where c.key = 'adopt.read';
    if tables is not null then
        execute format('drop table %s', tables);
    end if;
    drop schema hacs_legacy;
end
$$;
