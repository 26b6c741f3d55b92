//! The worked example of docs/evolving.md, on a small table and with a writer: each file with the locks that it takes.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use hacs_refinery::{Options, migrate, outside_transaction, rehearse};
use refinery::Migration;

use crate::database::{Database, ended, until};
use crate::schema::catalogue;
use crate::server;

/// The files in order.
const FILES: [(&str, &str); 4] = [
    ("V100__devices.sql", include_str!("../../data/evolving/V100__devices.sql")),
    ("V101__observation_device.sql", include_str!("../../data/evolving/V101__observation_device.sql")),
    ("V102__observation_device_checked.sql", include_str!("../../data/evolving/V102__observation_device_checked.sql")),
    ("V103__observation_source.sql", include_str!("../../data/evolving/V103__observation_source.sql")),
];

fn options(target: i64) -> Options {
    let mut options = Options::default();
    options.migrations.extend(FILES.map(|(name, sql)| Migration::unapplied(name, sql).unwrap()));
    options.target = Some(target);
    options
}

const INSERT: &str = "insert into hacs_core.observations (subject, code_text, source, value_string) ";

/// A database with so many observations, all with a source.
fn with_observations(rows: u32) -> Database {
    let database = Database::migrated();
    let insert = format!("{INSERT} select 'Patient/p1', 'Pulse', 'monitor', 'high' from generate_series(1, {rows})");
    database
        .client()
        .batch_execute(&format!("insert into hacs_core.patients (id, family) values ('p1', 'F'); {insert}"))
        .unwrap();
    database
}

#[test]
fn the_four_files_go_through_in_one_run_while_others_write() {
    let database = with_observations(20_000);
    let over = AtomicBool::new(false);
    let (written, report) = thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut client = database.client();
            let insert = format!("{INSERT} values ('Patient/p1', 'Pulse', 'monitor', 'low')");
            let mut rows = 0;
            while !over.load(Ordering::Relaxed) {
                client.batch_execute(&insert).unwrap();
                rows += 1;
            }
            rows
        });
        let report = migrate(&mut database.client(), &options(103));
        over.store(true, Ordering::Relaxed);
        (writer.join().unwrap(), report.unwrap())
    });
    assert_eq!(report.applied.iter().map(|applied| applied.version).collect::<Vec<_>>(), [100, 101, 102, 103]);
    assert!(written > 20, "{written}");
    assert_eq!(database.text("select count(*) from hacs_core.observations"), (20_000 + written).to_string());
    let unmet = "select string_agg(name, ' ') from (
        select conname from pg_constraint where not convalidated
        union all select indexrelid::regclass::text from pg_index where not indisvalid
        union all select table_name::text from hacs_audit.coverage where audit <> 'complete'
    ) as u (name)";
    assert_eq!(database.text(unmet), "null");
}

/// The modes in which a statement or a transaction locks a table that stops somebody.
fn locks(database: &Database, version: i64) -> BTreeSet<String> {
    let rehearsal = rehearse(&mut database.client(), &options(version)).unwrap();
    let last = rehearsal.migrations.last().unwrap();
    assert!(last.rehearsed && last.version == version, "{rehearsal:?}");
    let harmless = ["access share", "row share", "row exclusive"];
    let strong = last.locks.iter().filter(|lock| !harmless.contains(&lock.mode.as_str()));
    strong.map(|lock| format!("{} {}", lock.table, lock.mode)).collect()
}

fn list(modes: &[&str]) -> BTreeSet<String> {
    modes.iter().map(|mode| format!("hacs_core.observations {mode}")).collect()
}

#[test]
fn each_file_takes_the_locks_of_the_guide() {
    let database = with_observations(10);
    assert_eq!(locks(&database, 100), list(&[]));
    migrate(&mut database.client(), &options(100)).unwrap();
    let all = list(&["access exclusive", "share row exclusive", "share update exclusive"]);
    let mut new_table = locks(&database, 101);
    new_table.retain(|lock| !lock.starts_with("hacs_core.devices "));
    assert_eq!(new_table, all);
    migrate(&mut database.client(), &options(101)).unwrap();

    // Outside a transaction nothing can be rehearsed: another session holds the table, so that the run stops at each
    // statement that would lock it out, and nobody is stopped by one that does not.
    let mut writer = database.client();
    writer.batch_execute("begin; lock table hacs_core.observations in row exclusive mode").unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    thread::scope(|scope| {
        let run = scope.spawn(|| migrate(&mut database.client(), &options(102)).unwrap());
        // The constraints are validated beside the writer; the first index waits for him.
        let waits = "select coalesce(string_agg(distinct mode, ' '), '') from pg_locks as l
            join pg_stat_activity as a using (pid)
            where l.relation = 'hacs_core.observations'::regclass and a.query like 'create index concurrently%' and granted";
        while database.text(waits) != "ShareUpdateExclusiveLock" {
            assert!(Instant::now() < deadline, "the run does not come to its index: {}", database.text(waits));
            thread::sleep(Duration::from_millis(20));
        }
        let validated = "select count(*) from pg_constraint where conrelid = 'hacs_core.observations'::regclass and not convalidated";
        assert_eq!(database.text(validated), "0");
        database
            .client()
            .batch_execute(&format!("set lock_timeout = '1s'; {INSERT} values ('Patient/p1', 'Pulse', 'm', 'x')"))
            .unwrap();
        writer.batch_execute("commit").unwrap();
        assert_eq!(run.join().unwrap().applied.len(), 1);
    });
    assert_eq!(locks(&database, 103), list(&["access exclusive"]));
}

