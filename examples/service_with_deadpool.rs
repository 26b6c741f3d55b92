//! A service with a pool of connections. Every instance migrates before it serves: the first one does the work, the
//! others wait for it and then find nothing to do.
//!
//!     DATABASE_URL=postgresql://localhost/hacs cargo run --features tokio-postgres --example service_with_deadpool
//!
//! sqlx has connections of another type. With it, open a connection with `tokio_postgres::connect` to migrate, as in
//! examples/tokio_postgres.rs, and make the pool of sqlx afterwards.

#![allow(clippy::print_stdout)]

use std::error::Error;

use deadpool_postgres::{Manager, Pool};
use hacs_refinery::{Options, migrate_async};
use tokio_postgres::NoTls;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let config = std::env::var("DATABASE_URL")?.parse()?;
    let pool = Pool::builder(Manager::new(config, NoTls)).max_size(4).build()?;

    {
        let mut connection = pool.get().await?;
        let report = migrate_async(&mut connection, &Options::default()).await?;
        println!("{} applied, now at V{}", report.applied.len(), report.version.unwrap_or(0));
    }

    // In place of the requests that a service answers.
    let mut requests = Vec::new();
    for number in 0..8 {
        let pool = pool.clone();
        requests.push(tokio::spawn(async move { answer(&pool, number).await.map_err(|error| error.to_string()) }));
    }
    for request in requests {
        println!("{}", request.await??);
    }
    Ok(())
}

async fn answer(pool: &Pool, number: i32) -> Result<String, Box<dyn Error>> {
    let connection = pool.get().await?;
    let patients: i64 = connection.query_one("select count(*) from hacs_core.patients", &[]).await?.get(0);
    Ok(format!("request {number}: {patients} patients"))
}
