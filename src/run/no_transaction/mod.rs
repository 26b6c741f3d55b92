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

use std::time::{Duration, Instant};

use refinery::{Migration, Target};

pub use statement::outside_transaction;
pub(crate) use statement::{Step, check};

use crate::error::{Error, Result, Unfinished};
use crate::run;
use crate::run::options::Options;
use crate::run::patience::{self, Patience};
use crate::run::report::{Applied, Report};
use crate::run::standing::Reached;
use crate::schema::embedded;
use crate::schema::location::Location;
use crate::schema::statements;
use crate::server::Connection;
use crate::server::failure::Failure;
use index::Other;
use session::Settings;

/// The invalid indexes that an earlier run of a statement may have left, as a query; for scripts.
pub(crate) use leftovers::query as leftovers_of;

/// Whether a run with these migrations goes in stages.
pub(crate) fn any(pending: &[Migration]) -> bool {
    pending.iter().any(outside_transaction)
}

/// A run in stages.
pub(crate) fn run(client: &mut dyn Connection, options: &Options, patience: &Patience) -> Result<Report> {
    session::under_lock(client, options, patience, |client| {
        let mut report = Report::default();
        let mut unfinished = None;
        match stages(client, options, &mut report, &mut unfinished) {
            Ok(()) => Ok(report),
            Err(cause) if report.applied.is_empty() && unfinished.is_none() => Err(cause),
            Err(cause) => {
                let applied = report.applied.iter().map(|applied| applied.version).collect();
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
    let (found, _) = patience::retry(client, options, |client, patience| run::read_history(client, patience))?;
    let plan = run::plan(&found, options)?;
    report.version = found.last().map(|last| last.version);
    report.newer = plan.newer.iter().map(|record| record.version).collect();

    for stage in plan.pending.chunk_by(|a, b| !outside_transaction(a) && !outside_transaction(b)) {
        let last = stage.last().map(Migration::version);
        if !report.applied.is_empty() || stage.iter().any(outside_transaction) {
            options.standing.replace(Reached::Parts);
        }
        let options = Options { target: last, ..options.clone() };
        if let Some(migration) = stage.first().filter(|migration| outside_transaction(migration)) {
            let applied =
                patience::retry(client, &options, |client, _| alone(client, &options, migration, unfinished))?;
            record(client, &options, migration, &applied)?;
            *unfinished = None;
            report.applied.push(applied);
        } else {
            let done = patience::retry(client, &options, |client, patience| {
                run::apply(run::begin(client, &options, patience)?, &options)
            })?;
            report.applied.extend(done.applied);
        }
        report.version = last;
    }
    Ok(())
}

/// Runs the statements of a migration one by one.
fn alone(
    client: &mut dyn Connection,
    options: &Options,
    migration: &Migration,
    unfinished: &mut Option<Unfinished>,
) -> Result<Applied> {
    let started = Instant::now();
    let sql = migration.sql().unwrap_or_default();
    let steps: Vec<_> = statements::split(sql)
        .into_iter()
        .map(|statement| (statement, Step::of(statement.text(sql)).unwrap_or(Step::Other)))
        .collect();
    let set =
        steps.iter().filter_map(|(_, step)| if let Step::Set { name } = step { Some(name.clone()) } else { None });
    let settings = Settings::set(client, options, &set.collect::<Vec<_>>())?;

    let mut progress =
        Unfinished { version: migration.version(), done: 0, statements: steps.len(), invalid: Vec::new() };
    let mut result = Ok(());
    for (statement, step) in &steps {
        let text = statement.text(sql);
        result = one(client, options, text, step, &mut progress).map_err(|failed| match failed {
            Failed::Before(error) => error,
            Failed::Taken(Other { found, expected }) => {
                Error::NameTaken { location: Location::at(migration, statement.start), found, expected }
            }
            Failed::Server(failure) => {
                let location = Location::at(migration, statement.start + offset(text, &failure));
                Error::Migration { location, failure }
            }
        });
        if result.is_err() {
            break;
        }
        progress.done += 1;
    }
    *unfinished = Some(progress);
    settings.restore(client);
    result?;
    Ok(Applied { version: migration.version(), name: migration.name().to_owned(), duration: started.elapsed() })
}

enum Failed {
    /// The statement was not sent.
    Before(Error),
    /// It would have left undone what it is for.
    Taken(Other),
    /// The server refused it.
    Server(Failure),
}

/// Runs a statement, with what an earlier run has left of it dropped before, and what this one leaves dropped after.
fn one(
    client: &mut dyn Connection,
    options: &Options,
    text: &str,
    step: &Step,
    progress: &mut Unfinished,
) -> std::result::Result<(), Failed> {
    options.check_stop().map_err(Failed::Before)?;
    if !session::holds_lock(client).map_err(Failed::Before)? {
        return Err(Failed::Before(Error::Pooled));
    }
    let mut clean = |client: &mut dyn Connection| {
        leftovers::drop_all(client, step).map_err(|(names, error)| {
            progress.invalid = names;
            error
        })
    };
    clean(client).map_err(Failed::Server)?;
    if let Some(other) = index::other(client, step).map_err(Failed::Server)? {
        return Err(Failed::Taken(other));
    }
    let Err(error) = client.batch_execute(text) else { return Ok(()) };
    if !error.is_disconnect() {
        // Not again as long as the statement may have waited.
        let _ = client.batch_execute("set lock_timeout = '2s'");
        if let Err(error) = clean(client) {
            log::warn!("an invalid index was not dropped: {error}");
        }
    }
    Err(Failed::Server(error))
}

/// The byte at which an error lies, in the statement that was sent.
fn offset(text: &str, failure: &Failure) -> usize {
    let Failure::Refused(error) = failure else { return 0 };
    let position = error.position.and_then(|position| usize::try_from(position).ok()?.checked_sub(1));
    position.and_then(|position| text.char_indices().nth(position)).map_or(0, |(at, _)| at)
}

/// Writes the history row, in a transaction as any other.
fn record(client: &mut dyn Connection, options: &Options, migration: &Migration, applied: &Applied) -> Result<()> {
    patience::retry(client, options, |client, patience| {
        let mut ledger = run::begin(client, options, patience)?;
        let seconds = applied.duration.max(Duration::from_micros(1)).as_secs_f64();
        // The history's `duration` counts from there.
        let started = format!(
            "select set_config('hacs_refinery.migration_started',
                 (clock_timestamp() - interval '{seconds:.6} seconds')::text, true)"
        );
        ledger.transaction().batch_execute(&started).map_err(Error::during("recording a migration"))?;
        embedded::runner_for(&options.migrations)
            .set_target(Target::FakeVersion(migration.version()))
            .run(&mut ledger)
            .map_err(|error| run::failed(&error, std::slice::from_ref(migration)))?;
        run::commit(ledger, options)
    })
}
