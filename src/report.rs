//! What a run did.

use std::time::Duration;

use serde::Serialize;

/// A migration that a run applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Applied {
    /// Number of the migration.
    pub version: i32,
    /// Its name, such as `hacs_core`.
    pub name: String,
    /// How long the server took for it.
    pub duration: Duration,
}

/// The result of [`migrate`](crate::migrate).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// What was applied, in order; empty where there was nothing to do.
    pub applied: Vec<Applied>,
    /// The newest version that the database has now.
    pub version: Option<i32>,
    /// Versions that the database has beyond all that are known here.
    pub newer: Vec<i32>,
}
