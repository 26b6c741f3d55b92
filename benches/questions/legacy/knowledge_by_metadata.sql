-- The same question to the tables of the original Python system, whose tags have an index.
-- with: '{"topic": "topic7", "language": "en"}', '{tag5}'
select id, content, source, metadata
from hacs_registry.knowledge_items
where metadata @> $1 and tags @> $2
limit 20;
