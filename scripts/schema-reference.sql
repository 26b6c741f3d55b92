-- The reference of the schema in Markdown, from the catalogue of a migrated database: a page of docs/schema, or the
-- contents of docs/schema.md. page is the name of a schema, contents, or rules. Everything is in an order of its own
-- and in the words of the catalogue, so that the same migrations make the same text. The partitions of the audit trail
-- are left out: there is one for each quarter.

\set ON_ERROR_STOP on
\pset tuples_only on
\pset format unaligned
set search_path = pg_catalog, pg_temp;
set quote_all_identifiers = off;

create temporary view schemas as
select s.place, n.oid, n.nspname::text as name, pg_catalog.obj_description(n.oid, 'pg_namespace') as comment
from unnest(array['hacs_core', 'hacs_clinical', 'hacs_registry', 'hacs_agents', 'hacs_admin', 'hacs_audit'])
    with ordinality as s (name, place)
join pg_catalog.pg_namespace as n on n.nspname = s.name;

create temporary view relations as
select
    s.place, s.name as schema_name, c.oid, c.relname::text as name, format('%s.%s', s.name, c.relname) as full_name,
    c.relkind = 'v' as is_view, pg_catalog.obj_description(c.oid, 'pg_class') as comment
from pg_temp.schemas as s
join pg_catalog.pg_class as c on c.relnamespace = s.oid
where c.relkind in ('r', 'p', 'v') and not c.relispartition;

-- Text in a cell of a table; code in a cell; the anchor that a heading gets.
create function pg_temp.words(value text) returns text language sql immutable
return replace(replace(replace(value, '|', '\|'), '<', '\<'), E'\n', ' ');
create function pg_temp.code(value text) returns text language sql immutable
return '`' || replace(regexp_replace(value, '\s+', ' ', 'g'), '|', '\|') || '`';
create function pg_temp.anchor(value text) returns text language sql immutable
return '#' || replace(lower(value), '.', '');
-- Where a table of a schema is told: from another page.
create function pg_temp.place(schema_name text, value text) returns text language sql immutable
return schema_name || '.md' || pg_temp.anchor(value);

-- What every table of resources has is told once.
create view pg_temp.resources as
select a.attrelid as oid
from pg_catalog.pg_attribute as a
where a.attname in ('id', 'resource_type', 'created_at', 'updated_at', 'extra', 'version_id') and not a.attisdropped
group by 1
having count(*) = 6;

-- The code of a default or a rule without the casts that PostgreSQL adds.
create function pg_temp.expression(value text) returns text language sql immutable
return regexp_replace(
    regexp_replace(value, '::(text|jsonb|jsonpath|character varying)\M(\[\])?', '', 'g'),
    '\((-?[0-9.]+)\)::double precision', '\1', 'g'
);

-- A check without CHECK and the parentheses around it; the most frequent ones in words.
create function pg_temp.rule(definition text) returns text language sql immutable
return (
    with bare (rule) as (
        -- An operator stands in parentheses of its own, a call does not.
        select regexp_replace(
            regexp_replace(pg_temp.expression(definition), '^CHECK \(\((.*)\)\)$', '\1'), '^CHECK \((.*)\)$', '\1'
        )
    )
    select case
        when rule ~ '^jsonb_typeof\(\w+\) = ''object''$' then 'a JSON object'
        when rule ~ '^hacs_core\.is_list\(\w+\)$' then 'a JSON list'
        when rule ~ '^hacs_core\.is_text_map\(\w+\)$' then 'a JSON object of texts'
        when rule ~ '^hacs_core\.is_text_map_list\(\w+\)$' then 'a JSON list of objects of texts'
        when rule ~ '^hacs_core\.is_concept\(\w+\)$' then 'a CodeableConcept: a text, codings, or both'
        when rule ~ '^hacs_core\.is_period_list\(\w+\)$' then 'a JSON list of periods'
        when rule ~ '^\w+ (=|<@) (ANY \()?''\{[\w,-]*\}''\)?$' then
            case when rule ~ '^\w+ <@' then 'each one of ' else 'one of ' end
            || (select string_agg(pg_temp.code(v), ', ') from unnest(substring(rule from '\{.*\}')::text[]) as v)
        else pg_temp.code(rule)
    end
    from bare
);

