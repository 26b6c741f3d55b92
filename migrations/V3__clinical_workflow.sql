-- Clinical workflow: definitions that can be reused, and the tasks, appointments and answers made from them.

-------------------------------------------------------------------------------------------------------------------
-- The actions of a plan form a tree; the rule of their data applies at every depth.
-------------------------------------------------------------------------------------------------------------------

create or replace function hacs_core.is_action_data(actions jsonb, direction text)
returns boolean
language plpgsql immutable parallel safe strict
set search_path = pg_catalog, pg_temp
as $$
begin
    return not exists (
        select 1
        from jsonb_array_elements(actions) as a (action)
        where (
                action -> direction <> '[]'
                and exists (
                    select 1
                    from jsonb_array_elements(action -> direction) as d (data)
                    where (coalesce(data -> 'requirement', 'null') = 'null')
                        = (coalesce(data -> 'relatedData', data -> 'related_data', 'null') = 'null')
                )
            )
            or (action -> 'action' <> '[]' and not hacs_core.is_action_data(action -> 'action', direction))
    );
end
$$;
-- It runs after plan_definitions_action_conforms (constraints are checked by name), which has seen that lists are
-- lists.
comment on function hacs_core.is_action_data(jsonb, text) is
    'Whether every input or output of every action has a requirement or related data, and not both';

-------------------------------------------------------------------------------------------------------------------
-- Plan definitions: order sets, protocols and rules that can be applied to a patient.
-------------------------------------------------------------------------------------------------------------------

create table if not exists hacs_clinical.plan_definitions (
    id text primary key default gen_random_uuid()::text,
    resource_type text not null default 'PlanDefinition'
        constraint plan_definitions_resource_type_valid check (resource_type = 'PlanDefinition'),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    url text,
    identifier jsonb not null default '[]'
        constraint plan_definitions_identifier_list check (hacs_core.is_list(identifier)),
    version text,
    name text,
    title text,
    subtitle text,
    status text not null default 'draft'
        constraint plan_definitions_status_valid check (status = any ('{draft, active, retired, unknown}')),
    experimental boolean not null default false,
    type_coding jsonb constraint plan_definitions_type_coding_object check (jsonb_typeof(type_coding) = 'object'),
    plan_type text
        constraint plan_definitions_plan_type_valid check (plan_type = any (
            '{order-set, clinical-protocol, eca-rule, workflow-definition}'
        )),
    subject_codeable_concept jsonb
        constraint plan_definitions_subject_codeable_concept_object
            check (jsonb_typeof(subject_codeable_concept) = 'object'),
    subject_reference text,
    subject_canonical text,
    date timestamptz,
    publisher text,
    contact jsonb not null default '[]' constraint plan_definitions_contact_list check (hacs_core.is_list(contact)),
    description text,
    use_context jsonb not null default '[]'
        constraint plan_definitions_use_context_list check (hacs_core.is_list(use_context)),
    jurisdiction jsonb not null default '[]'
        constraint plan_definitions_jurisdiction_list check (hacs_core.is_list(jurisdiction)),
    purpose text,
    usage text,
    copyright text,
    copyright_label text,
    approval_date timestamptz,
    last_review_date timestamptz,
    effective_period jsonb
        constraint plan_definitions_effective_period_object check (jsonb_typeof(effective_period) = 'object'),
    topic jsonb not null default '[]' constraint plan_definitions_topic_list check (hacs_core.is_list(topic)),
    author jsonb not null default '[]' constraint plan_definitions_author_list check (hacs_core.is_list(author)),
    editor jsonb not null default '[]' constraint plan_definitions_editor_list check (hacs_core.is_list(editor)),
    reviewer jsonb not null default '[]'
        constraint plan_definitions_reviewer_list check (hacs_core.is_list(reviewer)),
    endorser jsonb not null default '[]'
        constraint plan_definitions_endorser_list check (hacs_core.is_list(endorser)),
    related_artifact jsonb not null default '[]'
        constraint plan_definitions_related_artifact_list check (hacs_core.is_list(related_artifact)),
    library hacs_core.texts not null default '{}',
    goal jsonb not null default '[]' constraint plan_definitions_goal_list check (hacs_core.is_list(goal)),
    action jsonb not null default '[]'
        constraint plan_definitions_action_conforms check (hacs_core.each_conforms(action, 'PlanDefinitionAction')),
    agent_context jsonb not null default '{}'
        constraint plan_definitions_agent_context_object check (jsonb_typeof(agent_context) = 'object'),
    execution_metadata jsonb not null default '{}'
        constraint plan_definitions_execution_metadata_object check (jsonb_typeof(execution_metadata) = 'object'),
    extra jsonb not null default '{}' constraint plan_definitions_extra_object check (jsonb_typeof(extra) = 'object'),
    version_id bigint not null default 1,

    constraint plan_definitions_id_form check (hacs_core.is_id(id)),
    constraint plan_definitions_times_finite check (
        least(created_at, updated_at, date, approval_date, last_review_date) >= '0001-01-01 00:00+00'
        and greatest(created_at, updated_at, date, approval_date, last_review_date) < '10000-01-01 00:00+00'
    ),
    constraint plan_definitions_effective_period_per_1 check (hacs_core.is_period(effective_period)),
    constraint plan_definitions_subject_choice check (
        num_nonnulls(subject_codeable_concept, subject_reference, subject_canonical) <= 1
    ),
    constraint plan_definitions_pld_0 check (hacs_core.is_action_data(action, 'input')),
    constraint plan_definitions_pld_1 check (hacs_core.is_action_data(action, 'output'))
);

comment on table hacs_clinical.plan_definitions is
    'One reusable plan template per row: a protocol, order set or decision rule with goals and actions, applied to '
    'patients to create care plans and requests (FHIR PlanDefinition)';
comment on column hacs_clinical.plan_definitions.id is
    'Identity of the resource, unique within its type (FHIR Resource.id)';
comment on column hacs_clinical.plan_definitions.resource_type is 'Always PlanDefinition (FHIR resourceType)';
comment on column hacs_clinical.plan_definitions.created_at is 'When the resource was made; stays as the document says';
comment on column hacs_clinical.plan_definitions.updated_at is
    'When it was last changed; an UPDATE that does not set it gets the current time (FHIR Meta.lastUpdated)';
comment on column hacs_clinical.plan_definitions.url is
    'Canonical URL by which guidance and other definitions refer to this plan (FHIR PlanDefinition.url)';
comment on column hacs_clinical.plan_definitions.identifier is
    'Business identifiers of the plan from guideline or hospital systems, as a list of Identifier objects (FHIR '
    'PlanDefinition.identifier)';
comment on column hacs_clinical.plan_definitions.version is
    'Author-assigned version of the plan; together with url it pins one edition (FHIR PlanDefinition.version)';
comment on column hacs_clinical.plan_definitions.name is
    'Computer-friendly name, without spaces, used in logic and generated code (FHIR PlanDefinition.name)';
comment on column hacs_clinical.plan_definitions.title is
    'Human-readable heading shown to clinicians choosing a protocol (FHIR PlanDefinition.title)';
comment on column hacs_clinical.plan_definitions.subtitle is
    'Secondary heading that explains or narrows the title (FHIR PlanDefinition.subtitle)';
comment on column hacs_clinical.plan_definitions.status is
    'Where the plan stands in its publication life cycle; says whether it may be applied (FHIR PlanDefinition.status)';
comment on column hacs_clinical.plan_definitions.experimental is
    'True if the plan is for testing or teaching and must not guide real care (FHIR PlanDefinition.experimental)';
comment on column hacs_clinical.plan_definitions.type_coding is
    'Kind of plan as a CodeableConcept object with its code system; see plan_type for the bare code (FHIR '
    'PlanDefinition.type)';
comment on column hacs_clinical.plan_definitions.plan_type is
    'Bare-code convenience form of type_coding, handy for filtering by kind of plan';
comment on column hacs_clinical.plan_definitions.subject_codeable_concept is
    'Kind of subject the plan is written for, as a coded concept such as patient or device (FHIR '
    'PlanDefinition.subject[x])';
comment on column hacs_clinical.plan_definitions.subject_reference is
    'Group of people or things the plan is meant for: Group/<id>, a bare id or a URL (FHIR PlanDefinition.subject[x])';
comment on column hacs_clinical.plan_definitions.subject_canonical is
    'Intended population given as the canonical URL of a published definition (FHIR PlanDefinition.subject[x])';
comment on column hacs_clinical.plan_definitions.date is
    'When the plan content was last significantly changed, as a UTC instant (FHIR PlanDefinition.date)';
comment on column hacs_clinical.plan_definitions.publisher is
    'Organization or person who issues the protocol and answers for it (FHIR PlanDefinition.publisher)';
comment on column hacs_clinical.plan_definitions.contact is
    'People to ask about the plan: ContactDetail objects with name and telecom (FHIR PlanDefinition.contact)';
comment on column hacs_clinical.plan_definitions.description is
    'Free-text (markdown) account of what the plan does, for readers deciding on its use (FHIR '
    'PlanDefinition.description)';
comment on column hacs_clinical.plan_definitions.use_context is
    'Clinical settings the plan is designed for, e.g. age group, venue or program (FHIR PlanDefinition.useContext)';
comment on column hacs_clinical.plan_definitions.jurisdiction is
    'Countries or regions where applying the plan is intended, as coded concepts (FHIR PlanDefinition.jurisdiction)';
comment on column hacs_clinical.plan_definitions.purpose is
    'Why the plan was written: the clinical need or policy behind it (FHIR PlanDefinition.purpose)';
comment on column hacs_clinical.plan_definitions.usage is
    'Advice to clinicians on how the plan is used in practice (FHIR PlanDefinition.usage)';
comment on column hacs_clinical.plan_definitions.copyright is
    'Full legal statement on ownership and permitted use of the plan (FHIR PlanDefinition.copyright)';
comment on column hacs_clinical.plan_definitions.copyright_label is
    'Short copyright line for display, holder and year (FHIR PlanDefinition.copyrightLabel)';
comment on column hacs_clinical.plan_definitions.approval_date is
    'Day the publisher approved the plan for use, stored as a UTC instant (FHIR PlanDefinition.approvalDate)';
comment on column hacs_clinical.plan_definitions.last_review_date is
    'Most recent formal review of the plan, stored as a UTC instant; helps to spot stale protocols (FHIR '
    'PlanDefinition.lastReviewDate)';
comment on column hacs_clinical.plan_definitions.effective_period is
    'Start and end of the time in which the plan should be used (FHIR PlanDefinition.effectivePeriod)';
comment on column hacs_clinical.plan_definitions.topic is
    'Subject categories such as treatment or education, used to index and search plans (FHIR PlanDefinition.topic)';
comment on column hacs_clinical.plan_definitions.author is
    'Those who wrote the plan, as ContactDetail objects (FHIR PlanDefinition.author)';
comment on column hacs_clinical.plan_definitions.editor is
    'Who edited the text for consistency, as ContactDetail objects (FHIR PlanDefinition.editor)';
comment on column hacs_clinical.plan_definitions.reviewer is
    'Experts who checked the plan for clinical soundness, as ContactDetail objects (FHIR PlanDefinition.reviewer)';
comment on column hacs_clinical.plan_definitions.endorser is
    'Bodies that officially back the plan for use in some setting (FHIR PlanDefinition.endorser)';
comment on column hacs_clinical.plan_definitions.related_artifact is
    'Guidelines, evidence, citations and earlier editions linked to the plan (FHIR PlanDefinition.relatedArtifact)';
