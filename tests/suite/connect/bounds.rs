//! What ends a wait that no signal ends, and how much a server may send: one that is gone, one that takes nothing, one
//! that never stops.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use super::fake_server::{Step, serve, watched};
use super::messages::{columns, logged_in, row};
use crate::database::{ended, tool};

use Step::{Endlessly, Hear, Say, Silence};

fn started(port: u16, args: &[&str], settings: &str) -> Child {
    let url = format!("host=127.0.0.1 port={port} user=me dbname=x sslmode=disable {settings}");
    let mut command: Command = tool(&[args, &["-d", &url]].concat());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// In how many seconds the system will ask whether the peer of the connection to this port is still there.
fn keepalive(port: u16) -> Option<u64> {
    let connections = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let to = format!("0100007F:{port:04X}");
    let mut established =
        connections.lines().map(|line| line.split_whitespace().collect()).filter(|line: &Vec<&str>| line[3] == "01");
    let (kind, ticks) = established.find(|line| line[2] == to)?[5].split_once(':').unwrap();
    // 02 stands for the keepalive; a hundredth of a second is a tick.
    (kind == "02").then(|| u64::from_str_radix(ticks, 16).unwrap() / 100)
}

/// What of it is seen before the deadline.
fn seen(port: u16, limit: Duration) -> Option<u64> {
    let deadline = Instant::now() + limit;
    while Instant::now() < deadline {
        if let Some(seconds) = keepalive(port) {
            return Some(seconds);
        }
        sleep(Duration::from_millis(10));
    }
    None
}

#[test]
fn the_system_asks_after_a_minute_whether_the_server_is_still_there() {
    for (settings, most) in [("", 60), ("keepalives_idle=7", 7)] {
        let port = serve(vec![Hear, Say(logged_in()), Silence]);
        let mut child = started(port, &["migrate"], settings);
        let seconds = seen(port, Duration::from_secs(60));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(seconds.is_some_and(|seconds| seconds <= most), "{settings}: {seconds:?}");
    }
}

/// Lets everybody in, and takes nothing more from then on.
fn takes_nothing() -> u16 {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    // The least that there is, so that no message of ours fits.
    socket.set_recv_buffer_size(1).unwrap();
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
    socket.listen(8).unwrap();
    let listener = TcpListener::from(socket);
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            thread::spawn(move || {
                let mut first = [0; 512];
                std::io::Read::read(&mut client, &mut first).unwrap();
                std::io::Write::write_all(&mut client, &logged_in()).unwrap();
                loop {
                    thread::park();
                }
            });
        }
    });
    port
}

#[test]
fn a_run_whose_messages_do_not_arrive_ends_without_a_statement_timeout() {
    let port = takes_nothing();
    // Two minutes by default; this one waits for them.
    let mut patient = started(port, &["migrate"], "");
    let end = ended(started(port, &["migrate"], "tcp_user_timeout=1500").wait_with_output().unwrap());
    let is_waiting = patient.try_wait().unwrap().is_none();
    patient.kill().unwrap();
    patient.wait().unwrap();
    assert_eq!(end.code, Some(3), "{end:?}");
    assert!(end.stderr.contains("timed out"), "{end:?}");
    assert!(is_waiting, "it is the setting that ends it");
}

/// 64 MB of one answer, and what these are in memory: the shortest rows are the dearest.
const LIMIT: u64 = 1_200_000;

#[test]
fn rows_without_end_are_an_error_within_bounded_memory() {
    let long = vec![b'x'; 60_000];
    for values in [vec![Some(&long[..])], vec![Some(&b""[..])], vec![]] {
        let count = values.len();
        let names: Vec<&[u8]> = vec![b"version"; count];
        let steps = vec![Hear, Say(logged_in()), Hear, Say(columns(&names)), Endlessly(row(&values))];
        let (end, most) = watched(started(serve(steps), &["status"], ""));
        assert_eq!(end.code, Some(3), "{count} columns: {end:?}");
        assert!(end.stderr.contains("the server sends without end"), "{count} columns: {end:?}");
        assert!(most < LIMIT, "{count} columns: {most} kB");
        println!("{count} columns: {most} kB");
    }
}
