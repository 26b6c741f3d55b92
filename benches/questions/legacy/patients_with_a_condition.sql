-- The same question to the tables of the original Python system, where the status is a concept.
-- with: '{"coding": [{"system": "http://snomed.info/sct", "code": "38341290"}]}'
select id, subject, recorded_date
from hacs_clinical.conditions
where code @> $1 and clinical_status #>> '{coding,0,code}' in ('active', 'recurrence', 'relapse');