comment on column hacs_clinical.plan_definitions.library is
    'Canonical URLs of the Library resources whose logic the plan conditions call (FHIR PlanDefinition.library)';
comment on column hacs_clinical.plan_definitions.goal is
    'Outcomes the plan aims for, each with description, priority and targets (FHIR PlanDefinition.goal)';
comment on column hacs_clinical.plan_definitions.action is
    'Steps of the plan with triggers, conditions and sub-actions; may link to activity or plan definitions (FHIR '
    'PlanDefinition.action)';
comment on column hacs_clinical.plan_definitions.agent_context is
    'Working context that an AI agent keeps with the plan, such as reasoning notes or session data; HACS addition';
comment on column hacs_clinical.plan_definitions.execution_metadata is
    'Technical data on running the plan in a workflow engine, such as run settings or timings; HACS addition';
comment on column hacs_clinical.plan_definitions.extra is
    'Top-level keys of the document that have no column of their own';
comment on column hacs_clinical.plan_definitions.version_id is
    'Counts the changes of the row, from 1; no field of the document (FHIR Meta.versionId)';

comment on constraint plan_definitions_id_form on hacs_clinical.plan_definitions is
    'An id is not blank, no longer than 2048 bytes, and can be reached by a reference';
comment on constraint plan_definitions_times_finite on hacs_clinical.plan_definitions is
    'Days and times lie in the years 0001 to 9999, in UTC; infinity is none';
comment on constraint plan_definitions_effective_period_per_1 on hacs_clinical.plan_definitions is
    'It does not end before it starts, where both are complete dates (FHIR per-1)';
comment on constraint plan_definitions_subject_choice on hacs_clinical.plan_definitions is
    'At most one form of PlanDefinition.subject (FHIR PlanDefinition.subject[x])';
comment on constraint plan_definitions_pld_0 on hacs_clinical.plan_definitions is
    'Each input of an action, at any depth, is a requirement or related data, one of the two (FHIR pld-0 in R5)';
comment on constraint plan_definitions_pld_1 on hacs_clinical.plan_definitions is
    'Each output of an action, at any depth, is a requirement or related data, one of the two (FHIR pld-1 in R5)';

create or replace trigger plan_definitions_touch_updated_at
    before update on hacs_clinical.plan_definitions
    for each row execute function hacs_core.touch_resource();

-------------------------------------------------------------------------------------------------------------------
-- Activity definitions: templates of single steps.
-------------------------------------------------------------------------------------------------------------------

create table if not exists hacs_clinical.activity_definitions (
    id text primary key default gen_random_uuid()::text,
    resource_type text not null default 'ActivityDefinition'
        constraint activity_definitions_resource_type_valid check (resource_type = 'ActivityDefinition'),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    url text,
    identifier jsonb not null default '[]'
        constraint activity_definitions_identifier_list check (hacs_core.is_list(identifier)),
    version text,
    name text,
    title text,
    subtitle text,
    status text not null default 'draft'
        constraint activity_definitions_status_valid check (status = any ('{draft, active, retired, unknown}')),
    experimental boolean not null default false,
    date timestamptz,
    publisher text,
    contact jsonb not null default '[]'
        constraint activity_definitions_contact_list check (hacs_core.is_list(contact)),
    description text,
    use_context jsonb not null default '[]'
        constraint activity_definitions_use_context_list check (hacs_core.is_list(use_context)),
    jurisdiction jsonb not null default '[]'
        constraint activity_definitions_jurisdiction_list check (hacs_core.is_list(jurisdiction)),
    purpose text,
    usage text,
    copyright text,
    copyright_label text,
    approval_date timestamptz,
    last_review_date timestamptz,
    effective_period jsonb
        constraint activity_definitions_effective_period_object check (jsonb_typeof(effective_period) = 'object'),
    topic jsonb not null default '[]' constraint activity_definitions_topic_list check (hacs_core.is_list(topic)),
    author jsonb not null default '[]' constraint activity_definitions_author_list check (hacs_core.is_list(author)),
    editor jsonb not null default '[]' constraint activity_definitions_editor_list check (hacs_core.is_list(editor)),
    reviewer jsonb not null default '[]'
        constraint activity_definitions_reviewer_list check (hacs_core.is_list(reviewer)),
    endorser jsonb not null default '[]'
        constraint activity_definitions_endorser_list check (hacs_core.is_list(endorser)),
    related_artifact jsonb not null default '[]'
        constraint activity_definitions_related_artifact_list check (hacs_core.is_list(related_artifact)),
    library hacs_core.texts not null default '{}',
    kind text
        constraint activity_definitions_kind_valid check (kind = any (
            '{Appointment, AppointmentResponse, CarePlan, Communication, CommunicationRequest, DeviceRequest,
              DiagnosticReport, MedicationRequest, NutritionOrder, Procedure, ProcedureRequest, ReferralRequest,
              ServiceRequest, SupplyRequest, Task, VisionPrescription}'
        )),
    profile text,
    code jsonb constraint activity_definitions_code_object check (jsonb_typeof(code) = 'object'),
    intent text
        constraint activity_definitions_intent_valid check (intent = any (
            '{proposal, plan, directive, order, original-order, reflex-order, filler-order, instance-order, option}'
        )),
    priority text
        constraint activity_definitions_priority_valid check (priority = any ('{routine, urgent, asap, stat}')),
    do_not_perform boolean,
    timing_timing jsonb
        constraint activity_definitions_timing_timing_object check (jsonb_typeof(timing_timing) = 'object'),
    timing_datetime timestamptz,
    timing_age jsonb constraint activity_definitions_timing_age_object check (jsonb_typeof(timing_age) = 'object'),
    timing_period jsonb
        constraint activity_definitions_timing_period_object check (jsonb_typeof(timing_period) = 'object'),
    timing_range jsonb
        constraint activity_definitions_timing_range_object check (jsonb_typeof(timing_range) = 'object'),
    timing_duration jsonb
        constraint activity_definitions_timing_duration_object check (jsonb_typeof(timing_duration) = 'object'),
    location text,
    participant jsonb not null default '[]'
        constraint activity_definitions_participant_list check (hacs_core.is_list(participant)),
    product_reference text,
    product_codeable_concept jsonb
        constraint activity_definitions_product_codeable_concept_object
            check (jsonb_typeof(product_codeable_concept) = 'object'),
    quantity jsonb constraint activity_definitions_quantity_object check (jsonb_typeof(quantity) = 'object'),
    dosage jsonb not null default '[]' constraint activity_definitions_dosage_list check (hacs_core.is_list(dosage)),
    body_site jsonb not null default '[]'
        constraint activity_definitions_body_site_list check (hacs_core.is_list(body_site)),
    specimen_requirement hacs_core.texts not null default '{}',
    observation_requirement hacs_core.texts not null default '{}',
    observation_result_requirement hacs_core.texts not null default '{}',
    transform text,
    dynamic_value jsonb not null default '[]'
        constraint activity_definitions_dynamic_value_list check (hacs_core.is_list(dynamic_value)),
    agent_context jsonb not null default '{}'
        constraint activity_definitions_agent_context_object check (jsonb_typeof(agent_context) = 'object'),
    execution_metadata jsonb not null default '{}'
        constraint activity_definitions_execution_metadata_object check (jsonb_typeof(execution_metadata) = 'object'),
    extra jsonb not null default '{}'
        constraint activity_definitions_extra_object check (jsonb_typeof(extra) = 'object'),
    version_id bigint not null default 1,

    product_medication_id text generated always as (hacs_core.reference_id(product_reference, 'Medication')) stored
        constraint activity_definitions_product_medication_id_fkey
            references hacs_clinical.medications deferrable initially immediate,

    constraint activity_definitions_id_form check (hacs_core.is_id(id)),
    constraint activity_definitions_times_finite check (
        least(created_at, updated_at, date, approval_date, last_review_date, timing_datetime) >= '0001-01-01 00:00+00'
        and greatest(
            created_at, updated_at, date, approval_date, last_review_date, timing_datetime
        ) < '10000-01-01 00:00+00'
    ),
    constraint activity_definitions_effective_period_per_1 check (hacs_core.is_period(effective_period)),
    constraint activity_definitions_timing_period_per_1 check (hacs_core.is_period(timing_period)),
    constraint activity_definitions_timing_choice check (
        num_nonnulls(timing_timing, timing_datetime, timing_age, timing_period, timing_range, timing_duration) <= 1
    ),
    constraint activity_definitions_product_choice
        check (num_nonnulls(product_reference, product_codeable_concept) <= 1)
);

comment on table hacs_clinical.activity_definitions is
    'One template of a single clinical activity per row, e.g. a medication order or lab test, from which '
    'patient-specific requests are made (FHIR ActivityDefinition)';
comment on column hacs_clinical.activity_definitions.id is
    'Identity of the resource, unique within its type (FHIR Resource.id)';
comment on column hacs_clinical.activity_definitions.resource_type is 'Always ActivityDefinition (FHIR resourceType)';
comment on column hacs_clinical.activity_definitions.created_at is
    'When the resource was made; stays as the document says';
comment on column hacs_clinical.activity_definitions.updated_at is
    'When it was last changed; an UPDATE that does not set it gets the current time (FHIR Meta.lastUpdated)';
comment on column hacs_clinical.activity_definitions.url is
    'Canonical URL that plan actions use to call this activity (FHIR ActivityDefinition.url)';
comment on column hacs_clinical.activity_definitions.identifier is
    'Business identifiers of the activity, e.g. from an order catalog, as a list of Identifier objects (FHIR '
    'ActivityDefinition.identifier)';
comment on column hacs_clinical.activity_definitions.version is
    'Edition of the activity as assigned by its author; pairs with url (FHIR ActivityDefinition.version)';
comment on column hacs_clinical.activity_definitions.name is
    'Machine-friendly name of the activity, safe to use in code (FHIR ActivityDefinition.name)';
comment on column hacs_clinical.activity_definitions.title is
    'Display heading of the activity for people picking from an order list (FHIR ActivityDefinition.title)';
comment on column hacs_clinical.activity_definitions.subtitle is
    'Extra heading line that qualifies the activity title (FHIR ActivityDefinition.subtitle)';
comment on column hacs_clinical.activity_definitions.status is
    'Publication state of the template, not of any order made from it (FHIR ActivityDefinition.status)';
comment on column hacs_clinical.activity_definitions.experimental is
    'True if the template is meant for testing or teaching rather than real orders (FHIR '
    'ActivityDefinition.experimental)';
comment on column hacs_clinical.activity_definitions.date is
    'UTC instant of the last significant change to the template (FHIR ActivityDefinition.date)';
comment on column hacs_clinical.activity_definitions.publisher is
    'Name of the organization or person that issues the activity (FHIR ActivityDefinition.publisher)';
comment on column hacs_clinical.activity_definitions.contact is
    'Where to send questions about the activity: ContactDetail objects with name and telecom (FHIR '
    'ActivityDefinition.contact)';
comment on column hacs_clinical.activity_definitions.description is
    'Markdown explanation of the activity for authors and ordering clinicians (FHIR ActivityDefinition.description)';
comment on column hacs_clinical.activity_definitions.use_context is
    'Settings in which the activity makes sense, e.g. age group, specialty or venue (FHIR '
    'ActivityDefinition.useContext)';
comment on column hacs_clinical.activity_definitions.jurisdiction is
    'Coded countries or regions where the activity is meant to be used (FHIR ActivityDefinition.jurisdiction)';
comment on column hacs_clinical.activity_definitions.purpose is
    'Reason the activity was defined and the need it meets (FHIR ActivityDefinition.purpose)';
comment on column hacs_clinical.activity_definitions.usage is
    'Practical advice on when and how to order the activity (FHIR ActivityDefinition.usage)';
