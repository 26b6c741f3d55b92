//! Waiting for a server, for tables, for a signal: always with an end.

use std::process::Child;
use std::time::{Duration, Instant};

use hacs_refinery::{Error, Options};
use postgres::{Client, NoTls};
use refinery::Migration;

use crate::database::{Database, Ended, ended, tool, until, until_it_says};
use crate::server::{self, Server};

fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// Runs the tool, and tells how long it took.
fn timed(args: &[&str]) -> (Ended, Duration) {
    let start = Instant::now();
    let end = ended(tool(args).output().unwrap());
    (end, start.elapsed())
}

fn reasons(end: &Ended) -> Vec<&str> {
    end.stderr.lines().filter(|line| line.contains("waiting for ")).collect()
}

#[test]
fn a_server_that_shuts_down_and_comes_back_is_waited_for_with_a_line_for_each_reason() {
    let mut server = Server::start(&[]);
    let database = Database::on(&server);
    let guest = database.client();
    // Shuts down when the last guest has left, and lets no new one in.
    server.signal("TERM");
    until("the server lets guests in", || Client::connect(&database.conninfo(), NoTls).is_err());
    let mut waiting = database.start(&["migrate", "--wait", "120s"]);
    let mut said = until_it_says(waiting.stderr.as_mut().unwrap(), "shutting down");
    drop(guest);
    said += &until_it_says(waiting.stderr.as_mut().unwrap(), "error connecting to server");
    server.kill();
    server.start_again();
    let mut end = ended(waiting.wait_with_output().unwrap());
    end.stderr.insert_str(0, &said);
    assert_eq!(end.code, Some(0), "{end:?}");
    // On a busy machine the server may end just while it is being asked: that is one more reason, once.
    let (broken, reasons): (Vec<_>, Vec<_>) =
        reasons(&end).into_iter().partition(|line| line.contains("error communicating with the server"));
    assert!(broken.len() <= 1, "{broken:?}");
    assert!(reasons[0].contains("the database system is shutting down (SQLSTATE 57P03)"), "{reasons:?}");
    assert!(reasons[1].contains("error connecting to server"), "{reasons:?}");
    assert!((2..=4).contains(&reasons.len()), "{reasons:?}");
}

#[test]
fn waiting_ends_at_the_deadline_with_the_last_reason() {
    let refused = format!("postgres://me@127.0.0.1:{}/x", server::free_port());
    let unknown = "postgres://me@no-such-host.invalid/x";
    let missing = "host=/nonexistent user=me dbname=x";
    for (url, reason) in
        [(refused.as_str(), "Connection refused"), (unknown, "lookup address"), (missing, "No such file")]
    {
        let (end, took) = timed(&["status", "--wait", "800ms", "-d", url]);
        assert_eq!(end.code, Some(3), "{end:?}");
        assert!(took >= millis(700) && took < millis(20_000), "{took:?}");
        assert_eq!(reasons(&end).len(), 1, "{end:?}");
        let error = end.stderr.split_once("error: cannot connect to").map(|(_, error)| error);
        assert!(error.is_some_and(|error| error.contains(reason) && error.contains("\nHINT: ")), "{end:?}");
    }
}

#[test]
fn without_a_wait_a_refused_connection_fails_at_once() {
    let url = format!("postgres://me@127.0.0.1:{}/x", server::free_port());
    let (end, took) = timed(&["status", "-d", &url]);
    assert_eq!(end.code, Some(3), "{end:?}");
    assert!(took < millis(10_000), "{took:?}");
    assert!(end.stderr.contains("--wait 1m tries again"), "{end:?}");
}

