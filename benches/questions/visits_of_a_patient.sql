-- When was this patient here? GET [base]/Encounter?subject=Patient/p7&_sort=-date
-- with: 'p7'
select id, status, class_fhir, period, service_provider
from hacs_core.encounters
where patient_id = $1
order by period ->> 'start' desc;
