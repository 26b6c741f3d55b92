-- The same question to the tables of the original Python system.
-- with: 'schulzs%'
select id, given, family, birth_date
from hacs_core.patients
where lower(family) like $1
order by family, id
limit 20;
