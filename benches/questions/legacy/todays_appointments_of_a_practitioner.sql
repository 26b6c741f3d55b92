-- The same question to the tables of the original Python system.
-- with: '[{"actor": {"reference": "Practitioner/dr1"}}]', '2026-06-15Z', '2026-06-16Z'
select id, start_time, end_time, status, description
from hacs_clinical.appointments
where participant @> $1 and start_time >= $2 and start_time < $3
    and status not in ('cancelled', 'noshow', 'entered-in-error')
order by start_time;
