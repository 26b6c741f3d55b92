-- A link still has the key that this record had once: which one has it now?
-- with: 'Memory', 'y1'
with moved as materialized (
    select change_id, resource_id, changed_at, actor_id
    from hacs_audit.resource_changes
    where also @> array[$1::text || '/' || $2::text] and previous_id = $2
        and coalesce(previous_type, resource_type) = $1
)
select resource_id, changed_at, actor_id
from moved
order by change_id desc
limit 1;