-- What breaks the most frequent ones.
create function pg_temp.breaks(name text, relation text, definition text,
    comment text) returns text language sql immutable
return (
    with of (field, value) as (
        select v.field, v.value
        from (
            values
                ('An id is not blank', 'id', '" "'::jsonb),
                ('Days and times lie in the years', 'created_at', '"infinity"'),
                ('It does not end before it starts', substring(name from '^' || relation || '_(.*)_per_1$'),
                    '{"start": "2025-02-01", "end": "2025-01-01"}')
        ) as v (says, field, value)
        where starts_with(comment, v.says)
        union all
        select 'resource_type', '"Other"' where definition ~ '^CHECK \(\(resource_type = '
        union all
        select substring(definition from '^CHECK \(+(\w+) >= [01]\)'), '-1' where definition ~ '^CHECK \(+\w+ >= [01]\)'
        union all
        select substring(pg_temp.expression(definition)
            from '^CHECK \(\(?(?:jsonb_typeof\(|hacs_core\.is_\w+\()?(\w+)'), case
            when pg_temp.rule(definition) = 'a JSON object' then '[]'::jsonb
            when pg_temp.rule(definition) = 'a JSON list' then '{}'
            when pg_temp.rule(definition) like 'one of %' then '"something else"'
            when pg_temp.rule(definition) like 'each one of %' then '["something else"]'
        end
    )
    select jsonb_build_object(field, value)::text from of where field is not null and value is not null limit 1
);

-- One row is a line of the reference. The numbers put them in order: schema, section, table, part of it, line.
create temporary view lines (place, section, relation, part, line, text) as

-- The table of contents
select 0, 0, '', 0, place * 10, format(E'- [%s](schema/%s.md): %s', name, name, pg_temp.words(comment))
    from pg_temp.schemas
union all
select
    0, 0, '', 0, s.place * 10 + 1,
    '    - tables: ' || string_agg(
        format('[%s](schema/%s)', r.name, pg_temp.place(r.schema_name, r.full_name)), ', ' order by r.name collate "C"
    )
from pg_temp.schemas as s
join pg_temp.relations as r on r.place = s.place and not r.is_view
group by s.place
union all
select
    0, 0, '', 0, s.place * 10 + 2,
    '    - views: ' || string_agg(
        format('[%s](schema/%s)', r.name, pg_temp.place(r.schema_name, r.full_name)), ', ' order by r.name collate "C"
    )
from pg_temp.schemas as s
join pg_temp.relations as r on r.place = s.place and r.is_view
group by s.place
union all
select 0, 0, '', 0, s.place * 10 + 3, format('    - [functions](schema/%1$s.md#functions-of-%1$s)', s.name)
from pg_temp.schemas as s
where exists (select 1 from pg_catalog.pg_proc where pronamespace = s.oid)
union all
select 0, 0, '', 0, s.place * 10 + 4, format('    - [types](schema/%1$s.md#types-of-%1$s)', s.name)
from pg_temp.schemas as s
where exists (select 1 from pg_catalog.pg_type where typnamespace = s.oid and typtype = 'd')

-- Schemas
union all
select
    place, 0, '', 0, 0, format(
        E'# %s\n\n<!-- Made by scripts/update-docs.sh from the catalogue of a migrated database. -->\n\n%s.\n\n'
        'What every table of resources has, [schema.md](../schema.md#what-every-table-of-resources-has) tells once; '
            '[rules.md]'
        '(rules.md) has all rules by their names.%s', name, pg_temp.words(comment),
        case when name in ('hacs_core', 'hacs_clinical')
            then format(E'\n\n![Tables of %1$s and what they refer to](../pictures/%1$s.svg)', name) end
    )
from pg_temp.schemas

-- Tables and views, with their columns
union all
select place, 1 + is_view::integer, name, 0, 0, format(
    E'\n## %s\n\n%s%s.\n\n| column | type | | what it holds |\n|---|---|---|---|',
    full_name, case when is_view then 'View. ' else '' end, pg_temp.words(comment)
)
from pg_temp.relations
union all
select
    r.place, 1 + r.is_view::integer, r.name, 0, a.attnum, format(
        '| `%s` | `%s` | %s | %s |',
        a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod),
        concat_ws(
            ', ',
            case when a.attnum = any (k.conkey) then 'primary key' when a.attnotnull then 'not null' end,
            case
                when d.oid is not null then
                    case when a.attgenerated <> '' then 'made by ' else 'default ' end
                    || pg_temp.code(pg_temp.expression(pg_catalog.pg_get_expr(d.adbin, d.adrelid)))
            end
        ),
        pg_temp.words(pg_catalog.col_description(r.oid, a.attnum))
    )
