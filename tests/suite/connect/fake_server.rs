//! Something listens that speaks PostgreSQL's protocol wrongly, in every way of a table: a clear error, bounded memory
//! before the log-in, and no panic.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use super::messages::{
    authentication, columns, done, fields, logged_in, message, notice, ok, parameter, ready, refusal, row, with_length,
};
use crate::database::{Ended, ended, tool};

/// What the fake does, one after the other. After the last it hangs up.
#[derive(Clone, Debug)]
pub enum Step {
    /// Waits for the client to say something.
    Hear,
    /// Says so much.
    Say(Vec<u8>),
    /// Says so much until the client is gone.
    Endlessly(Vec<u8>),
    /// Says nothing until the client is gone.
    Silence,
}

use Step::{Endlessly, Hear, Say, Silence};

const ONE: Option<&[u8]> = Some(b"1");
const BAD: &[u8] = b"\xff\xfe\xc3\x28 bad";

/// From the first packet to the end of the log-in.
fn before() -> Vec<(&'static str, Vec<Step>)> {
    let scram = || authentication(10, b"SCRAM-SHA-256\0\0");
    let pause = || vec![Hear, Say(scram()), Hear];
    let after_scram = |text: &[u8]| [pause(), vec![Say(authentication(11, text)), Silence]].concat();
    let said = |bytes: Vec<u8>| vec![Hear, Say(bytes), Silence];
    let closed = |bytes: Vec<u8>| vec![Hear, Say(bytes)];
    let endless = |bytes: Vec<u8>| vec![Hear, Endlessly(bytes)];
    let big = vec![b'x'; 60_000];
    vec![
        ("closes at once", vec![]),
        ("closes after the first packet", vec![Hear]),
        ("says nothing", vec![Hear, Silence]),
        ("speaks before it is asked, and closes", vec![Say(ok())]),
        ("garbage", said(b"\x00\x01\x02garbage\xff\xff\xff\xff".to_vec())),
        ("endless garbage", endless(vec![0xa7; 4096])),
        ("endless zeroes", endless(vec![0; 4096])),
        ("endless letters without a newline", endless(vec![b'A'; 4096])),
        ("HTTP", closed(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n".to_vec())),
        ("SSH", closed(b"SSH-2.0-OpenSSH_9.6\r\n".to_vec())),
        ("SMTP", said(b"220 mail.example.org ESMTP Postfix\r\n".to_vec())),
        ("MySQL", said(b"\x4a\x00\x00\x00\x0a8.0.36\x00\x08\x00\x00\x00".to_vec())),
        ("Redis", said(b"-ERR unknown command\r\n".to_vec())),
        ("a length of zero", said(with_length(b'R', 0, b"\0\0\0\0"))),
        ("a length of three", said(with_length(b'R', 3, b"\0\0\0\0"))),
        ("a negative length", said(with_length(b'R', -1, b"\0\0\0\0"))),
        ("the least length of all", said(with_length(b'R', i32::MIN, b"\0\0\0\0"))),
        ("a huge length, and silence", said(with_length(b'R', i32::MAX, b"\0\0\0\0"))),
        ("a huge length, filled", vec![Hear, Say(with_length(b'R', i32::MAX, b"\0\0\0\0")), Endlessly(vec![1; 8192])]),
        ("a huge error, filled", vec![Hear, Say(with_length(b'E', 2_000_000_000, b"M")), Endlessly(vec![b'm'; 8192])]),
        ("a length too short for its body", said(with_length(b'R', 5, b"\0\0\0\0"))),
        ("a truncated header", closed(b"R\0\0".to_vec())),
        ("a truncated authentication", closed(with_length(b'R', 8, b"\0\0"))),
        ("an unknown kind of message", said(message(b'@', b"what"))),
        ("an unknown authentication", said(authentication(99, b""))),
        ("a negative authentication", said(authentication(-1, b""))),
        ("Kerberos", said(authentication(2, b""))),
        ("GSSAPI", said(authentication(7, b""))),
        ("SSPI", said(authentication(9, b""))),
        ("MD5 without a salt", said(authentication(5, b""))),
        ("MD5 with half a salt", said(authentication(5, b"ab"))),
        ("MD5, and silence", vec![Hear, Say(authentication(5, b"salt")), Silence]),
        (
            "asks for a password again and again",
            vec![Hear, Say(authentication(3, b"")), Hear, Endlessly(authentication(3, b""))],
        ),
        ("lets in again and again", endless(ok())),
        ("lets in, and closes", closed(ok())),
        ("lets in, and says nothing", said(ok())),
        ("SASL without a mechanism", said(authentication(10, b"\0"))),
        ("SASL with an unknown mechanism", said(authentication(10, b"ROT13\0\0"))),
        ("SASL without an end", said(authentication(10, b"SCRAM-SHA-256"))),
        ("SASL with bad UTF-8", said(authentication(10, b"\xff\xff\0\0"))),
        ("endless mechanisms", endless(authentication(10, &[&b"SCRAM\0".repeat(9000)[..], b"\0"].concat()))),
        ("SCRAM, and closes", pause()),
        ("SCRAM with garbage", after_scram(b"\0\0\0")),
        ("SCRAM with a foreign nonce", after_scram(b"r=foreign,s=c2FsdA==,i=4096")),
        ("SCRAM with four thousand million rounds", after_scram(b"r=x,s=c2FsdA==,i=4294967295")),
        ("SCRAM with zero rounds", after_scram(b"r=x,s=c2FsdA==,i=0")),
        ("SCRAM with bad base64", after_scram(b"r=x,s=!!!!,i=4096")),
        ("SCRAM that refuses", after_scram(b"e=other-error")),
        ("SCRAM that ends before it began", [pause(), vec![Say(authentication(12, b"v=abc")), Silence]].concat()),
        ("SCRAM that is let in half-way", [pause(), vec![Say(logged_in()), Silence]].concat()),
        ("an error without fields", closed(message(b'E', b"\0"))),
        ("an error without an end", closed(message(b'E', b"Mno end"))),
        ("an empty error", closed(message(b'E', b""))),
        ("an error of bad UTF-8", closed(fields(b'E', &[(b'S', b"FATAL"), (b'C', b"28000"), (b'M', BAD)]))),
        ("an error of an unknown severity", closed(fields(b'E', &[(b'V', b"WORSE"), (b'C', b"XX000"), (b'M', b"x")]))),
        ("an error with an unknown SQLSTATE", closed(refusal("ZZZZZ"))),
        ("an error with an empty SQLSTATE", closed(refusal(""))),
        ("an error of protocol 2", closed(b"EFATAL:  unsupported frontend protocol\n\0".to_vec())),
        (
            "an error with control characters",
            closed(fields(b'E', &[(b'S', b"FATAL"), (b'C', b"28000"), (b'M', b"\x1b[2J\x07\r\nerror: forged")])),
        ),
        ("a long error", vec![Hear, Say(fields(b'E', &[(b'S', b"F"), (b'C', b"28000"), (b'M', &big)]))]),
        ("notices without end", endless(notice(b"hello"))),
        ("long notices without end", endless(notice(&big))),
        ("let in, then notices without end", vec![Hear, Say(ok()), Endlessly(notice(b"hello"))]),
        ("parameters without end", vec![Hear, Say(ok()), Endlessly(parameter("a", b"b"))]),
        ("long parameters without end", vec![Hear, Say(ok()), Endlessly(parameter("a", &big))]),
        ("ever more parameters", vec![Hear, Say(ok()), Endlessly(parameter(&"n".repeat(50_000), b"v"))]),
        ("a parameter of bad UTF-8", said([ok(), parameter("client_encoding", BAD), ready()].concat())),
        ("a parameter without a value", said([ok(), message(b'S', b"name"), ready()].concat())),
        ("half a key", said([ok(), message(b'K', b"\0\0"), ready()].concat())),
        ("keys without end", vec![Hear, Say(ok()), Endlessly(message(b'K', &[0; 8]))]),
        ("ready before it let in", said(ready())),
        ("rows before the log-in", endless(row(&[Some(b"x")]))),
        ("let in, then rows", vec![Hear, Say(ok()), Endlessly(row(&[Some(b"x")]))]),
        ("negotiates without end", endless(message(b'v', &[0, 3, 0, 0, 0, 0, 0, 0]))),
        ("asks for a copy", said(message(b'G', &[0, 0, 0]))),
        ("a client's message", said(message(b'Q', b"select 1\0"))),
        ("one byte at a time, without end", vec![Hear, Say(b"R\0\0".to_vec()), Silence]),
    ]
}

/// Where the settings ask for TLS.
fn with_tls() -> Vec<(&'static str, Vec<Step>)> {
    vec![
        ("TLS: another letter", vec![Hear, Say(b"X".to_vec()), Silence]),
        ("TLS: refused", vec![Hear, Say(b"N".to_vec()), Silence]),
        ("TLS: a long error", vec![Hear, Say(b"E".repeat(10_000))]),
        ("TLS: an error without end", vec![Hear, Endlessly(b"E".repeat(4096))]),
        ("TLS: agreed, and silence", vec![Hear, Say(b"S".to_vec()), Silence]),
        ("TLS: agreed, and closed", vec![Hear, Say(b"S".to_vec())]),
        ("TLS: agreed, and in the clear", vec![Hear, Say([b"S".to_vec(), logged_in()].concat()), Silence]),
        ("TLS: agreed, and garbage without end", vec![Hear, Say(b"S".to_vec()), Endlessly(vec![0x16; 4096])]),
        ("TLS: agreed, and a broken record", vec![Hear, Say(b"S\x16\x03\x01\xff\xff".to_vec()), Silence]),
        ("TLS: agreed, and an alert", vec![Hear, Say(b"S\x15\x03\x01\x00\x02\x02\x28".to_vec()), Silence]),
    ]
}

/// Answers to the first message. What comes after them is silence: these end by themselves.
fn after() -> Vec<(&'static str, Vec<Step>)> {
    let history: [&[u8]; 4] = [b"version", b"name", b"applied_on", b"checksum"];
    let answer = |parts: &[Vec<u8>]| vec![Say([parts.concat(), done("SELECT 1"), ready()].concat())];
    let one = |values: [Option<&[u8]>; 4]| [columns(&history), row(&values)].concat();
    let big = vec![b'x'; 60_000];
    vec![
        ("closes", vec![]),
        ("garbage", vec![Say(b"\x00\x01\x02\x03\x04\x05\x06\x07".to_vec())]),
        ("a negative length", vec![Say(with_length(b'D', -7, b""))]),
        ("a huge length, filled", vec![Say(with_length(b'D', i32::MAX, b"")), Endlessly(vec![1; 60_000])]),
        ("rows without end", vec![Say(columns(&history)), Endlessly(row(&[Some(&big), None, None, None]))]),
        ("notices without end", vec![Endlessly(notice(&big))]),
        ("parameters without end", vec![Endlessly(parameter("a", &big))]),
        ("notifications without end", vec![Endlessly(message(b'A', &[&[0, 0, 0, 1], &big[..], b"\0x\0"].concat()))]),
        ("columns without end", vec![Endlessly(columns(&[&big]))]),
        ("letters without end", vec![Endlessly(vec![b'A'; 60_000])]),
        ("columns of other names", answer(&[columns(&[b"a", b"b", b"c", b"d"]), row(&[ONE; 4])])),
        ("a column too few", answer(&[columns(&history[..3]), row(&[ONE; 3])])),
        ("a column twice", answer(&[columns(&[b"version", b"version", b"name", b"checksum"]), row(&[ONE; 4])])),
        ("null where none may be", answer(&[one([None; 4])])),
        ("null in one place", answer(&[one([Some(b"1"), None, Some(b"2026-01-01T00:00:00Z"), Some(b"1")])])),
        ("bad UTF-8 in a row", answer(&[one([Some(b"1"), Some(BAD), Some(BAD), Some(BAD)])])),
        ("bad UTF-8 in a column's name", answer(&[columns(&[BAD, BAD, BAD, BAD]), row(&[ONE; 4])])),
        ("a row of more columns than were said", answer(&[columns(&history), row(&[ONE; 9])])),
        ("a row of fewer columns than were said", answer(&[columns(&history), row(&[Some(b"1")])])),
        ("a row before its columns", answer(&[row(&[ONE; 4])])),
        ("a row of an impossible count", answer(&[columns(&history), message(b'D', b"\xff\xff\0\0")])),
        ("a value that ends outside of its row", answer(&[columns(&history), message(b'D', b"\0\x01\0\0\xff\xffab")])),
        ("a value of a negative length", answer(&[columns(&history), message(b'D', b"\0\x01\xff\xff\xff\x00ab")])),
        ("columns of an impossible count", answer(&[message(b'T', b"\xff\xffab\0")])),
        ("columns without an end", answer(&[message(b'T', b"\0\x01ab")])),
        ("numbers that are none", answer(&[one([Some(b"x"), Some(b"y"), Some(b"z"), Some(b"-")])])),
        ("numbers out of range", answer(&[one([Some(b"99999999999999999999"); 4])])),
        ("no row where one must be", vec![Say([done("SELECT 0"), ready()].concat()), Hear]),
        ("only that it is ready", vec![Say(ready()), Hear]),
        ("an empty query", vec![Say([message(b'I', b""), ready()].concat()), Hear]),
        ("an error without fields", vec![Say([message(b'E', b"\0"), ready()].concat())]),
        (
            "an error of bad UTF-8",
            vec![Say([fields(b'E', &[(b'S', b"ERROR"), (b'C', b"XX000"), (b'M', BAD)]), ready()].concat())],
        ),
        (
            "an error with a position out of range",
            vec![Say([
                fields(b'E', &[(b'S', b"ERROR"), (b'C', b"42601"), (b'M', b"x"), (b'P', b"4294967295")]),
                ready(),
            ]
            .concat())],
        ),
        (
            "an error with a position that is none",
            vec![Say(
                [fields(b'E', &[(b'S', b"ERROR"), (b'C', b"42601"), (b'M', b"x"), (b'P', b"-1")]), ready()].concat()
            )],
        ),
        ("an error with an unknown SQLSTATE", vec![Say([refusal("ZZZZZ"), ready()].concat()), Hear]),
        ("a notice of bad UTF-8", vec![Say([notice(BAD), refusal("XX000"), ready()].concat())]),
        ("a notice without an end", vec![Say([message(b'N', b"Mno end"), refusal("XX000"), ready()].concat())]),
        ("a command without a name", vec![Say([message(b'C', b""), ready()].concat())]),
        ("a command of bad UTF-8", vec![Say([message(b'C', b"\xff\xff\0"), ready()].concat())]),
        (
            "an answer to a question that nobody asked",
            vec![Say([message(b'1', b""), message(b'2', b""), message(b'n', b""), ready()].concat())],
        ),
        (
            "a copy to the client",
            vec![Say([message(b'H', &[0, 0, 0]), message(b'd', b"x"), message(b'c', b"")].concat())],
        ),
        ("a copy from the client", vec![Say(message(b'G', &[0, 0, 0]))]),
        ("wants a log-in again", vec![Say(authentication(3, b""))]),
        ("a key again", vec![Say([message(b'K', &[0; 8]), ready()].concat())]),
        ("an unknown state of the transaction", vec![Say([done("SELECT 0"), message(b'Z', b"?")].concat())]),
        ("no state of the transaction", vec![Say([done("SELECT 0"), message(b'Z', b"")].concat())]),
        ("half a message", vec![Say(with_length(b'D', 100, b"half"))]),
        ("an unknown kind of message", vec![Say([message(b'@', b"x"), ready()].concat())]),
        ("ready ten times", vec![Say(ready().repeat(10))]),
    ]
}

/// Plays the steps to everybody who connects, until the tests end.
pub fn serve(steps: Vec<Step>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let steps = steps.clone();
            thread::spawn(move || steps.iter().try_for_each(|step| play(&client, step)));
        }
    });
    port
}