comment on column hacs_clinical.activity_definitions.copyright is
    'Complete copyright and licence statement for the activity content (FHIR ActivityDefinition.copyright)';
comment on column hacs_clinical.activity_definitions.copyright_label is
    'Brief copyright line, holder and year, fit for a footer (FHIR ActivityDefinition.copyrightLabel)';
comment on column hacs_clinical.activity_definitions.approval_date is
    'When the publisher approved the activity; a calendar date kept as a UTC instant (FHIR '
    'ActivityDefinition.approvalDate)';
comment on column hacs_clinical.activity_definitions.last_review_date is
    'Last time the activity was formally reviewed; a date kept as a UTC instant (FHIR '
    'ActivityDefinition.lastReviewDate)';
comment on column hacs_clinical.activity_definitions.effective_period is
    'Time span in which new orders may be based on the activity (FHIR ActivityDefinition.effectivePeriod)';
comment on column hacs_clinical.activity_definitions.topic is
    'Coded categories such as education, treatment or assessment, for grouping activities (FHIR '
    'ActivityDefinition.topic)';
comment on column hacs_clinical.activity_definitions.author is
    'People or groups who drafted the activity, as ContactDetail objects (FHIR ActivityDefinition.author)';
comment on column hacs_clinical.activity_definitions.editor is
    'People who revised the wording and structure of the activity, as ContactDetail objects (FHIR '
    'ActivityDefinition.editor)';
comment on column hacs_clinical.activity_definitions.reviewer is
    'People who assessed the clinical content before release, as ContactDetail objects (FHIR '
    'ActivityDefinition.reviewer)';
comment on column hacs_clinical.activity_definitions.endorser is
    'Organizations or experts that recommend the activity for use (FHIR ActivityDefinition.endorser)';
comment on column hacs_clinical.activity_definitions.related_artifact is
    'Evidence, documentation and predecessor definitions tied to the activity (FHIR '
    'ActivityDefinition.relatedArtifact)';
comment on column hacs_clinical.activity_definitions.library is
    'Canonical URLs of Library resources that supply logic for dynamic_value (FHIR ActivityDefinition.library)';
comment on column hacs_clinical.activity_definitions.kind is
    'Resource type that is created when the activity is applied to a patient (FHIR ActivityDefinition.kind)';
comment on column hacs_clinical.activity_definitions.profile is
    'Canonical URL of the profile the created resource has to meet (FHIR ActivityDefinition.profile)';
comment on column hacs_clinical.activity_definitions.code is
    'What is to be done in detail, e.g. a procedure or test code, beyond the resource type in kind (FHIR '
    'ActivityDefinition.code)';
comment on column hacs_clinical.activity_definitions.intent is
    'Level of authority that the created request will carry (FHIR ActivityDefinition.intent)';
comment on column hacs_clinical.activity_definitions.priority is
    'How quickly the created request should be handled relative to others (FHIR ActivityDefinition.priority)';
comment on column hacs_clinical.activity_definitions.do_not_perform is
    'True if the template says to avoid the activity rather than carry it out (FHIR ActivityDefinition.doNotPerform)';
comment on column hacs_clinical.activity_definitions.timing_timing is
    'When to act, as a Timing object for repeating schedules (FHIR ActivityDefinition.timing[x])';
comment on column hacs_clinical.activity_definitions.timing_datetime is
    'Single fixed moment for the activity, as a UTC instant (FHIR ActivityDefinition.timing[x])';
comment on column hacs_clinical.activity_definitions.timing_age is
    'Patient age at which the activity is due; the unit is inside the object (FHIR ActivityDefinition.timing[x])';
comment on column hacs_clinical.activity_definitions.timing_period is
    'Window with start and end in which the activity should happen (FHIR ActivityDefinition.timing[x])';
comment on column hacs_clinical.activity_definitions.timing_range is
    'Timing given as low and high bounds, e.g. between two ages; each bound has its unit (FHIR '
    'ActivityDefinition.timing[x])';
comment on column hacs_clinical.activity_definitions.timing_duration is
    'How long the activity takes or lasts; value and unit are in the object (FHIR ActivityDefinition.timing[x])';
comment on column hacs_clinical.activity_definitions.location is
    'Place where the activity should be done: Location/<id>, a bare id or a URL (FHIR ActivityDefinition.location)';
comment on column hacs_clinical.activity_definitions.participant is
    'Types and roles of those who should take part, e.g. nurse or patient (FHIR ActivityDefinition.participant)';
comment on column hacs_clinical.activity_definitions.product_reference is
    'Product to give or supply, by record: Medication/<id>, a bare id or a URL (FHIR ActivityDefinition.product[x])';
comment on column hacs_clinical.activity_definitions.product_codeable_concept is
    'Food, drug or other product named by code instead of by record (FHIR ActivityDefinition.product[x])';
comment on column hacs_clinical.activity_definitions.quantity is
    'Amount of the product to give or supply; the unit is in the object (FHIR ActivityDefinition.quantity)';
comment on column hacs_clinical.activity_definitions.dosage is
    'How the product is to be taken: a list of Dosage objects with dose, route and timing (FHIR '
    'ActivityDefinition.dosage)';
comment on column hacs_clinical.activity_definitions.body_site is
    'Coded parts of the body on which the activity is carried out (FHIR ActivityDefinition.bodySite)';
comment on column hacs_clinical.activity_definitions.specimen_requirement is
    'Samples a lab activity needs: SpecimenDefinition/<id> or URL per entry (FHIR '
    'ActivityDefinition.specimenRequirement)';
comment on column hacs_clinical.activity_definitions.observation_requirement is
    'Observations needed before acting: ObservationDefinition/<id> or URL (FHIR '
    'ActivityDefinition.observationRequirement)';
comment on column hacs_clinical.activity_definitions.observation_result_requirement is
    'Observations the activity must yield: ObservationDefinition/<id> or URL (FHIR '
    'ActivityDefinition.observationResultRequirement)';
comment on column hacs_clinical.activity_definitions.transform is
    'Canonical URL of the StructureMap that turns the template into a request (FHIR ActivityDefinition.transform)';
comment on column hacs_clinical.activity_definitions.dynamic_value is
    'Path and expression pairs that fill fields of the request from patient data (FHIR '
    'ActivityDefinition.dynamicValue)';
comment on column hacs_clinical.activity_definitions.agent_context is
    'What an AI agent notes while choosing or applying the activity, such as rationale or session data; HACS addition';
comment on column hacs_clinical.activity_definitions.execution_metadata is
    'Runtime details of applying the template, such as engine settings or timings; HACS addition';
comment on column hacs_clinical.activity_definitions.extra is
    'Top-level keys of the document that have no column of their own';
comment on column hacs_clinical.activity_definitions.version_id is
    'Counts the changes of the row, from 1; no field of the document (FHIR Meta.versionId)';
comment on column hacs_clinical.activity_definitions.product_medication_id is
    'Local Medication that product_reference points to; null where product_reference is absent or points elsewhere';

comment on constraint activity_definitions_id_form on hacs_clinical.activity_definitions is
    'An id is not blank, no longer than 2048 bytes, and can be reached by a reference';
comment on constraint activity_definitions_times_finite on hacs_clinical.activity_definitions is
    'Days and times lie in the years 0001 to 9999, in UTC; infinity is none';
comment on constraint activity_definitions_effective_period_per_1 on hacs_clinical.activity_definitions is
    'It does not end before it starts, where both are complete dates (FHIR per-1)';
comment on constraint activity_definitions_timing_period_per_1 on hacs_clinical.activity_definitions is
    'It does not end before it starts, where both are complete dates (FHIR per-1)';
comment on constraint activity_definitions_timing_choice on hacs_clinical.activity_definitions is
    'At most one form of ActivityDefinition.timing (FHIR ActivityDefinition.timing[x])';
comment on constraint activity_definitions_product_choice on hacs_clinical.activity_definitions is
    'At most one form of ActivityDefinition.product (FHIR ActivityDefinition.product[x])';

create index if not exists activity_definitions_product_medication_id_idx
    on hacs_clinical.activity_definitions (product_medication_id) where product_medication_id is not null;

create or replace trigger activity_definitions_touch_updated_at
    before update on hacs_clinical.activity_definitions
    for each row execute function hacs_core.touch_resource();

-------------------------------------------------------------------------------------------------------------------
-- Libraries: logic, model definitions and other knowledge assets.
-------------------------------------------------------------------------------------------------------------------

create table if not exists hacs_clinical.libraries (
    id text primary key default gen_random_uuid()::text,
    resource_type text not null default 'Library'
        constraint libraries_resource_type_valid check (resource_type = 'Library'),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    url text,
    identifier jsonb not null default '[]' constraint libraries_identifier_list check (hacs_core.is_list(identifier)),
    version text,
    name text,
    title text,
    subtitle text,
    status text not null default 'draft'
        constraint libraries_status_valid check (status = any ('{draft, active, retired, unknown}')),
    experimental boolean not null default false,
    type_coding jsonb constraint libraries_type_coding_object check (jsonb_typeof(type_coding) = 'object'),
    library_type text
        constraint libraries_library_type_valid check (library_type = any (
            '{logic-library, model-definition, asset-collection}'
        )),
    subject_codeable_concept jsonb
        constraint libraries_subject_codeable_concept_object check (jsonb_typeof(subject_codeable_concept) = 'object'),
    subject_reference text,
    subject_canonical text,
    date timestamptz,
    publisher text,
    contact jsonb not null default '[]' constraint libraries_contact_list check (hacs_core.is_list(contact)),
    description text,
    use_context jsonb not null default '[]'
        constraint libraries_use_context_list check (hacs_core.is_list(use_context)),
    jurisdiction jsonb not null default '[]'
        constraint libraries_jurisdiction_list check (hacs_core.is_list(jurisdiction)),
    purpose text,
    usage text,
    copyright text,
    copyright_label text,
    approval_date timestamptz,
    last_review_date timestamptz,
    effective_period jsonb
        constraint libraries_effective_period_object check (jsonb_typeof(effective_period) = 'object'),
    topic jsonb not null default '[]' constraint libraries_topic_list check (hacs_core.is_list(topic)),
    author jsonb not null default '[]' constraint libraries_author_list check (hacs_core.is_list(author)),
    editor jsonb not null default '[]' constraint libraries_editor_list check (hacs_core.is_list(editor)),
    reviewer jsonb not null default '[]' constraint libraries_reviewer_list check (hacs_core.is_list(reviewer)),
    endorser jsonb not null default '[]' constraint libraries_endorser_list check (hacs_core.is_list(endorser)),
    related_artifact jsonb not null default '[]'
        constraint libraries_related_artifact_list check (hacs_core.is_list(related_artifact)),
    parameter jsonb not null default '[]' constraint libraries_parameter_list check (hacs_core.is_list(parameter)),
    data_requirement jsonb not null default '[]'
        constraint libraries_data_requirement_list check (hacs_core.is_list(data_requirement)),
    content jsonb not null default '[]' constraint libraries_content_list check (hacs_core.is_list(content)),
    logic_language text,
    logic_content text,
    dependencies hacs_core.texts not null default '{}',
    functions jsonb not null default '[]' constraint libraries_functions_list check (hacs_core.is_list(functions)),
    constants jsonb not null default '{}'
        constraint libraries_constants_object check (jsonb_typeof(constants) = 'object'),
    agent_context jsonb not null default '{}'
        constraint libraries_agent_context_object check (jsonb_typeof(agent_context) = 'object'),
    execution_metadata jsonb not null default '{}'
        constraint libraries_execution_metadata_object check (jsonb_typeof(execution_metadata) = 'object'),
    extra jsonb not null default '{}' constraint libraries_extra_object check (jsonb_typeof(extra) = 'object'),
    version_id bigint not null default 1,

    constraint libraries_id_form check (hacs_core.is_id(id)),
    constraint libraries_times_finite check (
        least(created_at, updated_at, date, approval_date, last_review_date) >= '0001-01-01 00:00+00'
        and greatest(created_at, updated_at, date, approval_date, last_review_date) < '10000-01-01 00:00+00'
    ),
    constraint libraries_effective_period_per_1 check (hacs_core.is_period(effective_period)),
    constraint libraries_subject_choice check (
        num_nonnulls(subject_codeable_concept, subject_reference, subject_canonical) <= 1
    )
);

