//! The statements of a migration outside a transaction, one by one.

use std::time::Instant;

use super::index::{self, Other};
use super::leftovers;
use super::session::{self, Settings};
use super::statement::Step;
use crate::error::{Error, Result, Unfinished};
use crate::run::options::Options;
use crate::run::report::Applied;
use crate::schema::location::Location;
use crate::schema::owned::OwnedMigration;
use crate::schema::statements;
use crate::server::{Connection, Failure, Message};

/// Runs all of them. `unfinished` tells how far that came.
pub(super) fn run(
    client: &mut dyn Connection,
    options: &Options,
    migration: &OwnedMigration,
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

    let mut progress = Unfinished {
        owner: migration.of().to_name(),
        version: migration.version(),
        done: 0,
        statements: steps.len(),
        invalid: Vec::new(),
    };
    let mut result = Ok(());
    for (statement, step) in &steps {
        let text = statement.text(sql);
        result = run_one(client, options, text, step, &mut progress).map_err(|failed| match failed {
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
    Ok(Applied::new(migration, started.elapsed()))
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
fn run_one(
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
    let Err(error) = Message::bare(text).send(client) else { return Ok(()) };
    if !error.is_disconnect() {
        // Not again as long as the statement may have waited.
        let _ = Message::bare("set lock_timeout = '2s'").send(client);
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
