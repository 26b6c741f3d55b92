//! Many runs at once with a migration outside a transaction. `create index concurrently` waits for every transaction
//! that looks at anything when it comes to its last step: a run that waits for the lock must not be one of them.

use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::killed::Files;
use crate::database::{Database, ended};
use crate::server;
use crate::stages::{BOTH, indexes, slowly, three, versions, with, with_patients};

/// A session that has the lock of the migrations.
fn holder(database: &Database) -> postgres::Client {
    let mut holder = database.client();
    holder.batch_execute("set application_name = 'the holder'; set lock_timeout = '20s'").unwrap();
    holder.execute("select pg_advisory_lock($1)", &[&i64::from_be_bytes(*b"hacsmigr")]).unwrap();
    holder
}

/// Waits until so many other sessions have asked for the lock.
fn until_asked(database: &Database, sessions: usize) {
    let query = "select count(*) from pg_stat_activity
        where datname = current_database() and application_name <> 'the holder' and query ~ 'advisory'
            and pid <> pg_backend_pid()";
    let deadline = Instant::now() + Duration::from_secs(60);
    while database.text(query) != sessions.to_string() {
        assert!(Instant::now() < deadline, "{} of {sessions} wait", database.text(query));
        sleep(Duration::from_millis(20));
    }
}

#[test]
fn eight_processes_at_once_all_succeed_and_one_of_them_makes_the_indexes() {
    let database = with_patients(100);
    slowly(&database, 0.003);
    let files = Files::write();
    // Let go together.
    let holder = holder(&database);
    let children: Vec<Child> = (0..8).map(|_| files.start(&database)).collect();
    until_asked(&database, 8);
    drop(holder);
    let ends: Vec<_> = children.into_iter().map(|child| ended(child.wait_with_output().unwrap())).collect();

    assert!(ends.iter().all(|end| end.code == Some(0)), "{ends:#?}");
    let said = |text: &str| ends.iter().filter(|end| end.stdout == text).count();
    assert_eq!((said("3 applied, now at V102\n"), said("0 applied, now at V102\n")), (1, 7), "{ends:#?}");
    assert_eq!((versions(&database).as_str(), indexes(&database).as_str()), ("100 101 102", BOTH));
    assert_eq!(database.text("select bool_and(indisvalid and indisready) from pg_index"), "t");
    assert!(!database.is_locked());
}

#[test]
fn a_run_that_waits_for_the_lock_has_no_transaction_open() {
    let files = Files::write();
    let plain = |database: &Database| database.start(&["migrate"]);
    let rehearsed = |database: &Database| database.start(&["migrate", "--dry-run"]);
    let staged = |database: &Database| files.start(database);
    for start in [&plain as &dyn Fn(&Database) -> Child, &rehearsed, &staged] {
        let database = Database::empty();
        assert_eq!(database.run(&["migrate", "--target", "7"]).code, Some(0));
        let mut holder = holder(&database);
        slowly(&database, 0.001);
        let child = start(&database);
        until_asked(&database, 1);
        // It asks every half second: enough to meet it at rest many times.
        for _ in 0..40 {
            let state = "select state from pg_stat_activity where datname = current_database()
                and application_name <> 'the holder' and pid <> pg_backend_pid()";
            let state = database.text(state);
            assert!(["idle", "active"].contains(&state.as_str()), "{state}");
            sleep(Duration::from_millis(20));
        }
        holder.batch_execute("create index concurrently mine on hacs_core.patients (family)").unwrap();
        holder.batch_execute("drop index hacs_core.mine").unwrap();
        drop(holder);
        let end = ended(child.wait_with_output().unwrap());
        assert_eq!(end.code, Some(0), "{end:?}");
    }
}

#[test]
fn a_script_of_plan_that_waits_for_the_lock_keeps_no_index_from_being_made() {
    for target in [100, 102] {
        let database = with_patients(3);
        let mut options = with(&three().each_ref().map(String::as_str));
        options.target = Some(target);
        let script = hacs_refinery::script(&hacs_refinery::pending(&mut database.client(), &options).unwrap());
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("script.sql");
        std::fs::write(&file, script).unwrap();
        let mut holder = holder(&database);
        let mut psql = Command::new(server::bindir().join("psql"));
        psql.args(["-X", "-q", "-d", &database.conninfo(), "-f"]).arg(&file);
        let child = psql.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        until_asked(&database, 1);
        holder.batch_execute("create index concurrently mine on hacs_core.patients (family)").unwrap();
        drop(holder);
        let end = ended(child.wait_with_output().unwrap());
        assert_eq!(end.code, Some(0), "{end:?}");
        assert_eq!(versions(&database), if target == 100 { "100" } else { "100 101 102" });
    }
}
