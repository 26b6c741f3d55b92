-- Which passages are about this, in this language, with this tag?
-- with: '{"topic": "topic7", "language": "en", "tags": ["tag5"]}'
select id, content, source, metadata
from hacs_registry.knowledge_items
where metadata @> $1
limit 20;
