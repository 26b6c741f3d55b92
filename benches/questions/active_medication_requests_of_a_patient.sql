-- What is this patient on? GET [base]/MedicationRequest?subject=Patient/p7&status=active,on-hold
-- with: 'p7'
select id, medication_codeable_concept, authored_on, dosage_instruction
from hacs_clinical.medication_requests
where patient_id = $1 and status in ('active', 'on-hold')
order by authored_on desc;
