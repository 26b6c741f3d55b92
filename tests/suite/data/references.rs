use std::thread;

use postgres::Client;

use crate::database::{Database, until};
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
        ("Patient/1#x", Some("1#x"), Some("1#x")),
        ("Patient/1//2", Some("1//2"), Some("1//2")),
        ("Patient/a/b", Some("a/b"), Some("a/b")),
        ("Patient/a/b/_history/2", Some("a/b"), Some("a/b")),
        ("Patient//a", Some("/a"), Some("/a")),
        ("Patient/urn:uuid:0", Some("urn:uuid:0"), Some("urn:uuid:0")),
        ("Patient/1/_history", Some("1"), Some("1")),
        ("Patient/1/_history/2#x", Some("1"), Some("1")),
        ("Patient/1/_hist", Some("1/_hist"), Some("1/_hist")),
        ("Patient/_history/2", None, None),
        ("/Patient/1", None, None),
        ("https://example.org/fhir/Patient/123", None, None),
        ("urn:uuid:0", None, None),
        ("Practitioner/123", None, None),
        ("Patient/123/Observation/4", Some("123/Observation/4"), Some("123/Observation/4")),
        ("Patient?identifier=1", None, None),
        ("Patient/1?x", Some("1?x"), Some("1?x")),
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
            not c.condeferrable or c.condeferred or c.confdeltype = 'r' or c.confupdtype = 'r' or not exists (
                select from pg_index as i
                where i.indrelid = c.conrelid and i.indisvalid
                    and (i.indkey::int2[])[0:cardinality(c.conkey) - 1] @> c.conkey
            )
        )";
    database.client().query(query, &[]).unwrap().iter().map(|row| row.get(0)).collect()
}

#[test]
fn every_id_that_is_taken_is_reached_by_a_reference_and_every_other_is_refused() {
    let database = Database::migrated();
    let mut client = database.client();
    let long = "x".repeat(2048);
    let too_long = "x".repeat(2049);
    let wide = "é".repeat(1025);
    let ids =
        ["a/b", "a?b", "a#b", "a:b", "/a", "a//b", "history", "a b", "a/_hist", "https://example.org/1", " a", &long];
    for id in ids {
        let insert = "with p as (insert into hacs_core.patients (id, full_name) values ($1, 'x')) select";
        client.execute(insert, &[&id]).unwrap_or_else(|error| panic!("{id}: {error:?}"));
        for end in ["", "/", "/_history", "/_history/7"] {
            let insert = "insert into hacs_core.observations (subject, value_integer)
                values ($1, 0) returning patient_id";
            let reached: Option<String> = client.query_one(insert, &[&format!("Patient/{id}{end}")]).unwrap().get(0);
            assert_eq!(reached.as_deref(), Some(id), "{end}");
        }
    }
    let refused = [
        "",
        " ",
        "\t\n",
        "\u{a0}",
        "a/",
        "/",
        "a/_history",
        "a/_history/1",
        "a/_history/",
        "_history",
        "_history/a",
        &too_long,
        &wide,
    ];
    for id in refused {
        let error =
            client.execute("insert into hacs_core.patients (id, full_name) values ($1, 'x')", &[&id]).unwrap_err();
        assert_eq!(error.as_db_error().unwrap().constraint(), Some("patients_id_form"), "{id}");
    }
}

#[test]
fn a_bundle_may_replace_a_record_that_others_refer_to() {
    let database = Database::migrated();
    let mut client = database.client();
    client
        .batch_execute(
            "insert into hacs_core.patients (id, family) values ('p', 'P');
             insert into hacs_core.observations (subject, value_integer) values ('Patient/p', 1);
             begin;
             set constraints all deferred;
             delete from hacs_core.patients;
             insert into hacs_core.patients (id, family) values ('p', 'Q');
             commit",
        )
        .unwrap();
    assert_eq!(database.text("select family from hacs_core.patients"), "Q");
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
        let waits = "select exists (select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database())";
        until("the second waits or has ended", || other.is_finished() || database.text(waits) == "t");
        let committed = first.batch_execute("commit").is_ok();
        let other = other.join().unwrap().is_ok();
        assert!(committed != other, "{isolation}: {committed} {other}");
    }
}