#[test]
fn too_many_connections_pass_when_one_becomes_free() {
    let database = Database::empty();
    let role = format!("crowded_{}", database.name);
    database.client().batch_execute(&format!("create role {role} login connection limit 0")).unwrap();
    let url = database.conninfo().replace("user=postgres", &format!("user={role}"));
    let end = ended(tool(&["status", "-d", &url]).output().unwrap());
    assert_eq!(end.code, Some(3), "{end:?}");
    assert!(end.stderr.contains("(SQLSTATE 53300)\nHINT: "), "{end:?}");

    let mut waiting = tool(&["status", "--wait", "60s", "-d", &url])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let said = until_it_says(waiting.stderr.as_mut().unwrap(), "waiting for ");
    database.client().batch_execute(&format!("alter role {role} connection limit 1")).unwrap();
    let mut end = ended(waiting.wait_with_output().unwrap());
    end.stderr.insert_str(0, &said);
    assert_eq!(end.code, Some(0), "{end:?}");
    assert_eq!(reasons(&end).len(), 1, "{end:?}");
    database.client().batch_execute(&format!("drop role {role}")).unwrap();
}

#[test]
fn a_missing_database_is_not_waited_for() {
    let database = Database::empty();
    let url = database.conninfo().replace(&database.name, "no_such_database");
    let (end, took) = timed(&["status", "--wait", "60s", "-d", &url]);
    assert_eq!(end.code, Some(3), "{end:?}");
    assert!(took < millis(20_000), "{took:?}");
}

#[test]
fn a_server_that_accepts_and_then_says_nothing_is_given_up_and_the_next_host_is_asked() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let url = format!("postgres://me@127.0.0.1:{port}/x");
    for args in [&["status", "--connect-timeout", "500ms"][..], &["status", "--wait", "500ms"]] {
        let (end, took) = timed(&[args, &["-d", &url]].concat());
        assert_eq!(end.code, Some(3), "{end:?}");
        assert!(end.stderr.contains("the server did not let us in within "), "{end:?}");
        assert!(took >= millis(400) && took < millis(20_000), "{took:?}");
    }
    let database = Database::empty();
    let own = database.conninfo();
    let (host, rest) = own.strip_prefix("host=").unwrap().split_once(" port=").unwrap();
    let (own_port, rest) = rest.split_once(' ').unwrap();
    let nowhere = server::free_port();
    let url = format!("host=127.0.0.1,127.0.0.1,{host} port={port},{nowhere},{own_port} connect_timeout=1 {rest}");
    let (end, _) = timed(&["status", "-d", &url]);
    assert_eq!(end.code, Some(0), "{end:?}");
}

#[test]
fn a_program_that_connects_through_this_crate_gives_a_silent_server_up_as_well() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("postgres://me@127.0.0.1:{}/x", silent.local_addr().unwrap().port());
    let mut settings: hacs_refinery::Database = url.parse().unwrap();
    settings.set_connect_timeout(millis(300));
    let start = Instant::now();
    let texts = [settings.connect().err(), settings.link(Duration::ZERO).err()].map(|error| error.unwrap().to_string());
    assert!(texts[0].contains("the server did not let us in within 300ms"), "{texts:?}");
    assert_eq!(texts[0], texts[1]);
    assert!(start.elapsed() >= millis(500) && start.elapsed() < millis(20_000), "{:?}", start.elapsed());
}

#[test]
fn a_client_and_a_link_of_this_crate_can_be_cancelled_from_another_thread() {
    let database = Database::empty();
    let settings: hacs_refinery::Database = database.conninfo().parse().unwrap();
    let mut client = settings.connect().unwrap();
    let canceller = settings.canceller(&client);
    let asleep =
        "select exists (select from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep')";
    let error = std::thread::scope(|scope| {
        scope.spawn(|| {
            database.until(asleep);
            canceller.cancel();
        });
        client.batch_execute("select pg_sleep(600)").unwrap_err()
    });
    assert_eq!(error.code().map(postgres::error::SqlState::code), Some("57014"));

    let mut link = settings.link(Duration::ZERO).unwrap();
    let canceller = settings.link_canceller(&link);
    let mut options = Options::default();
    options.migrations.push(Migration::unapplied("V100__sleep", "select pg_sleep(600);").unwrap());
    let error = std::thread::scope(|scope| {
        scope.spawn(|| {
            database.until(asleep);
            canceller.cancel();
        });
        hacs_refinery::migrate(&mut link, &options).unwrap_err()
    });
    assert!(error.to_string().contains("57014"), "{error}");
    assert_eq!(database.text("select to_regnamespace('hacs_core')"), "null", "the run was rolled back");
    // The link goes on, and what it then says is true.
    assert_eq!(hacs_refinery::pending(&mut link, &options).unwrap().len(), crate::newest::EMBEDDED + 1);
    assert!(!hacs_refinery::status(&mut link).unwrap().migration_complete);
}

