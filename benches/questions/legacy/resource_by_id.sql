-- The same question to the tables of the original Python system.
-- with: 'o70'
select to_jsonb(r) from hacs_core.observations as r where id = $1;
