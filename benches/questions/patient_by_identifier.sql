-- Who has this number? GET [base]/Patient?identifier=http://hospital.example/mrn|MRN00000042
-- The form matters: @> finds the pair inside the list; identifiers -> 0 ->> 'value' would find only the first, slowly.
-- with: '[{"system": "http://hospital.example/mrn", "value": "MRN00000042"}]'
select id, given, family, birth_date, identifiers
from hacs_core.patients
where identifiers @> $1;
