-- The same question to the tables of the original Python system, where the status is a concept.
-- with: 'Patient/p7'
select id, code, onset_datetime
from hacs_clinical.conditions
where subject = $1 and clinical_status #>> '{coding,0,code}' in ('active', 'recurrence', 'relapse')
order by recorded_date desc;
