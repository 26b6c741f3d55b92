-- The same question to the tables of the original Python system.
-- with: 'Patient/p7'
select id, medication_codeable_concept, authored_on, dosage_instruction
from hacs_clinical.medication_requests
where subject = $1 and status in ('active', 'on-hold')
order by authored_on desc;
