-- The tables of the original Python system, without foreign data of any kind: from the facts in tests/data/legacy/.
-- Vectors are left as text, and their indexes out: pgvector is not needed, and the hospital of hospital.sql has none.
--
--   psql -f benches/data/legacy-tables.sql       into an empty database, from the root of the repository

\set ON_ERROR_STOP on
\set facts `cat tests/data/legacy/2025-08.json`
set client_min_messages = warning;
\pset tuples_only on

create function public.update_updated_at_column() returns trigger language plpgsql
    set search_path = pg_catalog, pg_temp as $$
begin
    new.updated_at = now();
    return new;
end
$$;

create temporary table facts as select key as name, value as facts from jsonb_each(:'facts');

select distinct format('create schema if not exists %s', split_part(name, '.', 1)) from facts \gexec

select format('create table %s (%s)', name, (
    select string_agg(
        format('%I %s', c ->> 'name', replace(c ->> 'type', 'vector(1536)', 'text'))
            || coalesce(' default ' || (c ->> 'default'), '') || case when c @> '{"not_null": true}' then ' not null'
                else '' end,
        ', ' order by place
    )
    from jsonb_array_elements(facts -> 'columns') with ordinality as e (c, place)
))
from facts \gexec

select format('alter table %s add %s', name, key)
from facts, jsonb_array_elements_text(facts -> 'keys') as k (key)
order by key like 'FOREIGN%' \gexec

select format('create index if not exists %s on %s using %s', i ->> 'name', name, i ->> 'on')
from facts, jsonb_array_elements(facts -> 'indexes') as e (i)
where i ->> 'on' not like '%vector%' \gexec

select format('create trigger %s before update on %s for each row execute function public.update_updated_at_column()',
    t, name)
from facts, jsonb_array_elements_text(facts -> 'triggers') as k (t) \gexec
