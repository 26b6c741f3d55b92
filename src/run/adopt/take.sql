-- Old rows into our tables, by the way of import: they are staged as documents and put.
--
-- A staged document knows its row by its line: the number of the table and the place of the row in it.

create function pg_temp.hacs_stage_tables()
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
set client_min_messages = warning
as $$
begin
    drop table if exists pg_temp.hacs_staged, pg_temp.hacs_refused, pg_temp.hacs_superseded;
    perform hacs_core.stage_documents();
    alter table pg_temp.hacs_staged add column at timestamptz;
    -- what put_staged would take for several documents
    create temporary table if not exists hacs_single (line bigint, document jsonb, at timestamptz) on commit drop;
    create temporary table if not exists hacs_older (line bigint, resource_type text, id text,
        newer text) on commit drop;
    truncate pg_temp.hacs_single;
end
$$;

-- The line of a row t.
create function pg_temp.hacs_line_sql(number integer)
returns text
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
    select format(
        '(%s::bigint << 48) | ((t.ctid::text::point)[0]::bigint << 16) | (t.ctid::text::point)[1]::bigint', number
    )
$$;

-- Whether a row t was not there yet, or other, when a snapshot was taken.
create function pg_temp.hacs_changed_sql(since pg_snapshot)
returns text
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select case when since is null then 'true' else format(
        'age(t.xmin) <= %s and not pg_visible_in_snapshot((%s - age(t.xmin))::text::xid8, %L)',
        pg_current_xact_id()::text::bigint - pg_snapshot_xmin(since)::text::bigint, pg_current_xact_id(), since
    ) end
$$;

-- Stages what of a table was written since a snapshot, and gives how many rows that are.
create function pg_temp.hacs_stage(s pg_temp.hacs_sources, origin text, line text, changed text)
returns bigint
language plpgsql
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set extra_float_digits = 1
as $$
declare
    d record;
    several constant text := 'd.document ->> ''resourceType'' = ''Bundle'' and jsonb_typeof(d.document -> ''entry'') '
        '= ''array'' '
        'or d.document ?& ''{line, code, message, document}''';
    rows bigint;
    more bigint;
begin
    if (s).kind = 'settings' then
        return pg_temp.hacs_take_settings(s, origin, line, changed);
    end if;
    select * into d from pg_temp.hacs_document_sql(s);
    execute format(
        'insert into pg_temp.hacs_staged (line, document, at, kept) select %s, d.document, %s, %L::jsonb from %s '
        'cross join lateral (select %s as document offset 0) as d where %s and (%s) is null and (%s) is not true',
        line, pg_temp.hacs_time_sql((s).relation, 'updated_at'), case when (s).kind = 'columns' then '{}' end, origin,
            d.document, changed, d.problem, several
    );
    get diagnostics rows = row_count;
    execute format(
        'insert into pg_temp.hacs_refused (line, resource_type, id, code, message) '
        'select %s, %L, %s, ''22023'', %s from %s where %s and (%4$s) is not null',
        line, (s).resource_type, case when pg_temp.hacs_has((s).relation, 'id') then 't.id::text' else 'null' end,
        d.problem, origin, changed
    );
    get diagnostics more = row_count;
    rows := rows + more;
    if (s).kind <> 'columns' then
        execute format(
            'insert into pg_temp.hacs_single (line, document, at) select %s, d.document, %s from %s '
            'cross join lateral (select %s as document offset 0) as d where %s and (%s) is null and (%s)',
            line, pg_temp.hacs_time_sql((s).relation, 'updated_at'), origin, d.document, changed, d.problem, several
        );
        get diagnostics more = row_count;
    else
        more := 0;
    end if;
    return rows + more;
end
$$;

-- The old settings, which are no documents.
create function pg_temp.hacs_take_settings(s pg_temp.hacs_sources, origin text, line text, changed text)
returns bigint
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    t record;
    rows bigint := 0;
    message text;
    rule text;
begin
    for t in execute format(
        'select %s as line, t.config_key as key, t.config_value::jsonb as value, %s as description, %s as '
            'is_sensitive from %s where %s',
        line,
        case when pg_temp.hacs_has((s).relation, 'description') then 't.description' else 'null' end,
        case when pg_temp.hacs_has((s).relation, 'is_sensitive') then 'coalesce(t.is_sensitive, false)'
            else 'false' end,
        origin, changed
    ) loop
        rows := rows + 1;
        begin
            insert into hacs_admin.system_config as c (key, value, description, is_sensitive)
            values (t.key, t.value, t.description, t.is_sensitive)
            on conflict (key) do nothing;
        exception
            when integrity_constraint_violation then
                get stacked diagnostics message = message_text, rule = constraint_name;
                insert into pg_temp.hacs_refused (line, resource_type, id, code, field, rule, message)
                values (t.line, 'SystemConfig', t.key, '23514', 'key', rule,
                    format('SystemConfig is refused by %s', rule));
        end;
    end loop;
    return rows;
end
$$;

-- The moment a staged document is of.
create function pg_temp.hacs_moment_sql()
returns text
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
    select 'greatest(s.at, hacs_core.instant(s.document ->> ''updated_at'') at time zone ''UTC'')'
