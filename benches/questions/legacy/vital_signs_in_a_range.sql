-- The same question to the tables of the original Python system.
-- with: 'Patient/p7', '2026-01-01Z', '2026-06-01Z', '[{"coding": [{"code": "vital-signs"}]}]'
select id, code, effective_datetime, value_quantity
from hacs_core.observations
where subject = $1 and effective_datetime >= $2 and effective_datetime < $3 and category @> $4
order by effective_datetime;
