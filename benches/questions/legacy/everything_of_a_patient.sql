-- The same question to the tables of the original Python system, as far as they have the patient.
-- with: 'p7'
select to_jsonb(r) from hacs_core.patients as r where id = $1
union all
select to_jsonb(r) from hacs_core.encounters as r where subject = 'Patient/' || $1
union all
select to_jsonb(r) from hacs_core.observations as r where subject = 'Patient/' || $1
union all
select to_jsonb(r) from hacs_clinical.conditions as r where subject = 'Patient/' || $1
union all
select to_jsonb(r) from hacs_clinical.medication_requests as r where subject = 'Patient/' || $1
union all
select to_jsonb(r) from hacs_clinical.procedures as r where subject = 'Patient/' || $1
union all
select to_jsonb(r) from hacs_clinical.allergy_intolerances as r where patient = 'Patient/' || $1
union all
select to_jsonb(r) from hacs_clinical.appointments as r
where participant @> jsonb_build_array(jsonb_build_object('actor', jsonb_build_object('reference', 'Patient/' || $1)))
union all
select to_jsonb(r) from hacs_agents.agent_messages as r where metadata ->> 'patient_id' = $1;
