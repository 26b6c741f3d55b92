-- A good row for each table of the published forms, as people's own SQL writes them.
insert into hacs_core.organizations (id, name, identifier, type, contact, alias, created_at, updated_at) values
    ('org', 'Ward', '[{"system": "urn:x", "value": "W1"}, "W2"]', '[{"text": "ward"}]', '[{"name": "Bob"}]', '{Station}',
        '2025-07-01 10:00+00', '2025-07-02 10:00+00');
insert into hacs_core.organization_contacts (id, organization_id, name_family, name_given) values ('oc', 'org', 'Bee', '{Bob}');
insert into hacs_core.organization_qualifications (id, organization_id, code, identifier)
    values ('oq', 'org', '{"text": "licensed"}', '[{"value": "L1"}]');
insert into hacs_core.patients (id, given, family, full_name, birth_date, gender, photo_url, telecom, address, managing_organization)
    values ('p', '{Ada, Maria}', 'Lovelace', 'Ada Lovelace', '1985-12-10', 'female', 'ada.png', '[{"value": "1"}]', '[{"city": "B"}]', 'Organization/org');
insert into hacs_core.encounters (id, status, class, subject, period, appointment, type, reason_reference)
    values ('e', 'finished', '{"code": "AMB", "system": "urn:v3"}', 'Patient/p', '{"start": "2025-07-01"}', '{urn:a, urn:b}',
        '[{"text": "visit"}]', '{Condition/c}');
insert into hacs_core.observations (id, status, code, subject, encounter, effective_datetime, value_quantity, note, performer)
    values ('o', 'final', '{"text": "heart rate"}', 'Patient/p', 'Encounter/e', '2025-07-01 10:00+00', '{"value": 60}', '[{"text": "calm"}]', '{Practitioner/d}');
insert into hacs_core.observations (id, status, code, subject, data_absent_reason)
    values ('o2', 'final', '{"text": "heart rate"}', 'Patient/p', '{"coding": [{"code": "not-asked"}], "text": "nobody asked"}');
insert into hacs_core.resources (id, resource_type, data, created_by) values ('res', 'Device', '{"name": "pump"}', 'doctor/1');
insert into hacs_clinical.conditions (id, clinical_status, subject, encounter, onset_datetime, recorded_date, code)
    values ('c', '{"coding": [{"code": "active"}]}', 'Patient/p', 'Encounter/e', '2025-01-02 03:04+00', '2025-01-03', '{"text": "cold"}');
insert into hacs_clinical.medications (id, code, status) values ('m', '{"text": "aspirin"}', 'active');
insert into hacs_clinical.medication_requests (id, status, intent, subject, medication_codeable_concept, authored_on)
    values ('mr', 'active', 'order', 'Patient/p', '{"text": "aspirin"}', '2025-07-01 10:00+00');
insert into hacs_clinical.procedures (id, status, subject, performed_datetime, code, report, based_on)
    values ('pr', 'completed', 'Patient/p', '2025-07-01 10:00+00', '{"text": "x-ray"}', '{DiagnosticReport/r}', '{ServiceRequest/s}');
insert into hacs_clinical.allergy_intolerances (id, clinical_status, patient, code, category)
    values ('al', '{"coding": [{"code": "active"}]}', 'Patient/p', '{"text": "nuts"}', '{food}');
insert into hacs_clinical.goals (id, lifecycle_status, description, subject, start_date, addresses)
    values ('g', 'active', '{"text": "walk"}', 'Patient/p', '2025-07-01', '{Condition/c}');
insert into hacs_clinical.service_requests (id, status, intent, subject, code, occurrence_datetime, patient_instruction, specimen)
    values ('s', 'active', 'order', 'Patient/p', '{"text": "x-ray"}', '2025-07-01 10:00+00', 'come fasting', '{Specimen/sp}');
insert into hacs_clinical.family_member_history (id, status, patient, relationship, born_date)
    values ('f', 'completed', 'Patient/p', '{"text": "mother"}', '1950-01-01');
insert into hacs_clinical.risk_assessments (id, status, subject, occurrence_datetime, basis, condition)
    values ('r', 'final', 'Patient/p', '2025-07-01 10:00+00', '{Observation/o}', 'Condition/c');
insert into hacs_clinical.plan_definitions (id, status, title, approval_date) values ('pd', 'draft', 'A plan', '2025-07-01');
insert into hacs_clinical.activity_definitions (id, status, title, subject_reference) values ('ad', 'draft', 'An act', 'Group/g');
insert into hacs_clinical.libraries (id, status, type, title) values ('l', 'draft', '{"text": "logic"}', 'A library');
insert into hacs_clinical.evidence_variables (id, status, characteristic) values ('ev', 'draft', '[{"description": "x"}]');
insert into hacs_registry.knowledge_items (id, title, content, tags, metadata, source)
    values ('k', 'Aspirin', 'It thins the blood.', '{drug}', '{"page": 1}', 'a book');
insert into hacs_registry.model_versions (id, version, schema_definition) values ('v', '1', '{}');
insert into hacs_agents.memory_blocks (id, agent_id, memory_type, content, importance_score, tags)
    values ('mb', 'agent/1', 'episodic', 'She likes tea.', 0.9, '{tea}');
insert into hacs_agents.agent_messages (id, agent_id, role, content, session_id) values ('am', 'agent/1', 'assistant', 'Hello.', 's1');
insert into hacs_agents.actor_sessions (id, actor_id) values ('as', 'doctor/1');
insert into hacs_admin.system_configuration (id, config_key, config_value) values ('sc', 'ui.colour', '"blue"'), ('sd', 'UI Colour', '"red"');
insert into hacs_audit.system_audit_log (id, action) values ('log', 'login');