comment on table hacs_clinical.libraries is
    'One shareable package of clinical knowledge per row, such as decision logic, a data model or a set of assets, '
    'called by plan and activity definitions (FHIR Library)';
comment on column hacs_clinical.libraries.id is 'Identity of the resource, unique within its type (FHIR Resource.id)';
comment on column hacs_clinical.libraries.resource_type is 'Always Library (FHIR resourceType)';
comment on column hacs_clinical.libraries.created_at is 'When the resource was made; stays as the document says';
comment on column hacs_clinical.libraries.updated_at is
    'When it was last changed; an UPDATE that does not set it gets the current time (FHIR Meta.lastUpdated)';
comment on column hacs_clinical.libraries.url is
    'Canonical URL under which plans and activities import this library (FHIR Library.url)';
comment on column hacs_clinical.libraries.identifier is
    'Business identifiers of the library in external repositories, as a list of Identifier objects (FHIR '
    'Library.identifier)';
comment on column hacs_clinical.libraries.version is
    'Release of the library chosen by its author; callers pin it along with url (FHIR Library.version)';
comment on column hacs_clinical.libraries.name is
    'Code-safe library name, as used in import statements (FHIR Library.name)';
comment on column hacs_clinical.libraries.title is
    'Readable name of the library for catalogs and knowledge authors (FHIR Library.title)';
comment on column hacs_clinical.libraries.subtitle is
    'Second heading that tells similar libraries apart (FHIR Library.subtitle)';
comment on column hacs_clinical.libraries.status is
    'Publication state; tells knowledge engineers whether the library is fit to be called (FHIR Library.status)';
comment on column hacs_clinical.libraries.experimental is
    'True if the library serves testing or teaching and must not drive live decisions (FHIR Library.experimental)';
comment on column hacs_clinical.libraries.type_coding is
    'Kind of library as a CodeableConcept object; library_type has the bare code (FHIR Library.type)';
comment on column hacs_clinical.libraries.library_type is
    'Bare-code convenience form of type_coding, for simple queries on the kind of library';
comment on column hacs_clinical.libraries.subject_codeable_concept is
    'Kind of subject the library content deals with, as a coded concept (FHIR Library.subject[x])';
comment on column hacs_clinical.libraries.subject_reference is
    'Particular group the content deals with: Group/<id>, a bare id or a URL (FHIR Library.subject[x])';
comment on column hacs_clinical.libraries.subject_canonical is
    'Population of the library as a canonical URL; HACS addition next to the coded and reference forms';
comment on column hacs_clinical.libraries.date is
    'Last significant change to the library content, as a UTC instant (FHIR Library.date)';
comment on column hacs_clinical.libraries.publisher is
    'Name of the party that releases and maintains the library (FHIR Library.publisher)';
comment on column hacs_clinical.libraries.contact is
    'Support contacts for the library: ContactDetail objects with name and telecom (FHIR Library.contact)';
comment on column hacs_clinical.libraries.description is
    'Markdown summary of what the library contains and offers to callers (FHIR Library.description)';
comment on column hacs_clinical.libraries.use_context is
    'Settings in which the content is valid, e.g. population, specialty or program (FHIR Library.useContext)';
comment on column hacs_clinical.libraries.jurisdiction is
    'Coded regions whose rules or practice the content reflects (FHIR Library.jurisdiction)';
comment on column hacs_clinical.libraries.purpose is
    'Why the library exists and which decisions it supports (FHIR Library.purpose)';
comment on column hacs_clinical.libraries.usage is
    'Notes for implementers on how to call the library and read its results (FHIR Library.usage)';
comment on column hacs_clinical.libraries.copyright is
    'Licence and ownership terms for the library and its content, in full (FHIR Library.copyright)';
comment on column hacs_clinical.libraries.copyright_label is
    'One-line copyright notice with holder and year (FHIR Library.copyrightLabel)';
comment on column hacs_clinical.libraries.approval_date is
    'Date of approval by the publisher, kept as a UTC instant (FHIR Library.approvalDate)';
comment on column hacs_clinical.libraries.last_review_date is
    'Date on which the logic was last checked against current evidence, kept as a UTC instant (FHIR '
    'Library.lastReviewDate)';
comment on column hacs_clinical.libraries.effective_period is
    'Dates between which the content is meant to be relied on (FHIR Library.effectivePeriod)';
comment on column hacs_clinical.libraries.topic is
    'Coded subject areas under which the library can be found (FHIR Library.topic)';
comment on column hacs_clinical.libraries.author is
    'Writers of the logic or content, as ContactDetail objects (FHIR Library.author)';
comment on column hacs_clinical.libraries.editor is
    'Maintainers who keep the content internally consistent, as ContactDetail objects (FHIR Library.editor)';
comment on column hacs_clinical.libraries.reviewer is
    'Those who verified the content, as ContactDetail objects (FHIR Library.reviewer)';
comment on column hacs_clinical.libraries.endorser is
    'Parties that vouch for the library in a given setting (FHIR Library.endorser)';
comment on column hacs_clinical.libraries.related_artifact is
    'Citations, source guidelines and other artifacts the library builds on (FHIR Library.relatedArtifact)';
comment on column hacs_clinical.libraries.parameter is
    'Inputs and outputs of the library: name, use, type and cardinality of each (FHIR Library.parameter)';
comment on column hacs_clinical.libraries.data_requirement is
    'Patient data that must be fetched before the logic can run (FHIR Library.dataRequirement)';
comment on column hacs_clinical.libraries.content is
    'Payload as Attachment objects, embedded or by URL, e.g. CQL source or compiled ELM (FHIR Library.content)';
comment on column hacs_clinical.libraries.logic_language is
    'Plain-text name of the language logic_content is written in, e.g. CQL; HACS addition';
comment on column hacs_clinical.libraries.logic_content is
    'Source text of the logic, directly readable; convenience form of what content carries as attachments';
comment on column hacs_clinical.libraries.dependencies is
    'Other libraries that must be loaded first: Library/<id>, a bare id or a URL per entry; HACS addition';
comment on column hacs_clinical.libraries.functions is
    'Callable functions the logic offers, one object each, so that callers need not parse the source; HACS addition';
comment on column hacs_clinical.libraries.constants is
    'Named fixed values used by the logic, such as thresholds, keyed by name; HACS addition';
comment on column hacs_clinical.libraries.agent_context is
    'Hints and session data that an AI agent attaches when it uses the library; HACS addition';
comment on column hacs_clinical.libraries.execution_metadata is
    'Data on evaluating the logic, such as engine version or run times; HACS addition';
comment on column hacs_clinical.libraries.extra is 'Top-level keys of the document that have no column of their own';
comment on column hacs_clinical.libraries.version_id is
    'Counts the changes of the row, from 1; no field of the document (FHIR Meta.versionId)';

comment on constraint libraries_id_form on hacs_clinical.libraries is
    'An id is not blank, no longer than 2048 bytes, and can be reached by a reference';
comment on constraint libraries_times_finite on hacs_clinical.libraries is
    'Days and times lie in the years 0001 to 9999, in UTC; infinity is none';
comment on constraint libraries_effective_period_per_1 on hacs_clinical.libraries is
    'It does not end before it starts, where both are complete dates (FHIR per-1)';
comment on constraint libraries_subject_choice on hacs_clinical.libraries is
    'At most one form of Library.subject (FHIR Library.subject[x])';

create or replace trigger libraries_touch_updated_at
    before update on hacs_clinical.libraries
    for each row execute function hacs_core.touch_resource();

-------------------------------------------------------------------------------------------------------------------
-- Guidance responses: what decision support answered.
-------------------------------------------------------------------------------------------------------------------

create table if not exists hacs_clinical.guidance_responses (
    id text primary key default gen_random_uuid()::text,
    resource_type text not null default 'GuidanceResponse'
        constraint guidance_responses_resource_type_valid check (resource_type = 'GuidanceResponse'),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    request_identifier text,
    identifier jsonb not null default '[]'
        constraint guidance_responses_identifier_list check (hacs_core.is_list(identifier)),
    module_uri text,
    module_canonical text,
    module_codeable_concept jsonb
        constraint guidance_responses_module_codeable_concept_object
            check (jsonb_typeof(module_codeable_concept) = 'object'),
    status text not null
        constraint guidance_responses_status_valid check (status = any (
            '{success, data-requested, data-required, in-progress, failure, entered-in-error}'
        )),
    subject text,
    encounter text,
    occurrence_datetime timestamptz,
    performer text,
    reason_code jsonb not null default '[]'
        constraint guidance_responses_reason_code_list check (hacs_core.is_list(reason_code)),
    reason_reference hacs_core.texts not null default '{}',
    note jsonb not null default '[]' constraint guidance_responses_note_list check (hacs_core.is_list(note)),
    evaluation_message hacs_core.texts not null default '{}',
    output_parameters text,
    result text,
    data_requirement jsonb not null default '[]'
        constraint guidance_responses_data_requirement_list check (hacs_core.is_list(data_requirement)),
    guidance_content jsonb not null default '{}'
        constraint guidance_responses_guidance_content_object check (jsonb_typeof(guidance_content) = 'object'),
    confidence_score hacs_core.score,
    recommendations jsonb not null default '[]'
        constraint guidance_responses_recommendations_list check (hacs_core.is_list(recommendations)),
    alerts jsonb not null default '[]' constraint guidance_responses_alerts_list check (hacs_core.is_list(alerts)),
    agent_context jsonb not null default '{}'
        constraint guidance_responses_agent_context_object check (jsonb_typeof(agent_context) = 'object'),
    execution_metadata jsonb not null default '{}'
        constraint guidance_responses_execution_metadata_object check (jsonb_typeof(execution_metadata) = 'object'),
    extra jsonb not null default '{}'
        constraint guidance_responses_extra_object check (jsonb_typeof(extra) = 'object'),
    version_id bigint not null default 1,

    patient_id text generated always as (hacs_core.reference_id(subject, 'Patient')) stored
        constraint guidance_responses_patient_id_fkey references hacs_core.patients deferrable initially immediate,
    encounter_id text generated always as (hacs_core.reference_id(encounter, 'Encounter')) stored
        constraint guidance_responses_encounter_id_fkey references hacs_core.encounters deferrable initially immediate,
    performer_organization_id text
        generated always as (hacs_core.reference_id(performer, 'Organization', bare => false)) stored
        constraint guidance_responses_performer_organization_id_fkey
            references hacs_core.organizations deferrable initially immediate,

    constraint guidance_responses_id_form check (hacs_core.is_id(id)),
    constraint guidance_responses_times_finite check (
        least(created_at, updated_at, occurrence_datetime) >= '0001-01-01 00:00+00'
        and greatest(created_at, updated_at, occurrence_datetime) < '10000-01-01 00:00+00'
    )
);

