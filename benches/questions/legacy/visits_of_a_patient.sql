-- The same question to the tables of the original Python system.
-- with: 'Patient/p7'
select id, status, class, period, service_provider
from hacs_core.encounters
where subject = $1
order by period ->> 'start' desc;
