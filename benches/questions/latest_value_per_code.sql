-- What is the newest value of each thing measured in this patient? GET [base]/Observation/$lastn?subject=Patient/p7
-- with: 'p7'
select distinct on (code #>> '{coding,0,code}')
    code #>> '{coding,0,code}' as code, effective_datetime, value_quantity
from hacs_core.observations
where patient_id = $1 and status <> 'entered-in-error'
order by code #>> '{coding,0,code}', effective_datetime desc;
