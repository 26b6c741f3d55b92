-- A link still has the key that this record had once: which one has it now?
-- with: 'Memory', 'y1'
select resource_id, changed_at, actor_id
from hacs_audit.resource_changes
where resource_type = $1 and previous_id = $2
order by change_id desc
limit 1;
