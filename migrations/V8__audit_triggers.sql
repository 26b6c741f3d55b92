-- The audit attached to every table that holds resources or settings. A table made later is one line more.

select hacs_audit.attach('hacs_core.resources');
select hacs_audit.attach('hacs_core.patients', patient_column => 'id');
select hacs_audit.attach('hacs_core.organizations');
select hacs_audit.attach('hacs_core.organization_contacts');
select hacs_audit.attach('hacs_core.organization_qualifications');
select hacs_audit.attach('hacs_core.encounters', patient_column => 'patient_id');
select hacs_audit.attach('hacs_core.observations', patient_column => 'patient_id');

select hacs_audit.attach('hacs_clinical.conditions', patient_column => 'patient_id');
select hacs_audit.attach('hacs_clinical.medications');
select hacs_audit.attach('hacs_clinical.medication_requests', patient_column => 'patient_id');
select hacs_audit.attach('hacs_clinical.procedures', patient_column => 'patient_id');
select hacs_audit.attach('hacs_clinical.allergy_intolerances', patient_column => 'patient_id');
select hacs_audit.attach('hacs_clinical.goals', patient_column => 'patient_id');
select hacs_audit.attach('hacs_clinical.service_requests', patient_column => 'patient_id');
select hacs_audit.attach('hacs_clinical.family_member_history', patient_column => 'patient_id');
select hacs_audit.attach('hacs_clinical.risk_assessments', patient_column => 'patient_id');

select hacs_audit.attach('hacs_clinical.plan_definitions');
select hacs_audit.attach('hacs_clinical.activity_definitions');
select hacs_audit.attach('hacs_clinical.libraries');
select hacs_audit.attach('hacs_clinical.guidance_responses', patient_column => 'patient_id');
select hacs_audit.attach('hacs_clinical.evidence_variables');
select hacs_audit.attach('hacs_clinical.tasks', patient_column => 'patient_id');
select hacs_audit.attach('hacs_clinical.appointments', patient_column => 'patient_id');

select hacs_audit.attach('hacs_registry.knowledge_items');
select hacs_audit.attach('hacs_registry.templates', 'Template');

select hacs_audit.attach('hacs_agents.memories');
select hacs_audit.attach('hacs_agents.messages', patient_column => 'local_patient_id');

select hacs_audit.attach('hacs_admin.system_config', 'SystemConfig', key_column => 'key');

-------------------------------------------------------------------------------------------------------------------
-- PostgreSQL lets everybody call every function. Here everybody who reaches a schema may call the pure functions of its
-- rules, so that a right to a table is enough to write to it; nobody may call anything else, until it is granted.
-------------------------------------------------------------------------------------------------------------------

revoke all on all functions in schema hacs_core, hacs_clinical, hacs_registry, hacs_agents, hacs_admin, hacs_audit from public;
do $$
declare
    rule regprocedure;
begin
    for rule in
        select p.oid
        from pg_catalog.pg_proc as p
        where p.pronamespace = any ('{hacs_core, hacs_clinical, hacs_registry, hacs_agents}'::regnamespace[])
            and p.provolatile = 'i' and not p.prosecdef
            and not exists (
                select from pg_catalog.pg_depend as d
                where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e'
            )
    loop
        execute format('grant execute on function %s to public', rule);
    end loop;
end
$$;

-- What default privileges gave away: the audit, and every function that runs with the rights of its owner.
select hacs_admin.revoke_default_privileges('hacs_audit');
