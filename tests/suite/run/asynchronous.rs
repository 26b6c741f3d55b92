//! `migrate_async` and `status_async`: the guarantees of the blocking form, on a tokio-postgres client.

use std::future::Future;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use hacs_refinery::{
    Error, Manifest, Options, Report, manifest_async, migrate_async, pending_async, rehearse_async, status_async,
    verify_async,
};
use refinery::Migration;
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

use crate::database::Database;
use crate::newest::{EMBEDDED, NEWEST};
use crate::proxy::{Proxy, Sender};
use crate::server;
use crate::stages::{with, with_patients};

const ADVISORY_LOCK: i64 = i64::from_be_bytes(*b"hacsmigr");

fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}

fn one_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// Runs a future to its end, on a runtime with a single thread.
fn wait<T>(future: impl Future<Output = T>) -> T {
    one_thread().block_on(future)
}

async fn connect(conninfo: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(conninfo, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

fn with_one_more(sql: &str) -> Options {
    let mut options = Options::default();
    options.migrations.push(Migration::unapplied("V100__mine.sql", sql).unwrap());
    options
}

fn is_untouched(database: &Database) -> bool {
    database.text("select to_regnamespace('hacs_core') is null and to_regnamespace('hacs_admin') is null") == "t"
}

/// One value, on the client's own connection: after everything that it was told before.
async fn text(client: &Client, query: &str) -> String {
    let messages = client.simple_query(query).await.unwrap();
    let row = messages.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0),
        _ => None,
    });
    row.unwrap_or("null").to_owned()
}

/// Whether the connection is outside of any transaction, with the settings of its own.
async fn is_clean(client: &Client) -> bool {
    // In a transaction that began before, now() is earlier.
    let query = "select now() = statement_timestamp()
        and current_setting('search_path') = '\"$user\", public'
        and current_setting('transaction_read_only') = 'off'
        and not exists (select from pg_locks where pid = pg_backend_pid() and locktype = 'advisory')";
    text(client, query).await == "t"
}

/// Waits on another connection until something is true.
async fn until(conninfo: &str, query: &str) {
    let client = connect(conninfo).await;
    let deadline = Instant::now() + millis(60_000);
    while text(&client, query).await != "t" {
        assert!(Instant::now() < deadline, "this does not become true: {query}");
        tokio::time::sleep(millis(20)).await;
    }
}

const ASLEEP: &str = "select exists (select from pg_stat_activity where datname = current_database()
    and state = 'active' and wait_event = 'PgSleep')";

#[test]
fn what_is_asked_beforehand_and_afterwards_is_answered_as_by_the_blocking_forms() {
    let database = Database::empty();
    let options = Options::default();
    wait(async {
        let mut client = connect(&database.conninfo()).await;
        assert_eq!(pending_async(&mut client, &options).await.unwrap().len(), EMBEDDED);
        assert_eq!(rehearse_async(&mut client, &options).await.unwrap().migrations.len(), EMBEDDED);
        assert_eq!(pending_async(&mut client, &options).await.unwrap().len(), EMBEDDED);
        migrate_async(&mut client, &options).await.unwrap();
        assert!(pending_async(&mut client, &options).await.unwrap().is_empty());
        assert!(verify_async(&mut client, false).await.unwrap().is_good());
        let found = manifest_async(&mut client).await.unwrap();
        let expected = Manifest::embedded().objects().filter(|(object, _)| found.definition(object).is_none());
        assert_eq!(expected.count(), 0);
    });
}

#[test]
fn an_empty_database_becomes_complete_and_the_client_can_be_used_further() {
    let database = Database::empty();
    let status = wait(async {
        let mut client = connect(&database.conninfo()).await;
        assert!(!status_async(&mut client).await.unwrap().migration_complete);
        let report = migrate_async(&mut client, &Options::default()).await.unwrap();
        assert_eq!(report.applied.len(), EMBEDDED);
        assert!(report.applied.iter().all(|applied| !applied.duration.is_zero()));
        let again = migrate_async(&mut client, &Options::default()).await.unwrap();
        assert_eq!((again.applied, again.version), (vec![], Some(NEWEST)));
        assert!(is_clean(&client).await);
        status_async(&mut client).await.unwrap()
    });
    assert!(status.migration_complete);
    assert_eq!(status, hacs_refinery::status(&mut database.client()).unwrap());
    assert_eq!(database.dump(), Database::migrated().dump());
}