/// A database before its last migration, and a session that writes into a table which that one changes.
fn held() -> (Database, postgres::Client) {
    let database = Database::empty();
    assert_eq!(database.run(&["migrate", "--target", "7"]).code, Some(0));
    let mut writer = database.client();
    writer
        .batch_execute("set application_name = 'a writer'; begin; lock table hacs_core.patients in row exclusive mode")
        .unwrap();
    (database, writer)
}

#[test]
fn a_table_that_another_session_holds_is_waited_for_until_the_timeout() {
    let (database, mut writer) = held();
    let before = database.dump();
    let pid = writer.query_one("select pg_backend_pid()", &[]).unwrap().get::<_, i32>(0);

    let end = database.run(&["migrate", "--lock-timeout", "700ms"]);
    assert_eq!(end.code, Some(5), "{end:?}");
    let words = format!(
        "another session held what this run needs, for 700ms: held by process {pid} of role postgres (a writer) since 20"
    );
    assert!(end.stderr.contains(&words), "{end:?}");
    assert!(end.stderr.contains("(SQLSTATE 55P03)") && end.stderr.contains("Nothing was changed."), "{end:?}");
    assert_eq!(database.dump(), before);

    let waiting = database.start(&["migrate"]);
    let blocked =
        "exists (select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database())";
    database.until(&format!("select {blocked}"));
    database.until(&format!("select not {blocked}"));
    // Between the attempts nobody else has to wait behind this run.
    database.client().batch_execute("set lock_timeout = '10s'; select from hacs_core.patients").unwrap();
    writer.batch_execute("commit").unwrap();
    let end = ended(waiting.wait_with_output().unwrap());
    assert_eq!(end.code, Some(0), "{end:?}");
    assert!(end.stderr.contains("trying again: "), "{end:?}");
    assert!(hacs_refinery::status(&mut database.client()).unwrap().migration_complete);
}

#[test]
fn a_history_table_that_another_session_holds_keeps_nobody_for_ever() {
    let database = Database::migrated();
    let mut other = database.client();
    other.batch_execute("begin; lock table hacs_admin.migrations in access exclusive mode").unwrap();
    let end = database.run(&["migrate", "--lock-timeout", "300ms"]);
    assert_eq!(end.code, Some(5), "{end:?}");
}

fn with_ninth(sql: &str) -> Options {
    let mut options = Options::default();
    options.migrations.push(Migration::unapplied("V100__mine.sql", sql).unwrap());
    options
}

#[test]
fn a_deadlock_and_a_conflict_start_the_whole_transaction_again_until_the_timeout() {
    let database = Database::empty();
    // A sequence remembers the attempts, since it does not go back with them.
    database.client().batch_execute("create sequence public.attempts").unwrap();
    for state in ["40P01", "40001", "55P03"] {
        let failing = format!(
            "do $$ begin
                if nextval('public.attempts') % 3 <> 0 then raise 'again' using errcode = '{state}'; end if;
            end $$"
        );
        let report = hacs_refinery::migrate(&mut database.client(), &with_ninth(&failing)).unwrap();
        assert_eq!(report.applied.len(), crate::newest::EMBEDDED + 1, "{state}");
        assert_eq!(database.text("select last_value % 3 from public.attempts"), "0", "{state}");
        let undo = "drop schema hacs_core, hacs_clinical, hacs_registry, hacs_agents, hacs_admin, hacs_audit cascade";
        database.client().batch_execute(&format!("set client_min_messages = error; {undo}")).unwrap();
    }
    let mut options = with_ninth("do $$ begin raise 'never' using errcode = '40P01'; end $$");
    options.lock_timeout = millis(300);
    let error = hacs_refinery::migrate(&mut database.client(), &options).unwrap_err();
    assert!(matches!(error, Error::Blocked { .. }), "{error:?}");
    assert_eq!(database.text("select to_regnamespace('hacs_core')"), "null");
}

