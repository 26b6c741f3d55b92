//! A service that links the HACS migrations in, and brings some of its own after them: as the owner that its name says,
//! with numbers and a history of its own. Another service may do the same in the same database.
//!
//!     DATABASE_URL=postgresql://localhost/hacs cargo run --example embed -- wards migrations-of-mine/V1__wards.sql
//!
//! Files without a name before them are those of `wards`; after the word `hacs`, they stand in HACS's own line, as what
//! its next release would bring.

#![allow(clippy::print_stdout)]

use std::error::Error;
use std::path::Path;

use hacs_refinery::{Database, Options};
use refinery::Migration;

fn main() -> Result<(), Box<dyn Error>> {
    env_logger::init();
    let url = std::env::var("DATABASE_URL").ok();
    let mut client = Database::find(url.as_deref())?.connect()?;

    let mut owners: Vec<(String, Vec<Migration>)> = vec![("wards".to_owned(), Vec::new())];
    for argument in std::env::args().skip(1) {
        if !argument.ends_with(".sql") {
            owners.push((argument, Vec::new()));
        } else if let Some((_, files)) = owners.last_mut() {
            let name = Path::new(&argument).file_name().unwrap_or_default().to_string_lossy();
            files.push(Migration::unapplied(&name, &std::fs::read_to_string(&argument)?)?);
        }
    }
    let mut options = Options::default();
    for (owner, files) in owners {
        match owner.as_str() {
            "hacs" => options.migrations.extend(files),
            _ if files.is_empty() => {}
            _ => options = options.owner(owner, files),
        }
    }

    let report = hacs_refinery::migrate(&mut client, &options)?;
    println!("{} applied, now at V{}", report.applied.len(), report.version.unwrap_or(0));
    Ok(())
}
