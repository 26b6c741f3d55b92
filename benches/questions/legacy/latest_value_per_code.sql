-- The same question to the tables of the original Python system.
-- with: 'Patient/p7'
select distinct on (code #>> '{coding,0,code}')
    code #>> '{coding,0,code}' as code, effective_datetime, value_quantity
from hacs_core.observations
where subject = $1 and status <> 'entered-in-error'
order by code #>> '{coding,0,code}', effective_datetime desc;