#[test]
fn a_run_that_is_told_to_stop_changes_nothing() {
    let database = Database::empty();
    let options = Options::default();
    options.stop.store(true, std::sync::atomic::Ordering::Relaxed);
    let error = hacs_refinery::migrate(&mut database.client(), &options).unwrap_err();
    assert!(matches!(error, Error::Stopped), "{error:?}");
    assert_eq!(database.text("select to_regnamespace('hacs_core')"), "null");
}

#[test]
fn a_statement_timeout_ends_the_run_and_without_one_no_role_can_set_it() {
    let database = Database::empty();
    let mut options = with_ninth("select pg_sleep(60)");
    options.statement_timeout = millis(400);
    let error = hacs_refinery::migrate(&mut database.client(), &options).unwrap_err();
    let Error::Migration { failure, .. } = &error else { panic!("{error:?}") };
    assert_eq!(failure.sqlstate(), Some("57014"), "{error}");
    assert!(error.to_string().contains("with a higher --statement-timeout"), "{error}");
    assert_eq!(database.text("select to_regnamespace('hacs_core')"), "null");

    let set = format!("alter database {} set statement_timeout = '400ms'", database.name);
    database.client().batch_execute(&set).unwrap();
    hacs_refinery::migrate(&mut database.client(), &with_ninth("select pg_sleep(1)")).unwrap();

    let slow = Database::empty();
    let event_trigger = "
        create function public.dawdle() returns event_trigger language plpgsql as 'begin perform pg_sleep(60); end';
        create event trigger dawdle on ddl_command_end execute function public.dawdle()";
    slow.client().batch_execute(event_trigger).unwrap();
    let end = slow.run(&["migrate", "--statement-timeout", "500ms"]);
    assert_eq!(end.code, Some(8), "{end:?}");
    assert!(end.stderr.contains("(SQLSTATE 57014)") && end.stderr.contains("\nNEXT: "), "{end:?}");
}

fn stopped(waiting: Child, name: &str, code: i32) {
    server::signal(waiting.id(), name);
    let end = ended(waiting.wait_with_output().unwrap());
    assert_eq!(end.code, Some(code), "{end:?}");
    assert!(end.stderr.contains("Nothing was changed"), "{end:?}");
}

#[test]
fn signals_cancel_the_running_statement_and_roll_back() {
    for (name, code) in [("INT", 130), ("TERM", 143)] {
        let (database, writer) = held();
        let before = database.dump();
        let waiting = database.start(&["migrate"]);
        let blocked = "select exists (select from pg_stat_activity where datname = current_database()
            and wait_event_type = 'Lock')";
        database.until(blocked);
        stopped(waiting, name, code);
        drop(writer);
        assert_eq!(database.dump(), before);
        assert_eq!(database.run(&["migrate"]).code, Some(0));
    }
}

#[test]
fn signals_end_a_wait_for_the_lock_and_for_the_server() {
    let database = Database::empty();
    let mut other = database.client();
    let key = i64::from_be_bytes(*b"hacsmigr");
    other.execute("select pg_advisory_lock($1)", &[&key]).unwrap();
    let waiting = database.start(&["migrate"]);
    database.until(
        "select exists (select from pg_stat_activity where datname = current_database()
        and application_name = 'hacs-refinery')",
    );
    stopped(waiting, "TERM", 143);

    let url = format!("postgres://me@127.0.0.1:{}/x", server::free_port());
    let mut command = tool(&["migrate", "--wait", "60s", "-d", &url]);
    let piped = std::process::Stdio::piped;
    let mut waiting = command.stdout(piped()).stderr(piped()).spawn().unwrap();
    until_it_says(waiting.stderr.as_mut().unwrap(), "waiting for ");
    stopped(waiting, "INT", 130);
}
