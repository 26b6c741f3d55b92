//! Everything that can go wrong, each with what to do next.

use std::time::Duration;

use thiserror::Error;

use crate::connect::ConnectError;
use crate::history::{self, HistoryError};
use crate::schema::difference::Difference;
use crate::schema::legacy::Conflict;
use crate::schema::location::Location;
use crate::server::Failure;
use crate::server::failure::human;
use crate::server::holder::Holder;
use crate::server::safe_text::safe_line;

/// Result of the functions of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a command could not do its work.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no connection.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The asked-for version is not among the migrations at hand.
    #[error("there is no migration V{target}; the newest is V{newest}")]
    NoSuchTarget {
        /// What was asked for.
        target: i32,
        /// The newest version at hand.
        newest: i32,
    },
    /// Another run held the lock for too long.
    #[error(
        "another migration of this database did not finish within {waited}{holder}\n\
         Nothing was changed. Wait for it, or raise --lock-timeout.",
        waited = human(*waited),
        holder = holder.as_ref().map(|holder| format!(": {holder}")).unwrap_or_default()
    )]
    Locked {
        /// How long this run waited.
        waited: Duration,
        /// Who held the lock at last, where the server could tell.
        holder: Option<Box<Holder>>,
    },
    /// Another session held a table that a migration changes, for too long.
    #[error(
        "another session held what this run needs, for {waited}{holder}\n{failure}\n\
         Nothing was changed. End that session's transaction, or raise --lock-timeout.",
        waited = human(*waited),
        holder = holder.as_ref().map(|holder| format!(": {holder}")).unwrap_or_default()
    )]
    Blocked {
        /// How long this run waited.
        waited: Duration,
        /// The session that has held a lock on HACS's tables longest, where there is one.
        holder: Option<Box<Holder>>,
        /// What the server said at last.
        failure: Failure,
    },
    /// [`Options::stop`](crate::Options::stop) was set.
    #[error("the run was told to stop\nNothing was changed: the whole run was rolled back.")]
    Stopped,
    /// Tables of the same names, but with other columns, are there already.
    #[error(
        "this database was made by the original Python migrations:\n{}\nNothing was changed. Migrate an empty \
         database and copy the data over; the README tells how under \"Coming from the Python migrations\".",
        list(.0)
    )]
    Legacy(Vec<Conflict>),
    /// Somebody else's code could run here as the role that migrates.
    #[error(
        "what stands in this database cannot be trusted, since somebody else's code in it would run as this role:\n{}\n\
         Nothing was changed. See who made it. If it is yours, give it to this role or to the owner of the database, or \
         run this as its owner; else drop it.",
        list(&.0.iter().map(|found| safe_line(found)).collect::<Vec<_>>())
    )]
    Untrusted(Vec<String>),
    /// The history of the database does not fit to the migrations at hand.
    #[error(
        "the migration history of this database does not fit to this binary:\n{}\n\
         Nothing was changed. Use the version of hacs-refinery that this database was migrated with, \
         or restore the row from a backup; never edit an applied migration.",
        list(.0)
    )]
    History(Vec<HistoryError>),
    /// The database has migrations beyond those at hand.
    #[error(
        "this database is at V{database}, but this binary knows migrations up to V{known} only\n\
         Nothing was changed. Use a newer hacs-refinery, or --allow-newer to take this as a success."
    )]
    Newer {
        /// Newest version in the database.
        database: i32,
        /// Newest version at hand.
        known: i32,
    },
    /// A migration failed; the whole run was rolled back.
    #[error("{location}: {failure}{statement}{step}\nNothing was changed: the whole run was rolled back.",
        step = failure.next_step(),
        statement = location.statement.as_ref().map(|words| format!("\nSTATEMENT: {words}")).unwrap_or_default())]
    Migration {
        /// Where it failed.
        location: Location,
        /// What the server said.
        failure: Failure,
    },
    /// What stood in the six schemas before the first migration kept it from making what it should.
    #[error(
        "something stood here before the first migration, and the result is not what the migrations make:\n{}\n\
         Nothing was changed: the whole run was rolled back. Remove or move what stands in the way, and run again.",
        .0.iter().map(|difference| format!("  {difference}")).collect::<Vec<_>>().join("\n")
    )]
    Drift(Vec<Difference>),
    /// The server failed at something else.
    #[error("{doing} failed: {failure}{step}\nNothing was changed.", step = failure.next_step())]
    Database {
        /// What was being done.
        doing: &'static str,
        /// What the server said.
        failure: Failure,
    },
    /// A migration outside a transaction has a statement that may not be run twice, or a mark that nobody knows.
    #[error(
        "{location}: {why}{statement}\nNothing was changed. A migration outside a transaction starts again after a \
         crash in its middle, so it holds only what can be run again; docs/evolving.md lists it.",
        statement = location.statement.as_ref().map(|words| format!("\nSTATEMENT: {words}")).unwrap_or_default()
    )]
    NotRepeatable {
        /// The statement.
        location: Location,
        /// What is wrong with it.
        why: String,
    },
    /// What a migration outside a transaction calls its index is there already, and is not that index.
    #[error(
        "{location}: something else has the name of this index{statement}\nFOUND: {found}\nEXPECTED: {expected}\n\
         NEXT: Drop or rename what is there, or give the index another name, then run this again.\nNothing was changed.",
        statement = location.statement.as_ref().map(|words| format!("\nSTATEMENT: {words}")).unwrap_or_default()
    )]
    NameTaken {
        /// The statement that would make the index.
        location: Location,
        /// What has the name, as PostgreSQL describes it.
        found: String,
        /// The index as it should be.
        expected: String,
    },
    /// The connection goes through a pooler, and a migration is to run outside a transaction.
    #[error(
        "this connection goes through a connection pooler, and a pending migration runs outside a transaction\n\
         Nothing was changed. Connect to the server itself: the lock of such a run belongs to the session."
    )]
    Pooled,
    /// A run that goes in parts ended between them, or in the middle of a migration outside a transaction.
    #[error("{}", partly(applied, unfinished.as_ref(), cause))]
    Partly {
        /// The migrations that this run applied; they stay.
        applied: Vec<i32>,
        /// The migration in whose middle it ended.
        unfinished: Option<Unfinished>,
        /// Why it ended.
        #[source]
        cause: Box<Error>,
    },
    /// The connection broke while the run was being committed.
    #[error(
        "the connection broke while the run was being committed: {0}\n\
         The database is either as before or complete: hacs-refinery status tells which."
    )]
    CommitUnknown(Failure),
}

