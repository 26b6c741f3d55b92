-- The same question to the tables of the original Python system.
-- with: 'Patient/p7', '{"coding": [{"system": "http://loinc.org", "code": "8867-4"}]}'
select id, effective_datetime, value_quantity
from hacs_core.observations
where subject = $1 and code @> $2 and effective_datetime is not null
order by effective_datetime desc
limit 1;
