//! Reckons the checksums of the migrations, so that a run with nothing to do need not; and makes cargo notice a
//! migration that was added or removed.

#![allow(clippy::print_stdout)]

use std::error::Error;
use std::fmt::Write;
use std::hash::{Hash, Hasher};
use std::path::Path;
use std::{env, fs};

use siphasher::sip::SipHasher13;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=migrations");
    let mut migrations = Vec::new();
    for entry in fs::read_dir("migrations")? {
        let path = entry?.path();
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        let (version, name) =
            stem.strip_prefix('V').and_then(|rest| rest.split_once("__")).ok_or("V<number>__<name>.sql")?;
        migrations.push((version.parse::<i32>()?, name.to_owned(), fs::read_to_string(&path)?));
    }
    migrations.sort();
    let mut known = String::new();
    for (version, name, sql) in &migrations {
        // As refinery does with numbers of four bytes, which is how HACS's history has them.
        let mut hasher = SipHasher13::new();
        name.hash(&mut hasher);
        version.hash(&mut hasher);
        sql.hash(&mut hasher);
        writeln!(known, "    ({version}, {name:?}, {}),", hasher.finish())?;
    }
    fs::write(Path::new(&env::var("OUT_DIR")?).join("known.rs"), format!("&[\n{known}]\n"))?;
    Ok(())
}
