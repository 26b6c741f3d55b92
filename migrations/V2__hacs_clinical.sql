-- Clinical records. Each belongs to a patient, who cannot be deleted while it exists: history is not lost by accident.

-------------------------------------------------------------------------------------------------------------------
-- Conditions: problems and diagnoses.
-------------------------------------------------------------------------------------------------------------------

create table if not exists hacs_clinical.conditions (
    id text primary key default gen_random_uuid()::text,
    resource_type text not null default 'Condition'
        constraint conditions_resource_type_valid check (resource_type = 'Condition'),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    clinical_status text not null
        constraint conditions_clinical_status_valid check (clinical_status = any (
            '{active, recurrence, relapse, inactive, remission, resolved, unknown}'
        )),
    subject jsonb not null constraint conditions_subject_object check (jsonb_typeof(subject) = 'object'),
    identifier jsonb not null default '[]'
        constraint conditions_identifier_list check (hacs_core.is_list(identifier)),
    verification_status text
        constraint conditions_verification_status_valid check (verification_status = any (
            '{unconfirmed, provisional, differential, confirmed, refuted, entered-in-error}'
        )),
    category jsonb not null default '[]' constraint conditions_category_list check (hacs_core.is_list(category)),
    severity jsonb constraint conditions_severity_object check (jsonb_typeof(severity) = 'object'),
    code jsonb constraint conditions_code_object check (jsonb_typeof(code) = 'object'),
    body_site jsonb not null default '[]' constraint conditions_body_site_list check (hacs_core.is_list(body_site)),
    encounter jsonb constraint conditions_encounter_object check (jsonb_typeof(encounter) = 'object'),
    onset_date_time timestamptz,
    onset_age jsonb constraint conditions_onset_age_object check (jsonb_typeof(onset_age) = 'object'),
    onset_period jsonb constraint conditions_onset_period_object check (jsonb_typeof(onset_period) = 'object'),
    onset_range jsonb constraint conditions_onset_range_object check (jsonb_typeof(onset_range) = 'object'),
    onset_string text,
    abatement_date_time timestamptz,
    abatement_age jsonb constraint conditions_abatement_age_object check (jsonb_typeof(abatement_age) = 'object'),
    abatement_period jsonb
        constraint conditions_abatement_period_object check (jsonb_typeof(abatement_period) = 'object'),
    abatement_range jsonb
        constraint conditions_abatement_range_object check (jsonb_typeof(abatement_range) = 'object'),
    abatement_string text,
    recorded_date timestamptz,
    participant jsonb not null default '[]'
        constraint conditions_participant_list check (hacs_core.is_list(participant)),
    stage jsonb not null default '[]' constraint conditions_stage_list check (hacs_core.is_list(stage)),
    evidence jsonb not null default '[]' constraint conditions_evidence_list check (hacs_core.is_list(evidence)),
    note jsonb not null default '[]' constraint conditions_note_list check (hacs_core.is_list(note)),
    condition_name text,
    condition_description text,
    condition_category text
        constraint conditions_condition_category_valid check (condition_category = any (
            '{problem-list-item, encounter-diagnosis, chief-complaint, working-diagnosis, final-diagnosis,
              differential-diagnosis, chronic-condition, acute-condition}'
        )),
    condition_severity text
        constraint conditions_condition_severity_valid check (condition_severity = any (
            '{mild, moderate, severe, critical, fatal, minimal, life-threatening, unknown}'
        )),
    anatomical_location text
        constraint conditions_anatomical_location_valid check (anatomical_location = any (
            '{head, neck, chest, abdomen, pelvis, back, upper_extremity, lower_extremity, cardiovascular, respiratory,
              gastrointestinal, genitourinary, neurological, musculoskeletal, skin, endocrine, hematological,
              immunological, psychiatric, systemic, other}'
        )),
    chief_complaint text,
    presenting_symptoms hacs_core.texts not null default '{}',
    risk_factors hacs_core.texts not null default '{}',
    onset_description text,
    duration_description text,
    progression_status text,
    current_status_description text,
    current_treatment hacs_core.texts not null default '{}',
    treatment_response text,
    complications hacs_core.texts not null default '{}',
    related_conditions hacs_core.texts not null default '{}',
    functional_impact text,
    quality_of_life_impact text,
    prognosis text,
    diagnosing_provider text,
    managing_provider text,
    condition_notes text,
    patient_concerns text,
    family_history_relevant boolean,
    extra jsonb not null default '{}' constraint conditions_extra_object check (jsonb_typeof(extra) = 'object'),
    version_id bigint not null default 1,

    patient_id text generated always as (hacs_core.reference_id(subject, 'Patient')) stored
        constraint conditions_patient_id_fkey references hacs_core.patients deferrable initially immediate,
    encounter_id text generated always as (hacs_core.reference_id(encounter, 'Encounter')) stored
        constraint conditions_encounter_id_fkey references hacs_core.encounters deferrable initially immediate,

    constraint conditions_id_form check (hacs_core.is_id(id)),
    constraint conditions_times_finite check (
        least(created_at, updated_at, onset_date_time, abatement_date_time, recorded_date) >= '0001-01-01 00:00+00'
        and greatest(
            created_at, updated_at, onset_date_time, abatement_date_time, recorded_date
        ) < '10000-01-01 00:00+00'
    ),
    constraint conditions_onset_period_per_1 check (hacs_core.is_period(onset_period)),
    constraint conditions_abatement_period_per_1 check (hacs_core.is_period(abatement_period)),
    constraint conditions_onset_choice check (
        num_nonnulls(onset_date_time, onset_age, onset_period, onset_range, onset_string) <= 1
    ),
    constraint conditions_abatement_choice check (
        num_nonnulls(abatement_date_time, abatement_age, abatement_period, abatement_range, abatement_string) <= 1
    ),
    constraint conditions_abatement_order check (abatement_date_time >= onset_date_time),
    constraint conditions_con_1 check (
        stage @@ '$.type() != "array" || $[*].type() != "object"
            || !exists($[*] ? (!exists(@.summary ? (@ != null)) && !exists(@.assessment ? (@ != null))))'
    ),
    constraint conditions_con_4 check (
        clinical_status in ('inactive', 'resolved', 'remission')
        or num_nonnulls(abatement_date_time, abatement_age, abatement_period, abatement_range, abatement_string) = 0
    )
);

comment on table hacs_clinical.conditions is
    'One row is a diagnosis, problem or health concern of a patient, with course, certainty, evidence and plain-text '
    'helpers (FHIR Condition)';
comment on column hacs_clinical.conditions.id is 'Identity of the resource, unique within its type (FHIR Resource.id)';
comment on column hacs_clinical.conditions.resource_type is 'Always Condition (FHIR resourceType)';
comment on column hacs_clinical.conditions.created_at is 'When the resource was made; stays as the document says';
comment on column hacs_clinical.conditions.updated_at is
    'When it was last changed; an UPDATE that does not set it gets the current time (FHIR Meta.lastUpdated)';
comment on column hacs_clinical.conditions.clinical_status is
    'Whether the problem is present now or has passed; decides if it shows as current (FHIR Condition.clinicalStatus)';
comment on column hacs_clinical.conditions.subject is
    'Who has the condition: Reference object with Patient/<id>, a bare id or a URL (FHIR Condition.subject)';
comment on column hacs_clinical.conditions.identifier is
    'Numbers of this condition entry in other systems, each with system and value (FHIR Condition.identifier)';
comment on column hacs_clinical.conditions.verification_status is
    'How certain the diagnosis is, from a first suspicion to confirmed or ruled out (FHIR '
    'Condition.verificationStatus)';
comment on column hacs_clinical.conditions.category is
    'Coded role of the entry, such as problem list or visit diagnosis (FHIR Condition.category)';
comment on column hacs_clinical.conditions.severity is
    'Clinical judgement of how bad it is, as a coded concept (FHIR Condition.severity)';
comment on column hacs_clinical.conditions.code is
    'Which disease or problem it is, as a coded concept, e.g. ICD-10 or SNOMED CT (FHIR Condition.code)';
comment on column hacs_clinical.conditions.body_site is
    'Affected parts of the body as coded concepts, including side where it matters (FHIR Condition.bodySite)';
comment on column hacs_clinical.conditions.encounter is
    'Visit in which the entry was made: Reference object pointing to an Encounter (FHIR Condition.encounter)';
comment on column hacs_clinical.conditions.onset_date_time is
    'UTC instant or best estimate of when the condition began (FHIR Condition.onset[x])';
comment on column hacs_clinical.conditions.onset_age is
    'How old the patient was when it began, a quantity object, usually in years (FHIR Condition.onset[x])';
comment on column hacs_clinical.conditions.onset_period is
    'Start and end of the time window in which the condition began (FHIR Condition.onset[x])';
comment on column hacs_clinical.conditions.onset_range is
    'Low and high limit when the start is known only roughly, usually ages in years (FHIR Condition.onset[x])';
comment on column hacs_clinical.conditions.onset_string is
    'Start in words where no date or age can be given, e.g. in childhood (FHIR Condition.onset[x])';
comment on column hacs_clinical.conditions.abatement_date_time is
    'UTC instant or best estimate of when it resolved or went into remission (FHIR Condition.abatement[x])';
comment on column hacs_clinical.conditions.abatement_age is
    'How old the patient was when it resolved, a quantity object, usually in years (FHIR Condition.abatement[x])';
comment on column hacs_clinical.conditions.abatement_period is
    'Start and end of the time window in which the condition subsided (FHIR Condition.abatement[x])';
comment on column hacs_clinical.conditions.abatement_range is
    'Low and high limit when the end is known only roughly, usually ages in years (FHIR Condition.abatement[x])';
comment on column hacs_clinical.conditions.abatement_string is
    'End of the condition in words where no date or age can be given (FHIR Condition.abatement[x])';
comment on column hacs_clinical.conditions.recorded_date is
    'UTC instant at which the entry was first written, which may be long after onset (FHIR Condition.recordedDate)';
comment on column hacs_clinical.conditions.participant is
    'Who recorded or stated it: function plus actor, a Reference to a Practitioner or Patient (FHIR '
    'Condition.participant)';
comment on column hacs_clinical.conditions.stage is
    'Stage or grade, each with summary, type and Observation references as its assessment (FHIR Condition.stage)';
comment on column hacs_clinical.conditions.evidence is
    'Findings behind the diagnosis: coded concepts or references to an Observation (FHIR Condition.evidence)';
comment on column hacs_clinical.conditions.note is
    'Remarks as annotation objects that can carry author and time (FHIR Condition.note)';
comment on column hacs_clinical.conditions.condition_name is
    'Everyday name of the condition for display, a plain-text form of code';
comment on column hacs_clinical.conditions.condition_description is
    'What the condition is and how it shows in this patient, a longer plain-text companion of code';
comment on column hacs_clinical.conditions.condition_category is
    'Single fixed value for the role of the entry, a convenience form of category with extra values such as chronic';
comment on column hacs_clinical.conditions.condition_severity is
    'Single fixed value for how bad it is, a convenience form of the coded severity';
comment on column hacs_clinical.conditions.anatomical_location is
    'Main body region or organ system from a fixed list, a coarse convenience form of body_site';
comment on column hacs_clinical.conditions.chief_complaint is
    'Main trouble as the patient puts it, in plain text; the reason for seeking help, not the diagnosis';
comment on column hacs_clinical.conditions.presenting_symptoms is
    'Symptoms seen or reported at first presentation, plain-text items without codes; evidence holds the coded form';
comment on column hacs_clinical.conditions.risk_factors is
    'Known factors that favour this condition in the patient, such as smoking, as plain-text items';
comment on column hacs_clinical.conditions.onset_description is
    'Story of how and when it started, e.g. gradually over months; a plain-text form of the onset columns';
comment on column hacs_clinical.conditions.duration_description is
    'How long it has lasted, in words with the unit included, e.g. 3 days; a plain-text shortcut';
comment on column hacs_clinical.conditions.progression_status is
    'Direction of the course in plain text, such as improving, stable or getting worse';
comment on column hacs_clinical.conditions.current_status_description is
    'State of the condition today for lay readers, a plain-text companion of clinical_status';
comment on column hacs_clinical.conditions.current_treatment is
    'Drugs, therapies and measures in use for it now, plain-text items with dose; no link to medication records';
comment on column hacs_clinical.conditions.treatment_response is
    'How well the treatment works for this patient, as a plain-text judgement';
comment on column hacs_clinical.conditions.complications is
    'Follow-on problems this condition has already caused, as plain-text names';
comment on column hacs_clinical.conditions.related_conditions is
    'Other conditions linked to or caused by this one, as plain-text names rather than references';
comment on column hacs_clinical.conditions.functional_impact is
    'What the patient can no longer do or needs help with in daily life, in plain text';
comment on column hacs_clinical.conditions.quality_of_life_impact is
    'Effect on well-being, mood and social life, in plain text; daily abilities go in functional_impact';
comment on column hacs_clinical.conditions.prognosis is
    'Expected course and outcome in plain text, as judged by the treating side';
comment on column hacs_clinical.conditions.diagnosing_provider is
    'Name of the clinician or unit that made the diagnosis, a plain-text form with no reference behind it';
comment on column hacs_clinical.conditions.managing_provider is
    'Name of the clinician or unit in charge of it now, plain text; may differ from diagnosing_provider';
comment on column hacs_clinical.conditions.condition_notes is
    'Remarks as one plain string, a convenience form of note without author or time';
comment on column hacs_clinical.conditions.patient_concerns is
    'Worries and questions of the patient about this condition, in plain text';
comment on column hacs_clinical.conditions.family_history_relevant is
    'True if cases in the family matter for this condition; a HACS flag, details belong to family history records';
comment on column hacs_clinical.conditions.extra is 'Top-level keys of the document that have no column of their own';
comment on column hacs_clinical.conditions.version_id is
    'Counts the changes of the row, from 1; no field of the document (FHIR Meta.versionId)';
comment on column hacs_clinical.conditions.patient_id is
    'Local Patient that subject points to; null where subject is absent or points elsewhere';
comment on column hacs_clinical.conditions.encounter_id is
    'Local Encounter that encounter points to; null where encounter is absent or points elsewhere';

comment on constraint conditions_id_form on hacs_clinical.conditions is
    'An id is not blank, no longer than 2048 bytes, and can be reached by a reference';
comment on constraint conditions_times_finite on hacs_clinical.conditions is
    'Days and times lie in the years 0001 to 9999, in UTC; infinity is none';
comment on constraint conditions_onset_period_per_1 on hacs_clinical.conditions is
    'It does not end before it starts, where both are complete dates (FHIR per-1)';
comment on constraint conditions_abatement_period_per_1 on hacs_clinical.conditions is
    'It does not end before it starts, where both are complete dates (FHIR per-1)';
comment on constraint conditions_onset_choice on hacs_clinical.conditions is
    'At most one form of Condition.onset (FHIR Condition.onset[x])';
comment on constraint conditions_abatement_choice on hacs_clinical.conditions is
    'At most one form of Condition.abatement (FHIR Condition.abatement[x])';
comment on constraint conditions_abatement_order on hacs_clinical.conditions is
    'A condition does not abate before its onset';
comment on constraint conditions_con_1 on hacs_clinical.conditions is
    'Every stage has a summary or an assessment (FHIR con-1)';
comment on constraint conditions_con_4 on hacs_clinical.conditions is
    'An abated condition is inactive, resolved or in remission (FHIR con-4 in R4, con-3 in R5)';

create index if not exists conditions_patient_id_idx on hacs_clinical.conditions (patient_id);
create index if not exists conditions_active_code_idx on hacs_clinical.conditions using gin (code jsonb_path_ops)
    where clinical_status in ('active', 'recurrence', 'relapse');
create index if not exists conditions_encounter_id_idx on hacs_clinical.conditions (encounter_id)
    where encounter_id is not null;

