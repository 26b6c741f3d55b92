-- One record. GET [base]/Observation/o70
-- with: 'o70'
select to_jsonb(r) from hacs_core.observations as r where id = $1;
