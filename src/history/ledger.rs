//! refinery's traits on a transaction that somebody else commits.

use postgres::SimpleQueryMessage;
use refinery::Migration;
use refinery_core::traits::sync::{Migrate, Query};
use std::fmt;

use crate::history::script::{Script, savepoint};
use crate::history::{self, HistoryError, Record};
use crate::schema::embedded::HISTORY_TABLE;
use crate::schema::statements;
use crate::server::answer::rows;
use crate::server::failure::{Failure, ServerError};
use crate::server::{Session, Transaction};

/// Makes the schema and the history table; the columns beside refinery's own four describe each run.
pub(crate) const BOOTSTRAP: &str = include_str!("bootstrap.sql");

/// Runs refinery inside one transaction of the caller's: migrations and history rows become true together, when the
/// caller commits, or not at all.
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let mut client = postgres::Client::connect("", postgres::NoTls)?;
/// let mut ledger = hacs_refinery::Ledger::new(client.transaction()?);
/// hacs_refinery::runner().set_grouped(true).run(&mut ledger)?;
/// ledger.commit()?;
/// # Ok(())
/// # }
/// ```
pub struct Ledger<'a> {
    transaction: Box<dyn Transaction + 'a>,
    seconds: Vec<(i32, f64)>,
    /// Whether this transaction has made sure of the history table.
    bootstrapped: bool,
    /// The history, where it was read and nothing was added to it since.
    history: Option<Vec<Record>>,
}

/// What went wrong in a [`Ledger`].
#[derive(Debug)]
#[non_exhaustive]
pub enum LedgerError {
    /// The server refused a message of several migrations.
    Script {
        /// Which of the migrations failed, from 0, and at what byte of its SQL, as far as that is known.
        at: Option<(usize, Option<usize>)>,
        /// What the server said.
        failure: Failure,
    },
    /// The server refused something else.
    Server(Failure),
    /// A history row that refinery cannot have written.
    History(HistoryError),
}

