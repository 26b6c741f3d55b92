-- Rows that refer to a record of another patient: such a record may lie on another node. And tables of others that
-- refer to what is to be distributed.

create temporary table hacs_across (what text, place integer) on commit drop;

do $$
declare
    k record;
begin
    for k in
        select c.conrelid::regclass as source, c.confrelid::regclass as target, a.attname as field, s.home,
            t.home as target_home
        from pg_constraint as c
        join pg_attribute as a on a.attrelid = c.conrelid and a.attnum = c.conkey[1]
        join hacs_plan as s on s.target = c.conrelid and s.kind = 'patient'
        join hacs_plan as t on t.target = c.confrelid and t.kind = 'patient' and t.home <> 'id'
        where c.contype = 'f'
        order by 1, 3
    loop
        execute format(
            'insert into hacs_across select format(%1$L, a.id, coalesce(a.%2$I, ''none''), b.id, '
            'coalesce(b.%3$I, ''none'')), row_number() over (order by a.id) '
            'from %4$s as a join %5$s as b on b.id = a.%6$I where a.%2$I is distinct from b.%3$I',
            format('%s %%s of patient %%s refers to %s %%s of patient %%s', k.source, k.target),
            k.home, k.target_home, k.source, k.target, k.field
        );
    end loop;
end
$$;

create temporary table hacs_strangers on commit drop as
select format('%s refers to %s', c.conrelid::regclass, c.confrelid::regclass) as what
from pg_constraint as c
join hacs_plan as p on p.target = c.confrelid and p.kind in ('patient', 'own')
where c.contype = 'f' and c.conrelid not in (select h.target from hacs_plan as h where h.kind in ('patient', 'own'));
