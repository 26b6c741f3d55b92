//! A host, a resolver, a file or a pipe that never answers keeps no signal from ending the program.

use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use super::stopping::{says_the_outcome, start, told, waits_in};
use crate::database::{Database, ended, tool, until};

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
    // What asks the system's resolver gets no answer.
    let code = "#include <stdio.h>\n#include <stdlib.h>\n#include <unistd.h>\n
        int getaddrinfo(const char *a, const char *b, const void *c, void **d) {
            fclose(fopen(getenv(\"ASKED\"), \"w\")); for (;;) pause(); }\n";
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
