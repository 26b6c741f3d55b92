//! Migrations that run outside a transaction, such as `create index concurrently`.
//!
//! A run that has one goes in stages: what stands before it is committed; its statements commit one by one; its
//! history row is written when all are done; what stands after it follows in another transaction. A run that ends in
//! the middle is continued by the next one, which starts the unfinished file again: so its statements have to be such
//! that can be run again. The lock is the same, but held by the session from the first stage to the last.

mod index;
mod leftovers;
mod session;
mod statement;
mod steps;

use std::time::Duration;

use super::options::Options;
use super::patience::{self, Patience};
use super::report::{Applied, Report};
use super::{pending, stage};
use crate::error::{Error, Outcome, Result, Unfinished};
use crate::schema::owned::OwnedMigration;
use crate::server::{Connection, Message};

/// The invalid indexes that an earlier run of a statement may have left, as a query; for scripts.
pub(super) use leftovers::query as leftovers_of;
pub use statement::outside_transaction;
pub(super) use statement::{Step, check};

/// Whether a run with these migrations goes in stages.
pub(super) fn any(pending: &[OwnedMigration]) -> bool {
    pending.iter().any(|migration| outside_transaction(migration))
}

/// A run in stages.
pub(super) fn run(client: &mut dyn Connection, options: &Options, patience: &Patience) -> Result<Report> {
    session::under_lock(client, options, patience, |client| {
        let mut report = Report::default();
        let mut unfinished = None;
        match stages(client, options, &mut report, &mut unfinished) {
            Ok(()) => Ok(report),
            Err(cause) if report.applied.is_empty() && unfinished.is_none() => Err(cause),
            Err(cause) => {
                let applied = report.applied.iter().map(|applied| applied.shown()).collect();
                Err(Error::Partly { applied, unfinished, cause: Box::new(cause) })
            }
        }
    })
}

/// All stages, each tried again while other sessions are in its way.
fn stages(
    client: &mut dyn Connection,
    options: &Options,
    report: &mut Report,
    unfinished: &mut Option<Unfinished>,
) -> Result<()> {
    // Another run may have finished while this one waited for the lock.
    let read = |client: &mut dyn Connection, patience: &Patience| pending::read_histories(client, options, patience);
    let plan = pending::plan(&patience::retry(client, options, read)?.0, options)?;
    *report = Report::of(&plan);
    if !plan.moved.is_empty() {
        patience::retry(client, options, |client, patience| super::apply(client, options, patience, 0))?;
    }

    for stage in plan.pending.chunk_by(|a, b| !outside_transaction(a) && !outside_transaction(b)) {
        if !report.applied.is_empty() || any(stage) {
            options.standing.replace(Outcome::Parts);
        }
        if let Some(migration) = stage.first().filter(|migration| outside_transaction(migration)) {
            let applied =
                patience::retry(client, options, |client, _| steps::run(client, options, migration, unfinished))?;
            record(client, options, migration, &applied)?;
            *unfinished = None;
            report.add(vec![applied]);
        } else {
            let apply =
                |client: &mut dyn Connection, patience: &Patience| super::apply(client, options, patience, stage.len());
            let done = patience::retry(client, options, apply)?;
            report.add(done.applied);
            report.locks.extend(done.locks);
        }
    }
    Ok(())
}

/// Writes the history row, in a transaction as any other.
fn record(client: &mut dyn Connection, options: &Options, migration: &OwnedMigration, applied: &Applied) -> Result<()> {
    patience::retry(client, options, |client, patience| {
        let mut ledger = stage::begin(client, options, patience)?;
        stage::open(&mut ledger, options)?;
        let seconds = applied.duration.max(Duration::from_micros(1)).as_secs_f64();
        // The history's `duration` counts from there.
        let started = format!(
            "select set_config('hacs_refinery.migration_started',
                 (clock_timestamp() - interval '{seconds:.6} seconds')::text, true)"
        );
        let message = Message::of_run().then(&started);
        message.send(ledger.transaction()).map_err(Error::during("recording a migration"))?;
        ledger.record(migration).map_err(|error| stage::failed(error, std::slice::from_ref(migration)))?;
        stage::commit(ledger, options)
    })
}