#[test]
fn eight_async_runs_at_once_all_succeed_and_one_of_them_applies() {
    for runtime in [Builder::new_multi_thread().enable_all().build().unwrap(), one_thread()] {
        let database = Database::empty();
        let run = |conninfo: String| async move {
            migrate_async(&mut connect(&conninfo).await, &Options::default()).await.unwrap()
        };
        let reports: Vec<Report> = runtime.block_on(async {
            let runs: Vec<_> = (0..8).map(|_| tokio::spawn(run(database.conninfo()))).collect();
            let mut reports = Vec::new();
            for run in runs {
                reports.push(run.await.unwrap());
            }
            reports
        });
        let mut applied: Vec<usize> = reports.iter().map(|report| report.applied.len()).collect();
        applied.sort_unstable();
        assert_eq!(applied, [0, 0, 0, 0, 0, 0, 0, EMBEDDED]);
        assert!(reports.iter().all(|report| report.version == Some(NEWEST)));
        assert_eq!(database.text("select count(*) from hacs_admin.migrations"), NEWEST.to_string());
    }
}

#[test]
fn an_async_run_sends_as_many_messages_as_a_blocking_one() {
    let server = server::shared();
    let through = |run: &dyn Fn(&str)| {
        let proxy = Proxy::start(server, None);
        run(&format!("host=127.0.0.1 port={} user=postgres sslmode=disable", proxy.port));
        proxy.count(Sender::Client)
    };
    let (sync, asynchronous) = (Database::on(server), Database::on(server));
    for command in ["migrate", "migrate", "status"] {
        let of_sync = through(&|conninfo| {
            let mut client =
                postgres::Client::connect(&format!("{conninfo} dbname={}", sync.name), postgres::NoTls).unwrap();
            match command {
                "migrate" => drop(hacs_refinery::migrate(&mut client, &Options::default()).unwrap()),
                _ => drop(hacs_refinery::status(&mut client).unwrap()),
            }
            // The good-bye is no part of the run.
            std::mem::forget(client);
        });
        let of_async = through(&|conninfo| {
            wait(async {
                let mut client = connect(&format!("{conninfo} dbname={}", asynchronous.name)).await;
                match command {
                    "migrate" => drop(migrate_async(&mut client, &Options::default()).await.unwrap()),
                    _ => drop(status_async(&mut client).await.unwrap()),
                }
                std::mem::forget(client);
            });
        });
        assert_eq!(of_async, of_sync, "{command}");
    }
}

#[test]
fn a_failing_migration_is_located_as_by_the_blocking_form() {
    let database = Database::empty();
    for sql in [
        "create table public.t (a int);\n\nselect\n    wrong\nfrom public.t;\n",
        "create table public.t (a int check (a > 0));\ninsert into public.t\n values (0);",
    ] {
        let blocking = hacs_refinery::migrate(&mut database.client(), &with_one_more(sql)).unwrap_err();
        let error = wait(async {
            let mut client = connect(&database.conninfo()).await;
            let error = migrate_async(&mut client, &with_one_more(sql)).await.unwrap_err();
            assert!(is_clean(&client).await);
            error
        });
        assert!(matches!(error, Error::Migration { .. }), "{error:?}");
        assert!(error.to_string().starts_with("V100__mine.sql, line "), "{error}");
        assert_eq!(error.to_string(), blocking.to_string());
        assert!(is_untouched(&database));
    }
    let mut options = Options::default();
    options.target = Some(99);
    let error = wait(async { migrate_async(&mut connect(&database.conninfo()).await, &options).await.unwrap_err() });
    assert!(matches!(error, Error::NoSuchTarget { target: 99, newest: NEWEST }), "{error:?}");
}

