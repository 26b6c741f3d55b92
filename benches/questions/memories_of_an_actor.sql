-- What does this agent hold most important, the newest first among equals?
-- with: 'agent2'
select id, memory_type, content, importance, created_at
from hacs_agents.memories
where actor_id = $1
order by importance desc, created_at desc
limit 20;
