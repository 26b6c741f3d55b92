-- What becomes of each table, and what it holds: looked at before and after.

create temporary table hacs_plan (
    target regclass primary key, kind text not null, home text, expression text, ids text, name text
) on commit drop;

-- By patient: what the audit knows a patient of. Settings are read by triggers on every node.
insert into hacs_plan
select
    c.relid,
    case
        when c.relid = 'hacs_admin.system_config'::regclass then 'reference'
        when a.patient_column <> '' then 'patient'
        when c.relid = any (array['hacs_agents.memories', 'hacs_registry.knowledge_items']::regclass[]) then 'own'
        else 'local'
    end,
    case
        when a.patient_column <> '' then a.patient_column
        when c.relid = any (array['hacs_agents.memories', 'hacs_registry.knowledge_items']::regclass[]) then 'id'
    end,
    -- of a database that is distributed, its CHECK tells what the column was made of
    coalesce(
        (
            select pg_get_expr(d.adbin, d.adrelid)
            from pg_attribute as f
            join pg_attrdef as d on d.adrelid = f.attrelid and d.adnum = f.attnum
            where f.attrelid = c.relid and f.attname = a.patient_column and f.attgenerated <> ''
        ),
        (
            select substring(pg_get_constraintdef(o.oid) from '^CHECK \(\(\w+ = COALESCE\((.*), ''''::text\)\)\)$')
            from pg_constraint as o
            where o.conrelid = c.relid and o.conname = format('%s_%s_sent', c.relname, a.patient_column)
        )
    ),
    (
        select string_agg(format('%I', k.attname), ', ' order by u.place)
        from pg_constraint as o
        cross join lateral unnest(o.conkey) with ordinality as u (number, place)
        join pg_attribute as k on k.attrelid = o.conrelid and k.attnum = u.number
        where o.conrelid = c.relid and o.contype = 'p' and k.attname is distinct from case
            when a.patient_column <> 'id' then a.patient_column end
    ),
    c.relid::text
from (
    select format('%I.%I', v.schema_name, v.table_name)::regclass as relid, v.table_name as relname
    from hacs_audit.coverage as v
) as c
left join lateral (
    select (string_to_array(encode(t.tgargs, 'escape'), '\000'))[5] as patient_column
    from pg_trigger as t
    where t.tgrelid = c.relid and t.tgname = 'audit_row'
) as a on true;

create temporary table hacs_contents (target text, moment text, number bigint, digest text) on commit drop;

-- The sums of the digests of all rows: whatever order they come in, and on however many nodes they lie. Left out are
-- the columns that a distribution makes or changes, which say what others say.
create or replace function pg_temp.hacs_count(moment text)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    statement text;
begin
    for statement in
        select format(
            'insert into hacs_contents select %L, %L, count(*), concat_ws(''/'', sum(c.a), sum(c.b)) from ('
            'select (''x'' || left(d.digest, 15))::bit(60)::bigint::numeric as a, '
            '(''x'' || substr(d.digest, 16, 15))::bit(60)::bigint::numeric as b '
            'from (select encode(sha256(convert_to((to_jsonb(t) - %L::text[])::text, ''UTF8'')), ''hex'') as digest '
            'from %s as t) as d) as c',
            p.target::text, moment,
            array['has_patient', 'is_patient', 'compartment'] || case when p.home <> 'id' then p.home::text end,
            p.target
        )
        from (
            select h.target, h.home from hacs_plan as h
            union all
            select t.target, null
            from unnest(array['hacs_audit.resource_changes', 'hacs_audit.seals', 'hacs_admin.migrations']::regclass[])
                as t (target)
        ) as p
    loop
        execute statement;
    end loop;
end
$$;

select pg_temp.hacs_count('before');
