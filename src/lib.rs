//! The database migrations of HACS, the Healthcare Agent Communication Standard, for PostgreSQL 14 to 18.
//!
//! The SQL files are compiled in with [refinery](https://docs.rs/refinery). One call brings a database to the newest
//! version, in one transaction, whoever else is doing the same:
//!
//! ```no_run
//! let report = hacs_refinery::run_migration("postgresql://hacs@localhost/hacs")?;
//! println!("{} migrations applied", report.applied.len());
//!
//! let status = hacs_refinery::get_migration_status("postgresql://hacs@localhost/hacs")?;
//! assert!(status.migration_complete);
//! # Ok::<(), hacs_refinery::Error>(())
//! ```
//!
//! With a client at hand, [`migrate`] and [`status`] do the same.
//!
//! # Async programs
//!
//! All of these functions block. Inside an async runtime they must not be called: `postgres::Client` runs a tokio
//! runtime of its own, and tokio panics where one is started on a thread of another ("Cannot start a runtime from
//! within a runtime"); dropping the client panics once more, which ends the process. On other executors the thread, and
//! every task on it, would stand still for the whole run, the wait for other runs included.
//!
//! The feature `tokio-postgres` brings `migrate_async`, `status_async` and the others, which take a
//! `tokio_postgres::Client` and do the same. Without it, `tokio::task::spawn_blocking` is the place for the blocking
//! form, the connecting included.

use std::time::Duration;

mod connect;
mod data;
mod error;
mod history;
mod inspect;
mod owners;
mod run;
mod schema;
mod server;
#[cfg(feature = "tokio-postgres")]
mod tokio;

/// Compiles the examples of the README.
#[cfg(all(doctest, feature = "tokio-postgres"))]
#[doc = include_str!("../README.md")]
struct Readme;

#[cfg(feature = "tokio-postgres")]
pub use self::tokio::{manifest_async, migrate_async, pending_async, rehearse_async, status_async, verify_async};
pub use connect::link::Link;
pub use connect::{Canceller, ConnectError, Database};
pub use data::export::{ExportOptions, export};
pub use data::import::{ImportOptions, Imported, ImportedType, OnConflict, import};
pub use data::seals;
pub use error::obstacle::Obstacle;
pub use error::standing::Standing;
pub use error::{Error, Outcome, Result, Unfinished};
pub use history::HistoryError;
pub use inspect::databases::databases;
pub use inspect::status::{MigrationState, OwnerStatus, Status, status};
pub use inspect::verify::{IGNORE_KEY, Supported, Verification, manifest, verify};
pub use run::adopt;
pub use run::baseline::baseline;
pub use run::distribute;
pub use run::migrate;
pub use run::no_transaction::outside_transaction;
pub use run::options::{DEFAULT_LOCK_TIMEOUT, Migrations, Options};
pub use run::pending::pending;
pub use run::psql::script;
pub use run::rehearsal::{Rehearsal, Rehearsed, rehearse};
pub use run::report::{Applied, Report};
pub use run::tables::Lock;
pub use schema::difference::{Change, Difference};
pub use schema::embedded::{HISTORY_TABLE, migrations};
pub use schema::legacy::Conflict;
pub use schema::location::Location;
pub use schema::manifest::{Manifest, Object};
pub use schema::names::{RESOURCES, SCHEMAS, TABLES};
pub use schema::owned::OwnedMigration;
pub use server::Connection;
pub use server::copy::Copy;
pub use server::failure::{Failure, ServerError};
pub use server::holder::Holder;
pub use server::safe_text::{safe_json, safe_line, safe_lines, safe_output};

/// Connects and brings the database to the newest version.
///
/// The URL may be anything that [`Database`] reads; an empty one leaves everything to the environment
/// ([`Database::find`]).
///
/// # Errors
///
/// [`Error::Connect`], and those of [`migrate`].
pub fn run_migration(url: &str) -> Result<Report> {
    migrate(&mut Database::find(Some(url))?.link(Duration::ZERO)?, &Options::default())
}

/// Connects and reads how far the database is migrated.
///
/// # Errors
///
/// [`Error::Connect`], and those of [`status`].
pub fn get_migration_status(url: &str) -> Result<Status> {
    status(&mut Database::find(Some(url))?.link(Duration::ZERO)?)
}
