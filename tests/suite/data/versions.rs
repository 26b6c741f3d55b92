//! Documents that several write: `if_version`, `patch`, and who may write at all.

use std::sync::atomic::{AtomicI64, Ordering};

use postgres::Client;
use serde_json::json;

use crate::data::put::{put, reason};
use crate::database::{Database, ended};
use crate::server;

/// Raises the number in a document, read and put again where another one came first.
fn raise(client: &mut Client, tries: &AtomicI64) {
    loop {
        let row = client.query_one("select age, version_id from hacs_core.patients where id = 'counter'", &[]).unwrap();
        let (age, version): (i32, i64) = (row.get(0), row.get(1));
        let next = json!({"resource_type": "Patient", "id": "counter", "full_name": "X", "age": (age + 1) % 150, "tries": age});
        tries.fetch_add(1, Ordering::Relaxed);
        match put(client, &next, Some(version)) {
            Ok(_) => return,
            Err(error) => assert_eq!(reason(&error).0, "40001", "{error:?}"),
        }
    }
}

#[test]
fn two_writers_that_say_which_version_they_read_lose_no_update_in_ten_thousand_tries() {
    let database = Database::migrated();
    put(
        &mut database.client(),
        &json!({"resource_type": "Patient", "id": "counter", "full_name": "X", "age": 0}),
        Some(0),
    )
    .unwrap();
    let (tries, done) = (AtomicI64::new(0), AtomicI64::new(0));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut client = database.client();
                client.batch_execute("set synchronous_commit = off").unwrap();
                while tries.load(Ordering::Relaxed) < 10_000 {
                    raise(&mut client, &tries);
                    done.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    let done = done.into_inner();
    assert!(tries.into_inner() >= 10_000);
    let found = database.text("select version_id || ' ' || age from hacs_core.patients");
    assert_eq!(found, format!("{} {}", done + 1, done % 150));
}

#[test]
fn patches_of_two_writers_lose_nothing_and_follow_the_rfc() {
    let database = Database::migrated();
    put(&mut database.client(), &json!({"resource_type": "CarePlan", "id": "c"}), None).unwrap();
    std::thread::scope(|scope| {
        for writer in 0..2 {
            let database = &database;
            scope.spawn(move || {
                let mut client = database.client();
                for number in 0..200 {
                    let patch = json!({format!("w{writer}_{number}"): true}).to_string();
                    client.execute("select hacs_core.patch('CarePlan', 'c', $1::text::jsonb)", &[&patch]).unwrap();
                }
            });
        }
    });
    assert_eq!(
        database.text("select count(*) from hacs_core.resources, jsonb_object_keys(data) as k where k like 'w%'"),
        "400"
    );
    assert_eq!(database.text("select version_id from hacs_core.resources"), "401");
    // the cases of RFC 7396, appendix A
    let cases = [
        (r#"{"a":"b"}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
        (r#"{"a":"b"}"#, r#"{"b":"c"}"#, r#"{"a":"b","b":"c"}"#),
        (r#"{"a":"b"}"#, r#"{"a":null}"#, "{}"),
        (r#"{"a":"b","b":"c"}"#, r#"{"a":null}"#, r#"{"b":"c"}"#),
        (r#"{"a":["b"]}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
        (r#"{"a":"c"}"#, r#"{"a":["b"]}"#, r#"{"a":["b"]}"#),
        (r#"{"a":{"b":"c"}}"#, r#"{"a":{"b":"d","c":null}}"#, r#"{"a":{"b":"d"}}"#),
        (r#"{"a":[{"b":"c"}]}"#, r#"{"a":[1]}"#, r#"{"a":[1]}"#),
        (r#"["a","b"]"#, r#"["c","d"]"#, r#"["c","d"]"#),
        (r#"{"a":"b"}"#, r#"["c"]"#, r#"["c"]"#),
        (r#"{"a":"foo"}"#, "null", "null"),
        (r#"{"e":null}"#, r#"{"a":1}"#, r#"{"e":null,"a":1}"#),
        ("[1,2]", r#"{"a":"b","c":null}"#, r#"{"a":"b"}"#),
        ("{}", r#"{"a":{"bb":{"ccc":null}}}"#, r#"{"a":{"bb":{}}}"#),
    ];
    for (target, patch, expected) in cases {
        let query = format!("select hacs_core.merged('{target}', '{patch}') = '{expected}'");
        assert_eq!(database.text(&query), "t", "{target} {patch}");
    }
}

#[test]
fn a_stale_version_is_refused_with_both_versions_by_each() {
    let database = Database::migrated();
    let mut client = database.client();
    let patient = json!({"resource_type": "Patient", "id": "p", "full_name": "X"});
    put(&mut client, &patient, Some(0)).unwrap();
    let calls = [
        "select hacs_core.put('{\"resource_type\": \"Patient\", \"id\": \"p\", \"full_name\": \"Y\"}', 7)",
        "select hacs_core.patch('Patient', 'p', '{}', 7)",
        "select hacs_core.remove('Patient', 'p', 7)",
    ];
    for call in calls {
        let error = client.batch_execute(call).unwrap_err();
        let db = error.as_db_error().unwrap();
        assert_eq!((db.code().code(), db.message()), ("40001", "Patient/p has version 1, not 7"), "{call}");
    }
    assert_eq!(reason(&put(&mut client, &patient, Some(0)).err().unwrap()).0, "40001");
    assert_eq!(database.text("select hacs_core.remove('Patient', 'p', 1)"), "t");
}

#[test]
fn the_role_of_the_application_writes_within_its_grants_and_row_rules_and_no_further() {
    let database = Database::migrated();
    let mut client = database.client();
    let app = format!("app_{}", database.name);
    client.batch_execute(&format!("create role {app}")).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/grant-app-role.sql");
    let mut psql = std::process::Command::new(server::bindir().join("psql"));
    psql.args(["-X", "-q", "-v", &format!("app_role={app}"), "-f", script, &database.conninfo()]);
    let end = ended(psql.output().unwrap());
    assert_eq!(end.code, Some(0), "{end:?}");
    client
        .batch_execute(&format!(
            "insert into hacs_core.patients (id, full_name) values ('hidden', 'H');
             alter table hacs_core.patients enable row level security;
             create policy own on hacs_core.patients to {app} using (id <> 'hidden');
             revoke insert on hacs_core.observations from {app}; set role {app}"
        ))
        .unwrap();
    let patient = |id: &str| json!({"resource_type": "Patient", "id": id, "full_name": "X"});
    assert!(put(&mut client, &patient("p"), None).unwrap().created);
    assert_eq!(
        put(&mut client, &json!({"resource_type": "Patient", "id": "p", "full_name": "Y"}), None).unwrap().version,
        2
    );
    let of_list = client.query("select hacs_core.put_all($1::text::jsonb)", &[&json!([patient("r")]).to_string()]);
    assert_eq!(of_list.unwrap().len(), 1);
    // the row that this role does not see is neither told nor touched
    let hidden = client.query_one("select hacs_core.get('Patient', 'hidden')::text", &[]).unwrap();
    assert_eq!(hidden.get::<_, Option<String>>(0), None);
    assert_eq!(reason(&put(&mut client, &patient("hidden"), None).err().unwrap()).0, "42501");
    let observation = json!({"resource_type": "Observation", "subject": "Patient/p", "value_integer": 1});
    assert_eq!(reason(&put(&mut client, &observation, None).err().unwrap()).0, "42501");
    let gone: bool = client.query_one("select hacs_core.remove('Patient', 'hidden')", &[]).unwrap().get(0);
    assert!(!gone);
    client.batch_execute("reset role").unwrap();
    let kept = "select full_name || version_id from hacs_core.patients where id = 'hidden'";
    assert_eq!(database.text(kept), "H1");
    client.batch_execute(&format!("drop owned by {app}; drop role {app}")).unwrap();
}