/// A migration outside a transaction that did not come to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unfinished {
    /// Number of the migration.
    pub version: i32,
    /// How many of its statements are done.
    pub done: usize,
    /// How many it has.
    pub statements: usize,
    /// Invalid indexes that it left and that could not be dropped at once.
    pub invalid: Vec<String>,
}

/// The text of the cause, with what it says about the outcome set right.
fn partly(applied: &[i32], unfinished: Option<&Unfinished>, cause: &Error) -> String {
    let mut outcome = match applied {
        [] => String::new(),
        [one] => format!("V{one} was applied and stays."),
        [first, .., last] => format!("V{first} to V{last} were applied and stay."),
    };
    match unfinished {
        Some(Unfinished { version, done, statements, invalid }) => {
            let space = if outcome.is_empty() { "" } else { " " };
            let verb = if *done == 1 { "is" } else { "are" };
            outcome += &format!(
                "{space}V{version} runs outside a transaction: {done} of its {statements} statements {verb} done."
            );
            if !invalid.is_empty() {
                outcome += &format!(" Invalid and used by nobody, but still there: {}.", invalid.join(", "));
            }
            outcome += " The next run starts it again.";
        }
        None => outcome += " Nothing else was changed.",
    }
    let text = cause.to_string();
    let said = ["Nothing was changed: the whole run was rolled back.", "Nothing was changed."];
    match said.iter().find(|said| text.contains(**said)) {
        Some(said) => text.replacen(said, &outcome, 1),
        None => format!("{}\n{outcome}", text.replace("or complete", "or one step further")),
    }
}

impl From<history::Failed> for Error {
    fn from(failed: history::Failed) -> Self {
        match failed {
            history::Failed::Untrusted(found) => Self::Untrusted(found),
            history::Failed::Unfit(errors) => Self::History(errors),
            history::Failed::Server(failure) => Self::Database { doing: "reading the migration history", failure },
        }
    }
}

impl Error {
    /// For `map_err`: the server failed at something.
    pub(crate) fn during<E: Into<Failure>>(doing: &'static str) -> impl Fn(E) -> Self {
        move |error| Self::Database { doing, failure: error.into() }
    }
}

fn list(errors: &[impl std::fmt::Display]) -> String {
    errors.iter().map(|error| format!("  {error}")).collect::<Vec<_>>().join("\n")
}
