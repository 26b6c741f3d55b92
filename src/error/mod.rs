//! Everything that can go wrong, each with what to do next.

pub(crate) mod obstacle;
pub(crate) mod standing;
mod text;

use std::time::Duration;

use thiserror::Error;

use crate::connect::ConnectError;
use crate::history::{self, HistoryError};
use crate::schema::difference::Difference;
use crate::schema::legacy::Conflict;
use crate::schema::location::Location;
use crate::server::Failure;
use crate::server::holder::Holder;
use obstacle::Obstacle;

/// Result of the functions of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a command could not do its work.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no connection.
    Connect(#[from] ConnectError),
    /// A name for [`Options::owner`](crate::Options::owner) that cannot be one, or that was given twice.
    Owner(String),
    /// The asked-for version is not among the migrations at hand.
    NoSuchTarget {
        /// What was asked for.
        target: i64,
        /// The newest version at hand.
        newest: i64,
    },
    /// Another run held the lock for too long.
    Locked {
        /// How long this run waited.
        waited: Duration,
        /// Who held the lock at last, where the server could tell.
        holder: Option<Box<Holder>>,
    },
    /// Another session held a table that a migration changes, for too long.
    Blocked {
        /// How long this run waited.
        waited: Duration,
        /// The session that has held a lock on HACS's tables longest, where there is one.
        holder: Option<Box<Holder>>,
        /// What the server said at last.
        #[source]
        failure: Failure,
    },
    /// [`Options::stop`](crate::Options::stop) was set.
    Stopped,
    /// Tables of the same names, but with other columns, are there already.
    Legacy(Vec<Conflict>),
    /// The database is not at the newest version, so that nothing of it was adopted.
    NotAdopted,
    /// The database cannot be distributed over machines, or taken back.
    Distribution(Box<Obstacle>),
    /// Somebody else's code could run here as the role that migrates.
    Untrusted(Vec<String>),
    /// The history of the database does not match the migrations at hand.
    History(Vec<HistoryError>),
    /// The database has migrations beyond those at hand.
    Newer {
        /// Whose: `None` for HACS's own, else the name that [`Options::owner`](crate::Options::owner) was given.
        owner: Option<String>,
        /// Newest version in the database.
        database: i64,
        /// Newest version at hand.
        known: i64,
    },
    /// A migration failed; the whole run was rolled back.
    Migration {
        /// Where it failed.
        location: Location,
        /// What the server said.
        #[source]
        failure: Failure,
    },
    /// A migration replaces a function that a CHECK, a domain, a generated column or an index stands on; the whole run
    /// was rolled back.
    Replaced {
        /// The migration, and the statement where it was found.
        location: Location,
        /// The function, with the types of its arguments.
        function: String,
        /// What stands on it, as PostgreSQL describes it.
        rules: Vec<String>,
    },
    /// The database is not what the migrations make, so that [`baseline`](crate::baseline) records nothing.
    Unlike(Vec<Difference>),
    /// The history has rows already, up to this version, so that there is nothing for [`baseline`](crate::baseline).
    Recorded(i64),
    /// What stood in the six schemas before the first migration kept it from making what it should.
    Drift(Vec<Difference>),
    /// The server failed at something else.
    Database {
        /// What was being done.
        doing: &'static str,
        /// What the server said.
        #[source]
        failure: Failure,
    },
    /// A migration outside a transaction has a statement that may not be run twice, or a mark that nobody knows.
    NotRepeatable {
        /// The statement.
        location: Location,
        /// What is wrong with it.
        why: String,
    },
    /// What a migration outside a transaction calls its index is there already, and is not that index.
    NameTaken {
        /// The statement that would make the index.
        location: Location,
        /// What has the name, as PostgreSQL describes it.
        found: String,
        /// The index as it should be.
        expected: String,
    },
    /// The connection goes through a pooler, and a migration is to run outside a transaction.
    Pooled,
    /// A run that goes in parts ended between them, or in the middle of a migration outside a transaction.
    Partly {
        /// The migrations that this run applied, such as `V9` or `wards: V3`; they stay.
        applied: Vec<String>,
        /// The migration in whose middle it ended.
        unfinished: Option<Unfinished>,
        /// Why it ended.
        #[source]
        cause: Box<Error>,
    },
    /// A document of an import was refused.
    Refused(#[source] Failure),
    /// Reading documents, or writing them, failed outside the database.
    Io {
        /// What was being done.
        doing: &'static str,
        /// What the system said.
        #[source]
        error: std::io::Error,
    },
    /// The connection broke while the run was being committed.
    CommitUnknown(#[source] Failure),
}

/// A migration outside a transaction that did not come to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unfinished {
    /// Whose migration it is: `None` for HACS's own.
    pub owner: Option<String>,
    /// Number of the migration.
    pub version: i64,
    /// How many of its statements are done.
    pub done: usize,
    /// How many it has.
    pub statements: usize,
    /// Invalid indexes that it left and that could not be dropped at once.
    pub invalid: Vec<String>,
}

/// What a run has left in the database, where it failed; and has by now, while it is under way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// Everything is as it was: what the run did is in a transaction that is not committed.
    #[default]
    NothingChanged,
    /// Everything is as it was, since the transaction of the run was rolled back.
    RolledBack,
    /// Some parts are there and stay; [`Error::Partly`] names them.
    Parts,
    /// Either everything or nothing: the server did not say which, or has not yet.
    Unknown,
    /// Everything is there. No error says so.
    Complete,
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
    /// What it has left in the database.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::Migration { .. } | Self::Replaced { .. } | Self::Drift(_) | Self::Stopped => Outcome::RolledBack,
            Self::Partly { .. } => Outcome::Parts,
            Self::CommitUnknown(_) => Outcome::Unknown,
            _ => Outcome::NothingChanged,
        }
    }

    /// For `map_err` of [`history::call`]: what was called failed, or may not be called.
    pub(crate) fn calling(doing: &'static str) -> impl Fn(history::Failed) -> Self {
        move |failed| match failed {
            history::Failed::Server(failure) => Self::Database { doing, failure },
            untrusted => untrusted.into(),
        }
    }

    /// For `map_err`: the server failed at something.
    pub(crate) fn during<E: Into<Failure>>(doing: &'static str) -> impl Fn(E) -> Self {
        move |error| Self::Database { doing, failure: error.into() }
    }
}
