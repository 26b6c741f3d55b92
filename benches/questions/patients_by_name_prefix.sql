-- Whose family name begins like this, in whatever case? GET [base]/Patient?family=schul&_sort=family
-- The form matters: lower(family) on the left, a prefix on the right.
-- with: 'schulzs%'
select id, given, family, birth_date
from hacs_core.patients
where lower(family) like $1
order by family, id
limit 20;
