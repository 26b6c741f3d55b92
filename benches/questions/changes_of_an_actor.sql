-- What did this person change last, in this month? As hacs_audit.changed_by asks.
-- with: 'practitioner/dr7', 'now'
select changed_at, operation, resource_type, resource_id, changed_fields
from hacs_audit.resource_changes
where actor_id = $1 and changed_at >= $2::timestamptz - interval '30 days'
    and changed_at < $2::timestamptz + interval '1 day'
order by changed_at desc, change_id desc
limit 50;
