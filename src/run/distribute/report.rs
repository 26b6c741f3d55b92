//! What a distribution did, for people and programs.

use std::time::Duration;

use serde::Serialize;

use crate::server::Row;

/// What [`distribute`](super::distribute) did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Distribution {
    /// Whether it made the database one of one machine again.
    pub undone: bool,
    /// Whether it was rolled back, as asked for.
    pub dry_run: bool,
    /// How long it took.
    #[serde(rename = "seconds", serialize_with = "seconds")]
    pub duration: Duration,
    /// Every table that is audited, with the number of its rows: it is the same as before, and so is what they hold.
    pub tables: Vec<DistributedTable>,
}

/// A table, and where its rows lie in a distributed database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct DistributedTable {
    /// Its name.
    pub table: String,
    /// `patient`: with the patient; `own`: by its own id; `reference`: on every node; `local`: on the coordinator.
    pub kind: String,
    /// The column by which it is distributed.
    pub by: Option<String>,
    /// How many rows it has.
    pub rows: u64,
}

impl DistributedTable {
    pub(super) fn from_row(row: Row<'_>) -> Self {
        Self { table: row.string(0), kind: row.string(1), by: row.text(2).map(str::to_owned), rows: row.number(3) }
    }
}

fn seconds<S: serde::Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64((duration.as_secs_f64() * 1000.0).round() / 1000.0)
}