from pg_temp.relations as r
join pg_catalog.pg_attribute as a on a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped
left join pg_catalog.pg_attrdef as d on d.adrelid = r.oid and d.adnum = a.attnum
left join pg_catalog.pg_constraint as k on k.conrelid = r.oid and k.contype = 'p'
where not (
    r.oid in (select oid from pg_temp.resources)
    and a.attname in ('id', 'resource_type', 'created_at', 'updated_at', 'extra', 'version_id')
)

-- Rules: checks, unique keys
union all
select distinct r.place, 1, r.name, 1, 0, E'\n| rule | what it wants |\n|---|---|'
from pg_temp.relations as r
join pg_catalog.pg_constraint as k on k.conrelid = r.oid and k.contype in ('c', 'u', 't')
union all
select
    r.place, 1, r.name, 1, row_number() over (partition by r.oid order by k.conname collate "C"), format(
        '| `%s` | %s |',
        k.conname,
        coalesce(
            pg_temp.words(pg_catalog.obj_description(k.oid, 'pg_constraint')),
            case k.contype
                when 'c' then pg_temp.rule(pg_catalog.pg_get_constraintdef(k.oid))
                when 'u' then pg_temp.code(lower(pg_catalog.pg_get_constraintdef(k.oid)))
                else 'by the trigger function ' || (
                    select pg_temp.code(t.tgfoid::regprocedure::text)
                    from pg_catalog.pg_trigger as t
                    where t.tgconstraint = k.oid
                )
            end
        )
    )
from pg_temp.relations as r
join pg_catalog.pg_constraint as k on k.conrelid = r.oid and k.contype in ('c', 'u', 't')

-- Foreign keys
union all
select distinct r.place, 1, r.name, 2, 0, E'\n| foreign key | from | to | on delete |\n|---|---|---|---|'
from pg_temp.relations as r
join pg_catalog.pg_constraint as k on k.conrelid = r.oid and k.contype = 'f'
union all
select
    r.place, 1, r.name, 2, row_number() over (partition by r.oid order by k.conname collate "C"), format(
        '| `%s` | `%s` | [%s](%s) | %s |',
        k.conname,
        (
            select string_agg(a.attname, ', ' order by c.place)
            from unnest(k.conkey) with ordinality as c (attnum, place)
            join pg_catalog.pg_attribute as a on a.attrelid = k.conrelid and a.attnum = c.attnum
        ),
        t.full_name, pg_temp.place(t.schema_name, t.full_name),
        case k.confdeltype
            when 'a' then 'refused at the end' when 'r' then 'refused' when 'c' then 'deleted too'
            when 'n' then 'set to null' else 'set to its default'
        end
    )
from pg_temp.relations as r
join pg_catalog.pg_constraint as k on k.conrelid = r.oid and k.contype = 'f'
join pg_temp.relations as t on t.oid = k.confrelid

-- Indexes
union all
select distinct r.place, 1, r.name, 3, 0, E'\n| index | on |\n|---|---|'
from pg_temp.relations as r
join pg_catalog.pg_index as i on i.indrelid = r.oid
union all
select
    r.place, 1, r.name, 3, row_number() over (partition by r.oid order by c.relname collate "C"), format(
        '| `%s` | %s%s%s |',
        c.relname, case when i.indisunique then 'unique ' else '' end,
        pg_temp.code(substring(pg_catalog.pg_get_indexdef(i.indexrelid) from ' USING (.*)$')),
        coalesce(': ' || pg_temp.words(pg_catalog.obj_description(c.oid, 'pg_class')), '')
    )
from pg_temp.relations as r
join pg_catalog.pg_index as i on i.indrelid = r.oid
join pg_catalog.pg_class as c on c.oid = i.indexrelid

-- Functions. Those that the audit makes for each table are all alike.
union all
select distinct
    s.place, 3, '', 0, 0,
    format(E'\n## Functions of %s\n\n| function | gives | what it does |\n|---|---|---|', s.name)
