-- The source of a picture in Graphviz's language, from the catalogue of a migrated database: the tables of one schema
-- with their key columns and what they refer to, or the names of all tables and what refers to what.
--
--   psql --set schema=hacs_core --file scripts/schema-pictures.sql      or --set schema=whole

\set ON_ERROR_STOP on
\pset tuples_only on
\pset format unaligned
set search_path = pg_catalog, pg_temp;

create temporary view tables as
select
    s.place, s.name as schema_name, s.color, c.oid, c.relname::text as name,
    format('%s.%s', s.name, c.relname) as full_name
from (
    values (1, 'hacs_core', '#dbe9f6'), (2, 'hacs_clinical', '#e2f0d9'), (3, 'hacs_registry', '#fff2cc'),
        (4, 'hacs_agents', '#f8e0d2'), (5, 'hacs_admin', '#e7e6e6'), (6, 'hacs_audit', '#e9dff2')
) as s (place, name, color)
join pg_catalog.pg_namespace as n on n.nspname = s.name
join pg_catalog.pg_class as c on c.relnamespace = n.oid
where c.relkind in ('r', 'p') and not c.relispartition;

-- Every reference here has one column.
create temporary view edges as
select k.conrelid as from_table, k.confrelid as to_table, a.attname::text as column_name
from pg_temp.tables as t
join pg_catalog.pg_constraint as k on k.conrelid = t.oid and k.contype = 'f'
join pg_catalog.pg_attribute as a on a.attrelid = k.conrelid and a.attnum = k.conkey[1];

create temporary view key_columns as
select k.conrelid as table_oid, a.attname::text as name, a.attnum, bool_or(k.contype = 'p') as is_primary
from pg_temp.tables as t
join pg_catalog.pg_constraint as k on k.conrelid = t.oid and k.contype in ('p', 'f')
join pg_catalog.pg_attribute as a on a.attrelid = k.conrelid and a.attnum = any (k.conkey)
group by k.conrelid, a.attname, a.attnum;

select format(
    'digraph "%s" { graph [fontname="Arial", fontsize=12, rankdir=LR, %s]; '
    || 'node [shape=plain, fontname="Arial", fontsize=11]; edge [color="#5f6b7a", arrowsize=0.7];',
    :'schema',
    case :'schema'
        when 'whole' then 'ranksep=1.3, nodesep=0.12, newrank=true, labeljust=l'
        -- tables without references inside the schema stand side by side
        else 'ranksep=0.9, nodesep=0.2, pack=14, packmode="array_t4"'
    end
);

-- One schema: a box for each table with its keys. An arrow leads to another table of the same
-- schema; tables of other schemas are named.
select format(
    '"%s" [label=<<table border="0" cellborder="1" cellspacing="0" cellpadding="4" color="#5f6b7a">'
    || '<tr><td bgcolor="%s" port="name"><b>%s</b></td></tr>%s</table>>];',
    t.name, t.color, t.name,
    (
        select string_agg(
            format(
                '<tr><td align="left" balign="left" bgcolor="white" port="%s">%s%s</td></tr>',
                k.name, case when k.is_primary then format('<u>%s</u>', k.name) else k.name end,
                (
                    select format(
                        '<br/><font color="#5f6b7a" point-size="9">→ %s</font>',
                        case when o.oid = t.oid then 'the same table' else o.full_name end
                    )
                    from pg_temp.edges as e
                    join pg_temp.tables as o on o.oid = e.to_table
                    where e.from_table = t.oid and e.column_name = k.name
                        and (o.schema_name <> t.schema_name or o.oid = t.oid)
                )
            ),
            '' order by k.attnum
        )
        from pg_temp.key_columns as k
        where k.table_oid = t.oid
    )
)
from pg_temp.tables as t
where t.schema_name = :'schema'
order by t.name collate "C";

select format('"%s":"%s":e -> "%s":name:w;', f.name, e.column_name, t.name)
from pg_temp.edges as e
join pg_temp.tables as f on f.oid = e.from_table and f.schema_name = :'schema'
join pg_temp.tables as t on t.oid = e.to_table and t.schema_name = :'schema' and t.oid <> f.oid
order by f.name collate "C", e.column_name collate "C";

-- The whole: names only, a frame for each schema, one arrow for all references from one table to another. The two
-- tables to which most arrows lead have a color of their own.
select format(
    'subgraph "cluster_%s" { label="%s"; style="filled,rounded"; color="%s"; %s }',
    t.schema_name, t.schema_name, t.color,
    string_agg(
        format(
            '"%s" [label="%s", shape=box, style="filled,rounded", fillcolor=white, color="#5f6b7a", '
            || 'margin="0.08,0.04", height=0.28];',
            t.full_name, t.name
        ),
        ' ' order by t.name collate "C"
    )
)
from pg_temp.tables as t
where :'schema' = 'whole'
group by t.place, t.schema_name, t.color
order by t.place;

select distinct on (f.full_name collate "C", t.full_name collate "C") format(
    -- drawn from its end to its beginning: patients, to which most arrows lead, stand at the left
    '"%s" -> "%s" [dir=back, color="%s"];',
    t.full_name, f.full_name,
    case t.full_name
        when 'hacs_core.patients' then '#2f75b5'
        when 'hacs_core.encounters' then '#c55a11'
        else '#404040'
    end
)
from pg_temp.edges as e
join pg_temp.tables as f on f.oid = e.from_table
join pg_temp.tables as t on t.oid = e.to_table and t.oid <> f.oid
where :'schema' = 'whole'
order by f.full_name collate "C", t.full_name collate "C";

\qecho }
