//! A program that links the HACS migrations in, and brings some of its own after them.
//!
//!     DATABASE_URL=postgresql://localhost/hacs cargo run --example embed -- migrations-of-mine/V10__wards.sql

#![allow(clippy::print_stdout)]

use std::error::Error;
use std::path::Path;

use hacs_refinery::{Database, Options};
use refinery::Migration;

fn main() -> Result<(), Box<dyn Error>> {
    env_logger::init();
    let url = std::env::var("DATABASE_URL").ok();
    let mut client = Database::find(url.as_deref())?.connect()?;

    let mut options = Options::default();
    for file in std::env::args().skip(1) {
        let name = Path::new(&file).file_name().unwrap_or_default().to_string_lossy();
        options.migrations.push(Migration::unapplied(&name, &std::fs::read_to_string(&file)?)?);
    }

    let report = hacs_refinery::migrate(&mut client, &options)?;
    println!("{} applied, now at V{}", report.applied.len(), report.version.unwrap_or(0));
    Ok(())
}