#[test]
fn a_table_that_another_session_holds_is_waited_for_as_by_the_blocking_form() {
    let database = Database::empty();
    assert_eq!(database.run(&["migrate", "--target", "7"]).code, Some(0));
    let mut writer = database.client();
    let hold = "set application_name = 'a writer'; begin; lock table hacs_core.patients in row exclusive mode";
    writer.batch_execute(hold).unwrap();
    let mut options = Options::default();
    options.lock_timeout = millis(500);
    let error = wait(async { migrate_async(&mut connect(&database.conninfo()).await, &options).await.unwrap_err() });
    assert!(matches!(error, Error::Blocked { .. }), "{error:?}");
    assert!(error.to_string().contains("(a writer) since 20"), "{error}");

    let run = thread::scope(|scope| {
        let run = scope.spawn(|| {
            wait(async { migrate_async(&mut connect(&database.conninfo()).await, &Options::default()).await })
        });
        let waits = "exists (select from pg_stat_activity where datname = current_database()
            and wait_event_type = 'Lock')";
        database.until(&format!("select {waits}"));
        // The first attempt gives up.
        database.until(&format!("select not {waits}"));
        writer.batch_execute("commit").unwrap();
        run.join().unwrap()
    });
    assert_eq!(run.unwrap().applied.len(), EMBEDDED - 7);
}

#[test]
fn an_async_run_can_be_stopped_and_its_statement_cancelled() {
    let database = Database::empty();
    let mut other = database.client();
    other.execute("select pg_advisory_lock($1)", &[&ADVISORY_LOCK]).unwrap();
    let options = Options::default();
    let error = wait(async {
        let conninfo = database.conninfo();
        let mut client = connect(&conninfo).await;
        let stop = options.stop.clone();
        tokio::spawn(async move {
            let waits = "select exists (select from pg_stat_activity where datname = current_database()
                and query ~ 'who holds the advisory lock of migrations' and pid <> pg_backend_pid())";
            until(&conninfo, waits).await;
            stop.store(true, Ordering::Relaxed);
        });
        let error = migrate_async(&mut client, &options).await.unwrap_err();
        assert!(is_clean(&client).await);
        error
    });
    assert!(matches!(error, Error::Stopped), "{error:?}");
    other.execute("select pg_advisory_unlock($1)", &[&ADVISORY_LOCK]).unwrap();

    let error = wait(async {
        let conninfo = database.conninfo();
        let mut client = connect(&conninfo).await;
        let cancel = client.cancel_token();
        tokio::spawn(async move {
            until(&conninfo, ASLEEP).await;
            cancel.cancel_query(NoTls).await.unwrap();
        });
        let error = migrate_async(&mut client, &with_one_more("select pg_sleep(120)")).await.unwrap_err();
        assert!(is_clean(&client).await);
        error
    });
    let Error::Migration { failure, .. } = &error else { panic!("{error:?}") };
    assert_eq!(failure.sqlstate(), Some("57014"), "{error}");
    assert!(is_untouched(&database));
}

#[test]
fn a_connection_that_ends_in_the_middle_is_an_error_and_changes_nothing() {
    let database = Database::empty();
    let error = wait(async {
        let conninfo = database.conninfo();
        let mut client = connect(&conninfo).await;
        tokio::spawn(async move {
            until(&conninfo, ASLEEP).await;
            let end = "select pg_terminate_backend(pid) from pg_stat_activity where wait_event = 'PgSleep'
                and datname = current_database()";
            connect(&conninfo).await.batch_execute(end).await.unwrap();
        });
        migrate_async(&mut client, &with_one_more("select pg_sleep(120)")).await.unwrap_err()
    });
    let Error::Migration { failure, .. } = &error else { panic!("{error:?}") };
    assert!(failure.is_disconnect(), "{error}");
    assert!(is_untouched(&database));
}

#[test]
fn a_run_whose_future_is_dropped_is_rolled_back_before_the_client_does_anything_else() {
    let database = Database::empty();
    wait(async {
        let conninfo = database.conninfo();
        let mut client = connect(&conninfo).await;
        let cancel = client.cancel_token();
        // A statement that is short goes on to its end, a long one can be cancelled.
        for (sleep, cancelled) in [("select pg_sleep(1)", false), ("select pg_sleep(120)", true)] {
            let options = with_one_more(sleep);
            tokio::select! {
                end = migrate_async(&mut client, &options) => panic!("{end:?}"),
                () = until(&conninfo, ASLEEP) => {}
            }
            if cancelled {
                cancel.cancel_query(NoTls).await.unwrap();
            }
            assert!(timeout(millis(20_000), is_clean(&client)).await.unwrap());
            assert_eq!(text(&client, "select to_regnamespace('hacs_core')").await, "null");
        }
        assert_eq!(migrate_async(&mut client, &Options::default()).await.unwrap().applied.len(), EMBEDDED);
    });
    assert_eq!(database.dump(), Database::migrated().dump());
}

