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

fn start(command: &mut Command) -> Child {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Sends a signal and waits for the end, with nobody reading what is written meanwhile.
fn told(mut child: Child, name: &str, what: &str) -> Ended {
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
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap_or("0").trim();
    u64::from_str_radix(caught, 16).is_ok_and(|signals| signals & (1 << 14) != 0)
}

/// Whether the last line says what became of the database.
fn says_the_outcome(end: &Ended, what: &str) {
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
fn prepared(server: &Server, command: &[&str]) -> Database {
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
struct Input(tempfile::TempDir);

impl Input {
    fn new(text: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("input"), text).unwrap();
        Self(dir)
    }

    fn path(&self) -> String {
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

fn through(proxy: &Proxy, database: &Database, command: &[&str]) -> (Command, Input) {
    let url = format!("postgresql://postgres@127.0.0.1:{}/{}?sslmode=disable", proxy.port, database.name);
    let input = match command.last() {
        Some(&"--databases") => Input::new(&format!("one {url}\n")),
        _ => Input::new("{\"resource_type\": \"Patient\", \"id\": \"new\", \"family\": \"x\"}\n"),
    };
    let takes_one = ["import", "--databases"].contains(command.last().unwrap());
    let (path, at) = (input.path(), ["-d", url.as_str()]);
    let more: &[&str] = if takes_one { &[&path] } else { &[] };
    (tool(&[command, more, &at].concat()), input)
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
    sleep(Duration::from_millis(300));
    let end = told(child, "TERM", "twice");
    // The first alone would have taken 4.5 s.
    assert!(first.elapsed() < Duration::from_secs(4), "{end:?}");
}

/// A listener that takes a connection, says so much, and then nothing.
fn mute(says: &'static [u8]) -> (u16, std::sync::mpsc::Receiver<()>) {
    use std::io::{Read, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (heard, hears) = std::sync::mpsc::channel();
    thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        let mut buffer = [0; 1024];
        let _ = client.read(&mut buffer);
        let _ = client.write_all(says);
        let _ = heard.send(());
        // Holds both until the client is gone.
        while client.read(&mut buffer).is_ok_and(|read| read > 0) {}
        drop(listener);
    });
    (port, hears)
}

#[test]
fn a_handshake_that_is_never_answered_is_ended_by_a_signal() {
    for (says, sslmode) in [(&b"S"[..], "require"), (b"", "require"), (b"", "disable"), (b"R\0\0", "disable")] {
        let (port, hears) = mute(says);
        let url = format!("host=127.0.0.1 port={port} user=me dbname=x sslmode={sslmode}");
        for command in [&["migrate"][..], &["status", "--wait", "5m"]] {
            let child = start(&mut tool(&[command, &["--connect-timeout", "5m", "-d", &url]].concat()));
            if command.len() == 1 {
                hears.recv_timeout(Duration::from_secs(60)).expect("the tool connects");
            }
            let end = told(child, "TERM", sslmode);
            assert!(end.stderr.contains("Nothing was changed."), "{end:?}");
        }
    }
}

#[test]
fn a_host_that_takes_no_connection_is_ended_by_a_signal() {
    // One waits to be accepted; whoever comes then is not answered by the system either.
    let listener = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    listener.bind(&std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    listener.listen(0).unwrap();
    let address = listener.local_addr().unwrap().as_socket().unwrap();
    let mut full = Vec::new();
    while let Ok(taken) = std::net::TcpStream::connect_timeout(&address, Duration::from_millis(500)) {
        full.push(taken);
        assert!(full.len() < 100, "there is always room");
    }
    let url = format!("host=127.0.0.1 port={} user=me dbname=x sslmode=disable", address.port());
    let child = start(&mut tool(&["migrate", "--connect-timeout", "5m", "-d", &url]));
    until("the tool does not connect", || connecting(child.id()));
    let end = told(child, "INT", "a full backlog");
    assert!(end.stderr.contains("Nothing was changed."), "{end:?}");
}

/// Whether a process waits with a socket of its own.
fn connecting(process: u32) -> bool {
    let files = std::fs::read_dir(format!("/proc/{process}/fd")).into_iter().flatten().flatten();
    let is_socket = |path: std::path::PathBuf| path.to_string_lossy().starts_with("socket:");
    // Two are those of the thread that waits for signals.
    files.filter_map(|file| std::fs::read_link(file.path()).ok()).filter(|path| is_socket(path.clone())).count() > 2
}

#[test]
fn a_name_that_is_never_found_out_is_ended_by_a_signal() {
    let dir = tempfile::tempdir().unwrap();
    let (source, library, asked) = (dir.path().join("slow.c"), dir.path().join("slow.so"), dir.path().join("asked"));
    // What asks the system's resolver gets no answer for an hour.
    let code = "#include <stdio.h>\n#include <stdlib.h>\n#include <unistd.h>\n
        int getaddrinfo(const char *a, const char *b, const void *c, void **d) {
            fclose(fopen(getenv(\"ASKED\"), \"w\")); sleep(3600); return -3; }\n";
    std::fs::write(&source, code).unwrap();
    let built = Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source).status().unwrap();
    assert!(built.success(), "cc builds a library");
    for args in [&["migrate", "--connect-timeout", "5m"][..], &["status", "--wait", "5m"], &["verify", "--wait", "1s"]]
    {
        let _ = std::fs::remove_file(&asked);
        let mut command = tool(&[args, &["-d", "postgres://me@db.example.org/x"]].concat());
        let child = start(command.env("LD_PRELOAD", &library).env("ASKED", &asked));
        until("nobody asks for the name", || asked.exists());
        let end = told(child, "TERM", "a silent resolver");
        assert!(end.stderr.contains("Nothing was changed."), "{end:?}");
    }
    // And the time to connect is bounded all the same.
    let mut command = tool(&["status", "--connect-timeout", "1s", "-d", "postgres://me@db.example.org/x"]);
    let end = ended(command.env("LD_PRELOAD", &library).env("ASKED", &asked).output().unwrap());
    assert_eq!(end.code, Some(3), "{end:?}");
    assert!(end.stderr.contains("did not let us in within 1s"), "{end:?}");
}

#[test]
fn a_file_that_cannot_be_read_to_its_end_is_ended_by_a_signal() {
    let dir = tempfile::tempdir().unwrap();
    let pipe = dir.path().join("pgpass");
    assert!(Command::new("mkfifo").args(["-m", "0600"]).arg(&pipe).status().unwrap().success());
    let url = "host=127.0.0.1 port=1 user=me dbname=x";
    let child = start(tool(&["status", "-d", url]).env("PGPASSFILE", &pipe));
    until("nobody opens the file", || waits_in(child.id(), &["fifo", "wait_for_partner"]));
    let end = told(child, "TERM", "a disk that hangs");
    assert!(end.stderr.contains("Nothing was changed."), "{end:?}");
}

/// Whether the first thread of a process waits in one of these places of the kernel.
fn waits_in(process: u32, places: &[&str]) -> bool {
    let place = std::fs::read_to_string(format!("/proc/{process}/wchan")).unwrap_or_default();
    places.iter().any(|name| place.contains(name))
}

#[test]
fn pipes_that_nobody_reads_keep_no_signal_from_ending_the_program() {
    let database = Database::empty();
    let full = |args: &[&str], verbose: &str| {
        let child = start(database.tool(args).env("RUST_LOG", verbose));
        until("the pipe is never full", || waits_in(child.id(), &["pipe_write"]));
        child
    };
    // Standard output is full, and so long that it has to be.
    let end = told(full(&["plan", "--sql"], "error"), "TERM", "a full standard output");
    says_the_outcome(&end, "a full standard output");
    // Standard error is full: there is nobody to tell.
    for name in ["TERM", "INT"] {
        told(full(&["migrate", "-vvv"], "trace"), name, "a full standard error");
    }
    crate::run::kills::holds(&database, "a full standard error");
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

#[test]
fn an_input_that_never_comes_is_ended_by_a_signal() {
    let database = Database::migrated();
    let dir = tempfile::tempdir().unwrap();
    let pipe = dir.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let pipe = pipe.to_str().unwrap();
    let waits = ["pipe_read", "fifo", "wait_for_partner", "anon_pipe_read"];
    for args in [
        &["import"][..],
        &["import", pipe],
        &["status", "--databases", "-"],
        &["migrate", "--json", "--databases", pipe],
    ] {
        for name in ["TERM", "INT"] {
            let mut command = database.tool(args);
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
            let mut child = command.spawn().unwrap();
            let stdin = child.stdin.take();
            until("nobody reads", || waits_in(child.id(), &waits));
            let end = told(child, name, args[0]);
            assert!(end.stderr.contains("Nothing was changed"), "{args:?}: {end:?}");
            drop(stdin);
        }
    }
    assert_eq!(database.text("select count(*) from hacs_core.patients"), "0");
}

#[test]
fn what_an_import_or_a_run_of_seals_has_stored_is_told_where_its_report_is_not_taken() {
    let database = Database::migrated();
    let input = Input::new("{\"resource_type\": \"Patient\", \"id\": \"new\", \"family\": \"x\"}\n");
    for args in [&["import", &input.path(), "--json"][..], &["seal", "--json"]] {
        // A pipe that is full from the start.
        let (reader, mut writer) = std::io::pipe().unwrap();
        let filler = thread::spawn({
            let mut writer = writer.try_clone().unwrap();
            move || drop(std::io::Write::write_all(&mut writer, &[b'x'; 1 << 16]))
        });
        filler.join().unwrap();
        let mut command = database.tool(args);
        command.stdin(Stdio::null()).stdout(writer.try_clone().unwrap()).stderr(Stdio::piped());
        let child = command.spawn().unwrap();
        until("the report is written", || waits_in(child.id(), &["pipe_write"]));
        let end = told(child, "TERM", args[0]);
        assert!(end.stderr.contains("The run is complete; it was its report that could not be written"), "{end:?}");
        let _ = std::io::Write::flush(&mut writer);
        drop(reader);
    }
    assert_eq!(database.text("select count(*) from hacs_core.patients"), "1");
    assert_ne!(database.text("select count(*) from hacs_audit.seals"), "0");
}

#[test]
fn a_server_that_hangs_up_in_the_midst_of_sealing_leaves_nobody_told_that_nothing_was_changed() {
    let server = Server::start(&[]);
    let database = prepared(&server, &["seal"]);
    let proxy = Proxy::start(&server, None);
    assert_eq!(ended(through(&proxy, &database, &["seal"]).0.output().unwrap()).code, Some(0));
    let total = proxy.count(Sender::Server);
    let seals = || database.text("select count(*) from hacs_audit.seals");
    for number in 0..total {
        let change = format!("insert into hacs_core.patients (id, family) values ('new{number}', 'x')");
        database.client().batch_execute(&change).unwrap();
        let before = seals();
        let proxy = Proxy::start(&server, Some((Sender::Server, number)));
        let end = ended(through(&proxy, &database, &["seal"]).0.output().unwrap());
        database.until(
            "select not exists (select from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid())",
        );
        let done = seals() != before;
        assert!(!done || !end.stderr.contains("Nothing was changed."), "cut after {number} of {total}: {end:?}");
        assert!(end.code == Some(3) || done, "cut after {number} of {total}: {end:?}");
    }
}

#[test]
fn seals_that_were_made_before_one_fails_stay_and_are_told() {
    let database = Database::migrated();
    let tired = "create sequence public.calls;
        create or replace function hacs_audit.seal(most integer default 10) returns integer language plpgsql
            set search_path = pg_catalog, pg_temp as $$
        begin
            if nextval('public.calls') > 2 then raise exception 'tired'; end if;
            return most;
        end $$";
    database.client().batch_execute(tired).unwrap();
    let end = database.run(&["seal"]);
    assert_eq!(end.code, Some(1), "{end:?}");
    assert!(end.stderr.contains("sealing the audit trail failed: tired"), "{end:?}");
    assert!(end.stderr.contains("seal 1 of this run to seal 20 of this run were applied and stay."), "{end:?}");
}

#[test]
fn a_commit_of_an_import_that_the_server_refuses_is_no_broken_connection() {
    let database = Database::migrated();
    let late = "create function public.late() returns trigger language plpgsql as
            'begin raise check_violation using message = ''too late''; end';
        create constraint trigger late after insert on hacs_core.patients deferrable initially deferred
            for each row execute function public.late()";
    database.client().batch_execute(late).unwrap();
    let input = Input::new("{\"resource_type\": \"Patient\", \"id\": \"new\", \"family\": \"x\"}\n");
    let end = database.run(&["import", &input.path()]);
    assert_eq!(end.code, Some(1), "{end:?}");
    assert!(end.stderr.contains("storing the documents failed: too late"), "{end:?}");
    assert!(end.stderr.contains("Nothing was changed."), "{end:?}");
    assert_eq!(database.text("select count(*) from hacs_core.patients"), "0");
}
