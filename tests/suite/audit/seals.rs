//! Seals, partitions, and what people ask of the trail.

use std::process::Command;

use postgres::Client;
use serde_json::Value;

use crate::database::Database;
use crate::server::{self, Server};

fn write(client: &mut Client, patients: std::ops::Range<i32>) {
    for n in patients {
        let sql = format!("insert into hacs_core.patients (id, family) values ('p{n}', 'P{n}')");
        client.batch_execute(&sql).unwrap();
    }
}

/// Number of seals that one call makes.
fn seal(database: &Database) -> String {
    database.text("select hacs_audit.seal()")
}

/// The first broken seal and its problem.
fn verdict(database: &Database) -> String {
    database
        .text("select coalesce(string_agg(seal_id || ': ' || problem, ', '), 'intact') from hacs_audit.verify_seals()")
}

fn sealed_database() -> Database {
    let database = Database::migrated();
    let mut client = database.client();
    for round in 0..3 {
        write(&mut client, round * 10..round * 10 + 10);
        assert_eq!(seal(&database), "1");
    }
    assert_eq!(verdict(&database), "intact");
    database
}

#[test]
fn each_change_is_sealed_once_and_nothing_is_left_to_seal() {
    let database = sealed_database();
    assert_eq!(seal(&database), "0");
    assert_eq!(
        database.text("select string_agg(counts[1]::text, ' ' order by seal_id) from hacs_audit.seals"),
        "10 10 10"
    );
}

#[test]
fn a_restored_dump_verifies_and_goes_on() {
    let database = sealed_database();
    write(&mut database.client(), 30..35);
    let dump = Command::new(server::bindir().join("pg_dump"))
        .args(["--format=custom", "--dbname", &database.conninfo()])
        .output()
        .unwrap();
    assert!(dump.status.success());

    // Another cluster: its transactions begin anew, far below those of the dump.
    let elsewhere = Server::start(&[]);
    let mut admin = elsewhere.config().connect(postgres::NoTls).unwrap();
    admin.batch_execute("create database restored").unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &dump.stdout).unwrap();
    let restore = Command::new(server::bindir().join("pg_restore"))
        .args(["--exit-on-error", "-h"])
        .arg(&elsewhere.dir)
        .args(["-U", "postgres", "-d", "restored"])
        .arg(file.path())
        .output()
        .unwrap();
    assert!(restore.status.success(), "{}", String::from_utf8_lossy(&restore.stderr));

    let mut client = elsewhere.config().dbname("restored").connect(postgres::NoTls).unwrap();
    let problems = |client: &mut Client| client.query("select * from hacs_audit.verify_seals()", &[]).unwrap().len();
    assert_eq!(problems(&mut client), 0);
    assert!(hacs_refinery::status(&mut client).unwrap().migration_complete);
    write(&mut client, 35..40);
    client.batch_execute("select hacs_audit.seal()").unwrap();
    assert_eq!(problems(&mut client), 0);
    let row = client
        .query_one("select sum(counts[1])::bigint, count(distinct system_identifier) from hacs_audit.seals", &[])
        .unwrap();
    assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1)), (40, 2));
}

#[test]
fn every_past_state_of_a_document_can_be_rebuilt() {
    let database = Database::migrated();
    let mut client = database.client();
    client.batch_execute("insert into hacs_core.patients (id, family) values ('x', 'X')").unwrap();
    let steps = [
        "insert into hacs_clinical.conditions (id, clinical_status, subject, extra) values ('c', 'active', '{\"reference\": \"Patient/x\"}', '{\"odd\": 1}')",
        "update hacs_clinical.conditions set clinical_status = 'relapse', note = '[{\"text\": \"a\"}]'",
        "update hacs_clinical.conditions set subject = '{}', extra = '{\"odd\": [2]}'",
        "update hacs_clinical.conditions set id = 'd'",
        "update hacs_clinical.conditions set clinical_status = 'resolved', abatement_string = 'soon'",
        "delete from hacs_clinical.conditions",
        "insert into hacs_clinical.conditions (id, clinical_status, subject) values ('c', 'inactive', '{}')",
        "update hacs_clinical.conditions set code = '{\"text\": \"x\"}'",
    ];
    let now = "select clock_timestamp()::text";
    let state = "select coalesce(jsonb_object_agg(id, (to_jsonb(c) - '{patient_id,encounter_id,extra,version_id}'::text[]) || extra), '{}')::text
        from hacs_clinical.conditions as c";
    let mut moments = vec![(database.text(now), "{}".to_owned())];
    for step in steps {
        client.batch_execute(step).unwrap();
        moments.push((database.text(now), database.text(state)));
    }
    for (moment, expected) in &moments {
        let query = format!(
            "select coalesce(jsonb_object_agg(id, document) filter (where document is not null), '{{}}')
            from (values ('c'), ('d')) as i (id), hacs_audit.as_of('Condition', id, '{moment}') as document"
        );
        let json = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        assert_eq!(json(&database.text(&query)), json(expected), "{moment}");
    }
}

