-- Which potassium values of this day call for somebody?
-- GET [base]/Observation?code=2823-3&date=2026-06-14&value-quantity=gt6.5
-- with: '2026-06-14Z', '2026-06-15Z', '{"coding": [{"system": "http://loinc.org", "code": "2823-3"}]}', 6
select id, patient_id, effective_datetime, value_quantity
from hacs_core.observations
where effective_datetime >= $1 and effective_datetime < $2
    and code @> $3 and (value_quantity ->> 'value')::double precision > $4
order by effective_datetime;
