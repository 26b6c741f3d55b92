-- Who has this disorder? GET [base]/Condition?code=http://snomed.info/sct|38341290&clinical-status=active
-- with: '{"coding": [{"system": "http://snomed.info/sct", "code": "38341290"}]}'
select id, patient_id, recorded_date
from hacs_clinical.conditions
where code @> $1 and clinical_status in ('active', 'recurrence', 'relapse');