#[test]
fn the_questions_of_an_auditor_have_answers() {
    let database = Database::migrated();
    let mut client = database.client();
    client
        .batch_execute(
            "begin; select hacs_audit.set_actor('nurse/1', purpose => 'treatment', request_id => 'r');
             insert into hacs_core.patients (id, family) values ('p', 'P');
             insert into hacs_core.observations (id, subject, value_string) values ('o', 'Patient/p', 'x'); commit;
             update hacs_core.observations set id = 'o2', value_string = 'y'; delete from hacs_core.observations",
        )
        .unwrap();
    let operations = |from: &str| {
        database
            .text(&format!("select string_agg(operation || ' ' || resource_id, ', ' order by change_id) from {from}"))
    };
    assert_eq!(operations("hacs_audit.history('Observation', 'o2')"), "INSERT o, UPDATE o2, DELETE o2");
    assert_eq!(operations("hacs_audit.history('Observation', 'o')"), "INSERT o");
    let span = "now() - interval '1 hour', now() + interval '1 hour'";
    assert_eq!(operations(&format!("hacs_audit.changed_by('nurse/1', {span})")), "INSERT p, INSERT o");
    assert_eq!(
        operations(&format!("hacs_audit.changes_of_patient('p', {span})")),
        "INSERT p, INSERT o, UPDATE o2, DELETE o2"
    );
    assert_eq!(operations("hacs_audit.changes_of_patient('p', now(), now())"), "null");

    let event = database
        .text("select resource - 'recorded' - 'id' from hacs_audit.audit_event order by change_id offset 1 limit 1");
    let expected: Value = serde_json::from_str(include_str!("../../data/audit_event.json")).unwrap();
    let mut event: Value = serde_json::from_str(&event).unwrap();
    assert!(event["source"]["observer"]["display"].as_str().unwrap().ends_with(&database.name));
    event["source"]["observer"]["display"] = "database".into();
    event["agent"][0]["altId"] = "role".into();
    event["agent"][0].as_object_mut().unwrap().remove("network");
    assert_eq!(event, expected);
}

#[test]
fn quarters_are_made_ahead_and_late_rows_keep_the_table_in_which_they_are() {
    let database = Database::migrated();
    let partitions = "select count(*) from pg_inherits where inhparent = 'hacs_audit.resource_changes'::regclass";
    assert_eq!(database.text(partitions), "6");
    assert_eq!(database.text("select hacs_audit.ensure_partitions()"), "0");
    assert_eq!(database.text("select hacs_audit.ensure_partitions(6)"), "2");

    let mut client = database.client();
    for day in ["2020-02-29", "2020-03-01", "2020-06-30 23:59:59.999999+00"] {
        let sql = format!(
            "insert into hacs_audit.resource_changes (changed_at, operation, schema_name, table_name, resource_type, resource_id)
             values ('{day}', 'INSERT', 's', 't', 'X', '{day}')"
        );
        client.batch_execute(&sql).unwrap();
    }
    assert_eq!(database.text("select count(*) from hacs_audit.resource_changes_default"), "3");
    let digest =
        "select md5(string_agg(c::text || c.ctid, '' order by change_id)) from hacs_audit.resource_changes as c";
    let before = database.text(digest);
    assert_eq!(database.text("select hacs_audit.ensure_partitions(6)"), "1");
    assert_eq!(database.text("select count(*) from hacs_audit.resource_changes_default"), "0");
    assert_eq!(database.text("select count(*) from hacs_audit.resource_changes_2020q1"), "3");
    // Nothing was copied.
    assert_eq!(database.text(digest), before);
    client.batch_execute("delete from hacs_audit.resource_changes_2020q1").expect_err("it is guarded");
    client.batch_execute("truncate hacs_audit.resource_changes_2020q1").expect_err("it is guarded");
    client.batch_execute("truncate hacs_audit.resource_changes_default").expect_err("it is guarded");
    let found = hacs_refinery::verify(&mut client, false).unwrap();
    assert!(found.is_good(), "{:?}", found.differences);

    // By what is attached, not by names: a table that was let go and kept is in nobody's way.
    client.batch_execute("select hacs_audit.seal()").unwrap();
    assert_eq!(database.text("select hacs_audit.detach_quarter('2020-05-15')"), "hacs_audit.resource_changes_2020q1");
    assert_eq!(hacs_refinery::status(&mut client).unwrap().total_tables, 31);
    let found = hacs_refinery::verify(&mut client, false).unwrap();
    assert!(found.is_good() && found.warnings.is_empty(), "{:?} {:?}", found.differences, found.warnings);
    let quarter = database.text("select partition from hacs_audit.quarters() order by since desc limit 1");
    client.batch_execute(&format!("alter table hacs_audit.resource_changes detach partition {quarter}")).unwrap();
    assert_eq!(database.text("select hacs_audit.ensure_partitions(6)"), "1");
}

