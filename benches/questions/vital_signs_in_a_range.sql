-- What were this patient's vital signs in these months?
-- GET [base]/Observation?subject=Patient/p7&category=vital-signs&date=ge2026-01-01&date=lt2026-06-01
-- with: 'p7', '2026-01-01Z', '2026-06-01Z', '[{"coding": [{"code": "vital-signs"}]}]'
select id, code, effective_datetime, value_quantity
from hacs_core.observations
where patient_id = $1 and effective_datetime >= $2 and effective_datetime < $3 and category @> $4
order by effective_datetime;
