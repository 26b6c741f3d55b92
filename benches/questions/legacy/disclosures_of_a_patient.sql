-- The same question to the tables of the original Python system, which keep the patient in the details.
-- with: 'p7', 'now'
select created_at, actor_id, action, resource_type, resource_id
from hacs_audit.system_audit_log
where details ->> 'patient_id' = $1 and created_at >= $2::timestamptz - interval '30 days'
    and created_at < $2::timestamptz + interval '1 day';
