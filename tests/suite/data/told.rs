//! What docs/data.md says of the things that no rule of HACS is about.

use serde_json::json;

use crate::data::put::{get, put, reason};
use crate::database::Database;

const TEXT: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/data.md"));

/// Whether the document says it, wherever its lines break.
fn is_told(sentence: &str) -> bool {
    TEXT.split_whitespace().collect::<Vec<_>>().join(" ").contains(sentence)
}

#[test]
fn partial_dates_are_kept_inside_json_and_refused_in_columns_and_times_of_nested_models() {
    assert!(is_told("**Partial dates** such as `1985-03` are allowed inside JSON, for example in periods"));
    assert!(is_told("(such as `onset` of an allergy's reaction), accept only complete dates"));
    let database = Database::migrated();
    let mut client = database.client();
    let period = json!({"resource_type": "Encounter", "id": "e", "class": "AMB", "status": "planned", "subject": "urn:x",
        "period": {"start": "1985-03", "end": "1986"}});
    put(&mut client, &period, None).unwrap();
    assert_eq!(get(&mut client, "Encounter", "e")["period"], period["period"]);
    let patient = json!({"resource_type": "Patient", "id": "p", "full_name": "X", "birth_date": "1985-03"});
    let refused = put(&mut client, &patient, None).err().unwrap();
    assert_eq!(reason(&refused), ("22023".into(), "birth_date".into(), String::new()));
    put(&mut client, &json!({"resource_type": "Patient", "id": "p", "full_name": "X"}), None).unwrap();
    for (onset, is_taken) in [("1985-03", false), ("1985-03-04T00:00:00Z", true)] {
        let allergy = json!({"resource_type": "AllergyIntolerance", "id": "a", "patient": "Patient/p", "code": {"text": "x"},
            "clinical_status": "active", "reaction": [{"manifestation": [{"text": "hives"}], "onset": onset}]});
        let put = put(&mut client, &allergy, None);
        assert_eq!(put.is_ok(), is_taken, "{onset}: {:?}", put.err());
    }
}

#[test]
fn a_null_character_is_refused_and_truncate_needs_a_word() {
    assert!(is_told("PostgreSQL itself refuses a text with `\\u0000` (SQLSTATE 22P05)."));
    assert!(is_told("say `set local hacs_audit.allow_truncate = 'on'`"));
    let database = Database::migrated();
    let mut client = database.client();
    let document = r#"{"resource_type": "Patient", "id": "p", "full_name": "a\u0000b"}"#;
    let refused = client.execute("select hacs_core.put($1::text::jsonb)", &[&document]).unwrap_err();
    assert_eq!(refused.code().unwrap().code(), "22P05");
    assert!(client.batch_execute("truncate hacs_agents.memories").is_err());
    client
        .batch_execute("begin; set local hacs_audit.allow_truncate = 'on'; truncate hacs_agents.memories; rollback")
        .unwrap();
}

/// As a model of Django does: no generated column is named, and none that has a default and is not used.
#[test]
fn an_orm_leaves_out_generated_columns_and_those_with_a_default() {
    assert!(is_told("A model leaves out columns that have a default and that it does not use"));
    let database = Database::migrated();
    let mut client = database.client();
    let generated = "select string_agg(a.attname, ' ' order by a.attname) from pg_attribute as a
        where a.attrelid = 'hacs_core.observations'::regclass and a.attgenerated <> ''";
    let generated = database.text(generated);
    assert!(generated.split(' ').any(|column| column == "patient_id"), "{generated}");
    let refused =
        client.batch_execute("insert into hacs_core.observations (id, patient_id) values ('o', 'p')").unwrap_err();
    assert_eq!(refused.code().unwrap().code(), "428C9");
    client
        .batch_execute(
            "insert into hacs_core.patients (id, full_name, given) values ('p', 'X', array['Ada']);
             insert into hacs_core.observations (id, subject, value_integer) values ('o', 'Patient/p', 0)",
        )
        .unwrap();
    let found = "select o.patient_id || ' ' || (cast(p.given as text[]))[1] from hacs_core.observations as o
        join hacs_core.patients as p on p.id = o.patient_id where cast(p.given as text[]) @> array['Ada']";
    assert_eq!(database.text(found), "p Ada");
}
