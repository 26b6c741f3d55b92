//! Many writers at once, tables that stood there before, and all documents of both generations.

use std::thread;

use postgres::{Client, NoTls};
use serde_json::{Value, json};

use super::{Adapter, at_connection, differences, follow, followed, observation, patient, refused};
use crate::database::Database;
use crate::pgbouncer::PgBouncer;
use crate::server::Server;

#[test]
fn eight_connections_at_once_leave_both_tables_alike_directly_and_through_pgbouncer() {
    let server = Server::start(&[]);
    let database = Database::migrated_on(&server);
    follow(&database, "note");
    let bouncer = PgBouncer::start(&server, 4);
    let connect = |through: bool| {
        if through { Client::connect(&bouncer.url(&database.name), NoTls).unwrap() } else { database.client() }
    };
    thread::scope(|scope| {
        for worker in 0..8 {
            let mut service = connect(worker % 2 == 0);
            scope.spawn(move || {
                for turn in 0..25 {
                    // All of them write the same few patients, and each its own observations.
                    let shared = format!("p{}", turn % 3);
                    let own = format!("o{worker}-{turn}");
                    // Through a pooler of transactions no statement can be prepared beyond one.
                    let mut transaction = service.transaction().unwrap();
                    transaction
                        .save(&patient(&shared, &format!("of {worker} in {turn}")), &format!("doctor/{worker}"))
                        .unwrap();
                    transaction.save(&observation(&own, &format!("Patient/{shared}")), "agent/1").unwrap();
                    if turn % 5 == 4 {
                        transaction.delete("Observation", &own).unwrap();
                    }
                    transaction.commit().unwrap();
                }
            });
        }
    });
    assert_eq!((refused(&database), differences(&database)), (String::new(), String::new()));
    assert_eq!(database.text("select count(*) from hacs_core.observations"), "160");
    assert_eq!(database.text("select count(*) from public.hacs_resources"), "163");
}

#[test]
fn rows_that_stood_there_before_come_in_by_steps_and_no_writer_waits_for_it() {
    let database = Database::migrated();
    let mut service = database.client();
    service.batch_execute(at_connection()).unwrap();
    service.save(&observation("o1", "Patient/p1"), "doctor/1").unwrap();
    for number in 1..=30 {
        service.save(&patient(&format!("p{number}"), "Byron"), "doctor/1").unwrap();
    }
    service.save(&json!({"resource_type": "Patient", "id": "p31"}), "doctor/1").unwrap();
    follow(&database, "refuse");
    assert_eq!(database.text("select count(*) from hacs_core.patients"), "0");
    let mut steps = database.client();
    let mut last = String::new();
    let mut read = 0;
    loop {
        let mut step = steps.transaction().unwrap();
        let row =
            step.query_one("select * from hacs_core.follow_again('public.hacs_resources', $1, 7)", &[&last]).unwrap();
        if read == 0 {
            // While a step is open, others write; even a row that it has read, once it is over.
            service.save(&patient("p99", "Hopper"), "doctor/2").unwrap();
        }
        step.commit().unwrap();
        read += row.get::<_, i64>("read");
        match row.get::<_, Option<String>>("last") {
            Some(next) => last = next,
            None => break,
        }
    }
    assert_eq!(read, 33);
    // o1 came before its patient: it is tried again.
    assert_eq!(refused(&database), "o1 observations_patient_id_fkey, p31 patients_name_present");
    assert_eq!(database.text("select refused from hacs_core.follow_again('public.hacs_resources')"), "1");
    assert_eq!(refused(&database), "p31 patients_name_present");
    assert_eq!(differences(&database), "p31 is not stored");
    assert_eq!(
        database.text("select distinct actor_id from hacs_audit.resource_changes where resource_id = 'o1'"),
        "doctor/1"
    );
}

#[test]
fn what_was_written_while_it_was_not_followed_is_seen_and_comes_in_again() {
    let database = followed("note");
    let mut service = database.client();
    service.save(&patient("p1", "Byron"), "doctor/1").unwrap();
    service.batch_execute("select hacs_core.unfollow('public.hacs_resources')").unwrap();
    service.save(&patient("p1", "King"), "doctor/1").unwrap();
    service.save(&patient("p2", "Hopper"), "doctor/1").unwrap();
    assert_eq!(database.text("select family from hacs_core.patients"), "Byron");
    assert_eq!(database.text("select to_regclass('public.hacs_resources_refused')"), "null");
    assert_eq!(database.text("select count(*) from pg_trigger where tgrelid = 'public.hacs_resources'::regclass"), "0");
    follow(&database, "refuse");
    assert_eq!(differences(&database), "p1 says something else here: family; p2 is not stored");
    database.text("select refused from hacs_core.follow_again('public.hacs_resources')");
    assert_eq!(differences(&database), "");
    service.batch_execute("update hacs_core.patients set gender = 'female', given = '{}' where id = 'p2'").unwrap();
    assert_eq!(differences(&database), "p2 says something else here: gender, given, updated_at");
}

#[test]
fn each_valid_document_says_the_same_in_both() {
    let database = followed("note");
    let mut service = database.client();
    let text = include_str!("../../../data/valid.ndjson");
    // One of them is deeper than this reader goes.
    let read = |line| Some(serde_json::from_str::<Value>(line).ok()?["doc"].clone());
    let documents: Vec<Value> = text.lines().filter_map(read).collect();
    assert!(documents.len() > text.lines().count() - 3);
    let mut ids = std::collections::BTreeSet::new();
    // One id has one row here, whatever its type.
    for document in documents.iter().filter(|document| ids.insert(document["id"].to_string())) {
        service.save(document, "doctor/1").unwrap();
    }
    database.text("select refused from hacs_core.follow_again('public.hacs_resources')");
    assert_eq!((refused(&database), differences(&database)), (String::new(), String::new()));
}

#[test]
fn each_document_of_the_later_generation_says_the_same_in_both() {
    let database = followed("note");
    let mut service = database.client();
    for line in include_str!("../../../data/generation-0.4/samples.ndjson").lines() {
        service.save(&serde_json::from_str::<Value>(line).unwrap()["doc"], "doctor/1").unwrap();
    }
    database.text("select refused from hacs_core.follow_again('public.hacs_resources')");
    // Those two are named in the mapping: there is no substitute for what they lack.
    assert_eq!(refused(&database), "enc-06 subject, orgc-1 organization_id");
    assert_eq!(differences(&database), "enc-06 is not stored; orgc-1 is not stored");
}
