-- What has this agent not read yet?
-- with: 'agent2'
select id, created_at, sender_id, priority, thread_id, content
from hacs_agents.messages
where recipient_ids @> array[$1] and status in ('sent', 'delivered')
order by created_at;
