-- The same question to the tables of the original Python system.
-- with: 'agent2'
select id, memory_type, content, importance_score, created_at
from hacs_agents.memory_blocks
where agent_id = $1
order by importance_score desc, created_at desc
limit 20;
