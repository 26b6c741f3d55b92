//! Runs with a migration outside a transaction, ended in the middle, and run again.

use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::database::{Database, Ended, ended};
use crate::proxy::{Proxy, Sender};
use crate::run::kills::{moments, rounds};
use crate::server::{self, Server};
use crate::stages::{BOTH, filled, indexes, slowly, three, with, with_patients};

/// The three migrations as files, and a program that runs them.
pub struct Files(tempfile::TempDir);

impl Files {
    pub fn write() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for (index, sql) in three().iter().enumerate() {
            std::fs::write(dir.path().join(format!("V{}__mine.sql", index + 100)), sql).unwrap();
        }
        Self(dir)
    }

    pub fn start(&self, database: &Database) -> Child {
        self.start_on(&database.conninfo())
    }

    fn start_on(&self, url: &str) -> Child {
        let files = (100..103).map(|version| self.0.path().join(format!("V{version}__mine.sql")));
        crate::example("embed")
            .arg("hacs")
            .args(files)
            .env("DATABASE_URL", url)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    fn run(&self, database: &Database) -> Ended {
        ended(self.start(database).wait_with_output().unwrap())
    }
}

/// What stands there now, before the next run: the history is ahead of nothing. Then the next run completes it.
/// Tells what stood there.
fn holds(files: &Files, database: &Database, what: &str) -> String {
    let versions = "select coalesce(string_agg(version::text, ' ' order by version), 'none')
        from hacs_admin.migrations where version >= 100";
    let column =
        "select count(*)::text from information_schema.columns where table_name = 'patients' and column_name = 'ward'";
    let others = "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()";
    let deadline = Instant::now() + Duration::from_secs(60);
    while database.text(others) != "0" {
        assert!(Instant::now() < deadline, "{what}: the session of the run does not end");
        sleep(Duration::from_millis(20));
    }
    let (found, made) = (database.text(versions), indexes(database));
    assert!(["none", "100", "100 101", "100 101 102"].contains(&found.as_str()), "{what}: {found}");
    assert_eq!(database.text(column), if found == "none" { "0" } else { "1" }, "{what}: {found}");
    assert!(found != "none" || made == "none", "{what}: {found}: {made}");
    assert!(!found.contains("101") || made == BOTH, "{what}: {found}: {made}");

    slowly(database, 0.0);
    let next = files.run(database);
    assert_eq!(next.code, Some(0), "{what}: {next:?}");
    assert_eq!((database.text(versions).as_str(), indexes(database).as_str()), ("100 101 102", BOTH), "{what}");
    assert_eq!(database.text("select bool_and(indisvalid and indisready) from pg_index"), "t", "{what}");
    assert!(!database.is_locked(), "{what}");
    format!("{found}: {made}")
}

/// Strikes at moments of a run, and wants to have met it in its middle.
fn strike_at(share: usize, strike: impl Fn(&Database, &mut Child)) {
    const ROWS: u32 = 150;
    // Longer than the server needs to notice that its client is gone.
    const SECONDS_EACH: f64 = 0.012;
    let files = Files::write();
    let first = with_patients(ROWS);
    slowly(&first, SECONDS_EACH);
    let started = Instant::now();
    assert_eq!(files.run(&first).code, Some(0));
    let time = started.elapsed().mul_f64(1.05);
    let mut met = Vec::new();
    for moment in moments(rounds(share)) {
        let database = with_patients(ROWS);
        slowly(&database, SECONDS_EACH);
        let mut child = files.start(&database);
        sleep(time.mul_f64(moment));
        strike(&database, &mut child);
        met.push(holds(&files, &database, &format!("ended after {moment:.3} of {time:?}")));
    }
    assert!(met.iter().any(|found| found.contains("false")), "no moment met an index in the making: {met:#?}");
}

#[test]
fn a_program_killed_at_any_moment_leaves_no_more_than_an_invalid_index_and_the_next_run_completes() {
    strike_at(3, |_, child| {
        child.kill().unwrap();
        child.wait().unwrap();
    });
}

#[test]
fn a_backend_terminated_at_any_moment_leaves_no_more_than_an_invalid_index_and_the_next_run_completes() {
    strike_at(5, |database, child| {
        let query = "select pg_terminate_backend(pid) from pg_stat_activity
            where datname = current_database() and pid <> pg_backend_pid()";
        database.client().batch_execute(query).unwrap();
        child.wait().unwrap();
    });
}

