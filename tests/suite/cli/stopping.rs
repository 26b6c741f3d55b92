//! The program ends within 6 s of a signal, whatever server, proxy, resolver, disk or terminal do.

use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use crate::database::{Database, Ended, ended, tool, until};
use crate::proxy::{Proxy, Sender};
use crate::python::SERVICE;
use crate::run::kills::holds;
use crate::server::{self, Server};

/// From the signal to the end. It is the clock alone that counts there, so that a busy machine is no excuse.
const END: Duration = Duration::from_secs(6);

pub(super) fn start(command: &mut Command) -> Child {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Sends a signal and waits for the end, with nobody reading what is written meanwhile.
pub(super) fn told(mut child: Child, name: &str, what: &str) -> Ended {
    until("the program does not catch signals", || catches_signals(child.id()));
    let start = Instant::now();
    server::signal(child.id(), name);
    while child.try_wait().unwrap().is_none() {
        if start.elapsed() > END {
            let _ = child.kill();
            panic!("{what}: still there {:?} after SIG{name}", start.elapsed());
        }
        sleep(Duration::from_millis(10));
    }
    let end = ended(child.wait_with_output().unwrap());
    let code = if name == "INT" { 130 } else { 143 };
    assert_eq!(end.code, Some(code), "{what}: {end:?}");
    end
}

/// Whether a process has its own answer to SIGTERM; before that the system's ends it, without a word.
fn catches_signals(process: u32) -> bool {
    signals(process, "SigCgt:") & (1 << 14) != 0
}

/// A set of signals that the system keeps of a process, the first in the lowest bit.
fn signals(process: u32, of: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let set = status.lines().find_map(|line| line.strip_prefix(of)).unwrap_or("0").trim();
    u64::from_str_radix(set, 16).unwrap_or(0)
}

/// Whether the last line says what became of the database.
pub(super) fn says_the_outcome(end: &Ended, what: &str) {
    let known = [
        "Nothing was changed",
        "either as before or complete",
        "A part of the run is done",
        "is complete",
        "Nothing else was under way",
    ];
    assert!(known.iter().any(|words| end.stderr.contains(words)), "{what}: {end:?}");
    assert!(end.stderr.contains("error: ") && !end.stderr.contains("panicked"), "{what}: {end:?}");
}

const COMMANDS: [&[&str]; 14] = [
    &["migrate"],
    &["migrate", "--dry-run"],
    &["status"],
    &["verify"],
    &["verify", "--deep"],
    &["verify", "--seals"],
    &["plan"],
    &["baseline"],
    &["seal"],
    &["import"],
    &["export"],
    &["status", "--databases"],
    &["adopt"],
    &["adopt", "--follow", "note"],
];

/// What a command finds in its database.
pub(super) fn prepared(server: &Server, command: &[&str]) -> Database {
    if ["migrate", "adopt"].contains(&command[0]) {
        let database = Database::on(server);
        let old = if command[0] == "adopt" { SERVICE } else { "" };
        database.client().batch_execute(old).unwrap();
        return database;
    }
    let database = Database::migrated_on(server);
    database
        .client()
        .batch_execute(match command[0] {
            "baseline" => "delete from hacs_admin.migrations",
            "seal" | "export" => "insert into hacs_core.patients (id, family) values ('old', 'x')",
            _ => "",
        })
        .unwrap();
    database
}

/// What a command would do once, and whether it is done.
fn is_done(database: &Database, command: &[&str]) -> bool {
    let query = match command[0] {
        "baseline" => "select exists (select from hacs_admin.migrations)",
        "seal" => "select exists (select from hacs_audit.seals)",
        "adopt" => "select to_regclass('hacs_core.patients') is not null",
        "import" => "select exists (select from hacs_core.patients)",
        _ => "select false",
    };
    database.text(query) == "t"
}

/// A file to read from: a document, or a list of the one database.
pub(super) struct Input(tempfile::TempDir);

impl Input {
    pub(super) fn new(text: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("input"), text).unwrap();
        Self(dir)
    }

    pub(super) fn path(&self) -> String {
        self.0.path().join("input").display().to_string()
    }
}

#[test]
fn silence_after_any_message_is_ended_by_a_signal() {
    let server = Server::start(&[]);
    let mut cases = Vec::new();
    for command in COMMANDS {
        let database = prepared(&server, command);
        let proxy = Proxy::start(&server, None);
        let (mut tool, _input) = through(&proxy, &database, command);
        let end = ended(tool.output().unwrap());
        assert_eq!(end.code, Some(0), "{end:?}");
        let total = proxy.count(Sender::Server);
        assert!(total > 10, "{command:?}: {total} messages");
        // The first are those of the log-in, the last ones those of a commit.
        let some = [0, 1, 14, total / 3, total / 2, total - 2, total - 1];
        let numbers = if ["migrate", "import"].contains(command.last().unwrap()) { &some[..] } else { &some[2..] };
        cases.extend(numbers.iter().map(|number| (command, *number)));
    }
    let cases = Mutex::new(cases);
    thread::scope(|scope| {
        for _ in 0..12 {
            scope.spawn(|| {
                while let Some((command, number)) = { cases.lock().unwrap().pop() } {
                    silence(&server, command, number);
                }
            });
        }
    });
}

