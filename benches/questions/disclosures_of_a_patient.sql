-- Who changed this patient's records in the last month?
-- with: 'p7', 'now'
select changed_at, actor_id, purpose, operation, resource_type, resource_id
from hacs_audit.changes_of_patient($1, $2::timestamptz - interval '30 days', $2::timestamptz + interval '1 day');
