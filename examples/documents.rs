//! Stores one document, and reads it back.
//!
//!     DATABASE_URL=postgresql://localhost/hacs cargo run --example documents

#![allow(clippy::print_stdout)]

use std::error::Error;

use hacs_refinery::{Database, Options};

fn main() -> Result<(), Box<dyn Error>> {
    let url = std::env::var("DATABASE_URL").ok();
    let mut client = Database::find(url.as_deref())?.connect()?;
    let report = hacs_refinery::migrate(&mut client, &Options::default())?;
    println!("{} applied, now at V{}", report.applied.len(), report.version.unwrap_or(0));

    let patient = r#"{"resource_type": "Patient", "id": "p2", "full_name": "Grace Hopper"}"#;
    client.execute("select hacs_core.put($1::text::jsonb)", &[&patient])?;
    let stored: String = client.query_one("select hacs_core.get('Patient', 'p2')::text", &[])?.get(0);
    println!("{stored}");
    Ok(())
}