create or replace trigger conditions_touch_updated_at
    before update on hacs_clinical.conditions
    for each row execute function hacs_core.touch_resource();

-------------------------------------------------------------------------------------------------------------------
-- Medications: the products that requests refer to.
-------------------------------------------------------------------------------------------------------------------

create table if not exists hacs_clinical.medications (
    id text primary key default gen_random_uuid()::text,
    resource_type text not null default 'Medication'
        constraint medications_resource_type_valid check (resource_type = 'Medication'),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    identifier jsonb not null default '[]'
        constraint medications_identifier_list check (hacs_core.is_list(identifier)),
    code jsonb not null constraint medications_code_object check (jsonb_typeof(code) = 'object'),
    medication_name text,
    brand_name text,
    generic_name text,
    status text constraint medications_status_valid check (status = any ('{active, inactive, entered-in-error}')),
    manufacturer text,
    form jsonb constraint medications_form_object check (jsonb_typeof(form) = 'object'),
    dosage_form text
        constraint medications_dosage_form_valid check (dosage_form = any (
            '{tablet, capsule, liquid, injection, cream, ointment, patch, inhaler, drops, spray, powder, gel,
              suppository}'
        )),
    amount jsonb constraint medications_amount_object check (jsonb_typeof(amount) = 'object'),
    package_size text,
    ingredient jsonb not null default '[]'
        constraint medications_ingredient_list check (hacs_core.is_list(ingredient)),
    active_ingredients hacs_core.texts not null default '{}',
    inactive_ingredients hacs_core.texts not null default '{}',
    batch jsonb constraint medications_batch_object check (jsonb_typeof(batch) = 'object'),
    lot_number text,
    expiration_date timestamptz,
    drug_class text,
    controlled_substance boolean,
    controlled_substance_schedule text,
    requires_prescription boolean default true,
    over_the_counter boolean,
    indications hacs_core.texts not null default '{}',
    contraindications hacs_core.texts not null default '{}',
    side_effects hacs_core.texts not null default '{}',
    warnings hacs_core.texts not null default '{}',
    storage_requirements text,
    typical_cost text,
    alternatives hacs_core.texts not null default '{}',
    extra jsonb not null default '{}' constraint medications_extra_object check (jsonb_typeof(extra) = 'object'),
    version_id bigint not null default 1,

    constraint medications_id_form check (hacs_core.is_id(id)),
    constraint medications_times_finite check (
        least(created_at, updated_at, expiration_date) >= '0001-01-01 00:00+00'
        and greatest(created_at, updated_at, expiration_date) < '10000-01-01 00:00+00'
    )
);

comment on table hacs_clinical.medications is
    'One row describes a drug product: what it is, what it contains and how it is supplied. Prescriptions point here '
    '(FHIR Medication)';
comment on column hacs_clinical.medications.id is 'Identity of the resource, unique within its type (FHIR Resource.id)';
comment on column hacs_clinical.medications.resource_type is 'Always Medication (FHIR resourceType)';
comment on column hacs_clinical.medications.created_at is 'When the resource was made; stays as the document says';
comment on column hacs_clinical.medications.updated_at is
    'When it was last changed; an UPDATE that does not set it gets the current time (FHIR Meta.lastUpdated)';
comment on column hacs_clinical.medications.identifier is
    'Business numbers of the product, such as a catalogue or NDC number, each with its system (FHIR '
    'Medication.identifier)';
comment on column hacs_clinical.medications.code is
    'Coded drug concept, usually RxNorm, SNOMED CT or ATC, with its display text (FHIR Medication.code)';
comment on column hacs_clinical.medications.medication_name is
    'Name of the drug as people say it; plain-text form of code, handy for searching and listing';
comment on column hacs_clinical.medications.brand_name is
    'Trade name the manufacturer sells the product under, as plain text';
comment on column hacs_clinical.medications.generic_name is
    'Non-proprietary name of the active substance, as plain text; lets equal products of different brands be matched';
comment on column hacs_clinical.medications.status is
    'Whether this catalogue entry may still be used for new orders (FHIR Medication.status)';
comment on column hacs_clinical.medications.manufacturer is
    'Company that makes the product, held here as a plain name or a reference string (FHIR Medication.manufacturer)';
comment on column hacs_clinical.medications.form is
    'Coded physical form of the product as a CodeableConcept (FHIR Medication.form, doseForm in R5)';
comment on column hacs_clinical.medications.dosage_form is
    'Simple one-word physical form of the product from a short fixed list; convenience form of form';
comment on column hacs_clinical.medications.amount is
    'Quantity of drug in the package as a ratio, for example volume per vial (FHIR Medication.amount)';
comment on column hacs_clinical.medications.package_size is
    'Pack contents in words, such as 30 tablets or 100 mL bottle; plain-text form of amount';
comment on column hacs_clinical.medications.ingredient is
    'Structured list of components with strength and whether each is active (FHIR Medication.ingredient)';
comment on column hacs_clinical.medications.active_ingredients is
    'Names of the substances with a therapeutic effect; plain-text form of the active part of ingredient';
comment on column hacs_clinical.medications.inactive_ingredients is
    'Names of fillers, colours and preservatives, needed to spot excipient allergies; plain text';
comment on column hacs_clinical.medications.batch is
    'Lot number and expiry of a concrete packaged item as one object (FHIR Medication.batch)';
comment on column hacs_clinical.medications.lot_number is
    'Manufacturer lot of the physical item, for recalls; plain-text shortcut to the lot inside batch';
comment on column hacs_clinical.medications.expiration_date is
    'UTC instant after which the item must not be used; shortcut to the expiry inside batch';
comment on column hacs_clinical.medications.drug_class is
    'Pharmacological or therapeutic class in words, such as ACE inhibitor or beta-lactam antibiotic';
comment on column hacs_clinical.medications.controlled_substance is
    'True when the drug is legally controlled, so that prescribing and storage rules apply';
comment on column hacs_clinical.medications.controlled_substance_schedule is
    'Legal schedule of a controlled drug, such as CII or Schedule IV; empty for uncontrolled ones';
comment on column hacs_clinical.medications.requires_prescription is
    'True when the product may only be dispensed against a prescription';
comment on column hacs_clinical.medications.over_the_counter is
    'True when the product can be bought without a prescription; counterpart of requires_prescription';
comment on column hacs_clinical.medications.indications is
    'Conditions the drug is generally used for, in words; not the reason of one particular order';
comment on column hacs_clinical.medications.contraindications is
    'Conditions or circumstances in which the drug should not be given to anyone, one per entry';
comment on column hacs_clinical.medications.side_effects is
    'Known unwanted effects of the drug in general, one per entry; not reactions of a specific patient';
comment on column hacs_clinical.medications.warnings is
    'Safety cautions for prescribers and patients, such as boxed warnings or driving advice, one per entry';
comment on column hacs_clinical.medications.storage_requirements is
    'How the product must be kept, for example refrigerated at 2 to 8 degrees Celsius or away from light';
comment on column hacs_clinical.medications.typical_cost is
    'Usual price as free text with its currency and basis, such as per pack; informative, not for billing';
comment on column hacs_clinical.medications.alternatives is
    'Names of other drugs that could be used instead, for shortages, cost or intolerance; one per entry';
comment on column hacs_clinical.medications.extra is 'Top-level keys of the document that have no column of their own';
comment on column hacs_clinical.medications.version_id is
    'Counts the changes of the row, from 1; no field of the document (FHIR Meta.versionId)';

comment on constraint medications_id_form on hacs_clinical.medications is
    'An id is not blank, no longer than 2048 bytes, and can be reached by a reference';
comment on constraint medications_times_finite on hacs_clinical.medications is
    'Days and times lie in the years 0001 to 9999, in UTC; infinity is none';

create or replace trigger medications_touch_updated_at
    before update on hacs_clinical.medications
    for each row execute function hacs_core.touch_resource();

-------------------------------------------------------------------------------------------------------------------
-- Medication requests: prescriptions and orders.
-------------------------------------------------------------------------------------------------------------------

create table if not exists hacs_clinical.medication_requests (
    id text primary key default gen_random_uuid()::text,
    resource_type text not null default 'MedicationRequest'
        constraint medication_requests_resource_type_valid check (resource_type = 'MedicationRequest'),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    identifier jsonb not null default '[]'
        constraint medication_requests_identifier_list check (hacs_core.is_list(identifier)),
    status text not null
        constraint medication_requests_status_valid check (status = any (
            '{active, on-hold, cancelled, completed, entered-in-error, stopped, draft, unknown}'
        )),
    status_reason jsonb
        constraint medication_requests_status_reason_object check (jsonb_typeof(status_reason) = 'object'),
    status_note text,
    intent text not null
        constraint medication_requests_intent_valid check (intent = any (
            '{proposal, plan, order, original-order, reflex-order, filler-order, instance-order, option}'
        )),
    category jsonb not null default '[]'
        constraint medication_requests_category_list check (hacs_core.is_list(category)),
    prescription_type text
        constraint medication_requests_prescription_type_valid check (prescription_type = any (
            '{inpatient, outpatient, community, discharge}'
        )),
    priority text
        constraint medication_requests_priority_valid check (priority = any ('{routine, urgent, asap, stat}')),
    do_not_perform boolean,
    medication_reference text,
    medication_codeable_concept jsonb
        constraint medication_requests_medication_codeable_concept_object
            check (jsonb_typeof(medication_codeable_concept) = 'object'),
    medication_name text,
    generic_name text,
    brand_name text,
    subject text not null,
    encounter text,
    supporting_information hacs_core.texts not null default '{}',
    authored_on timestamptz,
    requester text,
    prescribed_by text,
    performer text,
    performer_type jsonb
        constraint medication_requests_performer_type_object check (jsonb_typeof(performer_type) = 'object'),
    to_be_given_by text,
    recorder text,
    reason_code jsonb not null default '[]'
        constraint medication_requests_reason_code_list check (hacs_core.is_list(reason_code)),
    reason_reference hacs_core.texts not null default '{}',
    prescribed_for text,
    prescribed_for_details text,
    instantiates_canonical hacs_core.texts not null default '{}',
    instantiates_uri hacs_core.texts not null default '{}',
    based_on hacs_core.texts not null default '{}',
    group_identifier jsonb
        constraint medication_requests_group_identifier_object check (jsonb_typeof(group_identifier) = 'object'),
    course_of_therapy_type jsonb
        constraint medication_requests_course_of_therapy_type_object
            check (jsonb_typeof(course_of_therapy_type) = 'object'),
    treatment_plan text,
    insurance hacs_core.texts not null default '{}',
    note jsonb not null default '[]' constraint medication_requests_note_list check (hacs_core.is_list(note)),
    instructions text,
    pharmacy_notes text,
    dosage_instruction jsonb not null default '[]'
        constraint medication_requests_dosage_instruction_list check (hacs_core.is_list(dosage_instruction)),
    dosage text,
    route text,
    dispense_request jsonb
        constraint medication_requests_dispense_request_object check (jsonb_typeof(dispense_request) = 'object'),
    quantity_to_dispense text,
    refills_remaining integer,
    days_supply integer,
    substitution jsonb
        constraint medication_requests_substitution_object check (jsonb_typeof(substitution) = 'object'),
    generic_substitution_allowed boolean,
    prior_prescription text,
    detected_issue hacs_core.texts not null default '{}',
    drug_interactions hacs_core.texts not null default '{}',
    allergies_checked boolean,
    contraindications hacs_core.texts not null default '{}',
    event_history hacs_core.texts not null default '{}',
    cost_estimate text,
    covered_by_insurance boolean,
    therapeutic_goal text,
    monitoring_required boolean,
    monitoring_schedule text,
    extra jsonb not null default '{}'
        constraint medication_requests_extra_object check (jsonb_typeof(extra) = 'object'),
    version_id bigint not null default 1,

    patient_id text generated always as (hacs_core.reference_id(subject, 'Patient')) stored
        constraint medication_requests_patient_id_fkey references hacs_core.patients deferrable initially immediate,
    encounter_id text generated always as (hacs_core.reference_id(encounter, 'Encounter')) stored
        constraint medication_requests_encounter_id_fkey references hacs_core.encounters deferrable initially immediate,
    medication_id text generated always as (hacs_core.reference_id(medication_reference, 'Medication')) stored
        constraint medication_requests_medication_id_fkey
            references hacs_clinical.medications deferrable initially immediate,
    prior_prescription_id text
        generated always as (hacs_core.reference_id(prior_prescription, 'MedicationRequest')) stored
        constraint medication_requests_prior_prescription_id_fkey
            references hacs_clinical.medication_requests deferrable initially immediate,
    performer_organization_id text
        generated always as (hacs_core.reference_id(performer, 'Organization', bare => false)) stored
        constraint medication_requests_performer_organization_id_fkey
            references hacs_core.organizations deferrable initially immediate,

    constraint medication_requests_id_form check (hacs_core.is_id(id)),
    constraint medication_requests_prior_prescription_other check (prior_prescription_id <> id),
    constraint medication_requests_times_finite check (
        least(created_at, updated_at, authored_on) >= '0001-01-01 00:00+00'
        and greatest(created_at, updated_at, authored_on) < '10000-01-01 00:00+00'
    )
);

comment on table hacs_clinical.medication_requests is
    'One row is a prescription or medication order for one patient: the drug, how to take it, what to supply and why '
    '(FHIR MedicationRequest)';
comment on column hacs_clinical.medication_requests.id is
    'Identity of the resource, unique within its type (FHIR Resource.id)';
comment on column hacs_clinical.medication_requests.resource_type is 'Always MedicationRequest (FHIR resourceType)';
comment on column hacs_clinical.medication_requests.created_at is
    'When the resource was made; stays as the document says';
comment on column hacs_clinical.medication_requests.updated_at is
    'When it was last changed; an UPDATE that does not set it gets the current time (FHIR Meta.lastUpdated)';
comment on column hacs_clinical.medication_requests.identifier is
    'Prescription and order numbers given by the prescribing or pharmacy systems (FHIR MedicationRequest.identifier)';
comment on column hacs_clinical.medication_requests.status is
    'Where the order stands in its life cycle; decides whether it counts as current therapy (FHIR '
    'MedicationRequest.status)';
comment on column hacs_clinical.medication_requests.status_reason is
    'Coded reason for the present status, e.g. why it was stopped or put on hold (FHIR MedicationRequest.statusReason)';
comment on column hacs_clinical.medication_requests.status_note is
    'Free-text explanation of the present status; plain-text companion to status_reason';
comment on column hacs_clinical.medication_requests.intent is
    'How binding the request is, from a suggestion up to an authorised order (FHIR MedicationRequest.intent)';
comment on column hacs_clinical.medication_requests.category is
    'Coded grouping of the request, mostly by care setting (FHIR MedicationRequest.category)';
comment on column hacs_clinical.medication_requests.prescription_type is
    'Care setting the prescription is meant for, as a single value; convenience form of category';
comment on column hacs_clinical.medication_requests.priority is
    'How quickly the order has to be acted on compared with others (FHIR MedicationRequest.priority)';
comment on column hacs_clinical.medication_requests.do_not_perform is
    'True turns the row into a prohibition: the drug must not be given (FHIR MedicationRequest.doNotPerform)';
comment on column hacs_clinical.medication_requests.medication_reference is
    'Ordered drug as a catalogue entry: Medication/<id>, a bare id or a URL (FHIR MedicationRequest.medication[x])';
comment on column hacs_clinical.medication_requests.medication_codeable_concept is
    'Ordered drug as a code, when no Medication row is referenced (FHIR MedicationRequest.medication[x])';
comment on column hacs_clinical.medication_requests.medication_name is
    'Ordered drug as written on the prescription; plain-text form of the coded or referenced drug';
comment on column hacs_clinical.medication_requests.generic_name is
    'Non-proprietary name of the ordered drug, as plain text, for substitution and duplicate checks';
