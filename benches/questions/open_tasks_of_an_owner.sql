-- What has this person still to do?
-- GET [base]/Task?owner=Practitioner/dr7&status=requested,received,accepted,ready,in-progress,on-hold
-- with: 'Practitioner/dr7'
select id, status, priority, description, patient_id, authored_on
from hacs_clinical.tasks
where owner ->> 'reference' = $1
    and status in ('draft', 'requested', 'received', 'accepted', 'ready', 'in-progress', 'on-hold')
order by priority desc, authored_on;
