-- The same question to the tables of the original Python system.
-- with: 'practitioner/dr7', 'now'
select created_at, action, resource_type, resource_id, details
from hacs_audit.system_audit_log
where actor_id = $1 and created_at >= $2::timestamptz - interval '30 days'
    and created_at < $2::timestamptz + interval '1 day'
order by created_at desc
limit 50;
