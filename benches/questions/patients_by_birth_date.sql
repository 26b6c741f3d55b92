-- Who was born on this day? GET [base]/Patient?birthdate=1964-02-23
-- with: '1964-02-23'
select id, given, family, birth_date
from hacs_core.patients
where birth_date = $1;
