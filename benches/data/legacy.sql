-- The hospital of hospital.sql as the original Python tables hold it: a view for each of them, in a schema of its own.
-- What has no column there is left out, tasks altogether.

set client_min_messages = warning;
create schema if not exists as_legacy;

create or replace view as_legacy.hacs_core_patients as
select
    id, given::text[] as given, family, full_name, birth_date, gender, active, deceased, telecom, address,
        communication,
    created_at, updated_at
from hacs_core.patients;

create or replace view as_legacy.hacs_core_organizations as
select
    id, to_jsonb(identifier) as identifier, active, organization_type as type, name,
        part_of_organization_id as part_of, created_at,
    updated_at
from hacs_core.organizations;

create or replace view as_legacy.hacs_core_encounters as
select
    id, status, jsonb_build_object('code', class_fhir) as class, type, subject, participants as participant, period,
        reason_code,
    service_provider, created_at, updated_at
from hacs_core.encounters;

create or replace view as_legacy.hacs_core_observations as
select
    id, status, category, code, subject, encounter, effective_datetime, issued, value_quantity, reference_range,
        created_at, updated_at
from hacs_core.observations;

create or replace view as_legacy.hacs_clinical_conditions as
select
    id, jsonb_build_object('coding', jsonb_build_array(jsonb_build_object('code', clinical_status))) as clinical_status,
    jsonb_build_object('coding',
        jsonb_build_array(jsonb_build_object('code', verification_status))) as verification_status,
    category, code, subject ->> 'reference' as subject, encounter ->> 'reference' as encounter,
        onset_date_time as onset_datetime,
    abatement_date_time as abatement_datetime, recorded_date::date as recorded_date, created_at, updated_at
from hacs_clinical.conditions;

create or replace view as_legacy.hacs_clinical_medication_requests as
select
    id, status, intent, medication_codeable_concept, subject, encounter, authored_on, requester, dosage_instruction,
        created_at, updated_at
from hacs_clinical.medication_requests;

create or replace view as_legacy.hacs_clinical_appointments as
select
    id, status, start as start_time, "end" as end_time, minutes_duration, created as created_datetime, description,
        participant,
    created_at, updated_at
from hacs_clinical.appointments;

create or replace view as_legacy.hacs_agents_agent_messages as
select
    id, case role when 'agent' then sender_id else recipient_ids[1] end as agent_id, role, content,
    jsonb_build_object('patient_id', patient_id, 'recipient_ids', recipient_ids, 'sender_id', sender_id,
        'status', status) as metadata,
    thread_id as session_id, in_reply_to as parent_message_id, created_at, updated_at
from hacs_agents.messages;

create or replace view as_legacy.hacs_agents_memory_blocks as
select id, actor_id as agent_id, memory_type, content, metadata, importance as importance_score, last_accessed,
    created_at, updated_at
from hacs_agents.memories;

create or replace view as_legacy.hacs_registry_knowledge_items as
select
    id, left(content, 30) as title, content, 'guideline' as knowledge_type,
    array(select jsonb_array_elements_text(metadata -> 'tags')) as tags, metadata, source, created_at, updated_at
from hacs_registry.knowledge_items;

create or replace view as_legacy.hacs_audit_system_audit_log as
select
    change_id::text as id, actor_id, lower(operation) as action, resource_type, resource_id,
    jsonb_build_object('patient_id', patient_id, 'changed_fields', changed_fields, 'old', old_values,
        'new', new_values) as details,
    changed_at as created_at
from hacs_audit.resource_changes;
