//! Stores many documents at once, and prints them again.
//!
//!     DATABASE_URL=postgresql://localhost/hacs cargo run --example carry

#![allow(clippy::print_stdout)]

use std::error::Error;
use std::time::Duration;

use hacs_refinery::{
    Database, ExportOptions, ImportOptions, Imported, ImportedType, OnConflict, Options, export, import, migrate,
};

const DOCUMENTS: &str = r#"{"resource_type": "Patient", "id": "p3", "full_name": "Ada Lovelace"}
{"resource_type": "Organization", "id": "o3", "name": "Mercy"}
"#;

fn main() -> Result<(), Box<dyn Error>> {
    let url = std::env::var("DATABASE_URL").ok();
    let mut link = Database::find(url.as_deref())?.link(Duration::ZERO)?;
    let report = migrate(&mut link, &Options::default())?;
    println!("{} applied, now at V{}", report.applied.len(), report.version.unwrap_or(0));

    let mut options = ImportOptions { on_conflict: OnConflict::Keep, ..ImportOptions::default() };
    let Imported { types, .. } = import(&mut link, vec![Box::new(DOCUMENTS.as_bytes())], &mut options)?;
    for ImportedType { resource_type, stored, kept, .. } in &types {
        println!("{resource_type}: {stored} stored, {kept} were there");
    }
    let patients = ExportOptions { types: vec!["Patient".to_owned()], ..ExportOptions::default() };
    let mut written = Vec::new();
    println!("{} exported", export(&mut link, &mut written, &patients)?);
    println!("{}", String::from_utf8(written)?);
    Ok(())
}
