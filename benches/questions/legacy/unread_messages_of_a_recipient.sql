-- The same question to the tables of the original Python system, which keep recipients and status in the metadata.
-- with: '{"recipient_ids": ["agent2"]}'
select id, created_at, agent_id, session_id, content
from hacs_agents.agent_messages
where metadata @> $1 and metadata ->> 'status' in ('sent', 'delivered')
order by created_at;
