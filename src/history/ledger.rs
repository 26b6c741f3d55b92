//! Migrations and their history, in a transaction that somebody else commits.

use std::fmt;

use refinery::Migration;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::rules::{self, Replaced, Rules};
use super::script::{Script, savepoint};
use crate::schema::owned::OwnedMigration;
use crate::schema::owner::Owner;
use crate::schema::statements;
use crate::server::failure::ServerError;
use crate::server::sql::literal;
use crate::server::{Answers, Connection, Failure, Message, Row, Transaction, sqlstate};

/// The locks on tables that this transaction holds.
pub(crate) const LOCKS: &str =
    "select relation, lower(trim(regexp_replace(replace(mode, 'Lock', ''), '([A-Z])', ' \\1', 'g')))
    from pg_locks
    where pid = pg_backend_pid() and locktype = 'relation'";

/// What a migration of a distributed database needs: tables made and changed over one connection to each node, and triggers
/// on them.
const ONE_BY_ONE: [&str; 3] = [
    "set local citus.multi_shard_modify_mode = 'sequential'",
    "set local citus.enable_unsafe_triggers = on",
    "select set_config('hacs_refinery.migration_started', clock_timestamp()::text, true)",
];

/// Makes the schema and the history table; the columns beside refinery's own four describe each run.
const BOOTSTRAP: &str = include_str!("bootstrap.sql");

/// The same for the table of another owner.
const BOOTSTRAP_OWNER: &str = include_str!("owner.sql");

/// What has to be there before the first migration of these owners can be recorded.
pub(crate) fn bootstrap(owners: &[Owner]) -> String {
    let others = owners.iter().filter(|owner| owner.name().is_some());
    others
        .fold(BOOTSTRAP.to_owned(), |text, owner| text + "\n" + &BOOTSTRAP_OWNER.replace("OWNER_TABLE", &owner.table()))
}

/// The row that refinery writes for a migration; the time is an expression.
pub(crate) fn insert(migration: &OwnedMigration, applied_on: &str) -> String {
    format!(
        "insert into {} (version, name, applied_on, checksum) values\n    ({}, {}, {applied_on}, '{}')",
        migration.of().table(),
        migration.version(),
        literal(migration.name()),
        migration.checksum()
    )
}

/// Applies migrations inside one transaction: migrations and history rows become true together, or not at all.
pub(crate) struct Ledger<'a> {
    transaction: Transaction<'a>,
    seconds: Vec<f64>,
    locks: Vec<(String, String)>,
    /// Whether statements have to come one by one.
    one_by_one: bool,
    /// What may not be replaced.
    rules: Rules,
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
    /// A function under a rule was replaced.
    Replaced {
        /// Which of the migrations did it, from 0, and at what byte of its SQL, as far as that is known.
        at: Option<(usize, Option<usize>)>,
        /// The function, and the rules.
        what: Replaced,
    },
}

impl fmt::Display for LedgerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Script { failure, .. } | Self::Server(failure) => failure.fmt(f),
            Self::Replaced { what, .. } => f.write_str(&what.function),
        }
    }
}

impl std::error::Error for LedgerError {}

impl<'a> Ledger<'a> {
    /// Takes a transaction over.
    pub(crate) fn new(transaction: Transaction<'a>) -> Self {
        Self { transaction, seconds: Vec::new(), locks: Vec::new(), one_by_one: false, rules: Rules::default() }
    }

    /// Makes everything that was done true.
    pub(crate) fn commit(self) -> Result<(), Failure> {
        self.transaction.commit()
    }

    /// From now on sends statement by statement: Citus passes the whole text of a message on for one of its statements.
    pub(crate) fn send_one_by_one(&mut self) {
        self.one_by_one = true;
    }

    /// Refuses from now on what replaces a function under a rule.
    pub(crate) fn protect(&mut self, rules: Rules) {
        self.rules = rules;
    }

    /// The seconds that each migration of the last message took.
    pub(crate) fn seconds(&self) -> &[f64] {
        &self.seconds
    }

    /// The locks on tables that the transaction held after the last message of migrations: object id and mode.
    pub(crate) fn locks(&self) -> impl Iterator<Item = (&str, &str)> {
        self.locks.iter().map(|(relation, mode)| (relation.as_str(), mode.as_str()))
    }

    pub(crate) fn transaction(&mut self) -> &mut dyn Connection {
        &mut self.transaction
    }

