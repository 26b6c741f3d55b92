-- Documents of a distributed database: put and the others name the patient, so that a statement goes to one node.

create or replace function pg_temp.hacs_patch(function regprocedure, variadic changes text[])
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    definition text := pg_get_functiondef(function);
begin
    for at in 1 .. cardinality(changes) by 2 loop
        if position(changes[at] in definition) = 0 then
            raise exception '% is not as the migrations make it: it lacks %', function, changes[at]
                using errcode = 'object_not_in_prerequisite_state',
                    hint = 'hacs-refinery verify tells what else is different.';
        end if;
        definition := replace(definition, changes[at], changes[at + 1]);
    end loop;
    execute definition;
end
$$;

create or replace function hacs_core.distribution_column(target regclass)
returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
    return (
        select column_to_column_name(d.logicalrelid, d.partkey)
        from pg_dist_partition as d
        where d.logicalrelid = target and d.partmethod = 'h'
    );
end
$$;
comment on function hacs_core.distribution_column(regclass) is
    'The column by which a table is distributed; null for one that is not';

-- Told by the CHECK on the column, in the names of the columns of the table.
create or replace function hacs_core.distribution_expression(target regclass)
returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
    return (
        select substring(pg_get_constraintdef(o.oid) from '^CHECK \(\(\w+ = (COALESCE\(.*, ''''::text\))\)\)$')
        from pg_constraint as o
        join pg_class as c on c.oid = o.conrelid
        where o.conrelid = target
            and o.conname = format('%s_%s_sent', c.relname, hacs_core.distribution_column(target))
    );
end
$$;
comment on function hacs_core.distribution_expression(regclass) is
    'SQL that makes the patient by whom a row is distributed of its other columns; null where its own id does it';

select pg_temp.hacs_patch(
    'hacs_core.own_columns(regclass)',
    $a$a.attgenerated <> ''
$a$,
    $a$a.attgenerated <> ''
                or a.attname <> 'id' and a.attname = hacs_core.distribution_column(target)
$a$
);

-- What the column was generated from, before.
select pg_temp.hacs_patch(
    'hacs_core.column_source(regclass, smallint)',
    $a$    return (
        select s.attname$a$,
    $a$    if (select a.attname from pg_attribute as a where a.attrelid = target and a.attnum = number)
        = hacs_core.distribution_column(target)
    then
        return (
            select s.attname
            from pg_constraint as o
            join pg_class as c on c.oid = o.conrelid
            join pg_attribute as s on s.attrelid = target and s.attnum = any (o.conkey) and s.attnum <> number
            where o.conrelid = target
                and o.conname = format('%s_%s_sent', c.relname, hacs_core.distribution_column(target))
            limit 1
        );
    end if;
    return (
        select s.attname$a$
);

-- A node tells the rule in its message alone, and the name of a key with the number of its part.
select pg_temp.hacs_patch(
    'hacs_core.explained(hacs_core.fault, text)',
    $a$    select c.contype, c.conrelid, c.confrelid,$a$,
    $a$    if (fault).constraint_name is null and (fault).message ~ ' constraint "' then
        select c.conname, n.nspname, r.relname
        into fault.constraint_name, fault.schema_name, fault.table_name
        from pg_constraint as c
        join pg_class as r on r.oid = c.conrelid and not r.relispartition
        join pg_namespace as n on n.oid = r.relnamespace and n.nspname ~ '^hacs_'
        where c.conname = regexp_replace(substring((fault).message from ' constraint "([^"]+)"'), '_[0-9]{6,}$', '')
            and (fault).message ~ format('"%s(_[0-9]+)?"', r.relname)
        limit 1;
    elsif (fault).column_name is null and (fault).code = '23502' then
        fault.column_name := substring((fault).message from 'column "([^"]+)"');
    end if;
    select c.contype, c.conrelid, c.confrelid,$a$,
    $a$substring((fault).detail from '=\((.*)\)')$a$,
    $a$regexp_replace(substring((fault).detail from '=\((.*)\)'), ', [^,]*$', '')$a$
);

select pg_temp.hacs_patch(
    'hacs_core.document_reading(regclass, boolean)',
    $a$    return x;
$a$,
    $a$    if hacs_core.distribution_expression(target) is not null then
        x.fields := x.fields || ', ' || quote_ident(hacs_core.distribution_column(target));
        x.read_values := x.read_values || ', hacs_home';
    end if;
    return x;
$a$
);

select pg_temp.hacs_patch(
    'hacs_core.checker_source(regclass, hacs_core.reading)',
    $a$where c.conrelid = target and c.contype = 'c' and not exists (
$a$,
    $a$where c.conrelid = target and c.contype = 'c'
            and c.conname <> (
                select format('%s_%s_sent', k.relname, hacs_core.distribution_column(target))
                from pg_class as k
                where k.oid = target
            ) and not exists (
$a$
);

-- What a column refers to is told by its key, whose first column it is, or else by what it is generated from.
select pg_temp.hacs_patch(
    'hacs_core.search_fields(regclass)',
    $a$a.attname::text as name, a.attgenerated <> '' as is_generated,$a$,
    $a$a.attname::text as name,
            (a.attgenerated <> '' or a.attname <> 'id' and a.attname = hacs_core.distribution_column(target))
                as is_generated,$a$,
    $a$            (
                select hacs_core.document_type(f.confrelid::regclass) from pg_constraint as f
                where f.conrelid = target and f.contype = 'f' and f.conkey = array[a.attnum]
            ) as points_to$a$,
    $a$            coalesce((
                select hacs_core.document_type(f.confrelid::regclass) from pg_constraint as f
                where f.conrelid = target and f.contype = 'f' and f.conkey[1] = a.attnum
            ), (
                select substring(pg_get_expr(d.adbin, d.adrelid) from 'reference_id\(.*?, ''([A-Za-z]+)''::text')
                from pg_attrdef as d
                where d.adrelid = target and d.adnum = a.attnum and a.attgenerated <> ''
            )) as points_to$a$
);

-- A row that a node makes has no names of its fields here: each is named.
select pg_temp.hacs_patch(
    'hacs_core.document_whole(regclass)',
    $a$begin
$a$,
    $a$begin
    if hacs_core.distribution_column(target) is not null then
        return (
            select format(
                ' cross join lateral (select %s as fields) as f',
                string_agg(format('jsonb_build_object(%s)', b.list), ' || ' order by b.part)
            )
            from (
                select (c.ordinality - 1) / 40 as part,
                    string_agg(format('%L, t.%I', c.name, c.name), ', ' order by c.ordinality) as list
                from hacs_core.document_columns(target) with ordinality as c
                group by 1
            ) as b
        );
    end if;
$a$
);

-- One by one: each has to be looked for under every patient.
select pg_temp.hacs_patch(
    'hacs_core.staging_of(text, regclass, text)',
    $a$if target is null or$a$,
    $a$if target is null or hacs_core.distribution_column(target) is not null or$a$
);

-- As a copy, since the view of what is covered holds on to the function that it was made with.
do $$
begin
    execute replace(
        pg_get_functiondef('hacs_core.putter_source(regclass, hacs_core.reading)'::regprocedure),
        'FUNCTION hacs_core.putter_source(', 'FUNCTION hacs_core.putter_of_one_machine('
    );
end
$$;
comment on function hacs_core.putter_of_one_machine(regclass, hacs_core.reading) is
    'The body of the function that stores the documents of a table, as in a database of one machine';

create or replace function hacs_core.putter_source(target regclass, x hacs_core.reading)
returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
set quote_all_identifiers = off
as $$
declare
    home constant text := hacs_core.distribution_column(target);
    expression constant text := hacs_core.distribution_expression(target);
    source text := hacs_core.putter_of_one_machine(target, x);
    change record;
begin
    if home is null then
        return source;
    end if;
    -- A node is told the time, and does not ask its own clock.
    source := replace(source, 'else now() end', 'else this_moment end');
    source := replace(source, e'    tries integer := 0;\n', e'    tries integer := 0;\n'
        '    this_moment constant timestamptz := now();\n    hacs_home text;\n    found_home text;\n');
    if expression is null then
        return source;
    end if;
    for change in
        select *
        from (
            values
                ('where t.id = stored_id', format('where t.%I = hacs_home and t.id = stored_id', home)),
                (e'    stored_id := coalesce(r.id, gen_random_uuid()::text);\n', format(
                    $text$    stored_id := coalesce(r.id, gen_random_uuid()::text);
    hacs_home := (select %1$s from (select r.*) as f);
    if r.id is not null then
        select t.%2$I into found_home from %3$s as t where t.id = stored_id;
        if found_home <> hacs_home then
            found_home := hacs_core.refuse_move(%4$L, stored_id, found_home);
        end if;
    end if;
$text$, expression, home, target, x.resource_type))
        ) as c (was, is_now)
    loop
        if position(change.was in source) = 0 then
            raise exception 'the functions that store documents are written in another way than the distribution knows'
                using errcode = 'object_not_in_prerequisite_state';
        end if;
        source := replace(source, change.was, change.is_now);
    end loop;
    return source;
end
$$;
comment on function hacs_core.putter_source(regclass, hacs_core.reading) is
    'The body of the function that stores the documents of a table, for its columns as they are now; of a distributed '
    'one, with its patient';

create or replace function hacs_core.refuse_move(resource_type text, id text, home text)
returns text
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    raise exception '%/% is there already, %', resource_type, id,
        case home when '' then 'without a patient' else 'with patient ' || home end
        using errcode = 'feature_not_supported',
            hint = 'In a distributed database a document stays with its patient: remove it, and put it again.';
end
$$;
comment on function hacs_core.refuse_move(text, text, text) is
    'Says that a document cannot go to another patient where each lies with his';

create or replace function hacs_core.put_resources(
    document jsonb, kept jsonb, if_version bigint, owner text, place integer,
    out stored_id text, out stored_version bigint, out is_new boolean, out is_changed boolean
)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    type constant text := coalesce(document ->> 'resource_type', document ->> 'resourceType');
    home text;
    found_home text;
begin
    if jsonb_typeof(document -> 'id') not in ('string', 'null') then
        raise exception '%.id must be a text, not %', type, hacs_core.described(document -> 'id')
            using errcode = 'invalid_parameter_value', column = 'id';
    end if;
    stored_id := coalesce(document ->> 'id', gen_random_uuid()::text);
    document := document || jsonb_build_object('id', stored_id);
    home := coalesce(hacs_core.patient_of(document), '');
    select t.patient_id into found_home from hacs_core.resources as t
    where t.resource_type = type and t.id = stored_id;
    if found_home <> home then
        found_home := hacs_core.refuse_move(type, stored_id, found_home);
    end if;
    select t.version_id into stored_version from hacs_core.resources as t
    where t.patient_id = home and t.resource_type = type and t.id = stored_id for update;
    if if_version is not null and coalesce(stored_version, 0) <> if_version then
        stored_version := hacs_core.refuse_version(type || '/' || stored_id, if_version, stored_version);
    end if;
    is_new := false;
    is_changed := false;
    if stored_version is null then
        insert into hacs_core.resources as t (resource_type, id, data, patient_id)
        values (type, stored_id, document, home)
        on conflict on constraint resources_pkey do nothing
        returning t.version_id into stored_version;
        is_new := found;
        is_changed := found;
    end if;
    if not is_new then
        update hacs_core.resources as t set data = document
        where t.patient_id = home and t.resource_type = type and t.id = stored_id
            and t.data::text is distinct from document::text
        returning t.version_id into stored_version;
        is_changed := found;
        if not found then
            select t.version_id into stored_version from hacs_core.resources as t
            where t.patient_id = home and t.resource_type = type and t.id = stored_id;
        end if;
    end if;
end
$$;

-- A row is locked on its node.
create or replace function hacs_core.lock_statement(target regclass)
returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
set quote_all_identifiers = off
as $$
declare
    home constant text := hacs_core.distribution_column(target);
begin
    if home is null or home = 'id' then
        return format('select t.version_id into version from %s as t where t.id = lock_version.id', target);
    end if;
    return format(
        e'select t.%1$I into home from %2$s as t where t.id = lock_version.id;\n'
        'select t.version_id into version from %2$s as t where t.%1$I = home and t.id = lock_version.id',
        home, target
    );
end
$$;
comment on function hacs_core.lock_statement(regclass) is
    'The beginning of the statements that lock a row of a table of documents and say its version';

select pg_temp.hacs_patch(
    'hacs_core.choice_sources()',
    $a$case when not d.has_table or o.whole is not null then ''$a$,
    $a$case when not d.has_table or o.whole is not null or hacs_core.distribution_column(d.target) is not null
            then ''$a$,
    $a$array_agg(format('select t.version_id into version from %s as t where t.id = lock_version.id', d.target)
            || format(d.otherwise, 'select t.version_id into version', 'lock_version', ' for update')
$a$,
    $a$array_agg(hacs_core.lock_statement(d.target)
            || replace(format(d.otherwise, 'select t.version_id into version', 'lock_version', ' for update'),
                'select t.version_id into version from hacs_core.resources as t where',
                'select t.patient_id into home from hacs_core.resources as t where t.resource_type = '
                'lock_version.resource_type and t.id = lock_version.id;
    select t.version_id into version from '
                'hacs_core.resources as t where t.patient_id = home and')
$a$,
    $a$    version bigint;
    known boolean := false;
begin
$a$,
    $a$    version bigint;
    home text;
    known boolean := false;
begin
$a$,
    $a$        select t.version_id into version from hacs_core.resources as t
        where t.resource_type$a$,
    $a$        select t.patient_id into home from hacs_core.resources as t
        where t.resource_type = lock_version.resource_type and t.id = lock_version.id;
        select t.version_id into version from hacs_core.resources as t
        where t.patient_id = home and t.resource_type$a$
);

select hacs_core.write_documents(d.target) from hacs_core.document_tables() as d;
select hacs_core.choose_documents();
