-- What happened to this record, and who did it?
-- with: 'Patient', 'p7'
select change_id, changed_at, operation, changed_fields, old_values, new_values, actor_id
from hacs_audit.history($1, $2);
