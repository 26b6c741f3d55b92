-- What did this person change in the last month?
-- with: 'practitioner/dr7', 'now'
select changed_at, operation, resource_type, resource_id, changed_fields
from hacs_audit.changed_by($1, $2::timestamptz - interval '30 days', $2::timestamptz + interval '1 day')
order by changed_at desc
limit 50;
