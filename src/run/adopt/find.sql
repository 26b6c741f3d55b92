-- What stands in a database that is to be adopted, and how the old tables are set aside.
--
-- Everything here is of one transaction: the functions lie in pg_temp and are dropped at its end. What others have made
-- is read as plain tables and columns alone: no function, cast, policy or trigger of somebody else is run.

-- One row for each table that is named in the report.
create temporary table hacs_sources (
    number integer generated always as identity,
    relation oid not null,
    found_as text not null,
    stands_as text not null,
    kind text not null,
    resource_type text,
    moves boolean not null,
    unique_id boolean not null,
    note text,
    -- what was read before, what is read now
    since pg_snapshot,
    snapshot pg_snapshot,
    found bigint not null default 0,
    staged bigint not null default 0,
    older bigint not null default 0,
    set_aside bigint not null default 0,
    reasons jsonb not null default '[]'
) on commit drop;

-- The type of the rows of a table with that name. Whatever has no table here is kept as a document of any type.
create function pg_temp.hacs_type_of(relation_name text)
returns text
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
    select k.type
    from (values
        ('actor_sessions', 'ActorSession'),
        ('activity_definitions', 'ActivityDefinition'),
        ('agent_messages', 'AgentMessage'),
        ('allergy_intolerances', 'AllergyIntolerance'),
        ('appointments', 'Appointment'),
        ('care_plans', 'CarePlan'),
        ('care_teams', 'CareTeam'),
        ('conditions', 'Condition'),
        ('context_summaries', 'ContextSummary'),
        ('diagnostic_reports', 'DiagnosticReport'),
        ('document_references', 'DocumentReference'),
        ('encounters', 'Encounter'),
        ('evidence_variables', 'EvidenceVariable'),
        ('family_member_history', 'FamilyMemberHistory'),
        ('goals', 'Goal'),
        ('guidance_responses', 'GuidanceResponse'),
        ('immunizations', 'Immunization'),
        ('knowledge_items', 'KnowledgeItem'),
        ('libraries', 'Library'),
        ('medication_requests', 'MedicationRequest'),
        ('medication_statements', 'MedicationStatement'),
        ('medications', 'Medication'),
        ('memories', 'Memory'),
        ('memory_blocks', 'Memory'),
        ('messages', 'AgentMessage'),
        ('model_versions', 'ModelVersion'),
        ('nutrition_orders', 'NutritionOrder'),
        ('observations', 'Observation'),
        ('organization_contacts', 'OrganizationContact'),
        ('organization_qualifications', 'OrganizationQualification'),
        ('organizations', 'Organization'),
        ('patients', 'Patient'),
        ('plan_definitions', 'PlanDefinition'),
        ('practitioners', 'Practitioner'),
        ('procedures', 'Procedure'),
        ('risk_assessments', 'RiskAssessment'),
        ('scratchpad_entries', 'ScratchpadEntry'),
        ('service_requests', 'ServiceRequest'),
        ('tasks', 'Task'),
        ('workflow_definitions', 'WorkflowDefinition')
    ) as k (name, type)
    where k.name = relation_name
$$;

-- Looks through the catalogue. in_the_way: tables that the migrations cannot stand beside; ours: all that they make.
create function pg_temp.hacs_find(in_the_way text[], ours text[])
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    insert into pg_temp.hacs_sources (relation, found_as, stands_as, kind, resource_type, moves, unique_id, note,
        since, found)
    with tables as (
        select c.oid as relation, n.nspname, c.relname, c.relkind, n.nspname || '.' || c.relname as name,
            n.nspname = any ('{hacs_core, hacs_clinical, hacs_registry, hacs_agents, hacs_admin, '
                'hacs_audit}') as inside,
            n.nspname = 'hacs_legacy' as aside,
            (
                select jsonb_object_agg(a.attname, format_type(a.atttypid, null)) from pg_attribute as a
                where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
            ) as columns,
            greatest(c.reltuples::bigint, pg_stat_get_live_tuples(c.oid), 0) as about,
            exists (
                select 1 from pg_index as i
                join pg_attribute as a on a.attrelid = c.oid and a.attnum = i.indkey[0]
                where i.indrelid = c.oid and i.indisunique and i.indisvalid and i.indpred is null and i.indnkeyatts = 1
                    and a.attname = 'id'
            ) as unique_id
        from pg_class as c
        join pg_namespace as n on n.oid = c.relnamespace
        where c.relkind in ('r', 'p', 'f') and not c.relispartition
            and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
    ),
    candidates as (
        select t.*, pg_temp.hacs_type_of(t.relname) as known_type, t.name = any (in_the_way) as blocks,
            t.relname in ('hacs_resources', 'resources') and t.columns ?& array['id', 'resource_type', 'data']
                and t.columns ->> 'data' in ('json', 'jsonb') as has_data,
            coalesce(t.columns ->> 'full_resource' in ('json', 'jsonb'), false) as has_full
        from tables as t
        where not (t.aside and t.relname in ('rejects', 'older'))
            and (t.name <> all (ours) or t.name = any (in_the_way))
            and not (t.nspname = 'hacs_admin' and t.relname ~ '^([a-z][a-z0-9_]*_)?migrations$')
            and not (t.nspname = 'hacs_audit' and t.relname ~ '^resource_changes_')
            -- beside a table that is followed
            and not (t.relname ~ '_refusals$' and t.columns ?& '{row_id, sqlstate, field, rule, refused_at}')
    ),
    kinds as (
        select c.*, case
            when c.relkind <> 'r' or row_security_active(c.relation) then 'left'
            when c.has_data and (c.inside or c.aside or c.relname = 'hacs_resources') then 'documents'
            when c.known_type is not null and c.has_full then 'full'
            when c.known_type is not null and (c.inside or c.aside) and c.columns ? 'id' then 'columns'
            when c.relname = 'system_configuration' and (c.inside or c.aside)
                and c.columns ->> 'config_key' = 'text' and c.columns ->> 'config_value' in ('json', 'jsonb')
                    then 'settings'
            else 'left'
        end as kind
        from candidates as c
    )
    select k.relation, format('%I.%I', k.nspname, k.relname), format('%I.%I', k.nspname, k.relname), k.kind,
        k.known_type,
        k.inside and (k.blocks or k.kind <> 'left' or k.name = 'hacs_audit.system_audit_log'), k.unique_id,
        case
            when k.kind <> 'left' then null
            when k.relkind <> 'r' then 'it is no ordinary table'
            when row_security_active(k.relation) then 'row-level security hides rows of it'
            when k.relname = 'system_audit_log' and (k.inside or k.aside)
                then 'an old log is no document; what changes here is recorded by triggers'
            when k.known_type is not null and (k.inside or k.aside) then 'it has no column id'
            else 'it is not known'
        end,
        pg_temp.hacs_read_before(k.relation), case when k.kind = 'left' then k.about else 0 end
    from kinds as k
    where k.kind <> 'left' or k.inside or k.aside or k.nspname = 'public'
    -- of equal age, a whole document is worth more than columns
    order by k.kind = 'columns', k.inside, k.name;