fn play(mut client: &TcpStream, step: &Step) -> std::io::Result<()> {
    let mut buffer = vec![0; 1 << 16];
    match step {
        Hear => client.read(&mut buffer).map(drop),
        Say(bytes) => client.write_all(bytes),
        Endlessly(bytes) => {
            // Larger pieces than one message each: it is the client that is tested.
            let many = bytes.repeat(1 + (1 << 16) / bytes.len());
            loop {
                client.write_all(&many)?;
            }
        }
        Silence => {
            while client.read(&mut buffer)? > 0 {}
            Ok(())
        }
    }
}

/// The memory that a process has of its own, in kilobytes, as long as it can be asked. Not what is mapped of files: of
/// a program with all that a debugger needs, that is most.
///
/// For a moment after the start a process still has the memory of the one that started it: that is not counted.
fn memory(process: u32) -> Option<u64> {
    let program = std::fs::read_link(format!("/proc/{process}/exe")).ok()?;
    if program == std::env::current_exe().ok()? {
        return None;
    }
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("RssAnon:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// Waits for the end, and tells what memory it took.
pub fn watched(mut child: Child) -> (Ended, u64) {
    let (mut most, deadline) = (0, Instant::now() + Duration::from_secs(120));
    while child.try_wait().unwrap().is_none() {
        most = memory(child.id()).unwrap_or(0).max(most);
        if Instant::now() > deadline {
            let _ = child.kill();
        }
        thread::sleep(Duration::from_millis(5));
    }
    (ended(child.wait_with_output().unwrap()), most)
}

fn start(port: u16, sslmode: &str, args: &[&str]) -> Child {
    let url = format!("host=127.0.0.1 port={port} user=me dbname=x password=pw sslmode={sslmode}");
    let mut command = tool(&[args, &["--connect-timeout", "3s", "-d", &url]].concat());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// What is wrong with the end of the tool, if anything is.
fn fault(end: &Ended, codes: &[i32]) -> Option<&'static str> {
    let error = end.stderr.split("error: ").nth(1).unwrap_or_default();
    match end.code {
        None => Some("it did not end by itself"),
        Some(code) if !codes.contains(&code) => Some("not a code of the list"),
        Some(0) => None,
        _ if end.stderr.contains("panicked") => Some("a panic"),
        _ if error.lines().next().is_none_or(|line| line.trim().len() < 10) => Some("it does not say why"),
        _ => None,
    }
}

/// Plays each of them to a command, several at a time, and expects a failure that can be read.
fn play_all(cases: Vec<(&'static str, Vec<Step>)>, sslmode: &str, args: &[&str], codes: &[i32], limit: Option<u64>) {
    let (cases, faults) = (Mutex::new(cases), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                while let Some((name, steps)) = { cases.lock().unwrap().pop() } {
                    let (end, most) = watched(start(serve(steps), sslmode, args));
                    let large = limit.filter(|limit| most > *limit).map(|_| "too much memory");
                    if let Some(fault) = fault(&end, codes).or(large) {
                        faults.lock().unwrap().push(format!("{name}: {fault} ({most} kB): {end:?}"));
                    }
                }
            });
        }
    });
    let faults = faults.into_inner().unwrap();
    assert!(faults.is_empty(), "{args:?}: {} faults\n{}", faults.len(), faults.join("\n"));
}

/// 64 MB, of which the program itself takes a fifth.
const LIMIT: u64 = 64 * 1024;

#[test]
fn whatever_is_said_before_the_log_in_is_an_error_within_bounded_memory() {
    assert!(before().len() >= 60);
    play_all(before(), "disable", &["status"], &[3], Some(LIMIT));
}

#[test]
fn whatever_is_said_to_a_wish_for_tls_is_an_error_within_bounded_memory() {
    for sslmode in ["require", "prefer"] {
        play_all(with_tls(), sslmode, &["status"], &[3], Some(LIMIT));
    }
}

#[test]
fn whatever_is_said_after_the_log_in_is_an_error_and_no_panic() {
    for args in [&["status"][..], &["migrate"], &["migrate", "--dry-run"], &["verify"], &["plan"]] {
        let cases =
            after().into_iter().map(|(name, steps)| (name, [vec![Hear, Say(logged_in()), Hear], steps].concat()));
        // A history without a row is one of an empty database, which has its plan.
        let codes: &[i32] = if args == ["plan"] { &[0, 1, 3, 6] } else { &[1, 3, 4, 5, 6, 8] };
        play_all(cases.collect(), "disable", args, codes, None);
    }
}