comment on column hacs_clinical.medication_requests.brand_name is
    'Trade name asked for by the prescriber, as plain text; empty when ordered generically';
comment on column hacs_clinical.medication_requests.subject is
    'Who is to receive the drug: Patient/<id>, a bare id or a URL (FHIR MedicationRequest.subject)';
comment on column hacs_clinical.medication_requests.encounter is
    'Visit or stay in which the order was written: Encounter/<id>, bare id or URL (FHIR MedicationRequest.encounter)';
comment on column hacs_clinical.medication_requests.supporting_information is
    'References to any records that help fill the order, e.g. weight or labs (FHIR '
    'MedicationRequest.supportingInformation)';
comment on column hacs_clinical.medication_requests.authored_on is
    'UTC instant at which the prescription was first written (FHIR MedicationRequest.authoredOn)';
comment on column hacs_clinical.medication_requests.requester is
    'Who ordered and answers for it: practitioner, Organization or Patient reference (FHIR '
    'MedicationRequest.requester)';
comment on column hacs_clinical.medication_requests.prescribed_by is
    'Prescriber name ready for display; plain-text form of requester';
comment on column hacs_clinical.medication_requests.performer is
    'Who should administer the drug: practitioner or Organization reference (FHIR MedicationRequest.performer)';
comment on column hacs_clinical.medication_requests.performer_type is
    'Kind of person or role that should administer the drug, coded (FHIR MedicationRequest.performerType)';
comment on column hacs_clinical.medication_requests.to_be_given_by is
    'Person or role expected to give the drug, in words; plain-text form of performer and performer_type';
comment on column hacs_clinical.medication_requests.recorder is
    'Who typed the order in for someone else: a practitioner reference (FHIR MedicationRequest.recorder)';
comment on column hacs_clinical.medication_requests.reason_code is
    'Coded reasons why the drug is ordered, such as a diagnosis (FHIR MedicationRequest.reasonCode)';
comment on column hacs_clinical.medication_requests.reason_reference is
    'References to the Condition or Observation rows that justify the order (FHIR MedicationRequest.reasonReference)';
comment on column hacs_clinical.medication_requests.prescribed_for is
    'Short reason for the order, e.g. high blood pressure; plain-text form of reason_code';
comment on column hacs_clinical.medication_requests.prescribed_for_details is
    'Longer wording of why this patient needs the drug, beyond the short reason in prescribed_for';
comment on column hacs_clinical.medication_requests.instantiates_canonical is
    'Canonical URLs of FHIR-defined protocols the order follows (FHIR MedicationRequest.instantiatesCanonical)';
comment on column hacs_clinical.medication_requests.instantiates_uri is
    'Addresses of outside guidelines or protocols the order follows (FHIR MedicationRequest.instantiatesUri)';
comment on column hacs_clinical.medication_requests.based_on is
    'Requests or care plans this order fulfils, as reference strings (FHIR MedicationRequest.basedOn)';
comment on column hacs_clinical.medication_requests.group_identifier is
    'Shared number tying together orders written at one time by one author (FHIR MedicationRequest.groupIdentifier)';
comment on column hacs_clinical.medication_requests.course_of_therapy_type is
    'Pattern of use, such as acute or long-term, coded (FHIR MedicationRequest.courseOfTherapyType)';
comment on column hacs_clinical.medication_requests.treatment_plan is
    'How the drug fits the overall treatment, in words, such as planned course and next steps';
comment on column hacs_clinical.medication_requests.insurance is
    'Coverage references that may pay for the drug or need pre-approval (FHIR MedicationRequest.insurance)';
comment on column hacs_clinical.medication_requests.note is
    'Dated comments with author about the order (FHIR MedicationRequest.note)';
comment on column hacs_clinical.medication_requests.instructions is
    'Directions addressed to the patient in everyday words; plain-text form of the patient part of dosage_instruction';
comment on column hacs_clinical.medication_requests.pharmacy_notes is
    'Message from the prescriber to the dispensing pharmacy; not meant for the patient';
comment on column hacs_clinical.medication_requests.dosage_instruction is
    'Structured dosing: amount, timing, route and limits, one per step (FHIR MedicationRequest.dosageInstruction)';
comment on column hacs_clinical.medication_requests.dosage is
    'One-line dose and frequency, e.g. 10 mg once daily; plain-text form of dosage_instruction';
comment on column hacs_clinical.medication_requests.route is
    'How the drug enters the body, e.g. by mouth; plain-text shortcut to the route inside dosage_instruction';
comment on column hacs_clinical.medication_requests.dispense_request is
    'Supply terms: quantity, repeats, validity and intended pharmacy (FHIR MedicationRequest.dispenseRequest)';
comment on column hacs_clinical.medication_requests.quantity_to_dispense is
    'Amount to hand out per fill with its unit, in words; plain-text form of the quantity in dispense_request';
comment on column hacs_clinical.medication_requests.refills_remaining is
    'Number of repeat fills the patient can still collect; a running count, unlike the total in dispense_request';
comment on column hacs_clinical.medication_requests.days_supply is
    'How many days one fill should last; shortcut to the expected supply duration in dispense_request';
comment on column hacs_clinical.medication_requests.substitution is
    'Whether another product may be supplied instead, and why or why not (FHIR MedicationRequest.substitution)';
comment on column hacs_clinical.medication_requests.generic_substitution_allowed is
    'True when the pharmacy may hand out a generic equivalent; convenience form of substitution';
comment on column hacs_clinical.medication_requests.prior_prescription is
    'Earlier order this one replaces: MedicationRequest/<id>, bare id or URL (FHIR '
    'MedicationRequest.priorPrescription)';
comment on column hacs_clinical.medication_requests.detected_issue is
    'References to recorded clinical problems with the order, e.g. a clash (FHIR MedicationRequest.detectedIssue)';
comment on column hacs_clinical.medication_requests.drug_interactions is
    'Interactions with other drugs of the patient, one per entry; plain-text companion to detected_issue';
comment on column hacs_clinical.medication_requests.allergies_checked is
    'True once the order was checked against the known allergies of the patient';
comment on column hacs_clinical.medication_requests.contraindications is
    'Reasons found in this patient that speak against the drug, one per entry; general ones sit on the Medication';
comment on column hacs_clinical.medication_requests.event_history is
    'Provenance references for the key changes in the life of the order (FHIR MedicationRequest.eventHistory)';
comment on column hacs_clinical.medication_requests.cost_estimate is
    'Expected price of the fill as free text with currency; for talking with the patient, not for billing';
comment on column hacs_clinical.medication_requests.covered_by_insurance is
    'True when a payer is expected to cover the drug; yes/no companion to insurance';
comment on column hacs_clinical.medication_requests.therapeutic_goal is
    'What the treatment should achieve for the patient, in words, such as blood pressure below 130/80';
comment on column hacs_clinical.medication_requests.monitoring_required is
    'True when therapy needs follow-up checks such as drug levels or kidney function';
comment on column hacs_clinical.medication_requests.monitoring_schedule is
    'What to check and how often during therapy, in words; applies when monitoring_required is true';
comment on column hacs_clinical.medication_requests.extra is
    'Top-level keys of the document that have no column of their own';
comment on column hacs_clinical.medication_requests.version_id is
    'Counts the changes of the row, from 1; no field of the document (FHIR Meta.versionId)';
comment on column hacs_clinical.medication_requests.patient_id is
    'Local Patient that subject points to; null where subject is absent or points elsewhere';
comment on column hacs_clinical.medication_requests.encounter_id is
    'Local Encounter that encounter points to; null where encounter is absent or points elsewhere';
comment on column hacs_clinical.medication_requests.medication_id is
    'Local Medication that medication_reference points to; null where medication_reference is absent or points '
    'elsewhere';
comment on column hacs_clinical.medication_requests.prior_prescription_id is
    'Local MedicationRequest that prior_prescription points to; null where prior_prescription is absent or points '
    'elsewhere';
comment on column hacs_clinical.medication_requests.performer_organization_id is
    'Local Organization that performer points to by a typed reference; null for a bare id, which may be of another '
    'kind';

comment on constraint medication_requests_id_form on hacs_clinical.medication_requests is
    'An id is not blank, no longer than 2048 bytes, and can be reached by a reference';
comment on constraint medication_requests_prior_prescription_other on hacs_clinical.medication_requests is
    'A prescription does not follow itself';
comment on constraint medication_requests_times_finite on hacs_clinical.medication_requests is
    'Days and times lie in the years 0001 to 9999, in UTC; infinity is none';

create index if not exists medication_requests_patient_id_idx on hacs_clinical.medication_requests (patient_id);
create index if not exists medication_requests_encounter_id_idx on hacs_clinical.medication_requests (encounter_id)
    where encounter_id is not null;
create index if not exists medication_requests_medication_id_idx on hacs_clinical.medication_requests (medication_id)
    where medication_id is not null;
create index if not exists medication_requests_prior_prescription_id_idx
    on hacs_clinical.medication_requests (prior_prescription_id) where prior_prescription_id is not null;
create index if not exists medication_requests_performer_organization_id_idx
    on hacs_clinical.medication_requests (performer_organization_id) where performer_organization_id is not null;

create or replace trigger medication_requests_touch_updated_at
    before update on hacs_clinical.medication_requests
    for each row execute function hacs_core.touch_resource();

-------------------------------------------------------------------------------------------------------------------
-- Procedures: what was done to a patient.
-------------------------------------------------------------------------------------------------------------------

create table if not exists hacs_clinical.procedures (
    id text primary key default gen_random_uuid()::text,
    resource_type text not null default 'Procedure'
        constraint procedures_resource_type_valid check (resource_type = 'Procedure'),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    identifier jsonb not null default '[]'
        constraint procedures_identifier_list check (hacs_core.is_list(identifier)),
    instantiates_canonical hacs_core.texts not null default '{}',
    instantiates_uri hacs_core.texts not null default '{}',
    based_on jsonb not null default '[]' constraint procedures_based_on_list check (hacs_core.is_list(based_on)),
    part_of jsonb not null default '[]' constraint procedures_part_of_list check (hacs_core.is_list(part_of)),
    status text not null
        constraint procedures_status_valid check (status = any (
            '{preparation, in-progress, not-done, on-hold, stopped, completed, entered-in-error, unknown}'
        )),
    status_reason jsonb constraint procedures_status_reason_object check (jsonb_typeof(status_reason) = 'object'),
    category jsonb not null default '[]' constraint procedures_category_list check (hacs_core.is_list(category)),
    procedure_category text
        constraint procedures_procedure_category_valid check (procedure_category = any (
            '{surgical, diagnostic, therapeutic, preventive, emergency, rehabilitation, cosmetic, palliative,
              screening, monitoring}'
        )),
    code jsonb constraint procedures_code_object check (jsonb_typeof(code) = 'object'),
    subject jsonb not null constraint procedures_subject_object check (jsonb_typeof(subject) = 'object'),
    focus jsonb constraint procedures_focus_object check (jsonb_typeof(focus) = 'object'),
    encounter jsonb constraint procedures_encounter_object check (jsonb_typeof(encounter) = 'object'),
    occurrence_date_time timestamptz,
    occurrence_period jsonb
        constraint procedures_occurrence_period_object check (jsonb_typeof(occurrence_period) = 'object'),
    occurrence_string text,
    occurrence_age jsonb constraint procedures_occurrence_age_object check (jsonb_typeof(occurrence_age) = 'object'),
    occurrence_range jsonb
        constraint procedures_occurrence_range_object check (jsonb_typeof(occurrence_range) = 'object'),
    occurrence_timing jsonb
        constraint procedures_occurrence_timing_object check (jsonb_typeof(occurrence_timing) = 'object'),
    recorded timestamptz,
    recorder jsonb constraint procedures_recorder_object check (jsonb_typeof(recorder) = 'object'),
    reported_boolean boolean,
    reported_reference jsonb
        constraint procedures_reported_reference_object check (jsonb_typeof(reported_reference) = 'object'),
    performer jsonb not null default '[]' constraint procedures_performer_list check (hacs_core.is_list(performer)),
    location jsonb constraint procedures_location_object check (jsonb_typeof(location) = 'object'),
    reason jsonb not null default '[]' constraint procedures_reason_list check (hacs_core.is_list(reason)),
    reason_code jsonb not null default '[]'
        constraint procedures_reason_code_list check (hacs_core.is_list(reason_code)),
    reason_reference jsonb not null default '[]'
        constraint procedures_reason_reference_list check (hacs_core.is_list(reason_reference)),
    body_site jsonb not null default '[]' constraint procedures_body_site_list check (hacs_core.is_list(body_site)),
    outcome jsonb constraint procedures_outcome_object check (jsonb_typeof(outcome) = 'object'),
    report jsonb not null default '[]' constraint procedures_report_list check (hacs_core.is_list(report)),
    complication jsonb not null default '[]'
        constraint procedures_complication_list check (hacs_core.is_list(complication)),
    follow_up jsonb not null default '[]' constraint procedures_follow_up_list check (hacs_core.is_list(follow_up)),
    note jsonb not null default '[]' constraint procedures_note_list check (hacs_core.is_list(note)),
    focal_device jsonb not null default '[]'
        constraint procedures_focal_device_list check (hacs_core.is_list(focal_device)),
    used jsonb not null default '[]' constraint procedures_used_list check (hacs_core.is_list(used)),
    used_reference jsonb not null default '[]'
        constraint procedures_used_reference_list check (hacs_core.is_list(used_reference)),
    supporting_info jsonb not null default '[]'
        constraint procedures_supporting_info_list check (hacs_core.is_list(supporting_info)),
    procedure_name text,
    procedure_description text,
    indication text,
    clinical_reasoning text,
    anatomical_location text
        constraint procedures_anatomical_location_valid check (anatomical_location = any (
            '{head, neck, chest, abdomen, pelvis, back, upper_extremity, lower_extremity, cardiovascular, respiratory,
              gastrointestinal, genitourinary, neurological, musculoskeletal, skin, other}'
        )),
    procedure_outcome text
        constraint procedures_procedure_outcome_valid check (procedure_outcome = any (
            '{successful, partially_successful, unsuccessful, cancelled, postponed, complicated, unknown}'
        )),
    outcome_description text,
    performing_physician text,
    facility text,
    duration_minutes integer,
    urgency text
        constraint procedures_urgency_valid check (urgency = any ('{routine, urgent, emergency, elective, stat}')),
    complications hacs_core.texts not null default '{}',
    follow_up_required boolean,
    follow_up_instructions hacs_core.texts not null default '{}',
    equipment_used hacs_core.texts not null default '{}',
    anesthesia_type text,
    procedure_notes text,
    consent_obtained boolean,
    patient_satisfaction integer
        constraint procedures_patient_satisfaction_range check (patient_satisfaction between 1 and 10),
    estimated_cost text,
    extra jsonb not null default '{}' constraint procedures_extra_object check (jsonb_typeof(extra) = 'object'),
    version_id bigint not null default 1,

    patient_id text generated always as (hacs_core.reference_id(subject, 'Patient')) stored
        constraint procedures_patient_id_fkey references hacs_core.patients deferrable initially immediate,
    encounter_id text generated always as (hacs_core.reference_id(encounter, 'Encounter')) stored
        constraint procedures_encounter_id_fkey references hacs_core.encounters deferrable initially immediate,
    recorder_patient_id text generated always as (hacs_core.reference_id(recorder, 'Patient', bare => false)) stored
        constraint procedures_recorder_patient_id_fkey references hacs_core.patients deferrable initially immediate,
    reported_patient_id text
        generated always as (hacs_core.reference_id(reported_reference, 'Patient', bare => false)) stored
        constraint procedures_reported_patient_id_fkey references hacs_core.patients deferrable initially immediate,

    constraint procedures_id_form check (hacs_core.is_id(id)),
    constraint procedures_times_finite check (
        least(created_at, updated_at, occurrence_date_time, recorded) >= '0001-01-01 00:00+00'
        and greatest(created_at, updated_at, occurrence_date_time, recorded) < '10000-01-01 00:00+00'
    ),
    constraint procedures_occurrence_period_per_1 check (hacs_core.is_period(occurrence_period)),
    constraint procedures_occurrence_choice check (
        num_nonnulls(
            occurrence_date_time, occurrence_period, occurrence_string,
            occurrence_age, occurrence_range, occurrence_timing
        ) <= 1
    ),
    constraint procedures_reported_choice check (num_nonnulls(reported_boolean, reported_reference) <= 1),
    constraint procedures_prc_1 check (
        performer @@ '!exists($[*] ? ((exists(@.onBehalfOf ? (@ != null)) || exists(@.on_behalf_of ? (@ != null)))
            && @.actor.reference like_regex "(^|/)Practitioner(Role)?/"))'
    )
);