comment on table hacs_clinical.guidance_responses is
    'One answer of a decision support service per row: its outcome, recommendations, alerts and any data still missing '
    'for a patient (FHIR GuidanceResponse)';
comment on column hacs_clinical.guidance_responses.id is
    'Identity of the resource, unique within its type (FHIR Resource.id)';
comment on column hacs_clinical.guidance_responses.resource_type is 'Always GuidanceResponse (FHIR resourceType)';
comment on column hacs_clinical.guidance_responses.created_at is
    'When the resource was made; stays as the document says';
comment on column hacs_clinical.guidance_responses.updated_at is
    'When it was last changed; an UPDATE that does not set it gets the current time (FHIR Meta.lastUpdated)';
comment on column hacs_clinical.guidance_responses.request_identifier is
    'Id that the caller gave the guidance request, so that the answer can be matched to it (FHIR '
    'GuidanceResponse.requestIdentifier)';
comment on column hacs_clinical.guidance_responses.identifier is
    'Business identifiers of the answer itself, as a list of Identifier objects (FHIR GuidanceResponse.identifier)';
comment on column hacs_clinical.guidance_responses.module_uri is
    'Which decision module was asked, given as a plain URI (FHIR GuidanceResponse.module[x])';
comment on column hacs_clinical.guidance_responses.module_canonical is
    'Module asked, as the canonical URL of a plan or activity definition (FHIR GuidanceResponse.module[x])';
comment on column hacs_clinical.guidance_responses.module_codeable_concept is
    'Module asked, named by a code when no URI or definition exists (FHIR GuidanceResponse.module[x])';
comment on column hacs_clinical.guidance_responses.status is
    'Outcome of the evaluation; shows whether the guidance is complete or lacks input (FHIR GuidanceResponse.status)';
comment on column hacs_clinical.guidance_responses.subject is
    'Patient the guidance is about: Patient/<id>, a bare id or a URL (FHIR GuidanceResponse.subject)';
comment on column hacs_clinical.guidance_responses.encounter is
    'Visit during which guidance was sought: Encounter/<id>, a bare id or a URL (FHIR GuidanceResponse.encounter)';
comment on column hacs_clinical.guidance_responses.occurrence_datetime is
    'UTC instant at which the evaluation produced this answer (FHIR GuidanceResponse.occurrenceDateTime)';
comment on column hacs_clinical.guidance_responses.performer is
    'System or body that gave the guidance: Device/<id> or Organization/<id>, or a URL (FHIR '
    'GuidanceResponse.performer)';
comment on column hacs_clinical.guidance_responses.reason_code is
    'Why guidance was requested, as coded concepts (FHIR GuidanceResponse.reasonCode)';
comment on column hacs_clinical.guidance_responses.reason_reference is
    'Records that prompted the request: Condition/<id> or Observation/<id> per entry (FHIR '
    'GuidanceResponse.reasonReference)';
comment on column hacs_clinical.guidance_responses.note is
    'Remarks on the guidance for the treating clinician, as Annotation objects (FHIR GuidanceResponse.note)';
comment on column hacs_clinical.guidance_responses.evaluation_message is
    'Errors and warnings raised while the module ran, one text per entry (FHIR GuidanceResponse.evaluationMessage)';
comment on column hacs_clinical.guidance_responses.output_parameters is
    'Raw output values of the module: Parameters/<id>, a bare id or a URL (FHIR GuidanceResponse.outputParameters)';
comment on column hacs_clinical.guidance_responses.result is
    'Proposed action: a RequestOrchestration, Appointment or ServiceRequest by id or URL (FHIR '
    'GuidanceResponse.result)';
comment on column hacs_clinical.guidance_responses.data_requirement is
    'Patient data the module still needs to finish or refine its answer (FHIR GuidanceResponse.dataRequirement)';
comment on column hacs_clinical.guidance_responses.guidance_content is
    'Guidance itself as one structured object, ready for display without following result; HACS addition';
comment on column hacs_clinical.guidance_responses.confidence_score is
    'How sure the service is of its guidance, score 0 to 1, where 1 means certain; HACS addition';
comment on column hacs_clinical.guidance_responses.recommendations is
    'Suggested actions for the care team, one object each, as a convenience list; HACS addition';
comment on column hacs_clinical.guidance_responses.alerts is
    'Warnings the clinician should see, such as safety issues, one object each; HACS addition';
comment on column hacs_clinical.guidance_responses.agent_context is
    'Session data and reasoning of the AI agent that asked for or wrote the guidance; HACS addition';
comment on column hacs_clinical.guidance_responses.execution_metadata is
    'Technical trace of the evaluation, such as engine, duration or model version; HACS addition';
comment on column hacs_clinical.guidance_responses.extra is
    'Top-level keys of the document that have no column of their own';
comment on column hacs_clinical.guidance_responses.version_id is
    'Counts the changes of the row, from 1; no field of the document (FHIR Meta.versionId)';
comment on column hacs_clinical.guidance_responses.patient_id is
    'Local Patient that subject points to; null where subject is absent or points elsewhere';
comment on column hacs_clinical.guidance_responses.encounter_id is
    'Local Encounter that encounter points to; null where encounter is absent or points elsewhere';
comment on column hacs_clinical.guidance_responses.performer_organization_id is
    'Local Organization that performer points to by a typed reference; null for a bare id, which may be of another '
    'kind';

comment on constraint guidance_responses_id_form on hacs_clinical.guidance_responses is
    'An id is not blank, no longer than 2048 bytes, and can be reached by a reference';
comment on constraint guidance_responses_times_finite on hacs_clinical.guidance_responses is
    'Days and times lie in the years 0001 to 9999, in UTC; infinity is none';

create index if not exists guidance_responses_patient_id_idx on hacs_clinical.guidance_responses (patient_id)
    where patient_id is not null;
create index if not exists guidance_responses_encounter_id_idx on hacs_clinical.guidance_responses (encounter_id)
    where encounter_id is not null;
create index if not exists guidance_responses_performer_organization_id_idx
    on hacs_clinical.guidance_responses (performer_organization_id) where performer_organization_id is not null;

create or replace trigger guidance_responses_touch_updated_at
    before update on hacs_clinical.guidance_responses
    for each row execute function hacs_core.touch_resource();

-------------------------------------------------------------------------------------------------------------------
-- Evidence variables: exposures and outcomes as research defines them.
-------------------------------------------------------------------------------------------------------------------

create table if not exists hacs_clinical.evidence_variables (
    id text primary key default gen_random_uuid()::text,
    resource_type text not null default 'EvidenceVariable'
        constraint evidence_variables_resource_type_valid check (resource_type = 'EvidenceVariable'),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    url text,
    identifier jsonb not null default '[]'
        constraint evidence_variables_identifier_list check (hacs_core.is_list(identifier)),
    version text,
    name text,
    title text,
    short_title text,
    subtitle text,
    status text not null default 'draft'
        constraint evidence_variables_status_valid check (status = any ('{draft, active, retired, unknown}')),
    experimental boolean not null default false,
    date timestamptz,
    publisher text,
    contact jsonb not null default '[]' constraint evidence_variables_contact_list check (hacs_core.is_list(contact)),
    description text,
    note jsonb not null default '[]' constraint evidence_variables_note_list check (hacs_core.is_list(note)),
    use_context jsonb not null default '[]'
        constraint evidence_variables_use_context_list check (hacs_core.is_list(use_context)),
    purpose text,
    copyright text,
    author jsonb not null default '[]' constraint evidence_variables_author_list check (hacs_core.is_list(author)),
    editor jsonb not null default '[]' constraint evidence_variables_editor_list check (hacs_core.is_list(editor)),
    reviewer jsonb not null default '[]'
        constraint evidence_variables_reviewer_list check (hacs_core.is_list(reviewer)),
    endorser jsonb not null default '[]'
        constraint evidence_variables_endorser_list check (hacs_core.is_list(endorser)),
    related_artifact jsonb not null default '[]'
        constraint evidence_variables_related_artifact_list check (hacs_core.is_list(related_artifact)),
    actual boolean,
    characteristic_combination text,
    characteristic jsonb not null default '[]'
        constraint evidence_variables_characteristic_list check (hacs_core.is_list(characteristic)),
    handling text
        constraint evidence_variables_handling_valid check (handling = any (
            '{continuous, dichotomous, ordinal, polychotomous}'
        )),
    category jsonb not null default '[]'
        constraint evidence_variables_category_list check (hacs_core.is_list(category)),
    pico_element text,
    measurement_type text,
    clinical_significance text,
    agent_context jsonb not null default '{}'
        constraint evidence_variables_agent_context_object check (jsonb_typeof(agent_context) = 'object'),
    extra jsonb not null default '{}'
        constraint evidence_variables_extra_object check (jsonb_typeof(extra) = 'object'),
    version_id bigint not null default 1,

    constraint evidence_variables_id_form check (hacs_core.is_id(id)),
    constraint evidence_variables_times_finite check (
        least(created_at, updated_at, date) >= '0001-01-01 00:00+00'
        and greatest(created_at, updated_at, date) < '10000-01-01 00:00+00'
    )
);

comment on table hacs_clinical.evidence_variables is
    'One row per variable of a study or evidence synthesis: an exposure, outcome or population definition with its '
    'inclusion criteria (FHIR EvidenceVariable)';
comment on column hacs_clinical.evidence_variables.id is
    'Identity of the resource, unique within its type (FHIR Resource.id)';
comment on column hacs_clinical.evidence_variables.resource_type is 'Always EvidenceVariable (FHIR resourceType)';
comment on column hacs_clinical.evidence_variables.created_at is
    'When the resource was made; stays as the document says';
comment on column hacs_clinical.evidence_variables.updated_at is
    'When it was last changed; an UPDATE that does not set it gets the current time (FHIR Meta.lastUpdated)';
comment on column hacs_clinical.evidence_variables.url is
    'Canonical URL by which evidence and other artifacts cite this variable across systems (FHIR EvidenceVariable.url)';
comment on column hacs_clinical.evidence_variables.identifier is
    'Business identifiers given by publishers or registries, besides the canonical URL (FHIR '
    'EvidenceVariable.identifier)';
comment on column hacs_clinical.evidence_variables.version is
    'Edition label of the definition; tells apart revisions that share one URL (FHIR EvidenceVariable.version)';
comment on column hacs_clinical.evidence_variables.name is
    'Machine-friendly name for code and queries; readers are shown the title instead (FHIR EvidenceVariable.name)';
comment on column hacs_clinical.evidence_variables.title is
    'Full human-readable heading of the variable, as shown in catalogues (FHIR EvidenceVariable.title)';
comment on column hacs_clinical.evidence_variables.short_title is
    'Brief heading for narrow places such as table columns and chart legends (FHIR EvidenceVariable.shortTitle)';
comment on column hacs_clinical.evidence_variables.subtitle is
    'Secondary heading that qualifies the title, e.g. the study arm or time frame (FHIR EvidenceVariable.subtitle)';
comment on column hacs_clinical.evidence_variables.status is
    'Publication state of the definition; says whether it is fit for use (FHIR EvidenceVariable.status)';
comment on column hacs_clinical.evidence_variables.experimental is
    'True when the definition is for testing or teaching and not for real analyses (FHIR '
    'EvidenceVariable.experimental)';
comment on column hacs_clinical.evidence_variables.date is
    'When the definition itself was last substantially changed, as a UTC instant (FHIR EvidenceVariable.date)';
comment on column hacs_clinical.evidence_variables.publisher is
    'Name of the organization or person that issues the definition (FHIR EvidenceVariable.publisher)';
