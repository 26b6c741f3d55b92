//! The end of a migration from the Python system: what was set aside goes.

use serde::Serialize;

use super::super::options::Options;
use super::super::patience::{self, Patience};
use super::super::{pending, stage};
use super::{CLEAR, ask, find, migrated, take};
use crate::error::{Error, Result};
use crate::server::{Connection, Limit, Message};

/// The result of [`finish`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Finished {
    /// Whether `hacs_legacy` was dropped.
    pub dropped: bool,
    /// What stood there.
    pub tables: Vec<Leftover>,
}

/// A table of `hacs_legacy`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Leftover {
    /// Its name.
    pub table: String,
    /// How many rows it has.
    pub rows: u64,
    /// How many of them were not taken over, so that they are nowhere else.
    pub only_here: u64,
    /// Why that is.
    pub note: Option<String>,
}

impl Finished {
    /// How many rows would be lost.
    #[must_use]
    pub fn only_here(&self) -> u64 {
        self.tables.iter().map(|table| table.only_here).sum()
    }
}

/// Drops the schema `hacs_legacy`, if every row of it was taken over or `discard` says that the others may go. Nothing
/// is dropped that others have made to stand on its tables: then it is refused. A rehearsal tells what would go.
///
/// # Errors
///
/// Those of [`migrate`](crate::migrate()), and [`Error::NotAdopted`].
pub fn finish(client: &mut impl Connection, options: &Options, discard: bool, dry_run: bool) -> Result<Finished> {
    pending::check(options)?;
    client.limit(Limit::Statement(options.statement_timeout));
    patience::retry(client, options, |client, patience| attempt(client, options, patience, discard, dry_run))
}

fn attempt(
    client: &mut dyn Connection,
    options: &Options,
    patience: &Patience,
    discard: bool,
    dry_run: bool,
) -> Result<Finished> {
    let doing = "looking at what was set aside";
    let (mut ledger, in_the_way) = stage::begin_beside(client, options, patience)?;
    if !in_the_way.is_empty() {
        return Err(Error::Legacy(in_the_way));
    }
    find(&mut ledger, &[])?;
    migrated(&mut ledger, options)?;
    take(&mut ledger, "select")?;
    let mut message = Message::of_run();
    let exists = message.ask("select to_regnamespace('hacs_legacy') is not null");
    let left = message.ask("select * from pg_temp.hacs_leftovers()");
    let answers = message.send(ledger.transaction()).map_err(Error::during(doing))?;
    let tables = answers.rows(left).map(|row| Leftover {
        table: row.string(0),
        rows: row.number(1),
        only_here: row.number(2),
        note: row.text(3).map(str::to_owned),
    });
    let mut finished = Finished { dropped: false, tables: tables.collect() };
    if dry_run || !answers.is_true(exists) || finished.only_here() > 0 && !discard {
        return Ok(finished);
    }
    ask(&mut ledger, "dropping what was set aside", "select pg_temp.hacs_finish()")?;
    ask(&mut ledger, "ending", CLEAR)?;
    stage::commit(ledger, options)?;
    finished.dropped = true;
    Ok(finished)
}
