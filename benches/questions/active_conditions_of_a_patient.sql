-- What does this patient have at present?
-- GET [base]/Condition?subject=Patient/p7&clinical-status=active,recurrence,relapse
-- with: 'p7'
select id, code, onset_date_time, condition_name
from hacs_clinical.conditions
where patient_id = $1 and clinical_status in ('active', 'recurrence', 'relapse')
order by recorded_date desc;
