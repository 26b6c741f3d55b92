-- The same question to the tables of the original Python system.
-- with: 'Encounter/e150'
select id, code, effective_datetime, value_quantity
from hacs_core.observations
where encounter = $1
order by effective_datetime;
