-- All that is known about this patient. GET [base]/Patient/p7/$everything
-- with: 'p7'
select to_jsonb(r) from hacs_core.patients as r where id = $1
union all
select to_jsonb(r) from hacs_core.encounters as r where patient_id = $1
union all
select to_jsonb(r) from hacs_core.observations as r where patient_id = $1
union all
select to_jsonb(r) from hacs_clinical.conditions as r where patient_id = $1
union all
select to_jsonb(r) from hacs_clinical.medication_requests as r where patient_id = $1
union all
select to_jsonb(r) from hacs_clinical.procedures as r where patient_id = $1
union all
select to_jsonb(r) from hacs_clinical.allergy_intolerances as r where patient_id = $1
union all
select to_jsonb(r) from hacs_clinical.goals as r where patient_id = $1
union all
select to_jsonb(r) from hacs_clinical.service_requests as r where patient_id = $1
union all
select to_jsonb(r) from hacs_clinical.family_member_history as r where patient_id = $1
union all
select to_jsonb(r) from hacs_clinical.risk_assessments as r where patient_id = $1
union all
select to_jsonb(r) from hacs_clinical.guidance_responses as r where patient_id = $1
union all
select to_jsonb(r) from hacs_clinical.tasks as r where patient_id = $1
union all
select to_jsonb(r) from hacs_clinical.appointments as r where patient_id = $1
union all
select to_jsonb(r) from hacs_agents.messages as r where local_patient_id = $1;