impl fmt::Display for LedgerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Script { failure, .. } | Self::Server(failure) => failure.fmt(f),
            Self::History(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for LedgerError {}

impl<'a> Ledger<'a> {
    /// Takes a transaction over.
    #[must_use]
    pub fn new(transaction: postgres::Transaction<'a>) -> Self {
        Self::over(Box::new(transaction))
    }

    pub(crate) fn over(transaction: Box<dyn Transaction + 'a>) -> Self {
        Self { transaction, seconds: Vec::new(), bootstrapped: false, history: None }
    }

    /// Makes everything that was done true.
    ///
    /// # Errors
    ///
    /// What the server said.
    pub fn commit(self) -> std::result::Result<(), Failure> {
        self.transaction.commit()
    }

    /// Spares refinery the questions about the history that have just been answered.
    pub(crate) fn remember(&mut self, history: &[Record]) {
        self.history = Some(history.to_vec());
    }

    /// Version of each migration that was applied in one message with others, and the seconds it took.
    pub(crate) fn seconds(&self) -> &[(i32, f64)] {
        &self.seconds
    }

    /// As if no migration had been applied yet: the caller has gone back to where none was.
    pub(crate) fn forget_seconds(&mut self) {
        self.seconds.clear();
    }

    pub(crate) fn transaction(&mut self) -> &mut dyn Session {
        &mut *self.transaction
    }

    /// Sends migrations and the INSERTs that record them as one message: the time on the wire is that of one.
    fn run(&mut self, pairs: &[(&str, &str)]) -> std::result::Result<(), LedgerError> {
        let mut script = Script::default();
        for (sql, insert) in pairs {
            script.push(sql, &format!("{insert} returning version, extract(epoch from duration) as seconds"));
        }
        match self.transaction.simple_query(script.text()) {
            Ok(messages) => {
                self.seconds.extend(messages.iter().filter_map(duration));
                Ok(())
            }
            Err(failure) => {
                let at = match &failure {
                    Failure::Refused(error) => self.locate(&script, pairs, error),
                    Failure::Broken(_) => None,
                };
                Err(LedgerError::Script { at, failure })
            }
        }
    }

    /// Finds the migration and the statement behind an error. Most errors come with a position. The others are found
    /// by going back to the savepoint before the migration and running its statements one by one: they meet the
    /// same error again, and nothing of it outlives this transaction.
    fn locate(
        &mut self,
        script: &Script,
        pairs: &[(&str, &str)],
        error: &ServerError,
    ) -> Option<(usize, Option<usize>)> {
        if let Some((index, offset)) = error.position.and_then(|position| script.find(position)) {
            return Some((index, Some(offset)));
        }
        let back_to = |index: &usize| {
            self.transaction.batch_execute(&format!("rollback to savepoint {}", savepoint(*index))).is_ok()
        };
        let index = (0..script.migrations()).rev().find(back_to)?;
        if !happens_again(error) {
            return Some((index, None));
        }
        let (sql, _) = pairs[index];
        let statement = statements::split(sql).into_iter().find(|s| {
            let again = self.transaction.batch_execute(s.text(sql)).err();
            again.is_some_and(|again| again.sqlstate() == Some(&error.sqlstate))
        });
        Some((index, statement.map(|s| s.start)))
    }
}

/// Whether the cause of an error lies in the statement, so that it fails the same way when it is run again; not so
/// with a lost lock, a deadlock, a full disk or an operator's cancel.
fn happens_again(error: &ServerError) -> bool {
    let code = error.sqlstate.as_str();
    code != "55P03" && !["08", "40", "53", "57", "58", "XX"].iter().any(|class| code.starts_with(class))
}

fn duration(message: &SimpleQueryMessage) -> Option<(i32, f64)> {
    let SimpleQueryMessage::Row(row) = message else { return None };
    let version = row.try_get("version").ok()??.parse().ok()?;
    let seconds = row.try_get("seconds").ok()??.parse().ok()?;
    Some((version, seconds))
}

impl refinery_core::traits::sync::Transaction for Ledger<'_> {
    type Error = LedgerError;

    /// refinery hands over migration, INSERT, migration, INSERT, …, or a single statement.
    fn execute<'q, T: Iterator<Item = &'q str>>(&mut self, queries: T) -> std::result::Result<usize, LedgerError> {
        let queries: Vec<&str> = queries.collect();
        let bootstrap = queries == [BOOTSTRAP];
        if bootstrap && self.bootstrapped {
            return Ok(1);
        }
        self.history = None;
        let (pairs, rest) = queries.as_chunks::<2>();
        if rest.is_empty() && pairs.iter().all(|[_, insert]| insert.contains(HISTORY_TABLE)) {
            let pairs: Vec<_> = pairs.iter().map(|[sql, insert]| (*sql, *insert)).collect();
            if !pairs.is_empty() {
                self.run(&pairs)?;
            }
        } else {
            for query in &queries {
                self.transaction.batch_execute(query).map_err(LedgerError::Server)?;
            }
        }
        self.bootstrapped |= bootstrap;
        Ok(queries.len())
    }
}

impl Query<Vec<Migration>> for Ledger<'_> {
    fn query(&mut self, query: &str) -> std::result::Result<Vec<Migration>, LedgerError> {
        // refinery has no other question but the one for the history.
        if let Some(history) = &self.history {
            return Ok(history.iter().map(Migration::from).collect());
        }
        let messages = self.transaction.simple_query(query).map_err(LedgerError::Server)?;
        rows(&messages).map(|row| Ok((&history::parse(row).map_err(LedgerError::History)?).into())).collect()
    }
}

impl Migrate for Ledger<'_> {
    fn assert_migrations_table_query(_: &str) -> String {
        BOOTSTRAP.to_owned()
    }
}
