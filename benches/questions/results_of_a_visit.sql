-- What was found during this visit? GET [base]/Observation?encounter=Encounter/e150
-- with: 'e150'
select id, code, effective_datetime, value_quantity
from hacs_core.observations
where encounter_id = $1
order by effective_datetime;