comment on column hacs_clinical.evidence_variables.contact is
    'How to reach the publisher with questions: names with phone, email or web entries (FHIR EvidenceVariable.contact)';
comment on column hacs_clinical.evidence_variables.description is
    'Prose account of what the variable captures, for readers choosing between variables (FHIR '
    'EvidenceVariable.description)';
comment on column hacs_clinical.evidence_variables.note is
    'Free comments on the definition, each with optional author and time (FHIR EvidenceVariable.note)';
comment on column hacs_clinical.evidence_variables.use_context is
    'Settings the variable is meant for, such as age group, condition or venue (FHIR EvidenceVariable.useContext)';
comment on column hacs_clinical.evidence_variables.purpose is
    'Why the variable was defined and which need it serves (FHIR EvidenceVariable.purpose)';
comment on column hacs_clinical.evidence_variables.copyright is
    'Rights statement that governs reuse and republication of the definition (FHIR EvidenceVariable.copyright)';
comment on column hacs_clinical.evidence_variables.author is
    'Contact details of those who wrote the content (FHIR EvidenceVariable.author)';
comment on column hacs_clinical.evidence_variables.editor is
    'Contact details of those who checked wording and internal consistency (FHIR EvidenceVariable.editor)';
comment on column hacs_clinical.evidence_variables.reviewer is
    'Contact details of those who assessed the content before release (FHIR EvidenceVariable.reviewer)';
comment on column hacs_clinical.evidence_variables.endorser is
    'Contact details of the bodies that formally approve use of the variable (FHIR EvidenceVariable.endorser)';
comment on column hacs_clinical.evidence_variables.related_artifact is
    'Citations, source documents and other works linked to the definition (FHIR EvidenceVariable.relatedArtifact)';
comment on column hacs_clinical.evidence_variables.actual is
    'True when it describes what was really observed, false when only conceptual or intended (FHIR '
    'EvidenceVariable.actual)';
comment on column hacs_clinical.evidence_variables.characteristic_combination is
    'How several characteristics combine, e.g. all or any must hold (R4B element) (FHIR '
    'EvidenceVariable.characteristicCombination)';
comment on column hacs_clinical.evidence_variables.characteristic is
    'Criteria that decide who or what falls under the variable, one object each (FHIR EvidenceVariable.characteristic)';
comment on column hacs_clinical.evidence_variables.handling is
    'Statistical scale on which the variable enters an analysis (FHIR EvidenceVariable.handling)';
comment on column hacs_clinical.evidence_variables.category is
    'Named groups with value or range for variables that are binned into classes (FHIR EvidenceVariable.category)';
comment on column hacs_clinical.evidence_variables.pico_element is
    'Plain-text role of the variable in a PICO question, e.g. Population or Outcome. Added by HACS';
comment on column hacs_clinical.evidence_variables.measurement_type is
    'Plain-text kind of measurement, e.g. binary or time-to-event; looser than the coded handling column. Added by '
    'HACS';
comment on column hacs_clinical.evidence_variables.clinical_significance is
    'Plain-text remark on why the variable matters for care decisions. Added by HACS';
comment on column hacs_clinical.evidence_variables.agent_context is
    'Free-form JSON settings and working notes that AI agents keep with this variable. Added by HACS';
comment on column hacs_clinical.evidence_variables.extra is
    'Top-level keys of the document that have no column of their own';
comment on column hacs_clinical.evidence_variables.version_id is
    'Counts the changes of the row, from 1; no field of the document (FHIR Meta.versionId)';

comment on constraint evidence_variables_id_form on hacs_clinical.evidence_variables is
    'An id is not blank, no longer than 2048 bytes, and can be reached by a reference';
comment on constraint evidence_variables_times_finite on hacs_clinical.evidence_variables is
    'Days and times lie in the years 0001 to 9999, in UTC; infinity is none';

create or replace trigger evidence_variables_touch_updated_at
    before update on hacs_clinical.evidence_variables
    for each row execute function hacs_core.touch_resource();

-------------------------------------------------------------------------------------------------------------------
-- Tasks: work to be done, and by whom.
-------------------------------------------------------------------------------------------------------------------

create table if not exists hacs_clinical.tasks (
    id text primary key default gen_random_uuid()::text,
    resource_type text not null default 'Task' constraint tasks_resource_type_valid check (resource_type = 'Task'),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    identifier jsonb constraint tasks_identifier_list check (hacs_core.is_list(identifier)),
    instantiates_canonical text,
    instantiates_uri text,
    based_on jsonb constraint tasks_based_on_list check (hacs_core.is_list(based_on)),
    group_identifier jsonb constraint tasks_group_identifier_object check (jsonb_typeof(group_identifier) = 'object'),
    part_of jsonb constraint tasks_part_of_list check (hacs_core.is_list(part_of)),
    status text not null
        constraint tasks_status_valid check (status = any (
            '{draft, requested, received, accepted, rejected, ready, cancelled, in-progress, on-hold, failed,
              completed, entered-in-error}'
        )),
    status_reason jsonb constraint tasks_status_reason_object check (jsonb_typeof(status_reason) = 'object'),
    business_status jsonb constraint tasks_business_status_object check (jsonb_typeof(business_status) = 'object'),
    intent text not null
        constraint tasks_intent_valid check (intent = any (
            '{unknown, proposal, plan, order, original-order, reflex-order, filler-order, instance-order, option}'
        )),
    priority text constraint tasks_priority_valid check (priority = any ('{routine, urgent, asap, stat}')),
    do_not_perform boolean,
    code jsonb constraint tasks_code_object check (jsonb_typeof(code) = 'object'),
    description text,
    focus jsonb constraint tasks_focus_object check (jsonb_typeof(focus) = 'object'),
    for_ jsonb constraint tasks_for__object check (jsonb_typeof(for_) = 'object'),
    encounter jsonb constraint tasks_encounter_object check (jsonb_typeof(encounter) = 'object'),
    requested_period jsonb constraint tasks_requested_period_object check (jsonb_typeof(requested_period) = 'object'),
    execution_period jsonb constraint tasks_execution_period_object check (jsonb_typeof(execution_period) = 'object'),
    authored_on timestamptz default now(),
    last_modified timestamptz default now(),
    requester jsonb constraint tasks_requester_object check (jsonb_typeof(requester) = 'object'),
    requested_performer jsonb
        constraint tasks_requested_performer_list check (hacs_core.is_list(requested_performer)),
    owner jsonb constraint tasks_owner_object check (jsonb_typeof(owner) = 'object'),
    performer jsonb constraint tasks_performer_conforms check (hacs_core.each_conforms(performer, 'TaskPerformer')),
    location jsonb constraint tasks_location_object check (jsonb_typeof(location) = 'object'),
    reason jsonb constraint tasks_reason_list check (hacs_core.is_list(reason)),
    insurance jsonb constraint tasks_insurance_list check (hacs_core.is_list(insurance)),
    note jsonb constraint tasks_note_list check (hacs_core.is_list(note)),
    relevant_history jsonb constraint tasks_relevant_history_list check (hacs_core.is_list(relevant_history)),
    restriction jsonb
        constraint tasks_restriction_conforms check (hacs_core.conforms(restriction, 'TaskRestriction')),
    input jsonb constraint tasks_input_conforms check (hacs_core.each_conforms(input, 'TaskParameter')),
    output jsonb constraint tasks_output_conforms check (hacs_core.each_conforms(output, 'TaskParameter')),
    task_title text,
    task_summary text,
    assigned_to text,
    created_by text,
    urgency_level text,
    completion_percentage integer
        constraint tasks_completion_percentage_range check (completion_percentage between 0 and 100),
    estimated_duration text,
    actual_duration text,
    workflow_stage text,
    dependencies hacs_core.texts,
    deliverables hacs_core.texts,
    quality_requirements hacs_core.texts,
    extra jsonb not null default '{}' constraint tasks_extra_object check (jsonb_typeof(extra) = 'object'),
    version_id bigint not null default 1,

    patient_id text generated always as (hacs_core.reference_id(for_, 'Patient', bare => false)) stored
        constraint tasks_patient_id_fkey references hacs_core.patients deferrable initially immediate,
    encounter_id text generated always as (hacs_core.reference_id(encounter, 'Encounter')) stored
        constraint tasks_encounter_id_fkey references hacs_core.encounters deferrable initially immediate,

    constraint tasks_id_form check (hacs_core.is_id(id)),
    constraint tasks_times_finite check (
        least(created_at, updated_at, authored_on, last_modified) >= '0001-01-01 00:00+00'
        and greatest(created_at, updated_at, authored_on, last_modified) < '10000-01-01 00:00+00'
    ),
    constraint tasks_requested_period_per_1 check (hacs_core.is_period(requested_period)),
    constraint tasks_execution_period_per_1 check (hacs_core.is_period(execution_period)),
    constraint tasks_tsk_1 check (
        restriction is null
        or (
            focus <> '{}'
            and code @? '$.coding[*] ? (
                @.code == "fulfill" && @.system == "http://hl7.org/fhir/CodeSystem/task-code"
            )'
        ) is true
    ),
    constraint tasks_inv_1 check (last_modified >= authored_on)
);

comment on table hacs_clinical.tasks is
    'One row per piece of work to be done, by a person, organization or agent, from request to result; drives work '
    'lists and follow-up (FHIR Task)';
comment on column hacs_clinical.tasks.id is 'Identity of the resource, unique within its type (FHIR Resource.id)';
comment on column hacs_clinical.tasks.resource_type is 'Always Task (FHIR resourceType)';
comment on column hacs_clinical.tasks.created_at is 'When the resource was made; stays as the document says';
comment on column hacs_clinical.tasks.updated_at is
    'When it was last changed; an UPDATE that does not set it gets the current time (FHIR Meta.lastUpdated)';
comment on column hacs_clinical.tasks.identifier is
    'Business identifiers of the task in ordering or work-list systems (FHIR Task.identifier)';
comment on column hacs_clinical.tasks.instantiates_canonical is
    'Canonical URL of the ActivityDefinition the task carries out (FHIR Task.instantiatesCanonical)';
comment on column hacs_clinical.tasks.instantiates_uri is
    'Web address of an outside protocol or guideline followed, when no FHIR definition exists (FHIR '
    'Task.instantiatesUri)';
comment on column hacs_clinical.tasks.based_on is
    'Requests that gave rise to this task: References to any resource, often an order (FHIR Task.basedOn)';
comment on column hacs_clinical.tasks.group_identifier is
    'Requisition number shared by all tasks that were ordered together (FHIR Task.groupIdentifier)';
comment on column hacs_clinical.tasks.part_of is
    'Parent tasks of which this one is a step: References to Task/<id> (FHIR Task.partOf)';
comment on column hacs_clinical.tasks.status is
    'Where the task stands in its lifecycle, from draft to its end (FHIR Task.status)';
comment on column hacs_clinical.tasks.status_reason is
    'Coded or worded cause of the current status, e.g. why it was put on hold or rejected (FHIR Task.statusReason)';
comment on column hacs_clinical.tasks.business_status is
    'Local, domain-specific progress state as a concept, finer than status (FHIR Task.businessStatus)';
comment on column hacs_clinical.tasks.intent is
    'How binding the task is, from a mere suggestion to an actionable order (FHIR Task.intent)';
comment on column hacs_clinical.tasks.priority is
    'How soon the task should be taken up compared with others (FHIR Task.priority)';
comment on column hacs_clinical.tasks.do_not_perform is
    'True turns the task into a prohibition: the described action must not be done (FHIR Task.doNotPerform)';
comment on column hacs_clinical.tasks.code is
    'Kind of work as a coded concept, e.g. fulfill when an order is to be carried out (FHIR Task.code)';
