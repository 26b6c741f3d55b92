-- The same question to the tables of the original Python system.
-- with: 'Patient', 'p7'
select id, created_at, action, details, actor_id
from hacs_audit.system_audit_log
where resource_type = $1 and resource_id = $2
order by created_at;
