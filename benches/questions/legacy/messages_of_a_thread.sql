-- The same question to the tables of the original Python system, where a thread is a session.
-- with: 'thread-25'
select id, created_at, role, agent_id, content, parent_message_id
from hacs_agents.agent_messages
where session_id = $1
order by created_at, id;
