//! What a run did.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Serialize, Serializer};

use super::pending::Plan;
use super::tables::Lock;
use crate::schema::owned::OwnedMigration;

/// A migration that a run applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Applied {
    /// Whose migration it is: `None` for HACS's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Number of the migration.
    pub version: i64,
    /// Its name, such as `hacs_core`.
    pub name: String,
    /// How long the server took for it.
    #[serde(rename = "seconds", serialize_with = "seconds")]
    pub duration: Duration,
}

impl Applied {
    pub(super) fn new(migration: &OwnedMigration, duration: Duration) -> Self {
        let owner = migration.of().to_name();
        Self { owner, version: migration.version(), name: migration.name().to_owned(), duration }
    }

    /// Such as `V9`, or `wards: V3`.
    pub(super) fn shown(&self) -> String {
        let owner = self.owner.as_ref().map(|owner| format!("{owner}: ")).unwrap_or_default();
        format!("{owner}V{}", self.version)
    }

    /// Those migrations, each with the seconds that the history tells.
    pub(super) fn all(migrations: &[OwnedMigration], seconds: &[f64]) -> Vec<Self> {
        let durations = seconds.iter().map(|seconds| Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or_default());
        migrations.iter().zip(durations).map(|(migration, duration)| Self::new(migration, duration)).collect()
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
    /// The newest version of HACS that the database has now.
    #[serde(rename = "database_version")]
    pub version: Option<i64>,
    /// Versions of HACS that the database has beyond all that are known here.
    pub newer: Vec<i64>,
    /// The locks that the run held at its end on tables that were there before. In parts of a run that go without a
    /// transaction, nothing is held until the end.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub locks: BTreeSet<Lock>,
}

impl Report {
    /// Of a run that has done nothing yet.
    pub(super) fn of(plan: &Plan) -> Self {
        Self { version: plan.version, newer: plan.newer.clone(), ..Self::default() }
    }

    /// Adds what was applied.
    pub(super) fn add(&mut self, applied: Vec<Applied>) {
        let newest = applied.iter().rfind(|applied| applied.owner.is_none()).map(|applied| applied.version);
        self.version = newest.or(self.version);
        self.applied.extend(applied);
    }
}
