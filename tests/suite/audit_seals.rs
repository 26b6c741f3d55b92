//! Seals, partitions, and what people ask of the trail.

use std::process::Command;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use postgres::Client;
use serde_json::Value;

use crate::database::Database;
use crate::server::{self, Server};

/// A database on a cluster on which nothing else runs meanwhile: a seal waits for the transactions of all databases.
fn quiet_database() -> (MutexGuard<'static, ()>, Database) {
    static ALONE: Mutex<()> = Mutex::new(());
    static SERVER: OnceLock<Server> = OnceLock::new();
    let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    (alone, Database::migrated_on(SERVER.get_or_init(|| Server::start(&[]))))
}

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

fn sealed_database() -> (MutexGuard<'static, ()>, Database) {
    let (alone, database) = quiet_database();
    let mut client = database.client();
    for round in 0..3 {
        write(&mut client, round * 10..round * 10 + 10);
        assert_eq!(seal(&database), "1");
    }
    assert_eq!(verdict(&database), "intact");
    (alone, database)
}

#[test]
fn each_change_is_sealed_once_and_nothing_is_left_to_seal() {
    let (_alone, database) = sealed_database();
    assert_eq!(seal(&database), "0");
    assert_eq!(
        database.text("select string_agg(changes::text, ' ' order by seal_id) from hacs_audit.seals"),
        "10 10 10"
    );
}

#[test]
fn tampering_of_each_kind_is_named_with_the_first_seal_that_it_breaks() {
    // What a superuser can do who takes the guards away first.
    let unguard = "alter table hacs_audit.resource_changes disable trigger all; alter table hacs_audit.seals disable trigger all;
        do $$ declare p regclass; begin
            for p in select inhrelid::regclass from pg_inherits where inhparent = 'hacs_audit.resource_changes'::regclass loop
                execute format('alter table %s disable trigger all', p);
            end loop;
        end $$;";
    let cases = [
        ("update hacs_audit.resource_changes set actor_id = 'somebody else' where resource_id = 'p13'", "2: its changes, or the seal itself, were altered"),
        ("update hacs_audit.resource_changes set new_values = null, resource_id = 'x' where resource_id = 'p0'", "1: its changes, or the seal itself, were altered"),
        ("delete from hacs_audit.resource_changes where resource_id = 'p25'", "3: 1 of its changes were removed or moved to another time"),
        ("update hacs_audit.resource_changes set changed_at = changed_at - interval '1 month' where resource_id = 'p15'", "2: 1 of its changes were removed or moved to another time"),
        ("insert into hacs_audit.resource_changes (change_id, changed_at, transaction_id, operation, schema_name, table_name, resource_type, resource_id)
            select change_id, changed_at + interval '1 us', transaction_id, operation, schema_name, table_name, resource_type, 'forged'
            from hacs_audit.resource_changes where resource_id = 'p12'", "2: 1 changes were added to it"),
        ("insert into hacs_audit.resource_changes (transaction_id, operation, schema_name, table_name, resource_type, resource_id)
            select min(transaction_id::text::bigint)::text::xid8, 'INSERT', 'hacs_core', 'patients', 'Patient', 'forged'
            from hacs_audit.resource_changes", "3: 1 changes were added that claim to be older than it"),
        ("delete from hacs_audit.seals where seal_id = 2", "2: the seal itself was removed"),
        ("delete from hacs_audit.seals where seal_id = 1", "1: the seal itself was removed"),
        ("update hacs_audit.seals set sealed_at = now() where seal_id = 2", "2: its changes, or the seal itself, were altered"),
        ("update hacs_audit.seals set digest = sha256('x') where seal_id = 1", "1: its changes, or the seal itself, were altered"),
        ("update hacs_audit.seals set previous_digest = sha256('x') where seal_id = 3", "3: it does not continue the seal before it"),
    ];
    for (sql, expected) in cases {
        let (_alone, database) = sealed_database();
        database.client().batch_execute(&format!("{unguard} {sql}")).unwrap();
        assert_eq!(verdict(&database), expected, "{sql}");
    }
}

#[test]
fn a_transaction_that_ends_after_a_seal_is_sealed_by_the_next() {
    let (_alone, database) = quiet_database();
    let mut slow = database.client();
    slow.batch_execute("begin; insert into hacs_core.patients (id, family) values ('slow', 'S')").unwrap();
    write(&mut database.client(), 0..5);
    // What began after the slow transaction waits for it.
    assert_eq!(seal(&database), "0");
    slow.batch_execute("commit").unwrap();
    assert_eq!(seal(&database), "1");
    assert_eq!(database.text("select changes from hacs_audit.seals"), "6");

    let mut early = database.client();
    write(&mut database.client(), 5..7);
    early.batch_execute("begin; insert into hacs_core.patients (id, family) values ('early', 'E')").unwrap();
    write(&mut database.client(), 7..9);
    assert_eq!(seal(&database), "1");
    early.batch_execute("commit").unwrap();
    assert_eq!(seal(&database), "1");
    assert_eq!(database.text("select string_agg(changes::text, ' ' order by seal_id) from hacs_audit.seals"), "6 2 3");
    assert_eq!(verdict(&database), "intact");
}

#[test]
fn a_restored_dump_verifies_and_goes_on() {
    let (_alone, database) = sealed_database();
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
        .query_one("select sum(changes)::bigint, count(distinct system_identifier) from hacs_audit.seals", &[])
        .unwrap();
    assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1)), (40, 2));
}

