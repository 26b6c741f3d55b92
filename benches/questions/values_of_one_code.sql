-- Which procalcitonin values are there, whoever the patient? GET [base]/Observation?code=33959-8
-- with: '{"coding": [{"system": "http://loinc.org", "code": "33959-8"}]}'
select id, patient_id, effective_datetime, value_quantity
from hacs_core.observations
where code @> $1;
