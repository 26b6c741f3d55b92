//! Reckons the checksums of the migrations, so that a run with nothing to do need not; and makes cargo notice a migration
//! that was added or removed.

#![allow(clippy::print_stdout)]

use std::error::Error;
use std::fmt::Write;
use std::path::Path;
use std::{env, fs};

use refinery_core::Migration;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=migrations");
    let mut migrations = Vec::new();
    for entry in fs::read_dir("migrations")? {
        let path = entry?.path();
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        migrations.push(Migration::unapplied(&stem, &fs::read_to_string(&path)?)?);
    }
    migrations.sort();
    let mut known = String::new();
    for migration in &migrations {
        writeln!(known, "    ({}, {:?}, {}),", migration.version(), migration.name(), migration.checksum())?;
    }
    fs::write(Path::new(&env::var("OUT_DIR")?).join("known.rs"), format!("&[\n{known}]\n"))?;
    Ok(())
}