#[test]
fn months_are_made_ahead_and_late_ones_take_their_rows_from_the_default() {
    let database = Database::migrated();
    let partitions = "select count(*) from pg_inherits where inhparent = 'hacs_audit.resource_changes'::regclass";
    assert_eq!(database.text(partitions), "5");
    assert_eq!(database.text("select hacs_audit.ensure_partitions()"), "0");
    assert_eq!(database.text("select hacs_audit.ensure_partitions(5)"), "2");

    let mut client = database.client();
    let change = |day: &str| {
        format!("insert into hacs_audit.resource_changes (changed_at, operation, schema_name, table_name, resource_type, resource_id)
            values ('{day}', 'INSERT', 's', 't', 'X', '{day}')")
    };
    for day in ["2020-02-29", "2020-03-01", "2020-03-31 23:59:59.999999+00"] {
        client.batch_execute(&change(day)).unwrap();
    }
    assert_eq!(database.text("select count(*) from hacs_audit.resource_changes_default"), "3");
    let before =
        database.text("select md5(string_agg(c::text, '' order by change_id)) from hacs_audit.resource_changes as c");
    client.batch_execute("select hacs_audit.ensure_partitions(6)").unwrap();
    assert_eq!(database.text("select count(*) from hacs_audit.resource_changes_default"), "0");
    assert_eq!(database.text("select count(*) from hacs_audit.resource_changes_2020_03"), "2");
    assert_eq!(
        database.text("select md5(string_agg(c::text, '' order by change_id)) from hacs_audit.resource_changes as c"),
        before
    );
    client.batch_execute("delete from hacs_audit.resource_changes_2020_03").expect_err("it is guarded");
    client.batch_execute("truncate hacs_audit.resource_changes_2020_03").expect_err("it is guarded");
    client.batch_execute("truncate hacs_audit.resource_changes_default").expect_err("it is guarded");
}

#[test]
fn a_sealed_month_can_be_detached_and_the_rest_still_verifies() {
    let (_alone, database) = quiet_database();
    let mut client = database.client();
    client
        .batch_execute(
            "insert into hacs_audit.resource_changes (changed_at, operation, schema_name, table_name, resource_type, resource_id)
             values ('2020-02-29', 'INSERT', 's', 't', 'X', 'old');
             select hacs_audit.ensure_partitions()",
        )
        .unwrap();
    let error = client.batch_execute("select hacs_audit.detach_month('2020-02-01')").unwrap_err();
    assert_eq!(error.as_db_error().unwrap().message(), "1 changes of 2020-02 are not sealed yet");
    write(&mut client, 0..3);
    assert_eq!(seal(&database), "2");
    assert_eq!(database.text("select hacs_audit.detach_month('2020-02-15')"), "hacs_audit.resource_changes_2020_02");
    // Until it is archived and dropped, it is the operator's.
    assert_eq!(hacs_refinery::status(&mut client).unwrap().total_tables, 31);
    let found = hacs_refinery::verify(&mut client, false).unwrap();
    assert!(found.is_good() && found.warnings.is_empty(), "{:?} {:?}", found.differences, found.warnings);
    client.batch_execute("drop table hacs_audit.resource_changes_2020_02").unwrap();
    assert_eq!(verdict(&database), "intact");
    write(&mut client, 3..5);
    seal(&database);
    assert_eq!(verdict(&database), "intact");
}

#[test]
fn migrate_makes_the_months_that_are_missing() {
    let database = Database::migrated();
    let month = database.text("select to_char(now() + interval '2 months', 'YYYY_MM')");
    database.client().batch_execute(&format!("drop table hacs_audit.resource_changes_{month}")).unwrap();
    assert_eq!(database.run(&["migrate"]).code, Some(0));
    assert_ne!(database.text(&format!("select to_regclass('hacs_audit.resource_changes_{month}')")), "null");
}

#[test]
fn migrate_makes_the_months_of_rows_that_wait_in_the_default_partition() {
    let database = Database::migrated();
    let sql = "insert into hacs_audit.resource_changes (changed_at, operation, schema_name, table_name, resource_type, resource_id)
        values ('2001-05-05', 'INSERT', 'hacs_core', 'patients', 'Patient', 'late')";
    database.client().batch_execute(sql).unwrap();
    let partition = "select tableoid::regclass from hacs_audit.resource_changes where resource_id = 'late'";
    assert_eq!(database.text(partition), "hacs_audit.resource_changes_default");
    assert_eq!(database.run(&["migrate"]).code, Some(0));
    assert_eq!(database.text(partition), "hacs_audit.resource_changes_2001_05");
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
    assert_eq!(operations(&format!("hacs_audit.disclosures('p', {span})")), "INSERT p, INSERT o, UPDATE o2, DELETE o2");
    assert_eq!(operations("hacs_audit.disclosures('p', now(), now())"), "null");

    let event = database
        .text("select resource - 'recorded' - 'id' from hacs_audit.audit_event order by change_id offset 1 limit 1");
    let expected: Value = serde_json::from_str(include_str!("../data/audit_event.json")).unwrap();
    let mut event: Value = serde_json::from_str(&event).unwrap();
    assert!(event["source"]["observer"]["display"].as_str().unwrap().ends_with(&database.name));
    event["source"]["observer"]["display"] = "database".into();
    event["agent"][0]["altId"] = "role".into();
    event["agent"][0].as_object_mut().unwrap().remove("network");
    assert_eq!(event, expected);
}
