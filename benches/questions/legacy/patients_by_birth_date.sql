-- The same question to the tables of the original Python system.
-- with: '1964-02-23'
select id, given, family, birth_date
from hacs_core.patients
where birth_date = $1;