comment on table hacs_clinical.procedures is
    'One row is an act done to or for a patient, planned, running or finished: what, when, by whom and with which '
    'result (FHIR Procedure)';
comment on column hacs_clinical.procedures.id is 'Identity of the resource, unique within its type (FHIR Resource.id)';
comment on column hacs_clinical.procedures.resource_type is 'Always Procedure (FHIR resourceType)';
comment on column hacs_clinical.procedures.created_at is 'When the resource was made; stays as the document says';
comment on column hacs_clinical.procedures.updated_at is
    'When it was last changed; an UPDATE that does not set it gets the current time (FHIR Meta.lastUpdated)';
comment on column hacs_clinical.procedures.identifier is
    'Numbers given to the procedure by the systems involved, such as an operation number (FHIR Procedure.identifier)';
comment on column hacs_clinical.procedures.instantiates_canonical is
    'Canonical URLs of FHIR-defined protocols the procedure follows (FHIR Procedure.instantiatesCanonical)';
comment on column hacs_clinical.procedures.instantiates_uri is
    'Addresses of outside guidelines or protocols the procedure follows (FHIR Procedure.instantiatesUri)';
comment on column hacs_clinical.procedures.based_on is
    'Orders or plans that led to it: Reference objects to ServiceRequest or care plan (FHIR Procedure.basedOn)';
comment on column hacs_clinical.procedures.part_of is
    'Larger event this is a step of: Reference objects to Procedure or Observation (FHIR Procedure.partOf)';
comment on column hacs_clinical.procedures.status is
    'Progress of the procedure; tells planned, performed and abandoned ones apart (FHIR Procedure.status)';
comment on column hacs_clinical.procedures.status_reason is
    'Coded reason for the present status, e.g. why it was not done or was broken off (FHIR Procedure.statusReason)';
comment on column hacs_clinical.procedures.category is
    'Coded kinds the procedure belongs to, for filtering and reports (FHIR Procedure.category)';
comment on column hacs_clinical.procedures.procedure_category is
    'Kind of procedure as one value from a short fixed list; convenience form of category';
comment on column hacs_clinical.procedures.code is
    'Exactly what was done, coded in SNOMED CT, CPT, ICD-10-PCS or similar (FHIR Procedure.code)';
comment on column hacs_clinical.procedures.subject is
    'On whom it was performed: a Reference object to the Patient (FHIR Procedure.subject)';
comment on column hacs_clinical.procedures.focus is
    'Target when it is not the subject: Reference to Patient, Organization or care team (FHIR Procedure.focus)';
comment on column hacs_clinical.procedures.encounter is
    'Visit or stay in which it took place: a Reference object to the Encounter (FHIR Procedure.encounter)';
comment on column hacs_clinical.procedures.occurrence_date_time is
    'When it was performed, as one UTC instant (FHIR Procedure.occurrence[x], performed[x] in R4)';
comment on column hacs_clinical.procedures.occurrence_period is
    'When it was performed, as start and end of a time span (FHIR Procedure.occurrence[x], performed[x] in R4)';
comment on column hacs_clinical.procedures.occurrence_string is
    'When it was performed, in words, if no date is known, e.g. in childhood (FHIR Procedure.occurrence[x])';
comment on column hacs_clinical.procedures.occurrence_age is
    'Age of the patient at the time, as a quantity with its unit, mostly years (FHIR Procedure.occurrence[x])';
comment on column hacs_clinical.procedures.occurrence_range is
    'Age span of the patient at the time, low to high, when the exact age is unsure (FHIR Procedure.occurrence[x])';
comment on column hacs_clinical.procedures.occurrence_timing is
    'Repeating schedule for a procedure done several times (FHIR Procedure.occurrence[x])';
comment on column hacs_clinical.procedures.recorded is
    'UTC instant at which the entry was first captured; not when the procedure happened (FHIR Procedure.recorded)';
comment on column hacs_clinical.procedures.recorder is
    'Who entered the record: a Reference object to a practitioner or Patient (FHIR Procedure.recorder)';
comment on column hacs_clinical.procedures.reported_boolean is
    'True when the entry is second-hand, not from the primary source (FHIR Procedure.reported[x])';
comment on column hacs_clinical.procedures.reported_reference is
    'Source of a second-hand report: Reference object to Patient or practitioner (FHIR Procedure.reported[x])';
comment on column hacs_clinical.procedures.performer is
    'People and organizations who took part; actor holds a Reference, function the role (FHIR Procedure.performer)';
comment on column hacs_clinical.procedures.location is
    'Place where it was carried out: a Reference object to a Location (FHIR Procedure.location)';
comment on column hacs_clinical.procedures.reason is
    'Why it was done: codes or links to Condition, Observation or Procedure, R5 style (FHIR Procedure.reason)';
comment on column hacs_clinical.procedures.reason_code is
    'Why it was done, as codes only; the R4 counterpart of reason (FHIR Procedure.reasonCode)';
comment on column hacs_clinical.procedures.reason_reference is
    'Why it was done, as Reference objects only; the R4 counterpart of reason (FHIR Procedure.reasonReference)';
comment on column hacs_clinical.procedures.body_site is
    'Coded sites of the body worked on, with side where it matters (FHIR Procedure.bodySite)';
comment on column hacs_clinical.procedures.outcome is
    'Coded result of the procedure with regard to its aim (FHIR Procedure.outcome)';
comment on column hacs_clinical.procedures.report is
    'Reports written about it: Reference objects, mostly to a DiagnosticReport (FHIR Procedure.report)';
comment on column hacs_clinical.procedures.complication is
    'Problems it caused, as codes or links to Condition rows (FHIR Procedure.complication)';
comment on column hacs_clinical.procedures.follow_up is
    'Coded aftercare that is needed, such as suture removal (FHIR Procedure.followUp)';
comment on column hacs_clinical.procedures.note is
    'Dated comments with author about the procedure (FHIR Procedure.note)';
comment on column hacs_clinical.procedures.focal_device is
    'Devices implanted, removed or adjusted, with the action taken (FHIR Procedure.focalDevice)';
comment on column hacs_clinical.procedures.used is
    'Devices or drugs used up or applied, as codes or links, R5 style (FHIR Procedure.used)';
comment on column hacs_clinical.procedures.used_reference is
    'Devices or drugs used, as Reference objects only; the R4 counterpart of used (FHIR Procedure.usedReference)';
comment on column hacs_clinical.procedures.supporting_info is
    'Other records of relevance, of any type, as Reference objects (FHIR Procedure.supportingInfo)';
comment on column hacs_clinical.procedures.procedure_name is
    'Name of the procedure for display and search; plain-text form of code';
comment on column hacs_clinical.procedures.procedure_description is
    'What was done, told in a few sentences of plain text; more detail than procedure_name';
comment on column hacs_clinical.procedures.indication is
    'Medical reason for doing it in words; plain-text form of reason and reason_code';
comment on column hacs_clinical.procedures.clinical_reasoning is
    'Why this procedure was preferred over other options; the thinking behind the indication, in words';
comment on column hacs_clinical.procedures.anatomical_location is
    'Coarse body region or organ system from a fixed list; convenience form of body_site';
comment on column hacs_clinical.procedures.procedure_outcome is
    'Overall success as one value from a fixed list; convenience form of outcome';
comment on column hacs_clinical.procedures.outcome_description is
    'Findings and result in words; the narrative behind procedure_outcome';
comment on column hacs_clinical.procedures.performing_physician is
    'Name of the lead clinician for display; plain-text form of the main performer';
comment on column hacs_clinical.procedures.facility is
    'Hospital, clinic or room where it happened, by name; plain-text form of location';
comment on column hacs_clinical.procedures.duration_minutes is
    'How long it took, in minutes, or is expected to take while still planned';
comment on column hacs_clinical.procedures.urgency is
    'How pressing the procedure was at scheduling; FHIR keeps this on the order, not on the procedure';
comment on column hacs_clinical.procedures.complications is
    'Complications in words, one per entry; plain-text form of complication';
comment on column hacs_clinical.procedures.follow_up_required is
    'True when the patient needs aftercare or a return visit after the procedure';
comment on column hacs_clinical.procedures.follow_up_instructions is
    'Aftercare steps for patient and care team in words, one per entry; plain-text form of follow_up';
comment on column hacs_clinical.procedures.equipment_used is
    'Instruments and devices used, by name, one per entry; plain-text form of used';
comment on column hacs_clinical.procedures.anesthesia_type is
    'Anesthesia or sedation given, in words, such as general, spinal, local or none';
comment on column hacs_clinical.procedures.procedure_notes is
    'Operative or procedure note as one running text; unlike note it carries no author or date';
comment on column hacs_clinical.procedures.consent_obtained is
    'True when informed consent of the patient or a representative was documented beforehand';
comment on column hacs_clinical.procedures.patient_satisfaction is
    'Rating by the patient afterwards, whole number from 1 (worst) to 10 (best)';
comment on column hacs_clinical.procedures.estimated_cost is
    'Expected cost as free text with currency; for planning and patient talks, not for billing';
comment on column hacs_clinical.procedures.extra is 'Top-level keys of the document that have no column of their own';
comment on column hacs_clinical.procedures.version_id is
    'Counts the changes of the row, from 1; no field of the document (FHIR Meta.versionId)';
comment on column hacs_clinical.procedures.patient_id is
    'Local Patient that subject points to; null where subject is absent or points elsewhere';
comment on column hacs_clinical.procedures.encounter_id is
    'Local Encounter that encounter points to; null where encounter is absent or points elsewhere';
comment on column hacs_clinical.procedures.recorder_patient_id is
    'Local Patient that recorder points to by a typed reference; null for a bare id, which may be of another kind';
comment on column hacs_clinical.procedures.reported_patient_id is
    'Local Patient that reported_reference points to by a typed reference; null for a bare id, which may be of another '
    'kind';

comment on constraint procedures_id_form on hacs_clinical.procedures is
    'An id is not blank, no longer than 2048 bytes, and can be reached by a reference';
comment on constraint procedures_times_finite on hacs_clinical.procedures is
    'Days and times lie in the years 0001 to 9999, in UTC; infinity is none';
comment on constraint procedures_occurrence_period_per_1 on hacs_clinical.procedures is
    'It does not end before it starts, where both are complete dates (FHIR per-1)';
comment on constraint procedures_occurrence_choice on hacs_clinical.procedures is
    'At most one form of Procedure.occurrence (FHIR Procedure.occurrence[x])';
comment on constraint procedures_reported_choice on hacs_clinical.procedures is
    'At most one form of Procedure.reported (FHIR Procedure.reported[x])';
comment on constraint procedures_prc_1 on hacs_clinical.procedures is
    'Who performs as a practitioner does not also name an organization to act for (FHIR prc-1 in R5, as far as the '
    'reference tells)';

create index if not exists procedures_patient_id_idx on hacs_clinical.procedures (patient_id);
create index if not exists procedures_encounter_id_idx on hacs_clinical.procedures (encounter_id)
    where encounter_id is not null;
create index if not exists procedures_recorder_patient_id_idx on hacs_clinical.procedures (recorder_patient_id)
    where recorder_patient_id is not null;
create index if not exists procedures_reported_patient_id_idx on hacs_clinical.procedures (reported_patient_id)
    where reported_patient_id is not null;

create or replace trigger procedures_touch_updated_at
    before update on hacs_clinical.procedures
    for each row execute function hacs_core.touch_resource();

-------------------------------------------------------------------------------------------------------------------
-- Allergies and intolerances.
-------------------------------------------------------------------------------------------------------------------

create table if not exists hacs_clinical.allergy_intolerances (
    id text primary key default gen_random_uuid()::text,
    resource_type text not null default 'AllergyIntolerance'
        constraint allergy_intolerances_resource_type_valid check (resource_type = 'AllergyIntolerance'),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    identifier jsonb not null default '[]'
        constraint allergy_intolerances_identifier_list check (hacs_core.is_list(identifier)),
    clinical_status text not null
        constraint allergy_intolerances_clinical_status_valid check (clinical_status = any (
            '{active, inactive, resolved}'
        )),
    verification_status text
        constraint allergy_intolerances_verification_status_valid check (verification_status = any (
            '{unconfirmed, provisional, confirmed, refuted, entered-in-error}'
        )),
    type text constraint allergy_intolerances_type_valid check (type = any ('{allergy, intolerance}')),
    category text[] not null default '{}'
        constraint allergy_intolerances_category_valid check (category <@ '{food, medication, environment, biologic}'),
    allergy_type text,
    criticality text
        constraint allergy_intolerances_criticality_valid check (criticality = any ('{low, high, unable-to-assess}')),
    code jsonb not null constraint allergy_intolerances_code_object check (jsonb_typeof(code) = 'object'),
    allergen_name text,
    allergen_description text,
    patient text not null,
    encounter text,
    onset_datetime timestamptz,
    onset_age jsonb constraint allergy_intolerances_onset_age_object check (jsonb_typeof(onset_age) = 'object'),
    onset_period jsonb
        constraint allergy_intolerances_onset_period_object check (jsonb_typeof(onset_period) = 'object'),
    onset_range jsonb constraint allergy_intolerances_onset_range_object check (jsonb_typeof(onset_range) = 'object'),
    onset_string text,
    started_when text,
    recorded_date timestamptz,
    recorder text,
    asserter text,
    reported_by text,
    last_occurrence timestamptz,
    note jsonb not null default '[]' constraint allergy_intolerances_note_list check (hacs_core.is_list(note)),
    notes text,
    reaction jsonb not null default '[]'
        constraint allergy_intolerances_reaction_conforms
            check (hacs_core.each_conforms(reaction, 'AllergyIntoleranceReaction')),
    severity_assessment text,
    management_plan text,
    emergency_action text,
    carries_epinephrine boolean,
    extra jsonb not null default '{}'
        constraint allergy_intolerances_extra_object check (jsonb_typeof(extra) = 'object'),
    version_id bigint not null default 1,

    patient_id text generated always as (hacs_core.reference_id(patient, 'Patient')) stored
        constraint allergy_intolerances_patient_id_fkey references hacs_core.patients deferrable initially immediate,
    encounter_id text generated always as (hacs_core.reference_id(encounter, 'Encounter')) stored
        constraint allergy_intolerances_encounter_id_fkey
            references hacs_core.encounters deferrable initially immediate,
    recorder_patient_id text generated always as (hacs_core.reference_id(recorder, 'Patient', bare => false)) stored
        constraint allergy_intolerances_recorder_patient_id_fkey
            references hacs_core.patients deferrable initially immediate,
    asserter_patient_id text generated always as (hacs_core.reference_id(asserter, 'Patient', bare => false)) stored
        constraint allergy_intolerances_asserter_patient_id_fkey
            references hacs_core.patients deferrable initially immediate,

    constraint allergy_intolerances_id_form check (hacs_core.is_id(id)),
    constraint allergy_intolerances_times_finite check (
        least(created_at, updated_at, onset_datetime, recorded_date, last_occurrence) >= '0001-01-01 00:00+00'
        and greatest(created_at, updated_at, onset_datetime, recorded_date, last_occurrence) < '10000-01-01 00:00+00'
    ),
    constraint allergy_intolerances_onset_period_per_1 check (hacs_core.is_period(onset_period)),
    constraint allergy_intolerances_onset_choice check (
        num_nonnulls(onset_datetime, onset_age, onset_period, onset_range, onset_string) <= 1
    )
);

