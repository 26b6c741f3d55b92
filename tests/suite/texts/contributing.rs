//! CONTRIBUTING.md, followed to the letter: the resource that it adds is added here, from its own text.

use hacs_refinery::Options;
use postgres::Client;
use refinery::Migration;
use serde_json::{Value, json};

use crate::database::Database;
use crate::documents::{self, Sample, same};
use crate::schema::catalogue;

const TABLE: &str = "hacs_core.wards";

/// The only SQL of the guide.
fn guide() -> &'static str {
    let (_, rest) = include_str!("../../../CONTRIBUTING.md").split_once("```sql\n").expect("a block of SQL");
    let (sql, after) = rest.split_once("```\n").expect("its end");
    assert!(!after.contains("```sql"), "there is more than one block of SQL");
    sql
}

/// A database with the embedded migrations and the guide's as the next.
fn with_wards() -> Database {
    let database = Database::migrated();
    let mut options = Options::default();
    options.migrations.push(Migration::unapplied("V100__wards.sql", guide()).unwrap());
    let report = hacs_refinery::migrate(&mut database.client(), &options).unwrap();
    assert_eq!(report.applied.iter().map(|applied| applied.version).collect::<Vec<_>>(), [100]);
    database
}

fn store(client: &mut Client, document: Value) -> Result<Value, postgres::Error> {
    let Value::Object(document) = document else { panic!("{document}") };
    let sample = Sample {
        table: TABLE.into(),
        document,
        context: serde_json::Map::new(),
        rule: String::new(),
        field: String::new(),
    };
    documents::insert(client, &sample)
}

#[test]
fn the_resource_of_the_guide_keeps_every_convention() {
    let database = with_wards();
    assert_eq!(
        database.text("select audit from hacs_audit.coverage where table_name = 'wards'"),
        "complete",
        "the audit of the new table"
    );
    catalogue::keeps_the_conventions(&database);
    let unnamed = "select coalesce(string_agg(conname, ' '), 'none') from pg_constraint
        where conrelid = 'hacs_core.wards'::regclass and (conname !~ '^wards_' or conname ~ '_check[0-9]*$')";
    assert_eq!(database.text(unnamed), "none");
}

#[test]
fn the_migration_of_the_guide_can_be_run_again_without_changing_anything() {
    let database = with_wards();
    let before = database.dump();
    database.client().batch_execute(guide()).unwrap();
    assert_eq!(database.dump(), before);
}

#[test]
fn a_document_of_the_guides_resource_goes_in_and_out_and_leaves_a_trail() {
    let database = with_wards();
    let mut client = database.client();
    client
        .batch_execute("set timezone = 'UTC'; insert into hacs_core.organizations (id, name) values ('o', 'Clinic')")
        .unwrap();
    let document = json!({
        "id": "w1", "resource_type": "Ward", "created_at": "2026-01-01T12:00:00Z", "updated_at": "2026-01-02T12:00:00Z",
        "name": "3 East", "status": "suspended", "beds": 0, "specialty": [{"text": "Cardiology"}],
        "opened": {"start": "1985-03"}, "managing_organization": "Organization/o", "tags": ["quiet"], "colour": "green"
    });
    let stored = store(&mut client, document.clone()).unwrap();
    for (key, given) in document.as_object().unwrap() {
        let found = stored.get(key).or_else(|| stored["extra"].get(key));
        assert!(found.is_some_and(|found| same(given, found)), "{key}: {given} became {found:?}");
    }
    assert_eq!(stored["managing_organization_id"], "o");

    let taken: String = client.query_one("select hacs_core.get('Ward', 'w1')::text", &[]).unwrap().get(0);
    client.execute("select hacs_core.put($1::text::jsonb || '{\"id\": \"w2\"}')", &[&taken]).unwrap();
    let given: Value = serde_json::from_str(&taken.replace("w1", "w2")).unwrap();
    let found: String = client.query_one("select hacs_core.get('Ward', 'w2')::text", &[]).unwrap().get(0);
    assert_eq!(serde_json::from_str::<Value>(&found).unwrap(), given);
    assert_eq!(client.execute("delete from hacs_core.wards where id = 'w2'", &[]).unwrap(), 1);

    client.batch_execute("update hacs_core.wards set beds = 12").unwrap();
    assert_eq!(database.text("select updated_at > '2026-01-03' from hacs_core.wards"), "t");
    let trail = "select string_agg(operation || ' ' || resource_type, ', ' order by change_id)
        from hacs_audit.history('Ward', 'w1')";
    assert_eq!(database.text(trail), "INSERT Ward, UPDATE Ward");
}

#[test]
fn the_rules_of_the_guides_resource_refuse_by_name() {
    let database = with_wards();
    let mut client = database.client();
    store(&mut client, json!({"name": "3 East"})).expect("the minimal row of the guide");
    let cases = [
        (json!({"resource_type": "Location"}), "wards_resource_type_valid"),
        (json!({"status": "open"}), "wards_status_valid"),
        (json!({"beds": -1}), "wards_beds_range"),
        (json!({"specialty": {"text": "Cardiology"}}), "wards_specialty_list"),
        (json!({"opened": []}), "wards_opened_object"),
        (json!({"opened": {"start": "2024-01-02", "end": "2024-01-01"}}), "wards_opened_per_1"),
        (json!({"extra": []}), "wards_extra_object"),
        (json!({"created_at": "infinity"}), "wards_times_finite"),
        (json!({"name": " "}), "wards_name_present"),
        (json!({"managing_organization": "Organization/nobody"}), "wards_managing_organization_id_fkey"),
    ];
    for (change, constraint) in cases {
        let mut document = json!({"name": "3 East"});
        document.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let error = store(&mut client, document).expect_err(constraint);
        assert_eq!(error.as_db_error().and_then(|db| db.constraint()), Some(constraint), "{error:?}");
    }
}
