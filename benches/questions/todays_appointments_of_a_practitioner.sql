-- Whom does this person see today? GET [base]/Appointment?actor=Practitioner/dr1&date=2026-06-15
-- with: '[{"actor": {"reference": "Practitioner/dr1"}}]', '2026-06-15Z', '2026-06-16Z'
select id, start, "end", status, patient_id, description
from hacs_clinical.appointments
where participant @> $1 and start >= $2 and start < $3 and status not in ('cancelled', 'noshow', 'entered-in-error')
order by start;