comment on table hacs_clinical.allergy_intolerances is
    'One row is a known or suspected allergy or intolerance of one patient, read before prescribing, feeding or '
    'vaccinating (FHIR AllergyIntolerance)';
comment on column hacs_clinical.allergy_intolerances.id is
    'Identity of the resource, unique within its type (FHIR Resource.id)';
comment on column hacs_clinical.allergy_intolerances.resource_type is 'Always AllergyIntolerance (FHIR resourceType)';
comment on column hacs_clinical.allergy_intolerances.created_at is
    'When the resource was made; stays as the document says';
comment on column hacs_clinical.allergy_intolerances.updated_at is
    'When it was last changed; an UPDATE that does not set it gets the current time (FHIR Meta.lastUpdated)';
comment on column hacs_clinical.allergy_intolerances.identifier is
    'Numbers of this allergy entry in the source systems, for matching on import (FHIR AllergyIntolerance.identifier)';
comment on column hacs_clinical.allergy_intolerances.clinical_status is
    'Whether the risk still exists for the patient; drives safety alerts (FHIR AllergyIntolerance.clinicalStatus)';
comment on column hacs_clinical.allergy_intolerances.verification_status is
    'How certain it is that the allergy is real (FHIR AllergyIntolerance.verificationStatus)';
comment on column hacs_clinical.allergy_intolerances.type is
    'Immune reaction or other sensitivity, as far as it is known (FHIR AllergyIntolerance.type)';
comment on column hacs_clinical.allergy_intolerances.category is
    'Broad groups of the trigger; several may apply at once (FHIR AllergyIntolerance.category)';
comment on column hacs_clinical.allergy_intolerances.allergy_type is
    'Kind of allergy in words, e.g. drug allergy or lactose intolerance; plain-text form of type and category';
comment on column hacs_clinical.allergy_intolerances.criticality is
    'Possible harm of a future exposure; not how bad past reactions were (FHIR AllergyIntolerance.criticality)';
comment on column hacs_clinical.allergy_intolerances.code is
    'Substance, or the allergy itself, as a code from SNOMED CT, RxNorm or similar (FHIR AllergyIntolerance.code)';
comment on column hacs_clinical.allergy_intolerances.allergen_name is
    'What the patient reacts to, e.g. penicillin or peanuts; plain-text form of code';
comment on column hacs_clinical.allergy_intolerances.allergen_description is
    'More about the trigger in words, such as product, brand, form or cross-reacting substances';
comment on column hacs_clinical.allergy_intolerances.patient is
    'Whose allergy this is: Patient/<id>, a bare id or a URL (FHIR AllergyIntolerance.patient)';
comment on column hacs_clinical.allergy_intolerances.encounter is
    'Visit at which it was noted: Encounter/<id>, a bare id or a URL (FHIR AllergyIntolerance.encounter)';
comment on column hacs_clinical.allergy_intolerances.onset_datetime is
    'When the allergy first showed, as a UTC instant (FHIR AllergyIntolerance.onset[x])';
comment on column hacs_clinical.allergy_intolerances.onset_age is
    'Age of the patient when it first showed, quantity with unit, mostly years (FHIR AllergyIntolerance.onset[x])';
comment on column hacs_clinical.allergy_intolerances.onset_period is
    'Time span with start and end in which it first showed (FHIR AllergyIntolerance.onset[x])';
comment on column hacs_clinical.allergy_intolerances.onset_range is
    'Age span, low to high, in which it first showed (FHIR AllergyIntolerance.onset[x])';
comment on column hacs_clinical.allergy_intolerances.onset_string is
    'Onset in the words of the source, when no date or age can be given (FHIR AllergyIntolerance.onset[x])';
comment on column hacs_clinical.allergy_intolerances.started_when is
    'Everyday wording of when it began, e.g. as a child; plain-text form of whichever onset is known';
comment on column hacs_clinical.allergy_intolerances.recorded_date is
    'UTC instant at which the allergy was first put on record (FHIR AllergyIntolerance.recordedDate)';
comment on column hacs_clinical.allergy_intolerances.recorder is
    'Who entered it: practitioner or Patient reference (FHIR AllergyIntolerance.recorder)';
comment on column hacs_clinical.allergy_intolerances.asserter is
    'Who vouches for the information: practitioner or Patient reference (FHIR AllergyIntolerance.asserter)';
comment on column hacs_clinical.allergy_intolerances.reported_by is
    'Name or role of the person who told about it, e.g. mother; plain-text form of asserter';
comment on column hacs_clinical.allergy_intolerances.last_occurrence is
    'UTC instant of the most recent known reaction (FHIR AllergyIntolerance.lastOccurrence)';
comment on column hacs_clinical.allergy_intolerances.note is
    'Structured comments, each with author and time (FHIR AllergyIntolerance.note)';
comment on column hacs_clinical.allergy_intolerances.notes is
    'Free comments on the allergy as one running text; plain-text form of note without author or time';
comment on column hacs_clinical.allergy_intolerances.reaction is
    'Past reactions, each with substance, manifestations, severity and time (FHIR AllergyIntolerance.reaction)';
comment on column hacs_clinical.allergy_intolerances.severity_assessment is
    'Clinician view of how severe the allergy is overall, in words; sums up criticality and reactions';
comment on column hacs_clinical.allergy_intolerances.management_plan is
    'How to live with the allergy: avoidance, medication and follow-up, in words';
comment on column hacs_clinical.allergy_intolerances.emergency_action is
    'What to do at once when a reaction starts, in words; for caregivers and first responders';
comment on column hacs_clinical.allergy_intolerances.carries_epinephrine is
    'True when the patient keeps an epinephrine auto-injector at hand for emergencies';
comment on column hacs_clinical.allergy_intolerances.extra is
    'Top-level keys of the document that have no column of their own';
comment on column hacs_clinical.allergy_intolerances.version_id is
    'Counts the changes of the row, from 1; no field of the document (FHIR Meta.versionId)';
comment on column hacs_clinical.allergy_intolerances.patient_id is
    'Local Patient that patient points to; null where patient is absent or points elsewhere';
comment on column hacs_clinical.allergy_intolerances.encounter_id is
    'Local Encounter that encounter points to; null where encounter is absent or points elsewhere';
comment on column hacs_clinical.allergy_intolerances.recorder_patient_id is
    'Local Patient that recorder points to by a typed reference; null for a bare id, which may be of another kind';
comment on column hacs_clinical.allergy_intolerances.asserter_patient_id is
    'Local Patient that asserter points to by a typed reference; null for a bare id, which may be of another kind';

comment on constraint allergy_intolerances_id_form on hacs_clinical.allergy_intolerances is
    'An id is not blank, no longer than 2048 bytes, and can be reached by a reference';
comment on constraint allergy_intolerances_times_finite on hacs_clinical.allergy_intolerances is
    'Days and times lie in the years 0001 to 9999, in UTC; infinity is none';
comment on constraint allergy_intolerances_onset_period_per_1 on hacs_clinical.allergy_intolerances is
    'It does not end before it starts, where both are complete dates (FHIR per-1)';
comment on constraint allergy_intolerances_onset_choice on hacs_clinical.allergy_intolerances is
    'At most one form of AllergyIntolerance.onset (FHIR AllergyIntolerance.onset[x])';

create index if not exists allergy_intolerances_patient_id_idx on hacs_clinical.allergy_intolerances (patient_id);
create index if not exists allergy_intolerances_encounter_id_idx on hacs_clinical.allergy_intolerances (encounter_id)
    where encounter_id is not null;
create index if not exists allergy_intolerances_recorder_patient_id_idx
    on hacs_clinical.allergy_intolerances (recorder_patient_id) where recorder_patient_id is not null;
create index if not exists allergy_intolerances_asserter_patient_id_idx
    on hacs_clinical.allergy_intolerances (asserter_patient_id) where asserter_patient_id is not null;

create or replace trigger allergy_intolerances_touch_updated_at
    before update on hacs_clinical.allergy_intolerances
    for each row execute function hacs_core.touch_resource();

-------------------------------------------------------------------------------------------------------------------
-- Goals: what care is to reach.
-------------------------------------------------------------------------------------------------------------------

create table if not exists hacs_clinical.goals (
    id text primary key default gen_random_uuid()::text,
    resource_type text not null default 'Goal' constraint goals_resource_type_valid check (resource_type = 'Goal'),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    lifecycle_status text not null
        constraint goals_lifecycle_status_valid check (lifecycle_status = any (
            '{proposed, planned, accepted, active, on-hold, completed, cancelled, entered-in-error, rejected}'
        )),
    description jsonb constraint goals_description_object check (jsonb_typeof(description) = 'object'),
    subject jsonb constraint goals_subject_object check (jsonb_typeof(subject) = 'object'),
    identifier jsonb constraint goals_identifier_list check (hacs_core.is_list(identifier)),
    achievement_status text
        constraint goals_achievement_status_valid check (achievement_status = any (
            '{in-progress, improving, worsening, no-change, achieved, sustaining, not-achieved, no-progress,
              not-attainable}'
        )),
    category jsonb constraint goals_category_list check (hacs_core.is_list(category)),
    continuous boolean,
    priority jsonb constraint goals_priority_object check (jsonb_typeof(priority) = 'object'),
    start_date timestamptz,
    start_codeable_concept jsonb
        constraint goals_start_codeable_concept_object check (jsonb_typeof(start_codeable_concept) = 'object'),
    target jsonb constraint goals_target_list check (hacs_core.is_list(target)),
    status_date timestamptz,
    status_reason text,
    source jsonb constraint goals_source_object check (jsonb_typeof(source) = 'object'),
    addresses jsonb constraint goals_addresses_list check (hacs_core.is_list(addresses)),
    note jsonb constraint goals_note_list check (hacs_core.is_list(note)),
    outcome jsonb constraint goals_outcome_list check (hacs_core.is_list(outcome)),
    goal_name text,
    goal_description text,
    goal_category text
        constraint goals_goal_category_valid check (goal_category = any (
            '{treatment, dietary, safety, behavioral, nursing, physiotherapy, clinical, lifestyle, medication,
              exercise, nutrition, mental-health, social, educational, preventive, rehabilitation, pain-management,
              self-care, communication, functional, quality-of-life}'
        )),
    goal_priority text
        constraint goals_goal_priority_valid check (goal_priority = any (
            '{high-priority, medium-priority, low-priority, critical, urgent, routine, optional}'
        )),
    goal_timeframe text
        constraint goals_goal_timeframe_valid check (goal_timeframe = any (
            '{short-term, medium-term, long-term, ongoing, immediate, weekly, monthly, quarterly, annual}'
        )),
    target_date date,
    target_value text,
    current_value text,
    measurement_method text
        constraint goals_measurement_method_valid check (measurement_method = any (
            '{quantitative, qualitative, binary, frequency, duration, scale, percentage, behavioral, functional}'
        )),
    progress_description text,
    percent_complete integer constraint goals_percent_complete_range check (percent_complete between 0 and 100),
    action_steps hacs_core.texts not null default '{}',
    success_criteria hacs_core.texts,
    barriers hacs_core.texts,
    support_needed hacs_core.texts not null default '{}',
    patient_motivation text,
    importance_to_patient integer
        constraint goals_importance_to_patient_range check (importance_to_patient between 1 and 10),
    confidence_level integer constraint goals_confidence_level_range check (confidence_level between 1 and 10),
    responsible_provider text,
    team_members hacs_core.texts not null default '{}',
    review_frequency text,
    monitoring_method hacs_core.texts not null default '{}',
    related_conditions hacs_core.texts not null default '{}',
    related_medications hacs_core.texts not null default '{}',
    achievement_date date,
    final_result text,
    lessons_learned text,
    goal_notes text,
    patient_feedback text,
    extra jsonb not null default '{}' constraint goals_extra_object check (jsonb_typeof(extra) = 'object'),
    version_id bigint not null default 1,

    patient_id text generated always as (hacs_core.reference_id(subject, 'Patient', bare => false)) stored
        constraint goals_patient_id_fkey references hacs_core.patients deferrable initially immediate,
    source_patient_id text generated always as (hacs_core.reference_id(source, 'Patient', bare => false)) stored
        constraint goals_source_patient_id_fkey references hacs_core.patients deferrable initially immediate,

    constraint goals_id_form check (hacs_core.is_id(id)),
    constraint goals_times_finite check (
        least(created_at, updated_at, start_date, status_date) >= '0001-01-01 00:00+00'
        and greatest(created_at, updated_at, start_date, status_date) < '10000-01-01 00:00+00'
        and least(target_date, achievement_date) >= '0001-01-01'
        and greatest(target_date, achievement_date) < '10000-01-01'
    ),
    constraint goals_description_present check ((description <> '{}') is true),
    constraint goals_start_choice check (num_nonnulls(start_date, start_codeable_concept) <= 1),
    constraint goals_gol_1 check (
        target @@ '!exists($[*] ? (
            exists(@.keyvalue() ? (@.key starts with "detail" && @.value != null)) && !exists(@.measure ? (@ != null))
        ))'
    )
);

comment on table hacs_clinical.goals is
    'One row is a health goal agreed for a patient or group, with its progress and measures; used for care planning '
    'and follow-up (FHIR Goal)';
comment on column hacs_clinical.goals.id is 'Identity of the resource, unique within its type (FHIR Resource.id)';
comment on column hacs_clinical.goals.resource_type is 'Always Goal (FHIR resourceType)';
comment on column hacs_clinical.goals.created_at is 'When the resource was made; stays as the document says';
comment on column hacs_clinical.goals.updated_at is
    'When it was last changed; an UPDATE that does not set it gets the current time (FHIR Meta.lastUpdated)';
comment on column hacs_clinical.goals.lifecycle_status is
    'Where the goal stands from proposal to closure; only open goals need follow-up (FHIR Goal.lifecycleStatus)';
comment on column hacs_clinical.goals.description is
    'Coded concept or free text that states what is to be reached (FHIR Goal.description)';
comment on column hacs_clinical.goals.subject is
    'Who is to reach the goal: reference to Patient/<id> or Organization/<id> (FHIR Goal.subject)';
comment on column hacs_clinical.goals.identifier is
    'Business numbers other systems use for this goal, each with its system (FHIR Goal.identifier)';
comment on column hacs_clinical.goals.achievement_status is
    'How far the desired result has come, judged apart from the lifecycle (FHIR Goal.achievementStatus)';
comment on column hacs_clinical.goals.category is
    'Coded groupings such as dietary or safety, for sorting and filtering (FHIR Goal.category)';
comment on column hacs_clinical.goals.continuous is
    'True if effort must go on after the target is first met, e.g. staying smoke-free (FHIR Goal.continuous)';
comment on column hacs_clinical.goals.priority is
    'Coded importance of the goal compared with others of the same person (FHIR Goal.priority)';
comment on column hacs_clinical.goals.start_date is
    'UTC instant from which the goal is pursued, when a date is known (FHIR Goal.start[x])';
comment on column hacs_clinical.goals.start_codeable_concept is
    'Coded event that starts the goal, e.g. hospital discharge, instead of a date (FHIR Goal.start[x])';
comment on column hacs_clinical.goals.target is
    'Measurable end points: measure, wanted value and due date of each (FHIR Goal.target)';
comment on column hacs_clinical.goals.status_date is
    'UTC instant since which the present lifecycle status applies (FHIR Goal.statusDate)';