#[test]
fn an_organization_that_is_changed_and_gets_a_child_waits_for_no_other_child() {
    for isolation in ["read committed", "repeatable read"] {
        let database = Database::migrated();
        let (mut first, mut second) = (database.client(), database.client());
        organizations(&mut first, "insert into hacs_core.organizations (id, name) values ('a', 'A')").unwrap();
        first.batch_execute(&format!("begin isolation level {isolation}")).unwrap();
        second.batch_execute(&format!("begin isolation level {isolation}")).unwrap();
        let child = |id| {
            format!("insert into hacs_core.organizations (id, name, part_of_organization_id) values ('{id}', 'C', 'a')")
        };
        first.batch_execute("update hacs_core.organizations set name = 'B' where id = 'a'").unwrap();
        // Without a wait: a lock timeout would end one.
        second.batch_execute("set lock_timeout = '10s'").unwrap();
        second.batch_execute(&child("c2")).unwrap();
        first.batch_execute(&child("c1")).unwrap();
        second.batch_execute("commit").unwrap();
        first.batch_execute("commit").unwrap();
    }
}

#[test]
fn a_circle_over_a_new_key_or_over_what_is_newer_than_the_transaction_is_refused() {
    let database = Database::migrated();
    let mut client = database.client();
    organizations(&mut client, "insert into hacs_core.organizations (id, name) values ('a', 'A'), ('c', 'C')").unwrap();
    let keys = "begin; set constraints all deferred;
        update hacs_core.organizations set part_of_organization_id = 'b' where id = 'c';
        update hacs_core.organizations set part_of_organization_id = 'c', id = 'b' where id = 'a'; commit";
    let error = client.batch_execute(keys).unwrap_err();
    assert_eq!(error.as_db_error().unwrap().constraint(), Some("organizations_part_of_acyclic"));
    client
        .batch_execute("rollback; begin isolation level repeatable read; select from hacs_core.organizations")
        .unwrap();
    organizations(
        &mut database.client(),
        "insert into hacs_core.organizations (id, name, part_of_organization_id) values ('new', 'N', 'a')",
    )
    .unwrap();
    let error = client
        .batch_execute("update hacs_core.organizations set part_of_organization_id = 'new' where id = 'a'")
        .unwrap_err();
    assert!(["23503", "40001"].contains(&error.as_db_error().unwrap().code().code()), "{error:?}");
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

/// A record that names a patient of this database names one who is there, whatever it is a record of.
#[test]
fn every_column_that_names_the_patient_of_a_record_is_a_foreign_key() {
    let database = Database::migrated();
    let query = "select coalesce(string_agg(t.tgrelid::regclass::text, ' '), '')
        from pg_trigger as t
        cross join lateral string_to_array(encode(t.tgargs, 'escape'), '\\000') as a (list)
        join pg_attribute as p on p.attrelid = t.tgrelid and p.attname = a.list[5] and p.attgenerated <> ''
        where t.tgname = 'audit_row' and not exists (
            select 1 from pg_constraint as c
            where c.conrelid = t.tgrelid and c.contype = 'f' and c.conkey = array[p.attnum]
                and c.confrelid = 'hacs_core.patients'::regclass
        )";
    assert_eq!(database.text(query), "");
    let goal = "insert into hacs_clinical.goals (lifecycle_status, description, subject) values ('active', '{\"text\": \"x\"}', jsonb_build_object('reference', $1::text))";
    let mut client = database.client();
    for (subject, is_looked_for) in [("Patient/nobody", true), ("nobody", false), ("Organization/o", false)] {
        let end = client.execute(goal, &[&subject]);
        let refused =
            end.is_err_and(|error| error.as_db_error().unwrap().constraint() == Some("goals_patient_id_fkey"));
        assert_eq!(refused, is_looked_for, "{subject}");
    }
}