from pg_temp.schemas as s
join pg_catalog.pg_proc as p on p.pronamespace = s.oid
union all
select
    s.place, 3, '', 0, row_number() over (
        partition by s.oid
        order by p.proname collate "C", pg_catalog.pg_get_function_identity_arguments(p.oid) collate "C"
    ), format(
        '| `%s(%s)` | `%s` | %s |',
        p.proname, pg_temp.expression(pg_catalog.pg_get_function_arguments(p.oid)),
        pg_catalog.pg_get_function_result(p.oid),
        pg_temp.words(pg_catalog.obj_description(p.oid, 'pg_proc'))
    )
from pg_temp.schemas as s
join pg_catalog.pg_proc as p on p.pronamespace = s.oid
where p.proname !~ '^record_hacs_'
union all
select distinct
    s.place, 3, '', 1, 0,
    E'\nBesides, `hacs_audit.attach` makes a trigger function `record_<schema>_<table>()` for each audited table.'
from pg_temp.schemas as s
join pg_catalog.pg_proc as p on p.pronamespace = s.oid
where p.proname ~ '^record_hacs_'

-- Domains
union all
select distinct
    s.place, 4, '', 0, 0,
    format(E'\n## Types of %s\n\n| type | of | what it holds | rules |\n|---|---|---|---|', s.name)
from pg_temp.schemas as s
join pg_catalog.pg_type as t on t.typnamespace = s.oid and t.typtype = 'd'
union all
select
    s.place, 4, '', 0, row_number() over (partition by s.oid order by t.typname collate "C"), format(
        '| `%s` | `%s` | %s | %s |',
        t.typname, pg_catalog.format_type(t.typbasetype, t.typtypmod),
        pg_temp.words(pg_catalog.obj_description(t.oid, 'pg_type')),
        (
            select string_agg(
                format('`%s`: %s', k.conname, pg_temp.rule(pg_catalog.pg_get_constraintdef(k.oid))),
                '; ' order by k.conname collate "C"
            )
            from pg_catalog.pg_constraint as k
            where k.contypid = t.oid and k.contype = 'c'
        )
    )
from pg_temp.schemas as s
join pg_catalog.pg_type as t on t.typnamespace = s.oid and t.typtype = 'd';

select :'page' = 'rules' as is_rules \gset
\if :is_rules
-- For each rule a document that it refuses, of the tests; the quotes and the delimiter are characters that it does not
-- have.
create temporary table examples (document jsonb);
\copy pg_temp.examples from 'tests/data/rules.ndjson' with (format csv, quote e'\x01', delimiter e'\x02')
select E'# The rules\n\n<!-- Made by scripts/update-docs.sh from the catalogue of a migrated database. -->\n\nEach by '
    'the name that '
    'an error gives, with fields that break it. What is a JSON list or object of its own says so by its name.\n\n'
    '| rule | of | what it wants | broken by |\n|---|---|---|---|';
select format(
    '| `%s` | [%s](%s) | %s | %s |', k.conname, r.full_name, pg_temp.place(r.schema_name, r.full_name),
    coalesce(
        pg_temp.words(pg_catalog.obj_description(k.oid, 'pg_constraint')),
        (
            select pg_temp.words(pg_catalog.obj_description(t.tgfoid, 'pg_proc'))
            from pg_catalog.pg_trigger as t where t.tgconstraint = k.oid
        ),
        pg_temp.rule(pg_catalog.pg_get_constraintdef(k.oid))
    ),
    pg_temp.code(coalesce(
        (
            select e.document -> 'reject' ->> 0
            from pg_temp.examples as e
            where e.document ->> 'constraint' = k.conname and length(e.document -> 'reject' ->> 0) < 200
            limit 1
        ),
        pg_temp.breaks(k.conname, r.name, pg_catalog.pg_get_constraintdef(k.oid),
            pg_catalog.obj_description(k.oid, 'pg_constraint'))
    ))
)
from pg_temp.relations as r
join pg_catalog.pg_constraint as k on k.conrelid = r.oid and k.contype in ('c', 't')
order by k.conname collate "C";
\else
select text from pg_temp.lines
where place = coalesce((select s.place from pg_temp.schemas as s where s.name = :'page'), 0)
order by place, section, relation collate "C", part, line;
\endif
