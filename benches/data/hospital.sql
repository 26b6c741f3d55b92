-- A coherent hospital, the same each time, for measurements and for the tests of the questions in benches/questions.
--
--   psql -v observations=100000 -f benches/data/hospital.sql      into an empty, migrated database, as its owner
--
-- For each ten observations there are one patient, two visits, and two of most other things. Few patients come often,
-- few codes make most of the measurements, most of the work is done; rows lie in the order in which they arrived, over
-- two years up to 15 June 2026. All rules and foreign keys are on. The audit is off for what was there "before", then
-- on for a wave of changes by fifty practitioners, one for each four observations.

\set ON_ERROR_STOP on
set timezone = 'UTC';
set client_min_messages = warning;

begin;

create temporary table size on commit drop as
select
    n as observations,
    greatest(n / 10, 20) as patients,
    greatest(n / 5, 20) as visits,
    greatest(n / 100, 20) as organizations,
    greatest(n / 2000, 5) as practitioners,
    greatest(n / 5000, 5) as agents
from (values (:observations)) as s (n);

-- A number from 0 to below 1 for a row and a purpose: well mixed, and the same on every server.
create function pg_temp.chance(n bigint, purpose bigint) returns double precision language sql immutable parallel safe
return (hashint8extended(n, purpose) & 2147483647) / 2147483648.0;

-- One of many, the first ones far more often: the share of number r falls with its square root.
create function pg_temp.one_of(many bigint, n bigint, purpose bigint)
returns bigint language sql immutable parallel safe
return 1 + floor(many * power((hashint8extended(n, purpose) & 2147483647) / 2147483648.0, 2))::bigint;

-- When row n of many arrived.
create function pg_temp.arrival(n bigint, many bigint) returns timestamptz language sql immutable parallel safe
return timestamptz '2024-06-15 00:00Z' + n::double precision / many * interval '17520 hours';

