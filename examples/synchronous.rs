//! A program without async: it migrates when it starts, then works with the same connection.
//!
//!     DATABASE_URL=postgresql://localhost/hacs cargo run --example synchronous

#![allow(clippy::print_stdout)]

use std::error::Error;

use hacs_refinery::{Database, Options};

fn main() -> Result<(), Box<dyn Error>> {
    let url = std::env::var("DATABASE_URL").ok();
    let mut client = Database::find(url.as_deref())?.connect()?;

    let report = hacs_refinery::migrate(&mut client, &Options::default())?;
    println!("{} applied, now at V{}", report.applied.len(), report.version.unwrap_or(0));

    let patients: i64 = client.query_one("select count(*) from hacs_core.patients", &[])?.get(0);
    println!("{patients} patients");
    Ok(())
}