comment on column hacs_clinical.goals.status_reason is
    'Why the goal has its present status, e.g. what put it on hold (FHIR Goal.statusReason)';
comment on column hacs_clinical.goals.source is
    'Who set the goal: reference to Patient/<id> or a practitioner (FHIR Goal.source)';
comment on column hacs_clinical.goals.addresses is
    'Problems, findings, risks or treatments that the goal responds to, as references (FHIR Goal.addresses)';
comment on column hacs_clinical.goals.note is
    'Dated remarks about the goal with their authors; goal_notes is the plain form (FHIR Goal.note)';
comment on column hacs_clinical.goals.outcome is
    'Results seen while working on the goal: codes or Observation/<id> (FHIR Goal.outcome)';
comment on column hacs_clinical.goals.goal_name is 'Short plain-text title of the goal for lists and headings';
comment on column hacs_clinical.goals.goal_description is
    'Plain-text wording of the goal, readable without opening the coded description';
comment on column hacs_clinical.goals.goal_category is
    'Single-keyword form of category, easy to filter on; the codes stay in category';
comment on column hacs_clinical.goals.goal_priority is
    'Single-keyword form of priority, so that goals can be ranked without reading codes';
comment on column hacs_clinical.goals.goal_timeframe is
    'Rough horizon of the goal as a keyword; gives no exact day, see target_date';
comment on column hacs_clinical.goals.target_date is
    'Calendar day by which the goal should be met; convenience form of the due date in target';
comment on column hacs_clinical.goals.target_value is
    'Wanted value with its unit in plain text, e.g. HbA1c below 7 %; short form of target';
comment on column hacs_clinical.goals.current_value is
    'Latest known value with its unit in plain text, for comparison with target_value';
comment on column hacs_clinical.goals.measurement_method is
    'Kind of measure used to judge progress, as a keyword; see monitoring_method for the means';
comment on column hacs_clinical.goals.progress_description is
    'Narrative of the progress so far, in plain text, for care team and patient';
comment on column hacs_clinical.goals.percent_complete is 'Estimated progress towards the goal in percent, 0 to 100';
comment on column hacs_clinical.goals.action_steps is
    'Concrete steps the patient or team takes to get there, one per entry, plain text';
comment on column hacs_clinical.goals.success_criteria is
    'Plain-text conditions that must hold for the goal to count as reached, one per entry';
comment on column hacs_clinical.goals.barriers is
    'Obstacles to progress as plain text, one per entry, e.g. cost or transport';
comment on column hacs_clinical.goals.support_needed is
    'Help or resources the patient needs to succeed, plain text, one per entry';
comment on column hacs_clinical.goals.patient_motivation is
    'What drives the patient to pursue this goal, as plain text';
comment on column hacs_clinical.goals.importance_to_patient is
    'How much the goal matters to the patient, rated from 1 (little) to 10 (most)';
comment on column hacs_clinical.goals.confidence_level is
    'How sure the patient is of reaching the goal, rated from 1 (not at all) to 10 (fully)';
comment on column hacs_clinical.goals.responsible_provider is
    'Name of the clinician chiefly in charge of this goal, plain text and not a reference';
comment on column hacs_clinical.goals.team_members is
    'Names of the other people working on the goal, plain text, one per entry';
comment on column hacs_clinical.goals.review_frequency is
    'How often the goal is looked at again, as plain text, e.g. every 3 months';
comment on column hacs_clinical.goals.monitoring_method is
    'Means of following progress in plain text, e.g. home glucose log, one per entry';
comment on column hacs_clinical.goals.related_conditions is
    'Names of the conditions behind the goal; plain-text form of those in addresses';
comment on column hacs_clinical.goals.related_medications is
    'Names of medicines that bear on the goal, plain text, one per entry';
comment on column hacs_clinical.goals.achievement_date is
    'Calendar day on which the goal was in fact reached; empty until then';
comment on column hacs_clinical.goals.final_result is
    'Closing result in plain text; the coded or measured results are in outcome';
comment on column hacs_clinical.goals.lessons_learned is
    'What worked and what did not, in plain text, for setting later goals';
comment on column hacs_clinical.goals.goal_notes is
    'Plain-text remarks in one piece, without author or time; a short form of note';
comment on column hacs_clinical.goals.patient_feedback is
    'What the patient says about the goal and the progress, as plain text';
comment on column hacs_clinical.goals.extra is 'Top-level keys of the document that have no column of their own';
comment on column hacs_clinical.goals.version_id is
    'Counts the changes of the row, from 1; no field of the document (FHIR Meta.versionId)';
comment on column hacs_clinical.goals.patient_id is
    'Local Patient that subject points to by a typed reference; null for a bare id, which may be that of an '
    'organization';
comment on column hacs_clinical.goals.source_patient_id is
    'Local Patient that source points to by a typed reference; null for a bare id, which may be of another kind';

comment on constraint goals_id_form on hacs_clinical.goals is
    'An id is not blank, no longer than 2048 bytes, and can be reached by a reference';
comment on constraint goals_times_finite on hacs_clinical.goals is
    'Days and times lie in the years 0001 to 9999, in UTC; infinity is none';
comment on constraint goals_description_present on hacs_clinical.goals is
    'A goal says what is to be reached: its description is an object with content (FHIR Goal.description, 1..1)';
comment on constraint goals_start_choice on hacs_clinical.goals is
    'At most one form of Goal.start (FHIR Goal.start[x])';
comment on constraint goals_gol_1 on hacs_clinical.goals is
    'A target with a detail names what it measures (FHIR gol-1)';

create index if not exists goals_patient_id_idx on hacs_clinical.goals (patient_id) where patient_id is not null;
create index if not exists goals_source_patient_id_idx on hacs_clinical.goals (source_patient_id)
    where source_patient_id is not null;

create or replace trigger goals_touch_updated_at
    before update on hacs_clinical.goals
    for each row execute function hacs_core.touch_resource();

-------------------------------------------------------------------------------------------------------------------
-- Service requests: orders of diagnostics, therapy and referrals.
-------------------------------------------------------------------------------------------------------------------

create table if not exists hacs_clinical.service_requests (
    id text primary key default gen_random_uuid()::text,
    resource_type text not null default 'ServiceRequest'
        constraint service_requests_resource_type_valid check (resource_type = 'ServiceRequest'),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    identifier jsonb constraint service_requests_identifier_list check (hacs_core.is_list(identifier)),
    instantiates_canonical hacs_core.texts,
    instantiates_uri hacs_core.texts,
    based_on jsonb constraint service_requests_based_on_list check (hacs_core.is_list(based_on)),
    replaces jsonb constraint service_requests_replaces_list check (hacs_core.is_list(replaces)),
    requisition jsonb constraint service_requests_requisition_object check (jsonb_typeof(requisition) = 'object'),
    status text not null
        constraint service_requests_status_valid check (status = any (
            '{draft, active, on-hold, revoked, completed, entered-in-error, unknown}'
        )),
    intent text not null
        constraint service_requests_intent_valid check (intent = any (
            '{proposal, plan, directive, order, original-order, reflex-order, filler-order, instance-order, option}'
        )),
    category jsonb constraint service_requests_category_list check (hacs_core.is_list(category)),
    priority text
        constraint service_requests_priority_valid check (priority = any ('{routine, urgent, asap, stat}')),
    do_not_perform boolean,
    code jsonb constraint service_requests_code_object check (jsonb_typeof(code) = 'object'),
    order_detail jsonb
        constraint service_requests_order_detail_conforms
            check (hacs_core.each_conforms(order_detail, 'ServiceRequestOrderDetail')),
    quantity_quantity jsonb
        constraint service_requests_quantity_quantity_object check (jsonb_typeof(quantity_quantity) = 'object'),
    quantity_ratio jsonb
        constraint service_requests_quantity_ratio_object check (jsonb_typeof(quantity_ratio) = 'object'),
    quantity_range jsonb
        constraint service_requests_quantity_range_object check (jsonb_typeof(quantity_range) = 'object'),
    subject jsonb not null constraint service_requests_subject_object check (jsonb_typeof(subject) = 'object'),
    focus jsonb constraint service_requests_focus_list check (hacs_core.is_list(focus)),
    encounter jsonb constraint service_requests_encounter_object check (jsonb_typeof(encounter) = 'object'),
    occurrence_date_time timestamptz,
    occurrence_period jsonb
        constraint service_requests_occurrence_period_object check (jsonb_typeof(occurrence_period) = 'object'),
    occurrence_timing jsonb
        constraint service_requests_occurrence_timing_object check (jsonb_typeof(occurrence_timing) = 'object'),
    as_needed_boolean boolean,
    as_needed_codeable_concept jsonb
        constraint service_requests_as_needed_codeable_concept_object
            check (jsonb_typeof(as_needed_codeable_concept) = 'object'),
    authored_on timestamptz default now(),
    requester jsonb constraint service_requests_requester_object check (jsonb_typeof(requester) = 'object'),
    performer_type jsonb
        constraint service_requests_performer_type_object check (jsonb_typeof(performer_type) = 'object'),
    performer jsonb constraint service_requests_performer_list check (hacs_core.is_list(performer)),
    location jsonb constraint service_requests_location_list check (hacs_core.is_list(location)),
    reason jsonb constraint service_requests_reason_list check (hacs_core.is_list(reason)),
    insurance jsonb constraint service_requests_insurance_list check (hacs_core.is_list(insurance)),
    supporting_info jsonb constraint service_requests_supporting_info_list check (hacs_core.is_list(supporting_info)),
    specimen jsonb constraint service_requests_specimen_list check (hacs_core.is_list(specimen)),
    body_site jsonb constraint service_requests_body_site_list check (hacs_core.is_list(body_site)),
    body_structure jsonb
        constraint service_requests_body_structure_object check (jsonb_typeof(body_structure) = 'object'),
    note jsonb constraint service_requests_note_list check (hacs_core.is_list(note)),
    patient_instruction jsonb
        constraint service_requests_patient_instruction_conforms
            check (hacs_core.each_conforms(patient_instruction, 'ServiceRequestPatientInstruction')),
    relevant_history jsonb
        constraint service_requests_relevant_history_list check (hacs_core.is_list(relevant_history)),
    service_name text,
    service_description text,
    urgency_level text,
    expected_duration text,
    preparation_required boolean,
    preparation_instructions text,
    clinical_indication text,
    ordering_provider_name text,
    performing_department text,
    estimated_cost text,
    requires_authorization boolean,
    contraindications hacs_core.texts,
    expected_outcomes hacs_core.texts,
    extra jsonb not null default '{}' constraint service_requests_extra_object check (jsonb_typeof(extra) = 'object'),
    version_id bigint not null default 1,

    patient_id text generated always as (hacs_core.reference_id(subject, 'Patient')) stored
        constraint service_requests_patient_id_fkey references hacs_core.patients deferrable initially immediate,
    encounter_id text generated always as (hacs_core.reference_id(encounter, 'Encounter')) stored
        constraint service_requests_encounter_id_fkey references hacs_core.encounters deferrable initially immediate,

    constraint service_requests_id_form check (hacs_core.is_id(id)),
    constraint service_requests_times_finite check (
        least(created_at, updated_at, occurrence_date_time, authored_on) >= '0001-01-01 00:00+00'
        and greatest(created_at, updated_at, occurrence_date_time, authored_on) < '10000-01-01 00:00+00'
    ),
    constraint service_requests_occurrence_period_per_1 check (hacs_core.is_period(occurrence_period)),
    constraint service_requests_occurrence_choice check (
        num_nonnulls(occurrence_date_time, occurrence_period, occurrence_timing) <= 1
    ),
    constraint service_requests_quantity_choice
        check (num_nonnulls(quantity_quantity, quantity_ratio, quantity_range) <= 1),
    constraint service_requests_as_needed_choice
        check (num_nonnulls(as_needed_boolean, as_needed_codeable_concept) <= 1),
    constraint service_requests_bdystr_1
        check (coalesce(body_site, '[]') = '[]' or coalesce(body_structure, '{}') = '{}'),
    constraint service_requests_prr_1 check (coalesce(order_detail, '[]') = '[]' or (code <> '{}') is true)
);

comment on table hacs_clinical.service_requests is
    'One row is an order or proposal for a service such as a lab test, imaging, referral or procedure; used to place '
    'and track orders (FHIR ServiceRequest)';
comment on column hacs_clinical.service_requests.id is
    'Identity of the resource, unique within its type (FHIR Resource.id)';
comment on column hacs_clinical.service_requests.resource_type is 'Always ServiceRequest (FHIR resourceType)';
comment on column hacs_clinical.service_requests.created_at is 'When the resource was made; stays as the document says';
comment on column hacs_clinical.service_requests.updated_at is
    'When it was last changed; an UPDATE that does not set it gets the current time (FHIR Meta.lastUpdated)';
comment on column hacs_clinical.service_requests.identifier is
    'Order numbers given by placer, filler or other systems (FHIR ServiceRequest.identifier)';
comment on column hacs_clinical.service_requests.instantiates_canonical is
    'Canonical URLs of FHIR-defined protocols the order follows (FHIR ServiceRequest.instantiatesCanonical)';
comment on column hacs_clinical.service_requests.instantiates_uri is
    'Addresses of protocols or guidelines kept outside FHIR that the order follows (FHIR '
    'ServiceRequest.instantiatesUri)';
comment on column hacs_clinical.service_requests.based_on is
    'Plans or earlier orders this one carries out, as references (FHIR ServiceRequest.basedOn)';
comment on column hacs_clinical.service_requests.replaces is
    'Ended orders that this one takes the place of: ServiceRequest/<id> (FHIR ServiceRequest.replaces)';
comment on column hacs_clinical.service_requests.requisition is
    'Shared number of all orders placed together on one form (FHIR ServiceRequest.requisition)';
comment on column hacs_clinical.service_requests.status is
    'Progress of the order itself; tells performers whether to act on it (FHIR ServiceRequest.status)';
comment on column hacs_clinical.service_requests.intent is
    'How binding the request is, from mere proposal to actual order (FHIR ServiceRequest.intent)';
comment on column hacs_clinical.service_requests.category is
    'Coded kind of service, e.g. laboratory or imaging, for routing worklists (FHIR ServiceRequest.category)';
comment on column hacs_clinical.service_requests.priority is
    'How soon the service is needed compared with other orders (FHIR ServiceRequest.priority)';
comment on column hacs_clinical.service_requests.do_not_perform is
    'True if the service must NOT be done; check it before acting on the order (FHIR ServiceRequest.doNotPerform)';
comment on column hacs_clinical.service_requests.code is
    'Which service is asked for, as a code or reference (FHIR ServiceRequest.code)';
comment on column hacs_clinical.service_requests.order_detail is
    'Parameters that refine the service, e.g. catheter size or view (FHIR ServiceRequest.orderDetail)';
comment on column hacs_clinical.service_requests.quantity_quantity is
    'Amount of service as one number with its unit, e.g. 10 sessions (FHIR ServiceRequest.quantity[x])';
comment on column hacs_clinical.service_requests.quantity_ratio is
    'Amount given as a ratio, e.g. 2 sessions per week (FHIR ServiceRequest.quantity[x])';
comment on column hacs_clinical.service_requests.quantity_range is
    'Amount given with a lower and an upper limit (FHIR ServiceRequest.quantity[x])';
comment on column hacs_clinical.service_requests.subject is
    'For whom the service is ordered: reference to Patient/<id> (FHIR ServiceRequest.subject)';
comment on column hacs_clinical.service_requests.focus is
    'What the service is about if not the subject, e.g. a fetus or an implant, as references (FHIR '
    'ServiceRequest.focus)';
comment on column hacs_clinical.service_requests.encounter is
    'Visit or stay during which the order was made: Encounter/<id> (FHIR ServiceRequest.encounter)';
comment on column hacs_clinical.service_requests.occurrence_date_time is
    'UTC instant at which the service should take place (FHIR ServiceRequest.occurrence[x])';