    /// Writes the row of a migration that has been applied, or is taken for it.
    pub(crate) fn record(&mut self, migration: &OwnedMigration) -> Result<(), LedgerError> {
        let insert = insert(migration, &literal(&now()));
        Message::within().then(&insert).send(&mut self.transaction).map(|_| ()).map_err(LedgerError::Server)
    }

    /// Sends migrations and the INSERTs that record them as one message: the time on the wire is that of one.
    pub(crate) fn apply(&mut self, migrations: &[OwnedMigration]) -> Result<(), LedgerError> {
        let now = literal(&now());
        if self.one_by_one {
            return self.apply_one_by_one(migrations, &now);
        }
        let mut script = Script::default();
        for migration in migrations {
            log::info!("applying {migration}");
            script.push(sql(migration), &insert(migration, &now));
        }
        // The migrations have as many answers as statements, and whatever columns they like: ours are the last three.
        let rules = if self.rules.is_empty() { "select" } else { rules::QUERY };
        let message = script.message(&[rules, LOCKS, &durations(migrations)]);
        match message.send(&mut self.transaction) {
            Ok(answers) => self.look_back(migrations, &answers),
            Err(failure) => {
                let at = match &failure {
                    Failure::Refused(error) => self.locate(&script, migrations, error),
                    Failure::Broken(_) => None,
                };
                Err(LedgerError::Script { at, failure })
            }
        }
    }

    /// What the last three answers say of these migrations.
    fn look_back(&mut self, migrations: &[OwnedMigration], answers: &Answers) -> Result<(), LedgerError> {
        self.seconds = answers.rows(answers.before_last(0)).map(seconds).collect();
        self.locks = answers.rows(answers.before_last(1)).map(|row| (row.string(0), row.string(1))).collect();
        if self.rules.is_empty() {
            return Ok(());
        }
        let now = Rules::from_rows(answers.rows(answers.before_last(2)));
        let replaced = self.rules.replaced(&now);
        self.rules = now;
        match replaced {
            Some(what) => Err(LedgerError::Replaced { at: what.place(migrations), what }),
            None => Ok(()),
        }
    }

    /// The same, each statement by itself: so its place is known where it fails.
    fn apply_one_by_one(&mut self, migrations: &[OwnedMigration], now: &str) -> Result<(), LedgerError> {
        for (index, migration) in migrations.iter().enumerate() {
            let mut send = |message: Message, at: Option<usize>| {
                let failed = |failure| LedgerError::Script { at: Some((index, at)), failure };
                message.send(&mut self.transaction).map(drop).map_err(failed)
            };
            send(ONE_BY_ONE.iter().fold(Message::of_run(), |message, setting| message.then(setting)), None)?;
            let text = sql(migration);
            for statement in statements::split(text) {
                send(Message::bare(statement.text(text)), Some(statement.start))?;
            }
            send(Message::bare(&insert(migration, now)), None)?;
        }
        let rules = if self.rules.is_empty() { "select" } else { rules::QUERY };
        let message = Message::within().then(rules).then(LOCKS).then(&durations(migrations));
        let answers = message.send(&mut self.transaction).map_err(LedgerError::Server)?;
        self.look_back(migrations, &answers)
    }

    /// Finds the migration and the statement behind an error. Most errors come with a position. The others are found
    /// by going back to the savepoint before the migration and running its statements one by one: they meet the
    /// same error again, and nothing of it outlives this transaction.
    fn locate(
        &mut self,
        script: &Script,
        migrations: &[OwnedMigration],
        error: &ServerError,
    ) -> Option<(usize, Option<usize>)> {
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
        let sql = sql(migrations.get(index)?);
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

/// How long each of these migrations took.
fn durations(migrations: &[OwnedMigration]) -> String {
    let of = |m: &OwnedMigration| {
        format!("(select extract(epoch from duration) from only {} where version = {})", m.of().table(), m.version())
    };
    let all: Vec<String> = migrations.iter().map(of).collect();
    format!("select unnest(array[{}]::numeric[])", all.join(", "))
}

fn seconds(row: Row<'_>) -> f64 {
    row.number(0)
}

fn sql(migration: &Migration) -> &str {
    migration.sql().unwrap_or_default()
}

/// As refinery writes it.
fn now() -> String {
    OffsetDateTime::now_utc().format(&Rfc3339).unwrap_or_default()
}
