//! What a run did.

use std::time::Duration;

use serde::{Serialize, Serializer};

/// A migration that a run applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Applied {
    /// Number of the migration.
    pub version: i32,
    /// Its name, such as `hacs_core`.
    pub name: String,
    /// How long the server took for it.
    #[serde(rename = "seconds", serialize_with = "seconds")]
    pub duration: Duration,
}

pub(crate) fn seconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64())
}

/// The result of [`migrate`](crate::migrate).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// What was applied, in order; empty where there was nothing to do.
    pub applied: Vec<Applied>,
    /// The newest version that the database has now.
    #[serde(rename = "database_version")]
    pub version: Option<i32>,
    /// Versions that the database has beyond all that are known here.
    pub newer: Vec<i32>,
}