comment on column hacs_clinical.service_requests.occurrence_period is
    'Window with start and end within which the service should happen (FHIR ServiceRequest.occurrence[x])';
comment on column hacs_clinical.service_requests.occurrence_timing is
    'Repeating schedule for the service, e.g. three times a week (FHIR ServiceRequest.occurrence[x])';
comment on column hacs_clinical.service_requests.as_needed_boolean is
    'True if the service is given only when needed, without naming a trigger (FHIR ServiceRequest.asNeeded[x])';
comment on column hacs_clinical.service_requests.as_needed_codeable_concept is
    'Coded trigger for a service given as needed, e.g. pain (FHIR ServiceRequest.asNeeded[x])';
comment on column hacs_clinical.service_requests.authored_on is
    'UTC instant at which the request was signed or became active (FHIR ServiceRequest.authoredOn)';
comment on column hacs_clinical.service_requests.requester is
    'Who asks for the service: practitioner, Organization/<id> or Patient/<id> (FHIR ServiceRequest.requester)';
comment on column hacs_clinical.service_requests.performer_type is
    'Coded role or specialty wanted for the work, no named person (FHIR ServiceRequest.performerType)';
comment on column hacs_clinical.service_requests.performer is
    'Practitioners or organizations asked to do the work, as references (FHIR ServiceRequest.performer)';
comment on column hacs_clinical.service_requests.location is
    'Preferred places for the service, as codes or location references (FHIR ServiceRequest.location)';
comment on column hacs_clinical.service_requests.reason is
    'Why it is ordered: codes, Condition/<id> or Observation/<id> (FHIR ServiceRequest.reason)';
comment on column hacs_clinical.service_requests.insurance is
    'Coverage expected to pay for or authorize the service, as references (FHIR ServiceRequest.insurance)';
comment on column hacs_clinical.service_requests.supporting_info is
    'Findings the performer should know, e.g. allergies or past results (FHIR ServiceRequest.supportingInfo)';
comment on column hacs_clinical.service_requests.specimen is
    'Samples the ordered test is to be run on, as references (FHIR ServiceRequest.specimen)';
comment on column hacs_clinical.service_requests.body_site is
    'Coded places on the body where the service is done (FHIR ServiceRequest.bodySite)';
comment on column hacs_clinical.service_requests.body_structure is
    'Reference to a recorded anatomical structure, more exact than body_site (FHIR ServiceRequest.bodyStructure)';
comment on column hacs_clinical.service_requests.note is
    'Remarks on the order with author and time, for the people who perform it (FHIR ServiceRequest.note)';
comment on column hacs_clinical.service_requests.patient_instruction is
    'What the patient is told, as text or document reference (FHIR ServiceRequest.patientInstruction)';
comment on column hacs_clinical.service_requests.relevant_history is
    'Provenance records of key events in the life of the order (FHIR ServiceRequest.relevantHistory)';
comment on column hacs_clinical.service_requests.service_name is
    'Short plain-text name of the ordered service; readable form of code';
comment on column hacs_clinical.service_requests.service_description is
    'Longer plain-text account of what the service involves, to go with service_name';
comment on column hacs_clinical.service_requests.urgency_level is
    'Urgency in free wording for display; the value to sort and filter on is priority';
comment on column hacs_clinical.service_requests.expected_duration is
    'How long the service should take, as plain text with its unit, e.g. 30 minutes';
comment on column hacs_clinical.service_requests.preparation_required is
    'True if the patient must prepare beforehand; details are in preparation_instructions';
comment on column hacs_clinical.service_requests.preparation_instructions is
    'Plain-text directions for the patient before the service, e.g. fasting for 8 hours';
comment on column hacs_clinical.service_requests.clinical_indication is
    'Medical grounds for the order in plain text; convenience form of reason';
comment on column hacs_clinical.service_requests.ordering_provider_name is
    'Display name of the ordering clinician; the reference is in requester';
comment on column hacs_clinical.service_requests.performing_department is
    'Department or unit that should do the work, as plain text beside performer';
comment on column hacs_clinical.service_requests.estimated_cost is
    'Expected price as plain text, with the currency written out';
comment on column hacs_clinical.service_requests.requires_authorization is
    'True if the payer must approve the service before it is done';
comment on column hacs_clinical.service_requests.contraindications is
    'Known reasons against doing the service in this patient, plain text, one per entry';
comment on column hacs_clinical.service_requests.expected_outcomes is
    'Results hoped for from the service, plain text, one per entry';
comment on column hacs_clinical.service_requests.extra is
    'Top-level keys of the document that have no column of their own';
comment on column hacs_clinical.service_requests.version_id is
    'Counts the changes of the row, from 1; no field of the document (FHIR Meta.versionId)';
comment on column hacs_clinical.service_requests.patient_id is
    'Local Patient that subject points to; null where subject is absent or points elsewhere';
comment on column hacs_clinical.service_requests.encounter_id is
    'Local Encounter that encounter points to; null where encounter is absent or points elsewhere';

comment on constraint service_requests_id_form on hacs_clinical.service_requests is
    'An id is not blank, no longer than 2048 bytes, and can be reached by a reference';
comment on constraint service_requests_times_finite on hacs_clinical.service_requests is
    'Days and times lie in the years 0001 to 9999, in UTC; infinity is none';
comment on constraint service_requests_occurrence_period_per_1 on hacs_clinical.service_requests is
    'It does not end before it starts, where both are complete dates (FHIR per-1)';
comment on constraint service_requests_occurrence_choice on hacs_clinical.service_requests is
    'At most one form of ServiceRequest.occurrence (FHIR ServiceRequest.occurrence[x])';
comment on constraint service_requests_quantity_choice on hacs_clinical.service_requests is
    'At most one form of ServiceRequest.quantity (FHIR ServiceRequest.quantity[x])';
comment on constraint service_requests_as_needed_choice on hacs_clinical.service_requests is
    'At most one form of ServiceRequest.asNeeded (FHIR ServiceRequest.asNeeded[x])';
comment on constraint service_requests_bdystr_1 on hacs_clinical.service_requests is
    'A body site or a body structure, not both (FHIR bdystr-1)';
comment on constraint service_requests_prr_1 on hacs_clinical.service_requests is
    'Order details need a code that they detail (FHIR prr-1)';

create index if not exists service_requests_patient_id_idx on hacs_clinical.service_requests (patient_id);
create index if not exists service_requests_encounter_id_idx on hacs_clinical.service_requests (encounter_id)
    where encounter_id is not null;

create or replace trigger service_requests_touch_updated_at
    before update on hacs_clinical.service_requests
    for each row execute function hacs_core.touch_resource();

-------------------------------------------------------------------------------------------------------------------
-- Health of relatives.
-------------------------------------------------------------------------------------------------------------------

create table if not exists hacs_clinical.family_member_history (
    id text primary key default gen_random_uuid()::text,
    resource_type text not null default 'FamilyMemberHistory'
        constraint family_member_history_resource_type_valid check (resource_type = 'FamilyMemberHistory'),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    identifier jsonb constraint family_member_history_identifier_list check (hacs_core.is_list(identifier)),
    instantiates_canonical hacs_core.texts,
    instantiates_uri hacs_core.texts,
    status text not null
        constraint family_member_history_status_valid check (status = any (
            '{partial, completed, entered-in-error, health-unknown}'
        )),
    data_absent_reason jsonb
        constraint family_member_history_data_absent_reason_object check (jsonb_typeof(data_absent_reason) = 'object'),
    patient jsonb not null constraint family_member_history_patient_object check (jsonb_typeof(patient) = 'object'),
    date timestamptz default now(),
    participant jsonb
        constraint family_member_history_participant_conforms
            check (hacs_core.each_conforms(participant, 'FamilyMemberHistoryParticipant')),
    name text,
    relationship jsonb not null
        constraint family_member_history_relationship_object check (jsonb_typeof(relationship) = 'object'),
    sex jsonb constraint family_member_history_sex_object check (jsonb_typeof(sex) = 'object'),
    born_period jsonb
        constraint family_member_history_born_period_object check (jsonb_typeof(born_period) = 'object'),
    born_date timestamptz,
    born_string text,
    age_age jsonb constraint family_member_history_age_age_object check (jsonb_typeof(age_age) = 'object'),
    age_range jsonb constraint family_member_history_age_range_object check (jsonb_typeof(age_range) = 'object'),
    age_string text,
    estimated_age boolean,
    deceased_boolean boolean,
    deceased_age jsonb
        constraint family_member_history_deceased_age_object check (jsonb_typeof(deceased_age) = 'object'),
    deceased_range jsonb
        constraint family_member_history_deceased_range_object check (jsonb_typeof(deceased_range) = 'object'),
    deceased_date timestamptz,
    deceased_string text,
    reason jsonb constraint family_member_history_reason_list check (hacs_core.is_list(reason)),
    note jsonb constraint family_member_history_note_list check (hacs_core.is_list(note)),
    condition jsonb
        constraint family_member_history_condition_conforms
            check (hacs_core.each_conforms(condition, 'FamilyMemberCondition')),
    procedure jsonb
        constraint family_member_history_procedure_conforms
            check (hacs_core.each_conforms(procedure, 'FamilyMemberProcedure')),
    family_member_name text,
    relationship_description text,
    current_age_display text,
    birth_info_display text,
    death_info_display text,
    gender_description text,
    living_status boolean,
    has_significant_history boolean,
    genetic_risk_factors hacs_core.texts,
    summary_description text,
    extra jsonb not null default '{}'
        constraint family_member_history_extra_object check (jsonb_typeof(extra) = 'object'),
    version_id bigint not null default 1,

    patient_id text generated always as (hacs_core.reference_id(patient, 'Patient')) stored
        constraint family_member_history_patient_id_fkey references hacs_core.patients deferrable initially immediate,

    constraint family_member_history_id_form check (hacs_core.is_id(id)),
    constraint family_member_history_times_finite check (
        least(created_at, updated_at, date, born_date, deceased_date) >= '0001-01-01 00:00+00'
        and greatest(created_at, updated_at, date, born_date, deceased_date) < '10000-01-01 00:00+00'
    ),
    constraint family_member_history_born_period_per_1 check (hacs_core.is_period(born_period)),
    constraint family_member_history_age_choice check (num_nonnulls(age_age, age_range, age_string) <= 1),
    constraint family_member_history_born_choice check (num_nonnulls(born_period, born_date, born_string) <= 1),
    constraint family_member_history_deceased_choice check (
        num_nonnulls(deceased_boolean, deceased_age, deceased_range, deceased_date, deceased_string) <= 1
    ),
    constraint family_member_history_deceased_date_order check (deceased_date >= born_date),
    constraint family_member_history_fhs_1 check (
        num_nonnulls(age_age, age_range, age_string) = 0 or num_nonnulls(born_period, born_date, born_string) = 0
    ),
    constraint family_member_history_fhs_2
        check (estimated_age is null or num_nonnulls(age_age, age_range, age_string) > 0),
    constraint family_member_history_fhs_3 check (
        num_nonnulls(age_age, age_range, age_string) = 0
        or num_nonnulls(deceased_boolean, deceased_age, deceased_range, deceased_date, deceased_string) = 0
    )
);

comment on table hacs_clinical.family_member_history is
    'One row is the health history of one relative of a patient; used to judge inherited and familial risk (FHIR '
    'FamilyMemberHistory)';
comment on column hacs_clinical.family_member_history.id is
    'Identity of the resource, unique within its type (FHIR Resource.id)';
comment on column hacs_clinical.family_member_history.resource_type is 'Always FamilyMemberHistory (FHIR resourceType)';
comment on column hacs_clinical.family_member_history.created_at is
    'When the resource was made; stays as the document says';
comment on column hacs_clinical.family_member_history.updated_at is
    'When it was last changed; an UPDATE that does not set it gets the current time (FHIR Meta.lastUpdated)';
comment on column hacs_clinical.family_member_history.identifier is
    'Business numbers other systems use for this history record (FHIR FamilyMemberHistory.identifier)';
comment on column hacs_clinical.family_member_history.instantiates_canonical is
    'Canonical URLs of FHIR protocols or questionnaires followed (FHIR FamilyMemberHistory.instantiatesCanonical)';
comment on column hacs_clinical.family_member_history.instantiates_uri is
    'Addresses of non-FHIR protocols or guidelines followed (FHIR FamilyMemberHistory.instantiatesUri)';
comment on column hacs_clinical.family_member_history.status is
    'How complete and valid the record about this relative is (FHIR FamilyMemberHistory.status)';
comment on column hacs_clinical.family_member_history.data_absent_reason is
    'Coded reason why the history of this relative is unavailable (FHIR FamilyMemberHistory.dataAbsentReason)';
comment on column hacs_clinical.family_member_history.patient is
    'Whose relative is described, not the relative: Patient/<id> (FHIR FamilyMemberHistory.patient)';
comment on column hacs_clinical.family_member_history.date is
    'UTC instant at which the history was recorded or last updated (FHIR FamilyMemberHistory.date)';
comment on column hacs_clinical.family_member_history.participant is
    'Who recorded or told the history; each actor is a reference (FHIR FamilyMemberHistory.participant)';
comment on column hacs_clinical.family_member_history.name is
    'Name or label by which the relative is known, e.g. Aunt Susan (FHIR FamilyMemberHistory.name)';
comment on column hacs_clinical.family_member_history.relationship is
    'Coded tie of the relative to the patient, e.g. mother (FHIR FamilyMemberHistory.relationship)';
comment on column hacs_clinical.family_member_history.sex is
    'Coded birth sex of the relative, needed for sex-linked risks (FHIR FamilyMemberHistory.sex)';
comment on column hacs_clinical.family_member_history.born_period is
    'Time span within which the relative was born (FHIR FamilyMemberHistory.born[x])';
comment on column hacs_clinical.family_member_history.born_date is
    'Birth date of the relative, stored as a UTC instant (FHIR FamilyMemberHistory.born[x])';
comment on column hacs_clinical.family_member_history.born_string is
    'Birth of the relative as text if only loosely known, e.g. in the 1940s (FHIR FamilyMemberHistory.born[x])';
comment on column hacs_clinical.family_member_history.age_age is
    'Age of the relative as a number with a unit, mostly years (FHIR FamilyMemberHistory.age[x])';
comment on column hacs_clinical.family_member_history.age_range is
    'Age of the relative between a lower and an upper limit (FHIR FamilyMemberHistory.age[x])';
comment on column hacs_clinical.family_member_history.age_string is
    'Age of the relative in words if no number is known (FHIR FamilyMemberHistory.age[x])';
comment on column hacs_clinical.family_member_history.estimated_age is
    'True if the stated age of the relative is a guess (FHIR FamilyMemberHistory.estimatedAge)';
comment on column hacs_clinical.family_member_history.deceased_boolean is
    'True if the relative has died, with no further detail (FHIR FamilyMemberHistory.deceased[x])';
comment on column hacs_clinical.family_member_history.deceased_age is
    'Age at death as a number with a unit, mostly years (FHIR FamilyMemberHistory.deceased[x])';
comment on column hacs_clinical.family_member_history.deceased_range is
    'Age at death between a lower and an upper limit (FHIR FamilyMemberHistory.deceased[x])';
comment on column hacs_clinical.family_member_history.deceased_date is
    'Date of death of the relative, stored as a UTC instant (FHIR FamilyMemberHistory.deceased[x])';
comment on column hacs_clinical.family_member_history.deceased_string is
    'Death of the relative in words, e.g. in early childhood (FHIR FamilyMemberHistory.deceased[x])';
comment on column hacs_clinical.family_member_history.reason is
    'Why the history was taken: codes, or condition, observation or allergy (FHIR FamilyMemberHistory.reason)';
comment on column hacs_clinical.family_member_history.note is
    'General remarks on the relative with author and time (FHIR FamilyMemberHistory.note)';