#[test]
fn migrate_makes_the_quarters_that_are_missing_and_those_of_rows_that_wait() {
    let database = Database::migrated();
    let quarter = database.text("select partition from hacs_audit.quarters() order by since desc limit 1");
    let sql = "insert into hacs_audit.resource_changes (changed_at, operation, schema_name, table_name, resource_type, resource_id)
        values ('2001-05-05', 'INSERT', 'hacs_core', 'patients', 'Patient', 'late')";
    database.client().batch_execute(&format!("drop table {quarter}; {sql}")).unwrap();
    let partition = "select tableoid::regclass from hacs_audit.resource_changes where resource_id = 'late'";
    assert_eq!(database.text(partition), "hacs_audit.resource_changes_default");
    assert_eq!(database.run(&["migrate"]).code, Some(0));
    assert_eq!(database.text(partition), "hacs_audit.resource_changes_2001q2");
    assert_ne!(database.text(&format!("select to_regclass('{quarter}')")), "null");
}

#[test]
fn many_rows_that_wait_are_looked_at_only_when_somebody_says_so() {
    let database = Database::migrated();
    let mut client = database.client();
    let quarter = database.text("select partition from hacs_audit.quarters() order by since desc limit 1");
    client
        .batch_execute(&format!(
            "drop table {quarter};
             alter table hacs_audit.resource_changes_default disable trigger number_was_drawn,
                 set (autovacuum_enabled = false);
             insert into hacs_audit.resource_changes (changed_at, operation, schema_name, table_name, resource_type, resource_id, new_values)
             select '2020-05-05', 'INSERT', 's', 't', 'X', n::text,
                 (select to_jsonb(string_agg(md5(n || ' ' || i), '')) from generate_series(1, 50) as i)
             from generate_series(1, 25000) as s (n);
             alter table hacs_audit.resource_changes_default enable trigger number_was_drawn"
        ))
        .unwrap();
    assert_eq!(database.text("select hacs_audit.ensure_partitions()"), "-1");
    let end = database.run(&["migrate"]);
    assert!(
        end.code == Some(0) && end.stderr.contains("quarters of the audit trail are due and were not made"),
        "{end:?}"
    );
    assert_eq!(database.text("select count(*) from hacs_audit.resource_changes_default"), "25000");
    assert_eq!(database.text("select hacs_audit.ensure_partitions(however_many => true)"), "2");
    assert_eq!(database.text("select count(*) from hacs_audit.resource_changes_2020q2"), "25000");
    assert_eq!(database.run(&["migrate"]).stderr, "");
}

#[test]
fn migrate_warns_where_the_audit_is_incomplete() {
    let database = Database::migrated();
    assert_eq!(database.run(&["migrate"]).stderr, "");
    for sql in [
        "alter table hacs_core.patients disable trigger audit_update",
        // What a restore with --disable-triggers leaves.
        "alter table hacs_core.patients enable trigger user",
        "drop trigger audit_delete on hacs_core.patients",
        "drop trigger audit_row on hacs_core.patients",
    ] {
        let mut client = database.client();
        client.batch_execute(sql).unwrap();
        let end = database.run(&["migrate"]);
        let words = "missing or turned off on hacs_core.patients, so";
        assert!(end.code == Some(0) && end.stderr.contains(words), "{sql}: {end:?}");
        client.batch_execute("select hacs_audit.attach('hacs_core.patients', patient_column => 'id')").unwrap();
        assert_eq!(database.run(&["migrate"]).stderr, "", "{sql}");
    }
    // A table that is recorded row by row is complete with fewer of them.
    let by_rows = "select hacs_audit.attach('hacs_core.patients', patient_column => 'id', by_row => true)";
    database.client().batch_execute(by_rows).unwrap();
    assert_eq!(database.run(&["migrate"]).stderr, "");
}

#[test]
fn a_number_that_was_never_drawn_is_refused() {
    let database = Database::migrated();
    let mut client = database.client();
    let insert = |id: &str| {
        format!(
        "insert into hacs_audit.resource_changes (change_id, operation, schema_name, table_name, resource_type, resource_id)
         values ({id}, 'INSERT', 'hacs_core', 'patients', 'Patient', 'x')"
    )
    };
    for id in ["1", "17", "0", "-1"] {
        let error = client.batch_execute(&insert(id)).unwrap_err();
        assert!(
            error
                .as_db_error()
                .unwrap()
                .message()
                .contains("is refused: hacs_audit.change_ids has given no number after"),
            "{id}"
        );
    }
    client.batch_execute("select nextval('hacs_audit.change_ids')").unwrap();
    client.batch_execute(&insert("1")).unwrap();
}