#[test]
fn while_another_session_holds_the_table_the_run_keeps_nobody_waiting_for_long() {
    let database = with_observations(10);
    migrate(&mut database.client(), &options(100)).unwrap();
    let mut long = database.client();
    long.batch_execute(&format!("begin; {INSERT} values ('Patient/p1', 'Pulse', 'm', 'x')")).unwrap();
    let (over, rounds) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        let run = scope.spawn(|| migrate(&mut database.client(), &options(101)).unwrap());
        let reader = scope.spawn(|| {
            let mut client = database.client();
            while !over.load(Ordering::Relaxed) {
                client.batch_execute("select from hacs_core.observations limit 1").unwrap();
                rounds.fetch_add(1, Ordering::Relaxed);
            }
        });
        // The run has tried, so that the reader waits behind it; and gives way, while the table is still held.
        database.until(
            "select exists (select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()
            and query = 'select from hacs_core.observations limit 1')",
        );
        let seen = rounds.load(Ordering::Relaxed);
        until("the reader goes on", || rounds.load(Ordering::Relaxed) > seen + 1);
        long.batch_execute("commit").unwrap();
        assert_eq!(run.join().unwrap().applied.len(), 1);
        over.store(true, Ordering::Relaxed);
        reader.join().unwrap();
    });
}

#[test]
fn what_the_files_make_keeps_every_convention_and_does_its_work() {
    let database = with_observations(10);
    let mut client = database.client();
    migrate(&mut client, &options(103)).unwrap();
    catalogue::keeps_the_conventions(&database);

    client
        .batch_execute(
            "insert into hacs_core.devices (id, name) values ('d1', 'Monitor');
             update hacs_core.observations set device = 'Device/d1' where id = (select min(id) from hacs_core.observations)",
        )
        .unwrap();
    assert_eq!(
        database.text("select device_id || ' ' || priority from hacs_core.observations where device_id is not null"),
        "d1 routine"
    );
    let trail = "select new_values ->> 'device' from hacs_audit.resource_changes where operation = 'UPDATE'";
    assert_eq!(database.text(trail), "Device/d1");
    for (wrong, rule) in [
        ("update hacs_core.observations set priority = 'soon'", "observations_priority_valid"),
        ("update hacs_core.observations set device = 'Device/nobody'", "observations_device_id_fkey"),
        ("delete from hacs_core.devices", "observations_device_id_fkey"),
    ] {
        let error = client.batch_execute(wrong).unwrap_err();
        assert_eq!(error.as_db_error().and_then(|db| db.constraint()), Some(rule), "{error:?}");
    }
    let error = client.batch_execute("update hacs_core.observations set source = null").unwrap_err();
    assert_eq!(error.code(), Some(&postgres::error::SqlState::NOT_NULL_VIOLATION));
}

#[test]
fn the_files_can_be_run_again_by_hand_without_changing_anything() {
    let database = with_observations(10);
    migrate(&mut database.client(), &options(103)).unwrap();
    let before = database.dump();
    for (name, _) in FILES {
        let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/evolving").join(name);
        let mut psql = std::process::Command::new(server::bindir().join("psql"));
        psql.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", &database.conninfo(), "-f"]).arg(file);
        let end = ended(psql.output().unwrap());
        assert_eq!(end.code, Some(0), "{name}: {end:?}");
    }
    assert_eq!(database.dump(), before);
}

#[test]
fn the_guide_links_every_file_and_the_third_alone_has_the_mark() {
    let guide = include_str!("../../../docs/evolving.md");
    for (name, sql) in FILES {
        assert!(guide.contains(&format!("../tests/data/evolving/{name}")), "{name} is not in the guide");
        let migration = Migration::unapplied(name, sql).unwrap();
        assert_eq!(outside_transaction(&migration), name.starts_with("V102"), "{name}");
    }
}

