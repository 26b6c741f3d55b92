-- When does this patient come next? GET [base]/Appointment?patient=Patient/p1&date=ge2026-06-15&_sort=date
-- with: 'p1', '2026-06-15Z'
select id, start, "end", status, description
from hacs_clinical.appointments
where patient_id = $1 and start >= $2
order by start;
