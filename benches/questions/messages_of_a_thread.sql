-- What was said in this conversation, in order?
-- with: 'thread-25'
select id, created_at, role, sender_id, content, in_reply_to
from hacs_agents.messages
where thread_id = $1
order by created_at, id;