#[test]
fn a_connection_cut_after_any_message_is_continued_by_the_next_run() {
    let files = Files::write();
    let server = server::shared();
    let run = |database: &Database, cut| {
        let proxy = Proxy::start(server, cut);
        let url = format!("postgresql://postgres@127.0.0.1:{}/{}?sslmode=disable", proxy.port, database.name);
        let end = ended(files.start_on(&url).wait_with_output().unwrap());
        (end, [Sender::Client, Sender::Server].map(|sender| proxy.count(sender)))
    };
    let (end, counts) = run(&filled(Database::migrated_on(server), 3), None);
    assert_eq!(end.code, Some(0), "{end:?}");
    let mut met = Vec::new();
    for (sender, count) in [Sender::Client, Sender::Server].into_iter().zip(counts) {
        // The client ends with six messages of V102, the lock given back, and the farewell.
        let between = (sender == Sender::Client).then(|| count - 5);
        let limits = moments(rounds(4)).map(|moment| 3 + (moment * (count - 3) as f64) as usize).chain(between);
        for limit in limits {
            let database = filled(Database::migrated_on(server), 3);
            let (end, _) = run(&database, Some((sender, limit)));
            let found = holds(&files, &database, &format!("cut after message {limit} of {count} of the {sender:?}"));
            assert!(end.code == Some(1) || found.starts_with("100 101 102"), "{end:?}");
            met.push(found);
        }
    }
    assert!(
        met.iter().any(|found| found.starts_with("100: ")) && met.iter().any(|found| found.starts_with("100 101: ")),
        "{met:#?}"
    );
}

/// Waits until a run has come to where the query is true.
fn until(database: &Database, query: &str) {
    database.until(&format!("select exists ({query})"));
}

#[test]
fn a_server_killed_in_any_phase_of_an_index_has_after_its_restart_none_or_an_invalid_one_and_the_next_run_completes() {
    let phase = |name: &str| format!("select from pg_stat_progress_create_index where phase like '{name}%'");
    let not_there_yet = "select from pg_locks where relation = 'hacs_core.patients'::regclass and not granted";
    let phases = [
        // What another session does, how far the run comes, and whether it has begun with the index.
        ("lock table hacs_core.patients in share update exclusive mode", not_there_yet.to_owned(), false),
        ("lock table hacs_core.patients in row exclusive mode", phase("waiting for writers before build"), true),
        ("select", phase("building index"), true),
        ("set transaction isolation level repeatable read; select now()", phase("waiting for old snapshots"), true),
    ];
    let files = Files::write();
    let mut server = Server::start(&[]);
    for (index, (other, reached, begun)) in phases.iter().enumerate() {
        let database = filled(Database::migrated_on(&server), 40);
        let mut options = with(&three().each_ref().map(String::as_str));
        options.target = Some(100);
        hacs_refinery::migrate(&mut database.client(), &options).unwrap();
        slowly(&database, if reached.contains("building") { 0.1 } else { 0.0 });
        let mut session = database.client();
        session.batch_execute(&format!("begin; {other}")).unwrap();
        let child = files.start(&database);
        until(&database, reached);
        // An immediate shutdown and a SIGKILL by turns.
        if index % 2 == 0 {
            server.signal("QUIT");
        }
        server.kill();
        let end = ended(child.wait_with_output().unwrap());
        assert_eq!(end.code, Some(1), "{end:?}");
        server.start_again();

        let invalid = || {
            let found = hacs_refinery::verify(&mut database.client(), false).unwrap();
            assert_eq!(found.status.problems, []);
            // The column and the index are extra as well, since nobody has registered them.
            let invalid =
                found.differences.into_iter().filter(|d| d.found.as_deref().unwrap_or("").contains("INVALID"));
            invalid.map(|difference| difference.name).collect::<Vec<_>>()
        };
        let left = if *begun { vec!["hacs_core.patients.patients_ward_idx"] } else { Vec::new() };
        assert_eq!(invalid(), left, "{reached}");
        let found = holds(&files, &database, reached);
        assert_eq!(found, if *begun { "100: hacs_core.patients_ward_idx false" } else { "100: none" }, "{reached}");
        assert_eq!(invalid(), [""; 0], "{reached}");
    }
}

#[test]
fn a_run_that_ended_before_its_history_row_is_completed_without_making_the_index_again() {
    let database = with_patients(20);
    let files = three();
    let mut client = database.client();
    client.batch_execute(&files[0]).unwrap();
    let sql = "create index concurrently if not exists patients_ward_idx on hacs_core.patients (public.slowly(ward))";
    client.batch_execute(sql).unwrap();
    let made = "select 'hacs_core.patients_ward_idx'::regclass::oid";
    let before = database.text(made);
    let options = with(&["select 1", &files[1], "select 1"]);
    hacs_refinery::migrate(&mut client, &options).unwrap();
    assert_eq!(database.text(made), before);
    assert_eq!(indexes(&database), BOTH);
}
