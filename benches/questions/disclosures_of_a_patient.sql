-- Who changed this patient's records in the last month? As hacs_audit.changes_of_patient asks.
-- with: 'p7', 'now'
select changed_at, actor_id, purpose, operation, resource_type, resource_id
from hacs_audit.resource_changes
where (
        patient_id = any (hacs_audit.patient_ids($1))
        or also && array(select 'Patient/' || id from unnest(hacs_audit.patient_ids($1)) as s (id))
    )
    and changed_at >= $2::timestamptz - interval '30 days' and changed_at < $2::timestamptz + interval '1 day'
order by change_id;
