use std::thread;
use std::time::Duration;

use postgres::Client;

use crate::database::Database;
use crate::documents::{self, Sample};

#[test]
fn a_reference_gives_a_local_id_in_its_local_forms_only() {
    let database = Database::migrated();
    let cases = [
        ("Patient/123", Some("123"), Some("123")),
        ("Patient/123/_history/2", Some("123"), Some("123")),
        ("123", Some("123"), None),
        ("a b", Some("a b"), None),
        ("Patient", Some("Patient"), None),
        ("Patient/123/", Some("123"), Some("123")),
        ("Patient/1#x", None, None),
        ("Patient/1//2", None, None),
        ("Patient/1/_history", Some("1"), Some("1")),
        ("Patient/1/_history/2#x", None, None),
        ("Patient/1/_hist", None, None),
        ("/Patient/1", None, None),
        ("https://example.org/fhir/Patient/123", None, None),
        ("urn:uuid:0", None, None),
        ("Practitioner/123", None, None),
        ("Patient/123/Observation/4", None, None),
        ("Patient?identifier=1", None, None),
        ("Patient/1?x", None, None),
        ("#contained", None, None),
        ("Patient/", None, None),
        ("", None, None),
    ];
    let mut client = database.client();
    for (written, any, typed) in cases {
        let query =
            "select hacs_core.reference_id($1::text, 'Patient'), hacs_core.reference_id($1::text, 'Patient', bare => false),
            hacs_core.reference_id(jsonb_build_object('reference', $1::text), 'Patient'),
            hacs_core.reference_id(jsonb_build_object('reference', $1::text), 'Patient', bare => false)";
        let row = client.query_one(query, &[&written]).unwrap();
        let found: Vec<Option<String>> = (0..4).map(|column| row.get(column)).collect();
        let expected = [any, typed, any, typed].map(|id| id.map(str::to_owned));
        assert_eq!(found, expected, "{written}");
    }
}