$$;

-- Where one resource stands in two places the newer wins: what is older is taken out and told. afresh: nothing was here
-- before this run.
create function pg_temp.hacs_sort_out(afresh boolean)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set quote_all_identifiers = off
as $$
declare
    d record;
    twice constant boolean := (
        select count(*) filter (where h.staged > 0) > 1 or coalesce(bool_or(h.staged > 0 and not h.unique_id), false)
        from pg_temp.hacs_sources as h
    );
begin
    for d in
        select t.resource_type, t.target, hacs_core.staged(t.resource_type) as part,
            format('%L, s.document ->> ''id''', t.resource_type) as identity
        from hacs_core.document_tables() as t
        union all
        select null, 'hacs_core.resources'::regclass, hacs_core.staged(null),
            'coalesce(s.document ->> ''resource_type'', s.document ->> ''resourceType''), s.document ->> ''id'''
    loop
        if twice then
            execute format(
                'with ranked as materialized ('
                '    select s.line, first_value(s.line) over (partition by %1$s order by %2$s desc nulls last, '
                    's.line) as winner '
                '    from %3$s as s where s.document ->> ''id'' is not null '
                '), gone as ('
                '    delete from %3$s as s using ranked as r where r.line = s.line and r.line <> r.winner '
                '    returning s.line, %1$s, r.winner '
                ') insert into pg_temp.hacs_older (line, resource_type, id, newer) '
                'select g.line, g.type, g.id, h.found_as from gone as g (line, type, id, winner) '
                'join pg_temp.hacs_sources as h on h.number = g.winner >> 48',
                d.identity, pg_temp.hacs_moment_sql(), d.part
            );
        end if;
        if not afresh then
            execute format(
                'with gone as ('
                '    delete from %1$s as s using %2$s as o where o.id = s.document ->> ''id'' and %3$s > %4$s%5$s '
                '    returning s.line, %6$s '
                ') insert into pg_temp.hacs_older (line, resource_type, id, newer) '
                'select g.line, g.type, g.id, %7$L from gone as g (line, type, id)',
                d.part, d.target,
                case when d.resource_type is null
                    then 'hacs_core.instant(o.data ->> ''updated_at'') at time zone ''UTC''' else 'o.updated_at' end,
                pg_temp.hacs_moment_sql(),
                case when d.resource_type is null
                    then ' and o.resource_type = coalesce(s.document ->> ''resource_type'', s.document ->> '
                        '''resourceType'')'
                    else '' end,
                d.identity, d.target
            );
        end if;
    end loop;
end
$$;

-- Puts what is staged, and says nothing: what is refused stands in pg_temp.hacs_refused.
create function pg_temp.hacs_put(afresh boolean)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    s record;
    fault hacs_core.fault;
begin
    perform from hacs_core.put_staged(case when afresh then 'fail' else 'replace' end, false);
    for s in select h.line, h.document from pg_temp.hacs_single as h order by h.line loop
        begin
            perform from hacs_core.put(s.document);
        exception
            when data_exception or integrity_constraint_violation or raise_exception then
                get stacked diagnostics fault.code = returned_sqlstate, fault.message = message_text,
                    fault.column_name = column_name, fault.constraint_name = constraint_name;
                insert into pg_temp.hacs_refused (line, resource_type, id, code, field, rule, message, document)
                values (
                    s.line, coalesce(s.document ->> 'resource_type', s.document ->> 'resourceType'),
                        s.document ->> 'id',
                    (fault).code, (fault).column_name, (fault).constraint_name, (fault).message, s.document
                );
        end;
    end loop;
end
$$;

-- Whether no document is here yet.
create function pg_temp.hacs_is_afresh()
returns boolean
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    d record;
    found_one boolean;
begin
    for d in select t.target from hacs_core.document_tables() as t union all select 'hacs_core.resources'::regclass loop
        execute format('select exists (select 1 from %s)', d.target) into found_one;
        if found_one then
            return false;
        end if;
    end loop;
    return true;
end
$$;

-- The first pass: nobody waits for it. Services that go on writing are caught up with by hacs_catch_up.
create function pg_temp.hacs_take_over()
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    s pg_temp.hacs_sources;
    afresh constant boolean := pg_temp.hacs_is_afresh();
    rows bigint;
begin
    perform set_config('hacs_audit.actor_id', 'adopt', true), set_config('hacs_audit.purpose', 'migration', true);
    perform pg_temp.hacs_stage_tables();
    for s in select * from pg_temp.hacs_sources as h where h.kind <> 'left' order by h.number loop
        update pg_temp.hacs_sources as h set snapshot = pg_current_snapshot() where h.number = (s).number;
        rows := pg_temp.hacs_stage(
            s, format('only %s as t', (s).stands_as), pg_temp.hacs_line_sql((s).number),
                pg_temp.hacs_changed_sql((s).since)
        );
        update pg_temp.hacs_sources as h set staged = rows where h.number = (s).number;
    end loop;
    if exists (select 1 from pg_temp.hacs_sources as h where h.staged > 0) then
        perform pg_temp.hacs_sort_out(afresh);
        perform pg_temp.hacs_put(afresh);
    end if;
end
$$;

-- The tables that stay where services write to them.
create function pg_temp.hacs_shared_tables()
returns text
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select string_agg('only ' || h.stands_as, ', ' order by h.stands_as) from pg_temp.hacs_sources as h
    where h.kind <> 'left' and h.stands_as !~ '^hacs_legacy\.'
$$;

-- Once nobody writes to them: takes over what was written since the first pass, and takes back what was deleted.
create function pg_temp.hacs_catch_up()
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
set client_min_messages = warning
as $$
declare
    s pg_temp.hacs_sources;
    gone record;
    part record;
    rows bigint;
    changed bigint := 0;
begin
    create temporary table hacs_gone (line bigint, resource_type text, id text) on commit drop;
    for s in select * from pg_temp.hacs_sources as h where h.kind <> 'left' and h.stands_as !~ '^hacs_legacy\.' loop
        execute format('select count(*) from only %s as t where %s', (s).stands_as,
            pg_temp.hacs_changed_sql((s).snapshot))
            into rows;
        changed := changed + rows;
        execute format('select count(*) from only %s as t where %s', (s).stands_as, pg_temp.hacs_changed_sql((s).since))
            into rows;
        if changed > 0 or rows <> (s).staged then
            execute format('create temporary table hacs_here on commit drop as select %s as line from only %s as t',
                pg_temp.hacs_line_sql((s).number), (s).stands_as);
            insert into pg_temp.hacs_gone (line, resource_type, id)
            select o.line, coalesce(o.document ->> 'resource_type', o.document ->> 'resourceType'), o.document ->> 'id'
            from (
                select g.line, g.document from pg_temp.hacs_staged as g where g.line >> 48 = (s).number
                union all
                select g.line, g.document from pg_temp.hacs_single as g where g.line >> 48 = (s).number
                union all
                select r.line, r.document from pg_temp.hacs_refused as r where r.line >> 48 = (s).number
                union all
                select w.line, null from pg_temp.hacs_older as w where w.line >> 48 = (s).number
            ) as o
            where not exists (select 1 from pg_temp.hacs_here as h where h.line = o.line);
            drop table pg_temp.hacs_here;
        end if;
    end loop;
    if changed = 0 and not exists (select 1 from pg_temp.hacs_gone) then
        return;
    end if;
    delete from pg_temp.hacs_gone as g using pg_temp.hacs_refused as r where r.line = g.line;
    with no_longer as (
        delete from pg_temp.hacs_older as w using pg_temp.hacs_gone as g where g.line = w.line returning w.line
    )
    delete from pg_temp.hacs_gone as g using no_longer as n where n.line = g.line;
    create temporary table hacs_refused_before on commit drop as
        select r.* from pg_temp.hacs_refused as r;
    perform pg_temp.hacs_stage_tables();
    for s in select * from pg_temp.hacs_sources as h where h.kind <> 'left' order by h.number loop
        if (s).stands_as !~ '^hacs_legacy\.' then
            rows := pg_temp.hacs_stage(
                s, format('only %s as t', (s).stands_as), pg_temp.hacs_line_sql((s).number),
                pg_temp.hacs_changed_sql((s).snapshot)
            );
        end if;
    end loop;
    -- what stands there as it stood is refused again, or no more: what it refers to may be here now
    insert into pg_temp.hacs_staged (line, document, kept)
    select r.line, r.document, case when h.kind = 'columns' then '{}'::jsonb end
    from pg_temp.hacs_refused_before as r
    join pg_temp.hacs_sources as h on h.number = r.line >> 48
    where r.document is not null and pg_temp.hacs_row(r.line) is not null
        and not exists (select 1 from pg_temp.hacs_staged as o where o.line = r.line);
    insert into pg_temp.hacs_refused
    select r.* from pg_temp.hacs_refused_before as r
    where r.document is null and pg_temp.hacs_row(r.line) is not null
        and not exists (select 1 from pg_temp.hacs_refused as o where o.line = r.line);
    for gone in
        select g.resource_type, g.id from pg_temp.hacs_gone as g
        where not exists (
            select 1 from pg_temp.hacs_staged as o
            where o.document ->> 'id' = g.id
                and coalesce(o.document ->> 'resource_type', o.document ->> 'resourceType') = g.resource_type
        )
    loop
        perform hacs_core.remove(gone.resource_type, gone.id);
    end loop;
    perform pg_temp.hacs_sort_out(false);
    perform pg_temp.hacs_put(false);
end
$$;

-- The row of a line as it is; null where it is there no more.
create function pg_temp.hacs_row(line bigint)
returns jsonb
language plpgsql stable
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set extra_float_digits = 1
as $$
declare
    s pg_temp.hacs_sources;
    row_found jsonb;
begin
    select * into s from pg_temp.hacs_sources as h where h.number = line >> 48;
    execute format('select %s from only %s as t where t.ctid = $1', pg_temp.hacs_row_sql((s).relation), (s).stands_as)
        into row_found using format('(%s,%s)', (line >> 16) & 4294967295, line & 65535)::tid;
    return row_found;
end
$$;
