-- The audit attached to every table that holds resources or settings.

do $$
declare
    audited constant text[][] := array[
        ['hacs_core.resources', 'id'],
        ['hacs_core.patients', 'id'],
        ['hacs_core.organizations', 'id'],
        ['hacs_core.organization_contacts', 'id'],
        ['hacs_core.organization_qualifications', 'id'],
        ['hacs_core.encounters', 'id'],
        ['hacs_core.observations', 'id'],
        ['hacs_clinical.conditions', 'id'],
        ['hacs_clinical.medications', 'id'],
        ['hacs_clinical.medication_requests', 'id'],
        ['hacs_clinical.procedures', 'id'],
        ['hacs_clinical.allergy_intolerances', 'id'],
        ['hacs_clinical.goals', 'id'],
        ['hacs_clinical.service_requests', 'id'],
        ['hacs_clinical.family_member_history', 'id'],
        ['hacs_clinical.risk_assessments', 'id'],
        ['hacs_clinical.plan_definitions', 'id'],
        ['hacs_clinical.activity_definitions', 'id'],
        ['hacs_clinical.libraries', 'id'],
        ['hacs_clinical.guidance_responses', 'id'],
        ['hacs_clinical.evidence_variables', 'id'],
        ['hacs_clinical.tasks', 'id'],
        ['hacs_clinical.appointments', 'id'],
        ['hacs_registry.knowledge_items', 'id'],
        ['hacs_registry.templates', 'id'],
        ['hacs_agents.memories', 'id'],
        ['hacs_agents.messages', 'id'],
        ['hacs_admin.system_config', 'key']
    ];
    entry text[];
begin
    foreach entry slice 1 in array audited loop
        execute format(
            'create or replace trigger audit after insert or update or delete on %s '
            'for each row execute function hacs_audit.record_change(%L, %L)',
            entry[1], entry[1], entry[2]
        );
    end loop;
end
$$;