/// What `verify` says of functions for documents, each with the statement that mends it.
fn about_documents(database: &Database) -> Vec<(String, String)> {
    let found = hacs_refinery::verify(&mut database.client(), false).unwrap();
    let words = ["put", "get", "check_", "remove", "lock_version"];
    let all = found.differences.iter().chain(&found.warnings);
    let those = all.filter(|d| words.iter().any(|word| d.name.contains(&format!("hacs_core.{word}"))));
    those.map(|d| (d.to_string(), d.mend.clone().unwrap_or_default())).collect()
}

#[test]
fn documents_of_new_tables_and_columns_go_in_and_out_and_what_is_generated_for_them_is_no_drift() {
    let database = Database::migrated();
    let mut client = database.client();
    for (_, sql) in &FILES[..2] {
        client.batch_execute(&format!("begin; {sql}; commit")).unwrap();
    }
    let altered = "select coalesce(string_agg(table_name || ' ' || documents, ', '), 'none')
        from hacs_core.document_coverage where documents <> 'complete'";
    assert_eq!(database.text(altered), "none");
    let put = r#"select count(*) from hacs_core.put_all('[
        {"resource_type": "Observation", "id": "o", "code": {"text": "x"}, "value_integer": 1, "subject": "Patient/p",
         "device": "Device/d", "priority": "stat", "source": "monitor"},
        {"resource_type": "Patient", "id": "p", "full_name": "P"}, {"resource_type": "Device", "id": "d", "name": "D"}]')"#;
    assert_eq!(database.text(put), "3");
    assert_eq!(
        database.text(
            "select device_id || ' ' || (hacs_core.get('Observation', id) ->> 'priority') from hacs_core.observations"
        ),
        "d stat"
    );
    assert_eq!(about_documents(&database), []);

    // A column that they were not told of is kept beside; told of it, they fill it.
    client.batch_execute("alter table hacs_core.devices add column maker text").unwrap();
    assert_eq!(database.text(altered), "devices altered");
    let put =
        r#"select count(*) from hacs_core.put('{"resource_type": "Device", "id": "e", "name": "E", "maker": "M"}')"#;
    assert_eq!(database.text(put), "1");
    assert_eq!(database.text("select extra ->> 'maker' from hacs_core.devices where id = 'e'"), "M");
    client.batch_execute("select hacs_core.attach_documents('hacs_core.devices')").unwrap();
    assert_eq!((database.text(altered), database.text(put)), ("none".into(), "1".into()));
    assert_eq!(database.text("select maker || extra::text from hacs_core.devices where id = 'e'"), "M{}");

    // What was written by hand is drift.
    let tamper = "do $$ begin
        execute replace(pg_get_functiondef('hacs_core.get(text, text, text)'::regprocedure), 'return document', 'return null');
        execute replace(
            pg_get_functiondef('hacs_core.put_devices(jsonb, jsonb, bigint, text, integer)'::regprocedure),
            'is_new := found', 'is_new := true'
        );
    end $$";
    client.batch_execute(tamper).unwrap();
    let found = about_documents(&database);
    let said: Vec<&str> = found.iter().map(|(said, _)| said.split('(').next().unwrap()).collect();
    assert_eq!(said, ["changed function hacs_core.get", "extra function hacs_core.put_devices"], "{found:?}");
    client.batch_execute(&found[0].1).unwrap();
    assert_eq!(about_documents(&database), []);
}

#[test]
fn after_each_step_of_the_guide_a_dump_with_its_rows_can_be_restored() {
    let database = with_observations(20);
    for step in [100, 101, 102, 103] {
        migrate(&mut database.client(), &options(step)).unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        let program = |name: &str| {
            let mut program = std::process::Command::new(server::bindir().join(name));
            program.env("LD_LIBRARY_PATH", server::bindir().join("../lib"));
            program
        };
        let mut dump = program("pg_dump");
        dump.args(["--no-owner", "--dbname", &database.conninfo(), "--file"]).arg(file.path());
        assert!(dump.status().unwrap().success(), "V{step}");
        let restored = Database::empty();
        let mut psql = program("psql");
        psql.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", &restored.conninfo(), "-f"]).arg(file.path());
        let end = ended(psql.output().unwrap());
        assert_eq!(end.code, Some(0), "V{step}: {end:?}");
        assert_eq!(restored.dump(), database.dump(), "V{step}");
        assert_eq!(restored.text("select count(*) from hacs_core.observations"), "20", "V{step}");
    }
}
