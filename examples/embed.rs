//! A service that runs HACS's migrations and then its own, as an owner with a name, with its own numbers and history.
//! Other services may do the same in the same database.
//!
//!     DATABASE_URL=postgresql://localhost/hacs cargo run --example embed -- wards migrations-of-mine/V1__wards.sql
//!
//! A name before the files is the owner; without a name it is `wards`. After the word `hacs`, the files are treated as
//! migrations of HACS's next release.

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
