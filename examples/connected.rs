//! Prints to which server, database and role a connection string leads, like `psql -c '\\conninfo'`.
//!
//!     cargo run --example connected -- postgresql://localhost/hacs

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used
)]

use std::process::ExitCode;

use hacs_refinery::Database;
use postgres::SimpleQueryMessage;

const QUERY: &str = "select current_user, current_database(), inet_server_addr(), current_setting('port'),
    current_setting('search_path')";

fn main() -> ExitCode {
    let given = std::env::args().nth(1);
    match Database::find(given.as_deref()).and_then(|database| database.connect()) {
        Ok(mut client) => {
            for message in client.simple_query(QUERY).expect("a server answers") {
                if let SimpleQueryMessage::Row(row) = message {
                    let columns: Vec<&str> = (0..row.len()).map(|column| row.get(column).unwrap_or("")).collect();
                    println!("{}", columns.join("|"));
                }
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(if error.is_configuration() { 2 } else { 3 })
        }
    }
}
