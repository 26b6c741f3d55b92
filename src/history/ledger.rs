//! refinery's traits on a transaction that somebody else commits.

use std::fmt;

use refinery::Migration;
use refinery_core::traits::sync::{Migrate, Query};

use super::script::{Script, savepoint};
use super::{Failed, Purpose, Record};
use crate::schema::embedded::HISTORY_TABLE;
use crate::schema::statements;
use crate::server::failure::ServerError;
use crate::server::{Connection, Failure, Message, Row, Transaction, sqlstate};

/// The locks on tables that this transaction holds.
pub(crate) const LOCKS: &str =
    "select relation, lower(trim(regexp_replace(replace(mode, 'Lock', ''), '([A-Z])', ' \\1', 'g')))
    from pg_locks
    where pid = pg_backend_pid() and locktype = 'relation'";

/// How long each migration took.
const DURATIONS: &str = "select version, extract(epoch from duration) from only hacs_admin.migrations";

/// Makes the schema and the history table; the columns beside refinery's own four describe each run.
pub(crate) const BOOTSTRAP: &str = include_str!("bootstrap.sql");

/// Runs refinery inside one transaction: migrations and history rows become true together, or not at all.
pub(crate) struct Ledger<'a> {
    transaction: Transaction<'a>,
    seconds: Vec<(i32, f64)>,
    locks: Vec<(String, String)>,
    /// Whether this transaction has made sure of the history table.
    bootstrapped: bool,
    /// The history, where it was read and nothing was added to it since.
    history: Option<Vec<Record>>,
}

/// What went wrong in a [`Ledger`].
#[derive(Debug)]
pub(crate) enum LedgerError {
    /// The server refused a message of several migrations.
    Script {
        /// Which of the migrations failed, from 0, and at what byte of its SQL, as far as that is known.
        at: Option<(usize, Option<usize>)>,
        /// What the server said.
        failure: Failure,
    },
    /// The server refused something else.
    Server(Failure),
    /// The history cannot be read.
    History(Failed),
}

impl fmt::Display for LedgerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Script { failure, .. } | Self::Server(failure) => failure.fmt(f),
            Self::History(_) => f.write_str("the history cannot be read"),
        }
    }
}

impl std::error::Error for LedgerError {}

impl<'a> Ledger<'a> {
    /// Takes a transaction over.
    pub(crate) fn new(transaction: Transaction<'a>) -> Self {
        Self { transaction, seconds: Vec::new(), locks: Vec::new(), bootstrapped: false, history: None }
    }

    /// Makes everything that was done true.
    pub(crate) fn commit(self) -> Result<(), Failure> {
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

    /// The locks on tables that the transaction held after the last message of migrations: object id and mode.
    pub(crate) fn locks(&self) -> impl Iterator<Item = (&str, &str)> {
        self.locks.iter().map(|(relation, mode)| (relation.as_str(), mode.as_str()))
    }

    pub(crate) fn transaction(&mut self) -> &mut dyn Connection {
        &mut self.transaction
    }

    /// Sends migrations and the INSERTs that record them as one message: the time on the wire is that of one.
    fn run(&mut self, pairs: &[[&str; 2]]) -> Result<(), LedgerError> {
        let mut script = Script::default();
        for [sql, insert] in pairs {
            script.push(sql, insert);
        }
        // The migrations have as many answers as statements, and whatever columns they like: ours are the last two.
        let message = script.message(&[LOCKS, DURATIONS]);
        match message.send(&mut self.transaction) {
            Ok(answers) => {
                self.seconds = answers.rows(answers.before_last(0)).filter_map(duration).collect();
                self.locks = answers.rows(answers.before_last(1)).map(|row| (row.string(0), row.string(1))).collect();
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
    fn locate(&mut self, script: &Script, pairs: &[[&str; 2]], error: &ServerError) -> Option<(usize, Option<usize>)> {
        if let Some((index, offset)) = error.position.and_then(|position| script.find(position)) {
            return Some((index, Some(offset)));
        }
        let back_to = |index: &usize| {
            let back = format!("rollback to savepoint {}", savepoint(*index));
            Message::bare(&back).send(&mut self.transaction).is_ok()
        };
        let index = (0..script.migrations()).rev().find(back_to)?;
        if !happens_again(error) {
            return Some((index, None));
        }
        let [sql, _] = pairs.get(index)?;
        let statement = statements::split(sql).into_iter().find(|s| {
            let again = Message::bare(s.text(sql)).send(&mut self.transaction).err();
            again.is_some_and(|again| again.sqlstate() == Some(&error.sqlstate))
        });
        Some((index, statement.map(|s| s.start)))
    }
}

/// Whether the cause of an error lies in the statement, so that it fails the same way when it is run again; not so
/// with a lost lock, a deadlock, a full disk or an operator's cancel.
fn happens_again(error: &ServerError) -> bool {
    let code = error.sqlstate.as_str();
    code != sqlstate::LOCK_NOT_AVAILABLE
        && !["08", "40", "53", "57", "58", "XX"].iter().any(|class| code.starts_with(class))
}

fn duration(row: Row<'_>) -> Option<(i32, f64)> {
    Some((row.text(0)?.parse().ok()?, row.text(1)?.parse().ok()?))
}

impl refinery_core::traits::sync::Transaction for Ledger<'_> {
    type Error = LedgerError;

    /// refinery hands over migration, INSERT, migration, INSERT, …, or a single statement.
    fn execute<'q, T: Iterator<Item = &'q str>>(&mut self, queries: T) -> Result<usize, LedgerError> {
        let queries: Vec<&str> = queries.collect();
        let bootstrap = queries == [BOOTSTRAP];
        if bootstrap && self.bootstrapped {
            return Ok(1);
        }
        self.history = None;
        let (pairs, rest) = queries.as_chunks::<2>();
        if rest.is_empty() && pairs.iter().all(|[_, insert]| insert.contains(HISTORY_TABLE)) {
            if !pairs.is_empty() {
                self.run(pairs)?;
            }
        } else {
            for query in &queries {
                Message::bare(query).send(&mut self.transaction).map_err(LedgerError::Server)?;
            }
        }
        self.bootstrapped |= bootstrap;
        Ok(queries.len())
    }
}

impl Query<Vec<Migration>> for Ledger<'_> {
    /// refinery has no other question but the one for the history.
    fn query(&mut self, _: &str) -> Result<Vec<Migration>, LedgerError> {
        if let Some(history) = &self.history {
            return Ok(history.iter().map(Migration::from).collect());
        }
        let read = super::read(&mut self.transaction, Message::within(), Purpose::Run, &[]);
        Ok(read.map_err(LedgerError::History)?.0.iter().map(Migration::from).collect())
    }
}

impl Migrate for Ledger<'_> {
    fn assert_migrations_table_query(_: &str) -> String {
        BOOTSTRAP.to_owned()
    }
}
