-- What was this patient's last heart rate? GET [base]/Observation?subject=Patient/p7&code=8867-4&_sort=-date&_count=1
-- with: 'p7', '{"coding": [{"system": "http://loinc.org", "code": "8867-4"}]}'
select id, effective_datetime, value_quantity
from hacs_core.observations
where patient_id = $1 and code @> $2 and effective_datetime is not null
order by effective_datetime desc
limit 1;