#[test]
fn a_run_whose_future_is_dropped_at_any_moment_leaves_all_or_nothing_and_a_clean_client() {
    let database = Database::empty();
    let undo = "set client_min_messages = error;
        drop schema if exists hacs_core, hacs_clinical, hacs_registry, hacs_agents, hacs_admin, hacs_audit cascade";
    let count = "select count(*) from pg_namespace where nspname like 'hacs\\_%'";
    let mut interrupted = 0;
    wait(async {
        let mut client = connect(&database.conninfo()).await;
        for moment in (0..24).map(|step| millis(1 + step * step)) {
            let end = timeout(moment, migrate_async(&mut client, &Options::default())).await;
            assert!(is_clean(&client).await, "after {moment:?}");
            let schemas = text(&client, count).await;
            match end {
                Ok(report) => assert_eq!((report.unwrap().applied.len(), schemas.as_str()), (9, "6")),
                Err(_) => {
                    interrupted += 1;
                    // The COMMIT may have been on its way.
                    let complete = status_async(&mut client).await.unwrap().migration_complete;
                    assert_eq!(schemas, if complete { "6" } else { "0" }, "after {moment:?}");
                }
            }
            client.batch_execute(undo).await.unwrap();
        }
    });
    assert!(interrupted > 3, "{interrupted}");
}

#[test]
fn a_run_outside_a_transaction_gives_lock_and_settings_back_when_its_future_is_dropped() {
    let database = with_patients(1000);
    let options = with(&["-- hacs-refinery: no transaction\n
        create index concurrently if not exists patients_ward_idx on hacs_core.patients (public.slowly(phone));"]);
    wait(async {
        let mut client = connect(&database.conninfo()).await;
        let run = migrate_async(&mut client, &options);
        let (conninfo, building) = (database.conninfo(), "select exists (select from pg_stat_progress_create_index)");
        tokio::select! {
            done = run => panic!("it was not dropped: {done:?}"),
            () = until(&conninfo, building) => {}
        }
        // What was sent runs to its end before; then there is no lock any more, and another session has its turn.
        assert!(is_clean(&client).await);
        let mut other = connect(&database.conninfo()).await;
        let report = migrate_async(&mut other, &options).await.unwrap();
        assert_eq!(report.version, Some(100));
        assert!(is_clean(&other).await);
    });
    assert_eq!(database.text("select count(*) from pg_index where not indisvalid"), "0");
}

#[test]
fn a_status_whose_future_is_dropped_leaves_no_transaction_open() {
    let database = Database::migrated();
    let mut other = database.client();
    // The first of its two messages waits here, the one that starts the transaction.
    other.batch_execute("begin; lock table pg_catalog.pg_constraint in access exclusive mode").unwrap();
    wait(async {
        let mut client = connect(&database.conninfo()).await;
        timeout(millis(400), status_async(&mut client)).await.expect_err("the catalogue cannot be read");
        let other = tokio::task::spawn_blocking(move || other.batch_execute("rollback").map(|()| other));
        // A blocking client may not be dropped on a thread of a runtime.
        let other = other.await.unwrap().unwrap();
        thread::spawn(move || drop(other)).join().unwrap();
        assert!(is_clean(&client).await);
        assert!(status_async(&mut client).await.unwrap().migration_complete);
    });
}

#[test]
fn the_blocking_form_panics_inside_a_runtime_as_its_documentation_says() {
    let database = Database::migrated();
    // Dropped inside of the runtime, the client would panic a second time, which ends the process.
    let mut client = database.client();
    let status = std::panic::AssertUnwindSafe(|| hacs_refinery::status(&mut client).map(drop));
    let panic = wait(async { std::panic::catch_unwind(status) }).expect_err("it does not panic");
    let message = panic
        .downcast_ref::<&str>()
        .map_or_else(|| format!("{:?}", panic.downcast_ref::<String>()), |text| (*text).to_owned());
    assert!(message.contains("Cannot start a runtime from within a runtime"), "{message}");
}