pub(super) fn through(proxy: &Proxy, database: &Database, command: &[&str]) -> (Command, Input) {
    let url = format!("postgresql://postgres@127.0.0.1:{}/{}?sslmode=disable", proxy.port, database.name);
    let input = match command.last() {
        Some(&"--databases") => Input::new(&format!("one {url}\n")),
        _ => Input::new("{\"resource_type\": \"Patient\", \"id\": \"new\", \"family\": \"x\"}\n"),
    };
    let takes_one = ["import", "--databases"].contains(command.last().unwrap());
    let (path, mut tool) = (input.path(), tool(command));
    if takes_one {
        tool.arg(&path);
    }
    if command.last() != Some(&"--databases") {
        tool.args(["-d", url.as_str()]);
    }
    (tool, input)
}

fn silence(server: &Server, command: &[&str], number: usize) {
    let what = format!("{command:?}, silence after {number} messages");
    let database = prepared(server, command);
    let proxy = Proxy::silent_after(server, number);
    let (mut tool, _input) = through(&proxy, &database, command);
    let child = start(&mut tool);
    until(&what, || proxy.count(Sender::Client) > 0 && proxy.count(Sender::Server) >= number);
    let end = told(child, if number.is_multiple_of(2) { "TERM" } else { "INT" }, &what);
    says_the_outcome(&end, &what);
    let done = if command[0] == "migrate" {
        holds(&database, &what)
    } else {
        database.until(
            "select not exists (select from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid())",
        );
        is_done(&database, command)
    };
    if done {
        assert!(!end.stderr.contains("Nothing was changed"), "{what}: {end:?}");
    }
}

#[test]
fn a_server_that_is_frozen_from_the_first_process_to_ours_is_not_waited_for() {
    let server = Server::start(&[]);
    let database = Database::on(&server);
    let slow =
        "create function public.slow() returns event_trigger language plpgsql as 'begin perform pg_sleep(60); end';
        create event trigger slow on ddl_command_end when tag in ('CREATE TABLE') execute function public.slow()";
    database.client().batch_execute(slow).unwrap();
    let args = ["migrate", "--statement-timeout", "40s", "-d", &database.conninfo()];
    let child = start(&mut tool(&args));
    let ours = "select coalesce(max(pid), 0) from pg_stat_activity where application_name = 'hacs-refinery'
        and wait_event = 'PgSleep'";
    let mut process = 0;
    until("the run does not come to its first table", || {
        process = database.text(ours).parse().unwrap();
        process != 0
    });
    server::signal(process, "STOP");
    server.signal("STOP");
    let end = told(child, "TERM", "all is frozen");
    server.signal("CONT");
    server::signal(process, "CONT");
    assert!(end.stderr.contains("error: stopped by signal 15\nNothing was changed"), "{end:?}");
    let gone = format!("select count(*) from pg_stat_activity where pid = {process}");
    until("the session of the run stays", || database.text(&gone) == "0");
    assert_eq!(database.text("select to_regnamespace('hacs_core')"), "null");
}

#[test]
fn a_second_signal_ends_at_once() {
    let server = Server::start(&[]);
    let database = Database::migrated_on(&server);
    let proxy = Proxy::silent_after(&server, 20);
    let child = start(&mut through(&proxy, &database, &["status"]).0);
    until("status does not begin", || proxy.count(Sender::Server) >= 20);
    let first = Instant::now();
    server::signal(child.id(), "INT");
    until("the first is not taken", || signals(child.id(), "ShdPnd:") & (1 << 1) == 0);
    let end = told(child, "TERM", "twice");
    // The first alone would have taken 4.5 s.
    assert!(first.elapsed() < Duration::from_secs(4), "{end:?}");
}

/// Whether the first thread of a process waits in one of these places of the kernel.
pub(super) fn waits_in(process: u32, places: &[&str]) -> bool {
    let place = std::fs::read_to_string(format!("/proc/{process}/wchan")).unwrap_or_default();
    places.iter().any(|name| place.contains(name))
}

#[test]
fn a_statement_timeout_bounds_the_waiting_for_a_silent_server_as_well() {
    let server = Server::start(&[]);
    let database = Database::on(&server);
    let proxy = Proxy::silent_after(&server, 20);
    let end = ended(through(&proxy, &database, &["migrate", "--statement-timeout", "100ms"]).0.output().unwrap());
    assert_eq!(end.code, Some(3), "{end:?}");
    assert!(end.stderr.contains("the server did not answer within 1"), "{end:?}");
    assert!(end.stderr.contains("Nothing was changed."), "{end:?}");
    assert_eq!(database.text("select to_regnamespace('hacs_core')"), "null");
}
