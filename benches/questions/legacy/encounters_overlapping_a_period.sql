-- The same question to the tables of the original Python system: a text comparison, right as long as all dates are
-- written in UTC and in full.
-- with: '2026-03-02T22:00:00Z', '2026-03-03T06:00:00Z'
select id, subject, class, status, period
from hacs_core.encounters
where period ->> 'start' <= $2 and coalesce(period ->> 'end', '9') >= $1;
