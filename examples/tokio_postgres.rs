//! An async program: it migrates when it starts, on the connection that it goes on to use.
//!
//!     DATABASE_URL=postgresql://localhost/hacs cargo run --features tokio-postgres --example tokio_postgres

#![allow(clippy::print_stderr, clippy::print_stdout)]

use std::error::Error;

use hacs_refinery::{Options, migrate_async, status_async};
use tokio_postgres::NoTls;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let (mut client, connection) = tokio_postgres::connect(&std::env::var("DATABASE_URL")?, NoTls).await?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            eprintln!("the connection broke: {error}");
        }
    });

    let report = migrate_async(&mut client, &Options::default()).await?;
    println!("{} applied, now at V{}", report.applied.len(), report.version.unwrap_or(0));
    println!("{}", status_async(&mut client).await?.to_json());

    let patients: i64 = client.query_one("select count(*) from hacs_core.patients", &[]).await?.get(0);
    println!("{patients} patients");
    Ok(())
}