#[test]
fn a_reference_object_with_a_type_decides_what_its_bare_id_means() {
    let database = Database::migrated();
    let id = |object: &str, bare: bool| {
        database.text(&format!("select hacs_core.reference_id('{object}'::jsonb, 'Patient', {bare})"))
    };
    assert_eq!(id(r#"{"reference": "1", "type": "Patient"}"#, false), "1");
    assert_eq!(id(r#"{"reference": "1", "type": "Practitioner"}"#, true), "null");
    assert_eq!(id(r#"{"reference": "Patient/1", "type": "Practitioner"}"#, true), "1");
    for object in ["{}", r#"{"display": "x"}"#, r#"{"reference": null}"#, "[]", "null", "\"Patient/1\""] {
        assert_eq!(id(object, true), "null", "{object}");
    }
}

#[test]
fn a_whole_bundle_loads_in_any_order_when_constraints_are_deferred() {
    let database = Database::migrated();
    let mut samples = documents::valid();
    samples.reverse();
    let message = |id: &str, reply: &str| -> Sample {
        serde_json::from_value(serde_json::json!({
            "table": "hacs_agents.messages",
            "doc": {"id": id, "role": "agent", "content": "x", "in_reply_to": reply},
        }))
        .unwrap()
    };
    // references going both ways
    samples.extend([message("ping", "pong"), message("pong", "ping")]);

    let mut client = database.client();
    let mut transaction = client.transaction().unwrap();
    transaction.batch_execute("set constraints all deferred").unwrap();
    for sample in &samples {
        documents::insert(&mut transaction, sample).unwrap_or_else(|error| panic!("{}: {error:?}", sample.name()));
    }
    transaction.commit().unwrap();

    let mut transaction = client.transaction().unwrap();
    let error = documents::insert(&mut transaction, &message("new", "nobody")).unwrap_err();
    assert_eq!(error.as_db_error().unwrap().constraint(), Some("messages_in_reply_to_id_fkey"));
}

/// Foreign keys that cannot be deferred, or have no index.
pub fn loose(database: &Database) -> Vec<String> {
    let query = "
        select c.conrelid::regclass || '.' || c.conname
        from pg_constraint as c
        join pg_namespace as n on n.oid = c.connamespace
        where c.contype = 'f' and n.nspname like 'hacs\\_%' and (
            not c.condeferrable or c.condeferred or not exists (
                select from pg_index as i
                where i.indrelid = c.conrelid and i.indisvalid
                    and (i.indkey::int2[])[0:cardinality(c.conkey) - 1] @> c.conkey
            )
        )";
    database.client().query(query, &[]).unwrap().iter().map(|row| row.get(0)).collect()
}

#[test]
fn every_foreign_key_is_deferrable_and_indexed() {
    let database = Database::migrated();
    let faults = loose(&database);
    assert!(faults.is_empty(), "{faults:?}");
    assert!(database.text("select count(*) from pg_constraint where contype = 'f'").parse::<i32>().unwrap() > 30);
}

fn organizations(client: &mut Client, sql: &str) -> Result<(), postgres::Error> {
    client.batch_execute(sql)
}

#[test]
fn organizations_cannot_be_part_of_themselves_however_long_the_way() {
    let database = Database::migrated();
    let mut client = database.client();
    organizations(
        &mut client,
        "
        insert into hacs_core.organizations (id, name, part_of_organization_id)
        values ('a', 'A', null), ('b', 'B', 'a'), ('c', 'C', 'Organization/b'), ('d', 'D', 'c')",
    )
    .unwrap();
    for (child, parent, way) in [
        ("a", "a", "a -> a"),
        ("a", "b", "a -> b -> a"),
        ("a", "d", "a -> d -> c -> b -> a"),
        ("b", "d", "b -> d -> c -> b"),
    ] {
        let sql =
            format!("update hacs_core.organizations set part_of_organization_id = '{parent}' where id = '{child}'");
        let error = organizations(&mut client, &sql).unwrap_err();
        let db = error.as_db_error().unwrap();
        assert_eq!(db.constraint(), Some("organizations_part_of_acyclic"));
        assert_eq!(db.code().code(), "23514");
        assert_eq!(db.detail(), Some(format!("It is reached again by way of {way}.").as_str()));
    }
    organizations(&mut client, "update hacs_core.organizations set part_of_organization_id = 'a' where id = 'd'")
        .unwrap();
}

#[test]
fn a_circle_may_exist_for_a_moment_in_a_transaction_but_not_at_its_end() {
    let database = Database::migrated();
    let mut client = database.client();
    let make = "begin; set constraints all deferred;
        insert into hacs_core.organizations (id, name, part_of_organization_id) values ('a', 'A', 'b'), ('b', 'B', 'a');";
    let error = organizations(&mut client, &format!("{make} commit")).unwrap_err();
    assert_eq!(error.as_db_error().unwrap().constraint(), Some("organizations_part_of_acyclic"));
    client.batch_execute("rollback").unwrap();
    let mend = "update hacs_core.organizations set part_of_organization_id = null where id = 'a'; commit";
    organizations(&mut client, &format!("{make} {mend}")).unwrap();
}

#[test]
fn two_sessions_cannot_close_a_circle_between_them() {
    for isolation in ["read committed", "repeatable read", "serializable"] {
        let database = Database::migrated();
        let (mut first, mut second) = (database.client(), database.client());
        organizations(&mut first, "insert into hacs_core.organizations (id, name) values ('a', 'A'), ('b', 'B')")
            .unwrap();
        let begin = format!("begin isolation level {isolation}; select from hacs_core.organizations;");
        let set = |child, parent| {
            format!("update hacs_core.organizations set part_of_organization_id = '{parent}' where id = '{child}'")
        };
        first.batch_execute(&begin).unwrap();
        second.batch_execute(&begin).unwrap();
        first.batch_execute(&set("a", "b")).unwrap();
        let other = thread::spawn(move || {
            let result = second.batch_execute(&set("b", "a"));
            result.and_then(|()| second.batch_execute("commit"))
        });
        thread::sleep(Duration::from_millis(200));
        let committed = first.batch_execute("commit").is_ok();
        let other = other.join().unwrap().is_ok();
        assert!(committed != other, "{isolation}: {committed} {other}");
    }
}

#[test]
fn a_patient_with_records_stays_and_an_organization_takes_its_contacts_along() {
    let database = Database::migrated();
    let mut client = database.client();
    client.batch_execute("
        insert into hacs_core.patients (id, family) values ('p', 'P');
        insert into hacs_clinical.conditions (clinical_status, subject) values ('active', '{\"reference\": \"Patient/p\"}');
        insert into hacs_core.organizations (id, name) values ('o', 'O');
        insert into hacs_core.organization_contacts (organization_id) values ('o');
        insert into hacs_core.organization_qualifications (organization_id, code) values ('o', '{}')").unwrap();
    let error = client.batch_execute("delete from hacs_core.patients").unwrap_err();
    assert_eq!(error.as_db_error().unwrap().constraint(), Some("conditions_patient_id_fkey"));
    client.batch_execute("delete from hacs_core.organizations").unwrap();
    assert_eq!(database.text("select count(*) from hacs_core.organization_contacts"), "0");
    assert_eq!(database.text("select count(*) from hacs_core.organization_qualifications"), "0");
}
