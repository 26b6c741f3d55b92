//! Runs a command through a slow connection, and prints the connections, round trips and milliseconds that it took.
//! `{port}` in the command is replaced by the port to connect to.
//!
//!     cargo run --example wire -- /var/run/postgresql/.s.PGSQL.5432 20 psql -h 127.0.0.1 -p '{port}' -c 'select 1'

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used
)]

#[path = "../tests/suite/support/wire.rs"]
mod wire;

use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use wire::Wire;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [socket, millis, program, args @ ..] = args.as_slice() else {
        eprintln!("usage: wire <socket of the server> <milliseconds of a round trip> <command> …");
        return ExitCode::from(2);
    };
    let Ok(round_trip) = millis.parse().map(Duration::from_millis) else {
        eprintln!("error: {millis} is no number of milliseconds");
        return ExitCode::from(2);
    };
    let wire = Wire::start(Path::new(socket), round_trip);
    let with_port = |arg: &String| arg.replace("{port}", &wire.port.to_string());
    let started = Instant::now();
    match Command::new(program).args(args.iter().map(with_port)).stdout(Stdio::null()).status() {
        Ok(status) if status.success() => {
            println!("{} {} {}", wire.connections(), wire.round_trips(), started.elapsed().as_millis());
            ExitCode::SUCCESS
        }
        Ok(status) => {
            eprintln!("error: {program}: {status}");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("error: {program}: {error}");
            ExitCode::FAILURE
        }
    }
}