comment on column hacs_clinical.tasks.description is
    'Free-text instruction telling the assignee what has to be done (FHIR Task.description)';
comment on column hacs_clinical.tasks.focus is
    'Resource the task acts on, such as the order to fulfil: a Reference of any type (FHIR Task.focus)';
comment on column hacs_clinical.tasks.for_ is
    'Who benefits from the work: a Reference, usually Patient/<id>. JSON key is for (FHIR Task.for)';
comment on column hacs_clinical.tasks.encounter is
    'Visit during which the task was created: a Reference to Encounter/<id> (FHIR Task.encounter)';
comment on column hacs_clinical.tasks.requested_period is
    'Time window in which the requester wants the work done (FHIR Task.requestedPeriod)';
comment on column hacs_clinical.tasks.execution_period is
    'Actual start and end of the work; no end while it is still running (FHIR Task.executionPeriod)';
comment on column hacs_clinical.tasks.authored_on is
    'UTC instant at which the task was created; never after last_modified (FHIR Task.authoredOn)';
comment on column hacs_clinical.tasks.last_modified is
    'UTC instant of the latest change to the task content; not before authored_on (FHIR Task.lastModified)';
comment on column hacs_clinical.tasks.requester is
    'Who asks for the work: a Reference to a practitioner, organization or patient (FHIR Task.requester)';
comment on column hacs_clinical.tasks.requested_performer is
    'Who the requester would like to do it: practitioners, organizations or coded roles (FHIR Task.requestedPerformer)';
comment on column hacs_clinical.tasks.owner is
    'Party now responsible for getting it done: Reference to practitioner, organization or patient (FHIR Task.owner)';
comment on column hacs_clinical.tasks.performer is
    'Who actually did the work: objects with a required actor Reference and optional function (FHIR Task.performer)';
comment on column hacs_clinical.tasks.location is
    'Place where the work should happen: a Reference to Location/<id> (FHIR Task.location)';
comment on column hacs_clinical.tasks.reason is
    'Why the task is needed: codes or References to a Condition or Observation (FHIR Task.reason)';
comment on column hacs_clinical.tasks.insurance is
    'Policies that may pay for the work: References to Coverage/<id> (FHIR Task.insurance)';
comment on column hacs_clinical.tasks.note is
    'Comments exchanged about the task while it is handled, with author and time (FHIR Task.note)';
comment on column hacs_clinical.tasks.relevant_history is
    'Audit trail of key status changes: References to Provenance/<id> (FHIR Task.relevantHistory)';
comment on column hacs_clinical.tasks.restriction is
    'Limits on fulfilling the focus order: repetitions, period, recipients. Needs code fulfill and a focus (FHIR '
    'Task.restriction)';
comment on column hacs_clinical.tasks.input is
    'Typed parameters handed to the performer; each has a type concept and a value (FHIR Task.input)';
comment on column hacs_clinical.tasks.output is
    'Typed results the work produced; each has a type concept and a value (FHIR Task.output)';
comment on column hacs_clinical.tasks.task_title is
    'Short plain-text headline of the task for work lists; description keeps the full instruction';
comment on column hacs_clinical.tasks.task_summary is
    'Plain-text digest of the task as a whole, for people and agents who only skim it';
comment on column hacs_clinical.tasks.assigned_to is
    'Display name of the assignee in plain text; owner holds the actual Reference';
comment on column hacs_clinical.tasks.created_by is
    'Display name of whoever opened the task in plain text; requester holds the actual Reference';
comment on column hacs_clinical.tasks.urgency_level is
    'Free-text urgency as worded by people or agents; the coded form is priority';
comment on column hacs_clinical.tasks.completion_percentage is
    'Share of the work already done, in percent from 0 to 100. Convenience value added by HACS';
comment on column hacs_clinical.tasks.estimated_duration is
    'Time the work is expected to take, as free text with its own unit, e.g. 30 minutes';
comment on column hacs_clinical.tasks.actual_duration is
    'Time the work really took, as free text with its own unit; compare estimated_duration';
comment on column hacs_clinical.tasks.workflow_stage is
    'Free-text name of the current step in the surrounding workflow; a loose form of business_status';
comment on column hacs_clinical.tasks.dependencies is
    'Plain list of tasks, usually by id, that must finish before this one can start';
comment on column hacs_clinical.tasks.deliverables is
    'Plain-text list of what the assignee is expected to hand over; real results go to output';
comment on column hacs_clinical.tasks.quality_requirements is
    'Plain-text list of acceptance criteria the finished work has to meet';
comment on column hacs_clinical.tasks.extra is 'Top-level keys of the document that have no column of their own';
comment on column hacs_clinical.tasks.version_id is
    'Counts the changes of the row, from 1; no field of the document (FHIR Meta.versionId)';
comment on column hacs_clinical.tasks.patient_id is
    'Local Patient that for_ points to by a typed reference; null for a bare id, which may be of another kind';
comment on column hacs_clinical.tasks.encounter_id is
    'Local Encounter that encounter points to; null where encounter is absent or points elsewhere';

comment on constraint tasks_id_form on hacs_clinical.tasks is
    'An id is not blank, no longer than 2048 bytes, and can be reached by a reference';
comment on constraint tasks_times_finite on hacs_clinical.tasks is
    'Days and times lie in the years 0001 to 9999, in UTC; infinity is none';
comment on constraint tasks_requested_period_per_1 on hacs_clinical.tasks is
    'It does not end before it starts, where both are complete dates (FHIR per-1)';
comment on constraint tasks_execution_period_per_1 on hacs_clinical.tasks is
    'It does not end before it starts, where both are complete dates (FHIR per-1)';
comment on constraint tasks_tsk_1 on hacs_clinical.tasks is
    'Only the fulfilment of a given focus can be restricted: code fulfill, focus not empty (FHIR tsk-1 in R5)';
comment on constraint tasks_inv_1 on hacs_clinical.tasks is 'A task is not modified before it is authored (FHIR inv-1)';

create index if not exists tasks_patient_id_idx on hacs_clinical.tasks (patient_id) where patient_id is not null;
-- A hash index: an owner may be a URL of any length.
create index if not exists tasks_open_owner_idx on hacs_clinical.tasks using hash ((owner ->> 'reference'))
    where status not in ('rejected', 'cancelled', 'failed', 'completed', 'entered-in-error');
create index if not exists tasks_encounter_id_idx on hacs_clinical.tasks (encounter_id) where encounter_id is not null;

create or replace trigger tasks_touch_updated_at
    before update on hacs_clinical.tasks
    for each row execute function hacs_core.touch_resource();

-------------------------------------------------------------------------------------------------------------------
-- Appointments: who meets whom, when and why.
-------------------------------------------------------------------------------------------------------------------

create table if not exists hacs_clinical.appointments (
    id text primary key default gen_random_uuid()::text,
    resource_type text not null default 'Appointment'
        constraint appointments_resource_type_valid check (resource_type = 'Appointment'),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    identifier jsonb constraint appointments_identifier_list check (hacs_core.is_list(identifier)),
    status text not null
        constraint appointments_status_valid check (status = any (
            '{proposed, pending, booked, arrived, fulfilled, cancelled, noshow, entered-in-error, checked-in,
              waitlist}'
        )),
    cancellation_reason jsonb
        constraint appointments_cancellation_reason_object check (jsonb_typeof(cancellation_reason) = 'object'),
    class_ jsonb constraint appointments_class__list check (hacs_core.is_list(class_)),
    service_category jsonb constraint appointments_service_category_list check (hacs_core.is_list(service_category)),
    service_type jsonb constraint appointments_service_type_list check (hacs_core.is_list(service_type)),
    specialty jsonb constraint appointments_specialty_list check (hacs_core.is_list(specialty)),
    appointment_type jsonb
        constraint appointments_appointment_type_object check (jsonb_typeof(appointment_type) = 'object'),
    reason jsonb constraint appointments_reason_list check (hacs_core.is_list(reason)),
    priority jsonb constraint appointments_priority_object check (jsonb_typeof(priority) = 'object'),
    description text,
    replaces jsonb constraint appointments_replaces_list check (hacs_core.is_list(replaces)),
    virtual_service jsonb
        constraint appointments_virtual_service_conforms
            check (hacs_core.each_conforms(virtual_service, 'VirtualServiceDetail')),
    supporting_information jsonb
        constraint appointments_supporting_information_list check (hacs_core.is_list(supporting_information)),
    previous_appointment jsonb
        constraint appointments_previous_appointment_object check (jsonb_typeof(previous_appointment) = 'object'),
    originating_appointment jsonb
        constraint appointments_originating_appointment_object check (jsonb_typeof(originating_appointment) = 'object'),
    start timestamptz,
    "end" timestamptz,
    minutes_duration integer constraint appointments_minutes_duration_range check (minutes_duration >= 1),
    requested_period jsonb
        constraint appointments_requested_period_period_list check (hacs_core.is_period_list(requested_period)),
    slot jsonb constraint appointments_slot_list check (hacs_core.is_list(slot)),
    account jsonb constraint appointments_account_list check (hacs_core.is_list(account)),
    created timestamptz default now(),
    cancellation_date timestamptz,
    note jsonb constraint appointments_note_list check (hacs_core.is_list(note)),
    patient_instruction jsonb
        constraint appointments_patient_instruction_list check (hacs_core.is_list(patient_instruction)),
    based_on jsonb constraint appointments_based_on_list check (hacs_core.is_list(based_on)),
    subject jsonb constraint appointments_subject_object check (jsonb_typeof(subject) = 'object'),
    participant jsonb not null
        constraint appointments_participant_conforms
            check (hacs_core.each_conforms(participant, 'AppointmentParticipant')),
    recurrence_id integer constraint appointments_recurrence_id_range check (recurrence_id >= 1),
    occurrence_changed boolean,
    recurrence_template jsonb
        constraint appointments_recurrence_template_conforms
            check (hacs_core.each_conforms(recurrence_template, 'RecurrenceTemplate')),
    appointment_title text,
    patient_name text,
    provider_name text,
    location_name text,
    duration_minutes integer constraint appointments_duration_minutes_range check (duration_minutes >= 1),
    is_virtual boolean,
    is_recurring boolean,
    urgency_level text
        constraint appointments_urgency_level_valid check (urgency_level = any (
            '{routine, urgent, asap, stat, emergency}'
        )),
    preparation_required boolean,
    confirmation_required boolean,
    can_reschedule boolean,
    estimated_cost double precision
        constraint appointments_estimated_cost_range check (estimated_cost >= 0 and estimated_cost < 'Infinity'),
    insurance_required boolean,
    extra jsonb not null default '{}' constraint appointments_extra_object check (jsonb_typeof(extra) = 'object'),
    version_id bigint not null default 1,

    patient_id text generated always as (hacs_core.reference_id(subject, 'Patient')) stored
        constraint appointments_patient_id_fkey references hacs_core.patients deferrable initially immediate,
    previous_appointment_id text
        generated always as (hacs_core.reference_id(previous_appointment, 'Appointment')) stored
        constraint appointments_previous_appointment_id_fkey
            references hacs_clinical.appointments deferrable initially immediate,
    originating_appointment_id text
        generated always as (hacs_core.reference_id(originating_appointment, 'Appointment')) stored
        constraint appointments_originating_appointment_id_fkey
            references hacs_clinical.appointments deferrable initially immediate,

    constraint appointments_id_form check (hacs_core.is_id(id)),
    constraint appointments_previous_appointment_other check (previous_appointment_id <> id),
    constraint appointments_originating_appointment_other check (originating_appointment_id <> id),
    constraint appointments_times_finite check (
        least(created_at, updated_at, start, "end", created, cancellation_date) >= '0001-01-01 00:00+00'
        and greatest(created_at, updated_at, start, "end", created, cancellation_date) < '10000-01-01 00:00+00'
    ),
    constraint appointments_app_1 check (
        participant @@ '!exists($[*] ? (!exists(@.type[*] ? (@ != null)) && !exists(@.actor.*)))'
    ),
    constraint appointments_app_2 check ((start is null) = ("end" is null)),
    constraint appointments_app_3 check (start is not null or status in ('proposed', 'cancelled', 'waitlist')),
    constraint appointments_app_4 check (
        cancellation_reason = '{}' or jsonb_typeof(cancellation_reason) <> 'object' or status in ('cancelled', 'noshow')
    ),
    constraint appointments_app_5 check (start <= "end"),
    constraint appointments_app_7 check (cancellation_date is null or status in ('cancelled', 'noshow')),
    constraint appointments_participant_present check (participant <> '[]')
);

