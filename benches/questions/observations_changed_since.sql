-- What is new since the last time? GET [base]/Observation?_lastUpdated=gt2026-06-14
-- with: '2026-06-14Z'
select id, updated_at
from hacs_core.observations
where updated_at > $1
order by updated_at;
