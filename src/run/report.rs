//! What a run did.

use std::collections::BTreeSet;
use std::time::Duration;

use refinery::Migration;
use serde::{Serialize, Serializer};

use super::tables::Lock;
use crate::history::{Plan, Record};

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

impl Applied {
    /// Those migrations, each with the seconds that the history tells.
    pub(super) fn all(migrations: &[Migration], seconds: &[(i32, f64)]) -> Vec<Self> {
        let duration = |version| {
            let found = seconds.iter().find(|(of, _)| *of == version);
            found.and_then(|(_, seconds)| Duration::try_from_secs_f64(seconds.max(0.0)).ok()).unwrap_or_default()
        };
        let applied =
            |m: &Migration| Self { version: m.version(), name: m.name().to_owned(), duration: duration(m.version()) };
        migrations.iter().map(applied).collect()
    }
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
    /// The locks that the run held at its end on tables that were there before. In parts of a run that go without a
    /// transaction, nothing is held until the end.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub locks: BTreeSet<Lock>,
}

impl Report {
    /// Of a run that has found this, and done nothing yet.
    pub(super) fn of(found: &[Record], plan: &Plan) -> Self {
        let newer = plan.newer.iter().map(|record| record.version).collect();
        Self { version: found.last().map(|last| last.version), newer, ..Self::default() }
    }
}
