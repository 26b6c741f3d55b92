-- The same question to the tables of the original Python system, where the patient stands among the participants.
-- with: '[{"actor": {"reference": "Patient/p1"}}]', '2026-06-15Z'
select id, start_time, end_time, status, description
from hacs_clinical.appointments
where participant @> $1 and start_time >= $2
order by start_time;
