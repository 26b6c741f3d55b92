//! The typed tables of the Python system, in both published forms and in parts of them.

use serde_json::{Value, json};

use super::{adopt, adopted, counts, reasons};
use crate::database::Database;
use crate::documents;
use crate::python::{AUGUST, JULY, database};

const ROWS: &str = include_str!("../../data/legacy/rows.sql");

/// A row in every table; July calls a column of one of them otherwise.
fn filled(form: &str) -> Database {
    let database = database(form);
    let rows = if form == JULY {
        ROWS.replace(
            "(id, version, schema_definition) values ('v',",
            "(id, model_name, version, schema_definition) values ('v', 'x',",
        )
    } else {
        ROWS.replace(
            "(id, version, schema_definition) values ('v',",
            "(id, resource_name, version, schema_definition) values ('v', 'x',",
        )
    };
    database.client().batch_execute(&rows).unwrap_or_else(|error| panic!("{error:?}"));
    database
}

fn document(database: &Database, of: &str) -> Value {
    let (resource, id) = of.split_once('/').unwrap();
    documents::parse(&database.text(&format!("select hacs_core.get('{resource}', '{id}')")))
}

#[test]
fn a_row_of_every_table_of_both_forms_moves_in() {
    for form in [JULY, AUGUST] {
        let database = filled(form);
        let tables: Vec<String> =
            serde_json::from_str::<Value>(form).unwrap().as_object().unwrap().keys().cloned().collect();
        let (code, report) = adopted(&database, &[]);
        assert_eq!(code, Some(9), "{report:#}");
        let mut read = 0;
        for table in &tables {
            let [rows, taken, before, older, aside, left] = counts(&report, table);
            let expected = match table.as_str() {
                "hacs_admin.system_configuration" => (1, 1),
                _ => (rows - left, 0),
            };
            assert_eq!(((taken, aside), before, older), (expected, 0, 0), "{table}: {:?}", reasons(&report, table));
            assert_eq!(left > 0, table == "hacs_audit.system_audit_log", "{table}");
            read += taken;
        }
        assert_eq!(reasons(&report, "hacs_admin.system_configuration"), [("system_config_key_valid".to_owned(), 1)]);
        assert_eq!(read, 27, "{report:#}");
        let strange = "select count(*) from hacs_audit.resource_changes where (actor_id, purpose) is distinct from ('adopt', 'migration')";
        assert_eq!(database.text(strange), "0");
        let end = database.run(&["verify", "--deep"]);
        assert_eq!(end.code, Some(0), "{end:?}");
    }
}

#[test]
fn columns_become_the_fields_of_the_current_models_and_nothing_is_lost() {
    let database = filled(AUGUST);
    assert_eq!(adopt(&database, &[]).code, Some(9));
    for (of, path, expected) in [
        ("Patient/p", "/given", json!(["Ada", "Maria"])),
        ("Patient/p", "/birth_date", json!("1985-12-10")),
        ("Patient/p", "/photo_url", json!("ada.png")),
        ("Organization/org", "/identifier", json!(["W1", "W2"])),
        ("Organization/org", "/hacs:legacy/identifier/0/system", json!("urn:x")),
        ("Organization/org", "/contact", json!([{"name": "Bob"}])),
        ("Organization/org", "/updated_at", json!("2025-07-02T10:00:00+00:00")),
        ("OrganizationContact/oc", "/organization_id", json!("org")),
        ("OrganizationContact/oc", "/name_family", json!("Bee")),
        ("OrganizationQualification/oq", "/identifier", json!(["L1"])),
        ("Encounter/e", "/class_fhir", json!("AMB")),
        ("Encounter/e", "/hacs:legacy/class/system", json!("urn:v3")),
        ("Encounter/e", "/appointment", json!("urn:a")),
        ("Encounter/e", "/hacs:legacy/appointment", json!(["urn:a", "urn:b"])),
        ("Observation/o", "/note", json!([{"text": "calm"}])),
        ("Observation/o", "/performer", json!(["Practitioner/d"])),
        ("Observation/o2", "/data_absent_reason", json!("not-asked")),
        ("Observation/o2", "/hacs:legacy/data_absent_reason/text", json!("nobody asked")),
        ("Condition/c", "/subject", json!({"reference": "Patient/p"})),
        ("Condition/c", "/clinical_status", json!("active")),
        ("Condition/c", "/onset_date_time", json!("2025-01-02T03:04:00+00:00")),
        ("Procedure/pr", "/occurrence_date_time", json!("2025-07-01T10:00:00+00:00")),
        ("Procedure/pr", "/report", json!([{"reference": "DiagnosticReport/r"}])),
        ("Goal/g", "/addresses", json!([{"reference": "Condition/c"}])),
        ("ServiceRequest/s", "/patient_instruction", json!([{"instruction_markdown": "come fasting"}])),
        ("RiskAssessment/r", "/condition", json!({"reference": "Condition/c"})),
        ("KnowledgeItem/k", "/title", json!("Aspirin")),
        ("KnowledgeItem/k", "/metadata", json!({"page": 1})),
        ("Memory/mb", "/importance", json!(0.9)),
        ("Memory/mb", "/actor_id", json!("agent/1")),
        ("Memory/mb", "/tags", json!(["tea"])),
        ("AgentMessage/am", "/session_id", json!("s1")),
        ("Device/res", "/name", json!("pump")),
        ("ActorSession/as", "/actor_id", json!("doctor/1")),
    ] {
        let found = document(&database, of);
        assert_eq!(found.pointer(path), Some(&expected), "{of} {path}: {found}");
    }
    assert_eq!(database.text("select value from hacs_admin.system_config where key = 'ui.colour'"), "\"blue\"");
}