end
$$;

-- What an earlier run read of a table, as a snapshot; null where it did not, or where the numbers of transactions now
-- mean something else, as after a restore.
create function pg_temp.hacs_read_before(relation oid)
returns pg_snapshot
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    known jsonb;
begin
    if to_regclass('hacs_admin.system_config') is null then
        return null;
    end if;
    select c.value -> relation::text into known from hacs_admin.system_config as c where c.key = 'adopt.read';
    return case when known ->> 'cluster' = pg_temp.hacs_cluster() then (known ->> 'snapshot')::pg_snapshot end;
end
$$;

create function pg_temp.hacs_cluster()
returns text
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    known text := 'unknown';
begin
    if has_function_privilege('pg_control_system()', 'execute') then
        select s.system_identifier::text into known from pg_control_system() as s;
    end if;
    return known || '/' || (select d.oid from pg_database as d where d.datname = current_database());
end
$$;

-- A name that nothing has, neither in one schema nor in the other.
create function pg_temp.hacs_free_name(wanted text, one text, other text)
returns text
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    name text := wanted;
    number integer := 1;
begin
    while exists (
        select 1 from pg_class as c where c.relname = name
            and c.relnamespace in (to_regnamespace(one), to_regnamespace(other))
    ) loop
        number := number + 1;
        name := left(wanted, 58) || '_' || number;
    end loop;
    return name;
end
$$;

-- Moves a table with rows, keys, indexes and sequences. Where a name is taken in hacs_legacy, a number is added to it.
create function pg_temp.hacs_set_aside()
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    s record;
    part record;
    name text;
begin
    for s in
        select h.number, h.stands_as, h.relation, c.relname, n.nspname
        from pg_temp.hacs_sources as h
        join pg_class as c on c.oid = h.relation
        join pg_namespace as n on n.oid = c.relnamespace
        where h.moves
        order by h.stands_as
    loop
        if to_regnamespace('hacs_legacy') is null then
            create schema hacs_legacy;
            comment on schema hacs_legacy is
                'Tables of the original Python system, set aside by hacs-refinery adopt; its --finish drops them';
        end if;
        execute format('lock table only %s in access exclusive mode', s.stands_as);
        for part in
            select c.relname, c.relkind from pg_class as c
            where c.relkind in ('i', 'I') and c.oid in (select i.indexrelid from pg_index as i
                where i.indrelid = s.relation)
                or c.relkind = 'S' and c.oid in (
                    select d.objid from pg_depend as d
                    where d.classid = 'pg_class'::regclass and d.refclassid = 'pg_class'::regclass
                        and d.refobjid = s.relation and d.deptype in ('a', 'i')
                )
        loop
            if to_regclass(format('hacs_legacy.%I', part.relname)) is not null then
                execute format('alter %s %I.%I rename to %I', case part.relkind when 'S' then 'sequence'
                    else 'index' end,
                    s.nspname, part.relname, pg_temp.hacs_free_name(part.relname, 'hacs_legacy', s.nspname));
            end if;
        end loop;
        name := s.relname;
        if to_regclass(format('hacs_legacy.%I', name)) is not null then
            name := pg_temp.hacs_free_name(name, 'hacs_legacy', s.nspname);
            execute format('alter table %s rename to %I', s.stands_as, name);
        end if;
        execute format('alter table %I.%I set schema hacs_legacy', s.nspname, name);
        update pg_temp.hacs_sources as h set stands_as = format('hacs_legacy.%I', name) where h.number = s.number;
    end loop;
end
$$;
