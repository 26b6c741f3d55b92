-- The same question to the tables of the original Python system.
-- with: 'o3'
with recursive tree as (
    select id, name, part_of, 0 as depth from hacs_core.organizations where id = $1
    union all
    select o.id, o.name, o.part_of, tree.depth + 1
    from tree
    join hacs_core.organizations as o on o.part_of = 'Organization/' || tree.id
    where tree.depth < 3
)
select * from tree order by depth, name;
