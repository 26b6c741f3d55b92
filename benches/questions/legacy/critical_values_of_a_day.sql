-- The same question to the tables of the original Python system.
-- with: '2026-06-14Z', '2026-06-15Z', '{"coding": [{"system": "http://loinc.org", "code": "2823-3"}]}', 6
select id, subject, effective_datetime, value_quantity
from hacs_core.observations
where effective_datetime >= $1 and effective_datetime < $2
    and code @> $3 and (value_quantity ->> 'value')::double precision > $4
order by effective_datetime;