create function pg_temp.iso(moment timestamptz) returns text language sql stable
return to_char(moment at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"');

create function pg_temp.concept(system text, code text, display text) returns jsonb language sql immutable parallel safe
return jsonb_build_object('coding',
    jsonb_build_array(jsonb_build_object('system', system, 'code', code, 'display', display)), 'text', display);

create temporary table loinc (rank, code, display, unit, low, high) on commit drop as
values
    (1, '8867-4', 'Heart rate', '/min', 50, 130), (2, '8480-6', 'Systolic blood pressure', 'mm[Hg]', 90, 190),
    (3, '8462-4', 'Diastolic blood pressure', 'mm[Hg]', 50, 110), (4, '2708-6', 'Oxygen saturation', '%', 85, 100),
    (5, '9279-1', 'Respiratory rate', '/min', 10, 35), (6, '8310-5', 'Body temperature', 'Cel', 35, 41),
    (7, '29463-7', 'Body weight', 'kg', 40, 140), (8, '2339-0', 'Glucose', 'mg/dL', 50, 350),
    (9, '718-7', 'Hemoglobin', 'g/dL', 7, 18), (10, '6690-2', 'Leukocytes', '10*3/uL', 2, 25),
    (11, '777-3', 'Platelets', '10*3/uL', 80, 500), (12, '2160-0', 'Creatinine', 'mg/dL', 0, 6),
    (13, '2823-3', 'Potassium', 'mmol/L', 2, 7), (14, '2951-2', 'Sodium', 'mmol/L', 120, 155),
    (15, '1975-2', 'Bilirubin', 'mg/dL', 0, 10), (16, '1742-6', 'Alanine aminotransferase', 'U/L', 5, 300),
    (17, '4548-4', 'Hemoglobin A1c', '%', 4, 13), (18, '1988-5', 'C reactive protein', 'mg/L', 0, 250),
    (19, '2093-3', 'Cholesterol', 'mg/dL', 90, 350), (20, '39156-5', 'Body mass index', 'kg/m2', 15, 50),
    (21, '8302-2', 'Body height', 'cm', 140, 205), (22, '3016-3', 'Thyrotropin', 'mIU/L', 0, 12),
    (23, '33959-8', 'Procalcitonin', 'ng/mL', 0, 40), (24, '6598-7', 'Troponin T', 'ug/L', 0, 3);

-- Sixty disorders, thirty drugs: names of their own are not needed.
create temporary table words on commit drop as
select
    array['Adler', 'Bauer', 'Brandt', 'Castillo', 'Dietrich', 'Ekström', 'Fischer', 'Garcia', 'Hoffmann', 'Iversen',
        'Johansson',
        'Keller', 'Lindgren', 'Moreau', 'Nguyen', 'Okafor', 'Petrov', 'Quispe', 'Rossi', 'Schmidt', 'Schneider',
            'Schulz',
        'Tanaka', 'Ueda', 'Vargas', 'Wagner', 'Xu', 'Yilmaz', 'Zimmermann', 'O''Brien'] as families,
    array['', 's', 'er', '-Lang', '-Klein', 'sen', 'mann', '-Roth', 'ini', 'ová', '-Berg', 'off', '-Stein', '-Diaz',
        'berg',
        '-Ito', 'ski', '-Chen', 'dal', '-Mba', 'feld', '-Ray', 'hart', '-Fox', 'ley'] as endings,
    array['Ada', 'Ben', 'Chloé', 'David', 'Eva', 'Farid', 'Grace', 'Hiro', 'Inés', 'Jonas', 'Kofi', 'Lena', 'Mia',
        'Noah',
        'Olga', 'Paul', 'Rosa', 'Samir', 'Tess', 'Yuki'] as given;

-------------------------------------------------------------------------------------------------------------------
-- The audit of all tables off.
-------------------------------------------------------------------------------------------------------------------

select format('alter table %s disable trigger %I', tgrelid::regclass, tgname) from pg_trigger
    where tgname in ('audit_insert', 'audit_update', 'audit_delete') \gexec

-------------------------------------------------------------------------------------------------------------------
-- Organizations: a tree in which each has five parts.
-------------------------------------------------------------------------------------------------------------------

insert into hacs_core.organizations (id, created_at, updated_at, identifier, name, part_of_organization_id, city,
    organization_type)
select
    'o' || n, '2020-01-01Z', '2020-01-01Z', array['ORG-' || n],
    case when n = 1 then 'City Hospital' else 'Unit ' || n end,
    case when n > 1 then 'Organization/o' || (n + 3) / 5 end, 'Springfield',
        '[{"code": "dept", "display": "Department"}]'
from size, generate_series(1, organizations) as s (n);

insert into hacs_core.organization_contacts (id, organization_id, contact_name, phone)
select 'oc' || n, 'o' || n, 'Desk ' || n, '+1 555 ' || n from size, generate_series(1, organizations) as s (n);

-------------------------------------------------------------------------------------------------------------------
-- Patients.
-------------------------------------------------------------------------------------------------------------------

insert into hacs_core.patients (
    id, created_at, updated_at, given, family, full_name, gender, birth_date, identifiers, telecom, phone, address,
        language, active
)
select
    'p' || n, pg_temp.arrival(n, patients), pg_temp.arrival(n, patients), array[first], last, first || ' ' || last,
    case when pg_temp.chance(n, 3) < 0.5 then 'female' else 'male' end,
    date '1930-01-01' + floor(34000 * pg_temp.chance(n, 4))::integer,
    jsonb_build_array(
        jsonb_build_object('use', 'official', 'system', 'http://hospital.example/mrn',
            'value', 'MRN' || lpad(n::text, 8, '0')),
        jsonb_build_object('use', 'secondary', 'system', 'http://insurer.example/member',
            'value', 'X' || (n * 7919) % 99999989)
    ),
    jsonb_build_array(jsonb_build_object('system', 'phone', 'value', '+1 555 ' || n, 'use', 'mobile')), '+1 555 ' || n,
    jsonb_build_array(jsonb_build_object('line', jsonb_build_array(n % 300 || ' Main Street'), 'city', 'Springfield',
        'country', 'US')),
    'en', pg_temp.chance(n, 5) < 0.97
from size, words, generate_series(1, patients) as s (n),
    lateral (select
        given[pg_temp.one_of(20, n, 1)],
        families[pg_temp.one_of(30, n, 2)] || endings[pg_temp.one_of(25, n, 6)]
    ) as name (first, last);

-------------------------------------------------------------------------------------------------------------------
-- Visits, with five observations, a condition, a prescription and a task for each; and the bookings.
-------------------------------------------------------------------------------------------------------------------

create temporary table visits on commit drop as
select
    n, 'p' || pg_temp.one_of(patients, n, 10) as patient, pg_temp.arrival(n, visits) as begun,
    'dr' || pg_temp.one_of(practitioners, n, 11) as practitioner,
    'o' || 1 + floor(organizations * pg_temp.chance(n, 12)) as organization,
    case when kind < 0.8 then 'AMB' when kind < 0.9 then 'EMER' else 'IMP' end as class,
    case when kind < 0.8 then 30 + floor(60 * pg_temp.chance(n, 14)) else 600 + floor(20000 * pg_temp.chance(n, 14)) end
        * interval '1 minute' as stay
from size, generate_series(1, visits) as s (n), lateral (select pg_temp.chance(n, 13)) as k (kind);

insert into hacs_core.encounters (
    id, created_at, updated_at, status, class_fhir, type, subject, participants, period, service_provider, reason_code
)
select
    'e' || n, begun, begun, case when inside then 'in-progress' else 'finished' end, class,
    jsonb_build_array(pg_temp.concept('http://snomed.info/sct', '308335008', 'Patient encounter procedure')),
    'Patient/' || patient,
        jsonb_build_array(jsonb_build_object('individual',
        jsonb_build_object('reference', 'Practitioner/' || practitioner))),
    jsonb_build_object('start', pg_temp.iso(begun)) || case when inside then '{}'
        else jsonb_build_object('end', pg_temp.iso(begun + stay)) end,
    'Organization/' || organization, jsonb_build_array(jsonb_build_object('text', 'Reason ' || n % 50))
from visits, lateral (select begun + stay > '2026-06-15Z') as i (inside);

insert into hacs_core.observations (
    id, created_at, updated_at, status, category, code, subject, encounter, effective_datetime, issued, value_quantity,
        reference_range
)
select
    'o' || s.n, at, at + interval '20 minutes',
    case when fate < 0.93 then 'final' when fate < 0.98 then 'amended' when fate < 0.99 then 'preliminary'
        else 'entered-in-error' end,
    jsonb_build_array(case when l.rank <= 7
        then pg_temp.concept('http://terminology.hl7.org/CodeSystem/observation-category', 'vital-signs', 'Vital Signs')
        else pg_temp.concept('http://terminology.hl7.org/CodeSystem/observation-category', 'laboratory',
            'Laboratory') end),
    pg_temp.concept('http://loinc.org', l.code, l.display), 'Patient/' || v.patient,
    case when pg_temp.chance(s.n, 21) < 0.8 then 'Encounter/e' || v.n end, at, at + interval '20 minutes',
    jsonb_build_object(
        'value', round((l.low + (l.high - l.low) * pg_temp.chance(s.n, 22))::numeric, 1), 'unit', l.unit,
        'system', 'http://unitsofmeasure.org', 'code', l.unit
    ),
    case when l.rank > 7 then jsonb_build_array(jsonb_build_object(
        'low', jsonb_build_object('value', l.low, 'unit', l.unit),
        'high', jsonb_build_object('value', l.high, 'unit', l.unit)
    )) else '[]' end
from size
cross join generate_series(1, observations) as s (n)
join visits as v on v.n = least(1 + (s.n - 1) / 5, size.visits)
-- few codes make most of the observations
join loinc as l on l.rank = 1 + floor(24 * power(pg_temp.chance(s.n, 20), 3))
cross join lateral (select v.begun + s.n % 5 * interval '3 minutes', pg_temp.chance(s.n, 23)) as o (at, fate);

insert into hacs_clinical.conditions (
    id, created_at, updated_at, clinical_status, verification_status, subject, encounter, category, code,
        onset_date_time, recorded_date,
    abatement_date_time, condition_name
)
select
    'c' || n, begun, begun, case when over then 'resolved' when pg_temp.chance(n, 32) < 0.1 then 'inactive'
        else 'active' end, 'confirmed',
    jsonb_build_object('reference', 'Patient/' || patient), jsonb_build_object('reference', 'Encounter/e' || n),
    jsonb_build_array(pg_temp.concept('http://terminology.hl7.org/CodeSystem/condition-category',
        'encounter-diagnosis', 'Encounter Diagnosis')),
    pg_temp.concept('http://snomed.info/sct', (38341000 + kind)::text, 'Disorder ' || kind), begun - interval '3 days',
        begun,
    case when over then begun + interval '20 days' end, 'Disorder ' || kind
from visits, lateral (select floor(300 * power(pg_temp.chance(n, 30), 3)), pg_temp.chance(n, 31) < 0.6)
    as k (kind, over);

insert into hacs_clinical.medication_requests (
    id, created_at, updated_at, status, intent, medication_codeable_concept, subject, encounter, authored_on,
        requester, dosage_instruction
)
select
    'm' || n, begun, begun, case when fate < 0.15 then 'active' when fate < 0.9 then 'completed' else 'stopped' end,
        'order',
    pg_temp.concept('http://www.nlm.nih.gov/research/umls/rxnorm', (197361 + kind)::text, 'Drug ' || kind),
    'Patient/' || patient, 'Encounter/e' || n, begun, 'Practitioner/' || practitioner,
    jsonb_build_array(jsonb_build_object('text', 'Take one tablet a day', 'timing',
        jsonb_build_object('code', jsonb_build_object('text', 'QD'))))
from visits, lateral (select floor(100 * power(pg_temp.chance(n, 40), 3)), pg_temp.chance(n, 41)) as k (kind, fate);

insert into hacs_clinical.tasks (
    id, created_at, updated_at, status, intent, priority, code, description, for_, encounter, authored_on,
        last_modified, requester, owner
)
select
    't' || n, begun, begun,
    case when fate < 0.88 then 'completed' when fate < 0.92 then 'cancelled' when fate < 0.95 then 'requested'
        when fate < 0.97 then 'accepted' when fate < 0.995 then 'in-progress' else 'on-hold' end,
    'order', case when pg_temp.chance(n, 51) < 0.9 then 'routine' else 'urgent' end,
    pg_temp.concept('http://hl7.org/fhir/CodeSystem/task-code', 'fulfill', 'Fulfill'), 'Follow up on visit e' || n,
    jsonb_build_object('reference', 'Patient/' || patient), jsonb_build_object('reference', 'Encounter/e' || n), begun,
        begun + interval '1 day',
    jsonb_build_object('reference', 'Practitioner/' || practitioner),
    jsonb_build_object('reference', 'Practitioner/dr' || pg_temp.one_of(practitioners, n, 52))
from size, visits, lateral (select pg_temp.chance(n, 50)) as k (fate);

insert into hacs_clinical.goals (id, created_at, updated_at, lifecycle_status, description, subject, start_date)
select
    'l' || n, begun, begun, case when pg_temp.chance(n, 55) < 0.3 then 'active' else 'completed' end,
        '{"text": "Walk a mile a day"}',
    jsonb_build_object('reference', 'Patient/' || patient), begun::date
from visits
where n % 4 = 0;

-- Bookings reach from two years ago to thirty days ahead.
insert into hacs_clinical.appointments (
    id, created_at, updated_at, status, start, "end", minutes_duration, created, description, subject, participant
)
select
    'a' || v.n, begun - interval '14 days', begun - interval '14 days',
    case when day > '2026-06-15Z' then 'booked' when fate < 0.9 then 'fulfilled' when fate < 0.95 then 'cancelled'
        else 'noshow' end,
    day, day + interval '30 minutes', 30, begun - interval '14 days', 'Check-up',
        jsonb_build_object('reference', 'Patient/' || patient),
    jsonb_build_array(
        jsonb_build_object('actor', jsonb_build_object('reference', 'Patient/' || patient), 'status', 'accepted'),
        jsonb_build_object('actor', jsonb_build_object('reference', 'Practitioner/' || practitioner),
            'status', 'accepted', 'required', true),
        jsonb_build_object('actor', jsonb_build_object('reference', 'Location/room' || v.n % 40), 'status', 'accepted')
    )
from size, visits as v, lateral (
    select date_trunc('day', begun + v.n::double precision / size.visits * interval '30 days')
        + floor(20 * pg_temp.chance(v.n, 61)) * interval '30 minutes' + interval '8 hours',
        pg_temp.chance(v.n, 62)
) as k (day, fate);

-------------------------------------------------------------------------------------------------------------------
-- Agents: threads of sixteen messages of which twenty run at a time, memories, knowledge.
-------------------------------------------------------------------------------------------------------------------

insert into hacs_agents.messages (
    id, created_at, updated_at, role, content, message_type, priority, thread_id, in_reply_to, sender_id,
        recipient_ids, status, patient_id, tags
)
select
    'g' || n, begun, begun, case when n / 20 % 2 = 0 then 'physician' else 'agent' end,
    'About ' || patient || ': ' || repeat('the plan was discussed and agreed. ', 4),
    case when n / 20 % 2 = 0 then 'question' else 'response' end, case when pg_temp.chance(n, 70) < 0.95 then 'normal'
        else 'urgent' end,
    'thread-' || (n - 1) / 320 * 20 + (n - 1) % 20, case when (n - 1) % 320 >= 20 then 'g' || n - 20 end,
    case when n / 20 % 2 = 0 then practitioner else agent end,
        array[case when n / 20 % 2 = 0 then agent else practitioner end],
    case when fate < 0.1 then 'archived' when fate < 0.96 then 'read' when fate < 0.98 then 'delivered'
        else 'sent' end, patient, array['care']
from size, visits, lateral (select 'agent' || pg_temp.one_of(agents, n, 71), pg_temp.chance(n, 72)) as k (agent, fate);

insert into hacs_agents.memories (id, created_at, updated_at, memory_type, content, actor_id, importance,
    last_accessed, metadata)
select
    'y' || n, begun, begun, case when n % 10 < 6 then 'episodic' when n % 10 < 9 then 'semantic' else 'procedural' end,
    patient || ' ' || repeat('prefers morning visits and is told by letter. ', 3),
    'agent' || pg_temp.one_of(agents, n, 80),
    round(pg_temp.chance(n, 81)::numeric, 2), begun + pg_temp.chance(n, 82) * interval '30 days',
    jsonb_build_object('patient', patient, 'topic', 'topic' || n % 40)
from size, visits;

insert into hacs_registry.knowledge_items (id, created_at, updated_at, content, source, metadata)
select
    'k' || n, pg_temp.arrival(n, patients), pg_temp.arrival(n, patients),
        repeat('Give the first dose within one hour. ', 10),
    'https://guidelines.example/' || n, jsonb_build_object(
        'topic', 'topic' || floor(400 * power(pg_temp.chance(n, 90), 2)),
        'language', case when n % 10 = 0 then 'de' else 'en' end,
        'tags', jsonb_build_array('tag' || n % 97, 'tag' || n % 89), 'year', 2000 + n % 26
    )
from size, generate_series(1, patients) as s (n);

insert into hacs_registry.templates (id, name, version, template_type, body, status)
select 'w' || n, 'Template ' || n / 3, n % 3 + 1, 'prompt', '{"text": "…"}', 'active'
from size, generate_series(1, organizations) as s (n);

insert into hacs_core.resources (id, resource_type, data)
select 'r' || n, 'CarePlan', jsonb_build_object('id', 'r' || n, 'title', 'Plan ' || n)
from size, generate_series(1, organizations) as s (n);

commit;

-------------------------------------------------------------------------------------------------------------------
-- The audit on, and the changes: half of the patients twice, the newest tasks and messages, a few corrected results.
-------------------------------------------------------------------------------------------------------------------

select format('alter table %s enable always trigger %I', tgrelid::regclass, tgname) from pg_trigger
    where tgname in ('audit_insert', 'audit_update', 'audit_delete') \gexec

-- For the planner, which would scan a table of which it knows nothing once for each practitioner.
analyze;

do $$
declare
    rows constant bigint := (select count(*) from hacs_core.observations);
begin
    for doctor in 0..49 loop
        perform hacs_audit.set_actor('practitioner/dr' || doctor, 'treatment', 'request-' || doctor);
        update hacs_core.patients set phone = '+1 556 ' || doctor
        where id = any (select 'p' || n from generate_series(doctor, rows / 10, 50) as s (n));
        update hacs_clinical.tasks set completion_percentage = 50, last_modified = last_modified + interval '1 hour'
        where id = any (select 't' || n from generate_series(doctor, rows / 10, 50) as s (n));
        update hacs_core.observations set status = 'corrected', notes = 'checked'
        where id = any (select 'o' || n from generate_series(doctor * 50, rows, 2500) as s (n));
        update hacs_core.patients set active = not active
        where id = any (select 'p' || n from generate_series(doctor, rows / 20, 50) as s (n));
    end loop;
    update hacs_agents.memories set id = id || '-moved' where id in ('y1', 'y2');
end
$$;