comment on column hacs_clinical.family_member_history.condition is
    'Illnesses of the relative with outcome, onset and role in death (FHIR FamilyMemberHistory.condition)';
comment on column hacs_clinical.family_member_history.procedure is
    'Operations and procedures the relative had, with outcome and time (FHIR FamilyMemberHistory.procedure)';
comment on column hacs_clinical.family_member_history.family_member_name is
    'Display form of the name of the relative, for lists; see name for the FHIR value';
comment on column hacs_clinical.family_member_history.relationship_description is
    'Tie to the patient in plain words, e.g. maternal grandmother; text of relationship';
comment on column hacs_clinical.family_member_history.current_age_display is
    'Ready-to-show text of the present age, whichever of the age columns is filled';
comment on column hacs_clinical.family_member_history.birth_info_display is
    'Ready-to-show text about the birth, whichever of the born columns is filled';
comment on column hacs_clinical.family_member_history.death_info_display is
    'Ready-to-show text about the death, whichever of the deceased columns is filled';
comment on column hacs_clinical.family_member_history.gender_description is
    'Sex or gender of the relative in plain words; readable form of sex';
comment on column hacs_clinical.family_member_history.living_status is
    'True if the relative is alive, false if dead, null if unknown; quick view of the deceased columns';
comment on column hacs_clinical.family_member_history.has_significant_history is
    'True if something in the history of the relative matters for the risk of the patient';
comment on column hacs_clinical.family_member_history.genetic_risk_factors is
    'Inherited risks known or suspected in the relative, plain text, one per entry';
comment on column hacs_clinical.family_member_history.summary_description is
    'Whole history of the relative in a few plain sentences, for quick reading';
comment on column hacs_clinical.family_member_history.extra is
    'Top-level keys of the document that have no column of their own';
comment on column hacs_clinical.family_member_history.version_id is
    'Counts the changes of the row, from 1; no field of the document (FHIR Meta.versionId)';
comment on column hacs_clinical.family_member_history.patient_id is
    'Local Patient that patient points to; null where patient is absent or points elsewhere';

comment on constraint family_member_history_id_form on hacs_clinical.family_member_history is
    'An id is not blank, no longer than 2048 bytes, and can be reached by a reference';
comment on constraint family_member_history_times_finite on hacs_clinical.family_member_history is
    'Days and times lie in the years 0001 to 9999, in UTC; infinity is none';
comment on constraint family_member_history_born_period_per_1 on hacs_clinical.family_member_history is
    'It does not end before it starts, where both are complete dates (FHIR per-1)';
comment on constraint family_member_history_age_choice on hacs_clinical.family_member_history is
    'At most one form of FamilyMemberHistory.age (FHIR FamilyMemberHistory.age[x])';
comment on constraint family_member_history_born_choice on hacs_clinical.family_member_history is
    'At most one form of FamilyMemberHistory.born (FHIR FamilyMemberHistory.born[x])';
comment on constraint family_member_history_deceased_choice on hacs_clinical.family_member_history is
    'At most one form of FamilyMemberHistory.deceased (FHIR FamilyMemberHistory.deceased[x])';
comment on constraint family_member_history_deceased_date_order on hacs_clinical.family_member_history is
    'Nobody dies before being born';
comment on constraint family_member_history_fhs_1 on hacs_clinical.family_member_history is
    'An age or a birth, not both (FHIR fhs-1)';
comment on constraint family_member_history_fhs_2 on hacs_clinical.family_member_history is
    'Only a given age can be an estimate (FHIR fhs-2)';
comment on constraint family_member_history_fhs_3 on hacs_clinical.family_member_history is
    'The age of the living, or how the relative died, not both (FHIR fhs-3 in R5)';

create index if not exists family_member_history_patient_id_idx on hacs_clinical.family_member_history (patient_id);

create or replace trigger family_member_history_touch_updated_at
    before update on hacs_clinical.family_member_history
    for each row execute function hacs_core.touch_resource();

-------------------------------------------------------------------------------------------------------------------
-- Risk assessments: predicted outcomes and how likely they are.
-------------------------------------------------------------------------------------------------------------------

create table if not exists hacs_clinical.risk_assessments (
    id text primary key default gen_random_uuid()::text,
    resource_type text not null default 'RiskAssessment'
        constraint risk_assessments_resource_type_valid check (resource_type = 'RiskAssessment'),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    identifier jsonb constraint risk_assessments_identifier_list check (hacs_core.is_list(identifier)),
    based_on jsonb constraint risk_assessments_based_on_object check (jsonb_typeof(based_on) = 'object'),
    parent jsonb constraint risk_assessments_parent_object check (jsonb_typeof(parent) = 'object'),
    status text not null
        constraint risk_assessments_status_valid check (status = any (
            '{registered, preliminary, final, amended, corrected, cancelled, entered-in-error, unknown}'
        )),
    method jsonb constraint risk_assessments_method_object check (jsonb_typeof(method) = 'object'),
    code jsonb constraint risk_assessments_code_object check (jsonb_typeof(code) = 'object'),
    subject jsonb not null constraint risk_assessments_subject_object check (jsonb_typeof(subject) = 'object'),
    encounter jsonb constraint risk_assessments_encounter_object check (jsonb_typeof(encounter) = 'object'),
    occurrence_date_time timestamptz,
    occurrence_period jsonb
        constraint risk_assessments_occurrence_period_object check (jsonb_typeof(occurrence_period) = 'object'),
    condition jsonb constraint risk_assessments_condition_object check (jsonb_typeof(condition) = 'object'),
    performer jsonb constraint risk_assessments_performer_object check (jsonb_typeof(performer) = 'object'),
    reason jsonb constraint risk_assessments_reason_list check (hacs_core.is_list(reason)),
    basis jsonb constraint risk_assessments_basis_list check (hacs_core.is_list(basis)),
    prediction jsonb
        constraint risk_assessments_prediction_conforms
            check (hacs_core.each_conforms(prediction, 'RiskAssessmentPrediction')),
    mitigation text,
    note jsonb constraint risk_assessments_note_list check (hacs_core.is_list(note)),
    assessment_title text,
    assessment_summary text,
    patient_name text,
    assessor_name text,
    risk_category text,
    overall_risk_level text,
    clinical_significance text,
    recommended_actions hacs_core.texts,
    follow_up_required boolean,
    follow_up_timeframe text,
    risk_factors_considered hacs_core.texts,
    protective_factors hacs_core.texts,
    assessment_confidence text,
    risk_stratification text,
    extra jsonb not null default '{}' constraint risk_assessments_extra_object check (jsonb_typeof(extra) = 'object'),
    version_id bigint not null default 1,

    patient_id text generated always as (hacs_core.reference_id(subject, 'Patient')) stored
        constraint risk_assessments_patient_id_fkey references hacs_core.patients deferrable initially immediate,
    encounter_id text generated always as (hacs_core.reference_id(encounter, 'Encounter')) stored
        constraint risk_assessments_encounter_id_fkey references hacs_core.encounters deferrable initially immediate,
    condition_id text generated always as (hacs_core.reference_id(condition, 'Condition')) stored
        constraint risk_assessments_condition_id_fkey
            references hacs_clinical.conditions deferrable initially immediate,
    performer_patient_id text generated always as (hacs_core.reference_id(performer, 'Patient', bare => false)) stored
        constraint risk_assessments_performer_patient_id_fkey
            references hacs_core.patients deferrable initially immediate,

    constraint risk_assessments_id_form check (hacs_core.is_id(id)),
    constraint risk_assessments_times_finite check (
        least(created_at, updated_at, occurrence_date_time) >= '0001-01-01 00:00+00'
        and greatest(created_at, updated_at, occurrence_date_time) < '10000-01-01 00:00+00'
    ),
    constraint risk_assessments_occurrence_period_per_1 check (hacs_core.is_period(occurrence_period)),
    constraint risk_assessments_occurrence_choice check (num_nonnulls(occurrence_date_time, occurrence_period) <= 1),
    constraint risk_assessments_ras_1 check (
        prediction @@ '!exists($[*].probability_range.low ? (
                @ != null && !(@.code == "%" && @.system == "http://unitsofmeasure.org")
            ))
            && !exists($[*].probability_range.high ? (
                @ != null && !(@.code == "%" && @.system == "http://unitsofmeasure.org")
            ))'
    )
);

comment on table hacs_clinical.risk_assessments is
    'One row is an estimate of the likely outcomes for a patient and how probable they are; used for prevention and '
    'triage (FHIR RiskAssessment)';
comment on column hacs_clinical.risk_assessments.id is
    'Identity of the resource, unique within its type (FHIR Resource.id)';
comment on column hacs_clinical.risk_assessments.resource_type is 'Always RiskAssessment (FHIR resourceType)';
comment on column hacs_clinical.risk_assessments.created_at is 'When the resource was made; stays as the document says';
comment on column hacs_clinical.risk_assessments.updated_at is
    'When it was last changed; an UPDATE that does not set it gets the current time (FHIR Meta.lastUpdated)';
comment on column hacs_clinical.risk_assessments.identifier is
    'Business numbers other systems use for this assessment (FHIR RiskAssessment.identifier)';
comment on column hacs_clinical.risk_assessments.based_on is
    'Request or plan that this assessment fulfils, as a reference (FHIR RiskAssessment.basedOn)';
comment on column hacs_clinical.risk_assessments.parent is
    'Larger resource this assessment forms a part of, as a reference (FHIR RiskAssessment.parent)';
comment on column hacs_clinical.risk_assessments.status is
    'Whether the assessment is still being worked on, final or withdrawn (FHIR RiskAssessment.status)';
comment on column hacs_clinical.risk_assessments.method is
    'Coded algorithm or score used, e.g. Framingham or CHA2DS2-VASc (FHIR RiskAssessment.method)';
comment on column hacs_clinical.risk_assessments.code is
    'Coded type of assessment, e.g. fall risk or cardiac risk (FHIR RiskAssessment.code)';
comment on column hacs_clinical.risk_assessments.subject is
    'Whose risk is estimated: reference to Patient/<id> (FHIR RiskAssessment.subject)';
comment on column hacs_clinical.risk_assessments.encounter is
    'Visit during which the risk was assessed: Encounter/<id> (FHIR RiskAssessment.encounter)';
comment on column hacs_clinical.risk_assessments.occurrence_date_time is
    'UTC instant at which the risk was assessed (FHIR RiskAssessment.occurrence[x])';
comment on column hacs_clinical.risk_assessments.occurrence_period is
    'Start and end of an assessment spread over some time (FHIR RiskAssessment.occurrence[x])';
comment on column hacs_clinical.risk_assessments.condition is
    'Present illness whose consequences are being estimated: Condition/<id> (FHIR RiskAssessment.condition)';
comment on column hacs_clinical.risk_assessments.performer is
    'Who made the assessment: practitioner or Patient/<id>, as a reference (FHIR RiskAssessment.performer)';
comment on column hacs_clinical.risk_assessments.reason is
    'Why it was made: codes, Condition/<id> or Observation/<id> (FHIR RiskAssessment.reason)';
comment on column hacs_clinical.risk_assessments.basis is
    'Evidence fed into the estimate, e.g. results or family history, as references (FHIR RiskAssessment.basis)';
comment on column hacs_clinical.risk_assessments.prediction is
    'Possible outcomes with probability, relative risk and time frame of each (FHIR RiskAssessment.prediction)';
comment on column hacs_clinical.risk_assessments.mitigation is
    'Steps that would lower the risk, as text for the treating team (FHIR RiskAssessment.mitigation)';
comment on column hacs_clinical.risk_assessments.note is
    'Remarks on the assessment with author and time (FHIR RiskAssessment.note)';
comment on column hacs_clinical.risk_assessments.assessment_title is
    'Short plain-text heading of the assessment for lists and reports';
comment on column hacs_clinical.risk_assessments.assessment_summary is
    'Findings of the assessment in a few plain sentences; readable form of prediction';
comment on column hacs_clinical.risk_assessments.patient_name is
    'Display name of the assessed patient; the reference is in subject';
comment on column hacs_clinical.risk_assessments.assessor_name is
    'Display name of the person who assessed the risk; the reference is in performer';
comment on column hacs_clinical.risk_assessments.risk_category is
    'Area of risk in plain text, e.g. cardiovascular or falls; readable form of code';
comment on column hacs_clinical.risk_assessments.overall_risk_level is
    'Overall grade of the risk in plain text, e.g. low or high, drawn from all predictions';
comment on column hacs_clinical.risk_assessments.clinical_significance is
    'What the result means for the care of this patient, in plain text';
comment on column hacs_clinical.risk_assessments.recommended_actions is
    'Advised next steps, plain text, one per entry; list form of mitigation';
comment on column hacs_clinical.risk_assessments.follow_up_required is
    'True if the patient must be seen or assessed again because of the result';
comment on column hacs_clinical.risk_assessments.follow_up_timeframe is
    'When follow-up is due, as plain text with its unit, e.g. in 3 months';
comment on column hacs_clinical.risk_assessments.risk_factors_considered is
    'Factors that raise the risk and were weighed, plain text, one per entry';
comment on column hacs_clinical.risk_assessments.protective_factors is
    'Factors that lower the risk, plain text, one per entry, e.g. regular exercise';
comment on column hacs_clinical.risk_assessments.assessment_confidence is
    'How sure the assessor is of the estimate, in plain words rather than as a number';
comment on column hacs_clinical.risk_assessments.risk_stratification is
    'Risk group the patient falls into, in plain text, used to plan programmes and intensity of care';
comment on column hacs_clinical.risk_assessments.extra is
    'Top-level keys of the document that have no column of their own';
comment on column hacs_clinical.risk_assessments.version_id is
    'Counts the changes of the row, from 1; no field of the document (FHIR Meta.versionId)';
comment on column hacs_clinical.risk_assessments.patient_id is
    'Local Patient that subject points to; null where subject is absent or points elsewhere';
comment on column hacs_clinical.risk_assessments.encounter_id is
    'Local Encounter that encounter points to; null where encounter is absent or points elsewhere';
comment on column hacs_clinical.risk_assessments.condition_id is
    'Local Condition that condition points to; null where condition is absent or points elsewhere';
comment on column hacs_clinical.risk_assessments.performer_patient_id is
    'Local Patient that performer points to by a typed reference; null for a bare id, which may be of another kind';

comment on constraint risk_assessments_id_form on hacs_clinical.risk_assessments is
    'An id is not blank, no longer than 2048 bytes, and can be reached by a reference';
comment on constraint risk_assessments_times_finite on hacs_clinical.risk_assessments is
    'Days and times lie in the years 0001 to 9999, in UTC; infinity is none';
comment on constraint risk_assessments_occurrence_period_per_1 on hacs_clinical.risk_assessments is
    'It does not end before it starts, where both are complete dates (FHIR per-1)';
comment on constraint risk_assessments_occurrence_choice on hacs_clinical.risk_assessments is
    'At most one form of RiskAssessment.occurrence (FHIR RiskAssessment.occurrence[x])';
comment on constraint risk_assessments_ras_1 on hacs_clinical.risk_assessments is
    'The bounds of a probability range are percentages in UCUM (FHIR ras-1)';

create index if not exists risk_assessments_patient_id_idx on hacs_clinical.risk_assessments (patient_id);
create index if not exists risk_assessments_encounter_id_idx on hacs_clinical.risk_assessments (encounter_id)
    where encounter_id is not null;
create index if not exists risk_assessments_condition_id_idx on hacs_clinical.risk_assessments (condition_id)
    where condition_id is not null;
create index if not exists risk_assessments_performer_patient_id_idx
    on hacs_clinical.risk_assessments (performer_patient_id) where performer_patient_id is not null;

create or replace trigger risk_assessments_touch_updated_at
    before update on hacs_clinical.risk_assessments
    for each row execute function hacs_core.touch_resource();