comment on table hacs_clinical.appointments is
    'One row per booking or booking request of a patient with people, rooms or devices at a given time; used for '
    'scheduling (FHIR Appointment)';
comment on column hacs_clinical.appointments.id is
    'Identity of the resource, unique within its type (FHIR Resource.id)';
comment on column hacs_clinical.appointments.resource_type is 'Always Appointment (FHIR resourceType)';
comment on column hacs_clinical.appointments.created_at is 'When the resource was made; stays as the document says';
comment on column hacs_clinical.appointments.updated_at is
    'When it was last changed; an UPDATE that does not set it gets the current time (FHIR Meta.lastUpdated)';
comment on column hacs_clinical.appointments.identifier is
    'Business identifiers, such as the booking number in the scheduling system (FHIR Appointment.identifier)';
comment on column hacs_clinical.appointments.status is
    'Where the booking stands, from proposal to attended, cancelled or missed (FHIR Appointment.status)';
comment on column hacs_clinical.appointments.cancellation_reason is
    'Why it was called off or missed; only with status cancelled or noshow (FHIR Appointment.cancellationReason)';
comment on column hacs_clinical.appointments.class_ is
    'Expected kind of encounter, e.g. ambulatory or virtual. JSON key is class (FHIR Appointment.class)';
comment on column hacs_clinical.appointments.service_category is
    'Broad grouping of the booked service, e.g. primary care or imaging (FHIR Appointment.serviceCategory)';
comment on column hacs_clinical.appointments.service_type is
    'Specific service to be given, as codes or healthcare service links (FHIR Appointment.serviceType)';
comment on column hacs_clinical.appointments.specialty is
    'Clinical specialties the performing practitioner needs (FHIR Appointment.specialty)';
comment on column hacs_clinical.appointments.appointment_type is
    'Style of booking as a concept, e.g. check-up, follow-up or walk-in (FHIR Appointment.appointmentType)';
comment on column hacs_clinical.appointments.reason is
    'Why the visit is wanted: codes or References to Condition, Procedure or Observation (FHIR Appointment.reason)';
comment on column hacs_clinical.appointments.priority is
    'Urgency as a coded concept, used when slots have to be juggled (FHIR Appointment.priority)';
comment on column hacs_clinical.appointments.description is
    'One-line text about the booking as shown in lists and calendars (FHIR Appointment.description)';
comment on column hacs_clinical.appointments.replaces is
    'Earlier bookings that this one supersedes: References to Appointment/<id> (FHIR Appointment.replaces)';
comment on column hacs_clinical.appointments.virtual_service is
    'Connection details for a remote visit: channel, address, session key (FHIR Appointment.virtualService)';
comment on column hacs_clinical.appointments.supporting_information is
    'Material to have at hand during the visit: References to any resource (FHIR Appointment.supportingInformation)';
comment on column hacs_clinical.appointments.previous_appointment is
    'Booking just before this one in a series: Reference to Appointment/<id> (FHIR Appointment.previousAppointment)';
comment on column hacs_clinical.appointments.originating_appointment is
    'First booking of a recurring series, which holds the pattern: a Reference (FHIR '
    'Appointment.originatingAppointment)';
comment on column hacs_clinical.appointments.start is
    'UTC instant at which the visit begins; set together with end and not after it (FHIR Appointment.start)';
comment on column hacs_clinical.appointments."end" is
    'UTC instant at which the visit is due to finish; needs a start no later than it (FHIR Appointment.end)';
comment on column hacs_clinical.appointments.minutes_duration is
    'Planned length in whole minutes, at least 1; may be shorter than start to end (FHIR Appointment.minutesDuration)';
comment on column hacs_clinical.appointments.requested_period is
    'Time windows in which the patient would like to be seen, before a time is fixed (FHIR '
    'Appointment.requestedPeriod)';
comment on column hacs_clinical.appointments.slot is
    'Schedule openings taken up by the booking: References to Slot/<id> (FHIR Appointment.slot)';
comment on column hacs_clinical.appointments.account is
    'Billing accounts to be charged for the visit: References to Account/<id> (FHIR Appointment.account)';
comment on column hacs_clinical.appointments.created is
    'UTC instant at which the booking was first made, as opposed to when it takes place (FHIR Appointment.created)';
comment on column hacs_clinical.appointments.cancellation_date is
    'UTC instant of calling it off; only with status cancelled or noshow (FHIR Appointment.cancellationDate)';
comment on column hacs_clinical.appointments.note is
    'Comments for staff about the booking, with optional author and time (FHIR Appointment.note)';
comment on column hacs_clinical.appointments.patient_instruction is
    'What the patient should do beforehand, e.g. fasting, as codes or links (FHIR Appointment.patientInstruction)';
comment on column hacs_clinical.appointments.based_on is
    'Orders that led to the visit: References to ServiceRequest or MedicationRequest (FHIR Appointment.basedOn)';
comment on column hacs_clinical.appointments.subject is
    'Patient the visit is about, present or not: a Reference to Patient/<id> (FHIR Appointment.subject)';
comment on column hacs_clinical.appointments.participant is
    'Who and what takes part (patient, practitioner, location), at least one, each with reply status (FHIR '
    'Appointment.participant)';
comment on column hacs_clinical.appointments.recurrence_id is
    'Position of this booking within its recurring series, counted from 1 (FHIR Appointment.recurrenceId)';
comment on column hacs_clinical.appointments.occurrence_changed is
    'True when this occurrence was moved or altered from its series pattern (FHIR Appointment.occurrenceChanged)';
comment on column hacs_clinical.appointments.recurrence_template is
    'Repeat patterns of a series: daily, weekly, monthly or yearly rules with exclusions (FHIR '
    'Appointment.recurrenceTemplate)';
comment on column hacs_clinical.appointments.appointment_title is
    'Plain-text heading for calendars and reminders. Added by HACS next to description';
comment on column hacs_clinical.appointments.patient_name is
    'Display name of the patient in plain text; subject and participant hold the References';
comment on column hacs_clinical.appointments.provider_name is
    'Display name of the clinician or practice in plain text; the Reference sits in participant';
comment on column hacs_clinical.appointments.location_name is
    'Display name of the site or room in plain text; the Reference sits in participant';
comment on column hacs_clinical.appointments.duration_minutes is
    'Length in whole minutes, at least 1. HACS convenience form of minutes_duration, not kept in step with it';
comment on column hacs_clinical.appointments.is_virtual is
    'Convenience flag: true for a remote visit; connection details are in virtual_service';
comment on column hacs_clinical.appointments.is_recurring is
    'Convenience flag: true for one of a repeating series; the pattern is in recurrence_template';
comment on column hacs_clinical.appointments.urgency_level is
    'Simple text form of the urgency for filtering; priority holds the coded concept';
comment on column hacs_clinical.appointments.preparation_required is
    'True when the patient must prepare first; the steps are in patient_instruction. Added by HACS';
comment on column hacs_clinical.appointments.confirmation_required is
    'True when the patient still has to confirm the booking for it to stand. Added by HACS';
comment on column hacs_clinical.appointments.can_reschedule is
    'True when the booking may be moved to another time. Scheduling hint added by HACS';
comment on column hacs_clinical.appointments.estimated_cost is
    'Expected price of the visit, 0 or more; the currency is not stored. Added by HACS';
comment on column hacs_clinical.appointments.insurance_required is
    'True when insurance cover must be shown or checked before the visit. Added by HACS';
comment on column hacs_clinical.appointments.extra is 'Top-level keys of the document that have no column of their own';
comment on column hacs_clinical.appointments.version_id is
    'Counts the changes of the row, from 1; no field of the document (FHIR Meta.versionId)';
comment on column hacs_clinical.appointments.patient_id is
    'Local Patient that subject points to; null where subject is absent or points elsewhere';
comment on column hacs_clinical.appointments.previous_appointment_id is
    'Local Appointment that previous_appointment points to; null where previous_appointment is absent or points '
    'elsewhere';
comment on column hacs_clinical.appointments.originating_appointment_id is
    'Local Appointment that originating_appointment points to; null where originating_appointment is absent or points '
    'elsewhere';

comment on constraint appointments_id_form on hacs_clinical.appointments is
    'An id is not blank, no longer than 2048 bytes, and can be reached by a reference';
comment on constraint appointments_previous_appointment_other on hacs_clinical.appointments is
    'An appointment does not follow itself';
comment on constraint appointments_originating_appointment_other on hacs_clinical.appointments is
    'An appointment does not come from itself';
comment on constraint appointments_times_finite on hacs_clinical.appointments is
    'Days and times lie in the years 0001 to 9999, in UTC; infinity is none';
comment on constraint appointments_app_1 on hacs_clinical.appointments is
    'Every participant has a type or an actor, and empty ones do not count (FHIR app-1)';
comment on constraint appointments_app_2 on hacs_clinical.appointments is
    'Start and end are both given or both missing (FHIR app-2)';
comment on constraint appointments_app_3 on hacs_clinical.appointments is
    'Only a proposed, cancelled or waitlisted appointment has no time yet (FHIR app-3)';
comment on constraint appointments_app_4 on hacs_clinical.appointments is
    'Only what was cancelled or not attended has a cancellation reason (FHIR app-4)';
comment on constraint appointments_app_5 on hacs_clinical.appointments is
    'An appointment does not end before it starts (FHIR app-5 in R5)';
comment on constraint appointments_app_7 on hacs_clinical.appointments is
    'Only what was cancelled or not attended has a cancellation date (FHIR app-7 in R5)';
comment on constraint appointments_participant_present on hacs_clinical.appointments is
    'Somebody takes part (FHIR Appointment.participant, 1..*)';

create index if not exists appointments_patient_id_idx on hacs_clinical.appointments (patient_id)
    where patient_id is not null;
create index if not exists appointments_start_idx on hacs_clinical.appointments (start);
create index if not exists appointments_previous_appointment_id_idx
    on hacs_clinical.appointments (previous_appointment_id) where previous_appointment_id is not null;
create index if not exists appointments_originating_appointment_id_idx
    on hacs_clinical.appointments (originating_appointment_id) where originating_appointment_id is not null;

create or replace trigger appointments_touch_updated_at
    before update on hacs_clinical.appointments
    for each row execute function hacs_core.touch_resource();

-------------------------------------------------------------------------------------------------------------------
-- Encounters are older than appointments: their reference can only be tied now.
-------------------------------------------------------------------------------------------------------------------

do $$
begin
    alter table hacs_core.encounters
        add constraint encounters_appointment_id_fkey foreign key (appointment_id)
        references hacs_clinical.appointments deferrable initially immediate;
exception
    when duplicate_object then null;
end
$$;
