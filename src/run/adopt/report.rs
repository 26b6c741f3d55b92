//! What became of the tables of a database that was adopted.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::follow::Followed;
use crate::run::report::{Applied, seconds};
use crate::server::Row;

/// The result of [`adopt`](super::adopt).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Adoption {
    /// Whether anything is different now: not so in a rehearsal, nor where there was nothing to do or strictness
    /// forbade it.
    pub changed: bool,
    /// Whether it was all rolled back, as asked.
    pub dry_run: bool,
    /// The migrations that were applied.
    pub applied: Vec<Applied>,
    /// Each table that has something to do with the Python system, and others that stand near.
    pub tables: Vec<AdoptedTable>,
    /// The table that is followed from now on, if one is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub followed: Option<Followed>,
    /// How long writers to tables that stay in their place had to wait: from the moment those were locked.
    #[serde(rename = "writers_waited_seconds", serialize_with = "seconds")]
    pub writers_waited: Duration,
    /// How long it took.
    #[serde(rename = "seconds", serialize_with = "seconds")]
    pub duration: Duration,
}

/// What became of the rows of a table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct AdoptedTable {
    /// Where it was found.
    pub table: String,
    /// Where it is now, if that is another place.
    pub moved_to: Option<String>,
    /// `documents`, `full` (documents in `full_resource`), `columns`, `settings`, or `left`.
    pub kind: String,
    /// How many rows it has; of one that is left, about how many.
    pub rows: u64,
    /// How many were taken over.
    pub taken_over: u64,
    /// How many an earlier run had read.
    pub read_before: u64,
    /// How many were left, because a newer one of the same resource was elsewhere.
    pub older: u64,
    /// How many stand in `hacs_legacy.rejects`, each with its reason.
    pub set_aside: u64,
    /// How many are of a table that is not read.
    pub left_alone: u64,
    /// Why it is not read.
    pub note: Option<String>,
    /// Why rows were set aside, counted.
    pub reasons: Vec<SetAside>,
}

/// Why rows were set aside. It has no value of theirs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SetAside {
    /// The rule that they break, or what is wrong in words.
    pub reason: String,
    /// How many rows.
    pub rows: u64,
}

impl Adoption {
    /// How many rows were set aside.
    #[must_use]
    pub fn set_aside(&self) -> u64 {
        self.tables.iter().map(|table| table.set_aside).sum()
    }
}

impl AdoptedTable {
    /// From a row of `pg_temp.hacs_report()`.
    pub(super) fn from_row(row: Row<'_>) -> Self {
        Self {
            table: row.string(0),
            moved_to: row.text(1).map(str::to_owned),
            kind: row.string(2),
            rows: row.number(3),
            taken_over: row.number(4),
            read_before: row.number(5),
            older: row.number(6),
            set_aside: row.number(7),
            left_alone: row.number(8),
            note: row.text(9).map(str::to_owned),
            reasons: row.text(10).and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default(),
        }
    }
}
