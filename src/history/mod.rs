//! The history table as it was found, and what it means for the migrations at hand.

mod guard;
pub(crate) mod ledger;
pub(crate) mod script;

use std::collections::BTreeMap;

use refinery::Migration;
use thiserror::Error;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::server::safe_text::safe_line;
use crate::server::{Answers, Connection, Failure, Message, Row, sqlstate};
pub(crate) use guard::{Purpose, query as guard_query};

/// A row of the history that refinery could have written.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Record {
    /// Number of the migration.
    pub version: i32,
    /// Its name, such as `hacs_core`.
    pub name: String,
    /// When the run that applied it began.
    pub applied_on: OffsetDateTime,
    /// refinery's checksum over name, number and text.
    pub checksum: u64,
}

impl From<&Record> for Migration {
    fn from(record: &Record) -> Self {
        Self::applied(record.version, record.name.clone(), record.applied_on, record.checksum)
    }
}

/// Why a history does not fit to the migrations at hand.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum HistoryError {
    /// A row holds what refinery cannot have written.
    #[error("the history row of version {version} cannot be read: {column} is {found}", version = safe_line(version),
        found = safe_line(found))]
    Corrupt {
        /// `version` of the row, as text.
        version: String,
        /// The column at fault.
        column: &'static str,
        /// What stands there.
        found: String,
    },
    /// The same version was applied from another text or under another name.
    #[error(
        "V{version} was applied as V{version}__{applied} with checksum {applied_checksum}, \
         but this binary has V{version}__{embedded} with checksum {embedded_checksum}", applied = safe_line(applied)
    )]
    Diverged {
        /// Number of the migration.
        version: i32,
        /// Name in the history.
        applied: String,
        /// Checksum in the history.
        applied_checksum: u64,
        /// Name in the binary.
        embedded: String,
        /// Checksum in the binary.
        embedded_checksum: u64,
    },
    /// A migration that this binary has is missing before one that was applied.
    #[error("V{version}__{name} was never applied, although V{later} was")]
    Missing {
        /// Number of the migration.
        version: i32,
        /// Its name.
        name: String,
        /// The highest version of the history.
        later: i32,
    },
    /// The history has a migration that this binary does not know, older than the newest that it knows.
    #[error("V{version}__{name} was applied, but this binary has no such migration", name = safe_line(name))]
    Unknown {
        /// Number of the migration.
        version: i32,
        /// Its name.
        name: String,
    },
    /// The table is there, but not as refinery made it.
    #[error("the history table hacs_admin.migrations cannot be read: {0}")]
    Unreadable(String),
}

/// What a run would do.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plan {
    /// Migrations to apply, oldest first.
    pub pending: Vec<Migration>,
    /// Versions in the database beyond all that this binary has.
    pub newer: Vec<Record>,
}

/// The history table's columns as text; shared by `migrate` and `status`. Whoever asks puts the few rows in order: for
/// the server it would be a quarter of the work.
pub(crate) const QUERY: &str = "select version, name, applied_on, checksum from only hacs_admin.migrations";

/// Why there is no history to work with.
#[derive(Clone, Debug)]
pub(crate) enum Failed {
    /// Somebody else's code could run, or has its hands on the table.
    Untrusted(Vec<String>),
    /// It holds what refinery cannot have written.
    Unfit(Vec<HistoryError>),
    /// The server refused something else.
    Server(Failure),
}

/// Adds to a message the question for the history and what comes after it, and reads the answer. Nothing of the table is
/// looked at before it is known to be one that can be trusted, and it stays that until the transaction ends. A database
/// without a history has an empty one; then the rest of the message was not executed.
pub(crate) fn read(
    connection: &mut dyn Connection,
    message: Message,
    purpose: Purpose,
    more: &[&str],
) -> Result<(Vec<Record>, Answers), Failed> {
    let mut message = message.then(purpose.lock()).then(&guard::raising(purpose));
    let at = message.ask(QUERY);
    let message = more.iter().fold(message, |message, statement| message.then(statement));
    match message.send(connection) {
        Ok(answers) => Ok((parse_all(answers.rows(at))?, answers)),
        Err(failure) => match failure.sqlstate() {
            Some(sqlstate::UNDEFINED_TABLE | sqlstate::INVALID_SCHEMA_NAME) => Ok(Default::default()),
            Some(sqlstate::UNDEFINED_COLUMN) => {
                Err(Failed::Unfit(vec![HistoryError::Unreadable(failure.message().to_owned())]))
            }
            Some(sqlstate::DIVISION_BY_ZERO | sqlstate::WRONG_OBJECT_TYPE | sqlstate::INSUFFICIENT_PRIVILEGE) => {
                Err(guard::explain(connection, purpose, failure))
            }
            _ => Err(Failed::Server(failure)),
        },
    }
}

fn parse_all<'a>(rows: impl Iterator<Item = Row<'a>>) -> Result<Vec<Record>, Failed> {
    let (records, errors): (Vec<_>, Vec<_>) = rows.map(parse).partition(Result::is_ok);
    if !errors.is_empty() {
        return Err(Failed::Unfit(errors.into_iter().filter_map(Result::err).collect()));
    }
    let mut records: Vec<Record> = records.into_iter().flatten().collect();
    records.sort_by_key(|record| record.version);
    Ok(records)
}

/// Reads a row of [`QUERY`].
pub(crate) fn parse(row: Row<'_>) -> Result<Record, HistoryError> {
    let [version, name, applied_on, checksum] = [0, 1, 2, 3].map(|column| row.text(column));
    let corrupt = |column: &'static str, found: Option<&str>| HistoryError::Corrupt {
        version: version.unwrap_or("null").to_owned(),
        column,
        found: found.map_or_else(|| "null".to_owned(), |found| format!("{found:?}")),
    };
    let parse_time = |written: &str| OffsetDateTime::parse(written, &Rfc3339).ok();
    Ok(Record {
        version: version.and_then(|v| v.parse().ok()).ok_or_else(|| corrupt("version", version))?,
        name: name.ok_or_else(|| corrupt("name", name))?.to_owned(),
        applied_on: applied_on.and_then(parse_time).ok_or_else(|| corrupt("applied_on", applied_on))?,
        checksum: checksum.and_then(|c| c.parse().ok()).ok_or_else(|| corrupt("checksum", checksum))?,
    })
}

/// Compares a history with the migrations at hand. All that is wrong is named, not the first alone.
pub(crate) fn compare(history: &[Record], embedded: &[Migration]) -> Result<Plan, Vec<HistoryError>> {
    let applied: BTreeMap<i32, &Record> = history.iter().map(|record| (record.version, record)).collect();
    let newest_known = embedded.iter().map(Migration::version).max().unwrap_or(0);
    let newest_applied = applied.keys().next_back().copied().unwrap_or(0);
    let mut plan = Plan::default();
    let mut errors = Vec::new();

    for migration in embedded {
        let version = migration.version();
        match applied.get(&version) {
            Some(record) if record.checksum == migration.checksum() && record.name == migration.name() => {}
            Some(record) => errors.push(HistoryError::Diverged {
                version,
                applied: record.name.clone(),
                applied_checksum: record.checksum,
                embedded: migration.name().to_owned(),
                embedded_checksum: migration.checksum(),
            }),
            None if version < newest_applied => {
                errors.push(HistoryError::Missing { version, name: migration.name().to_owned(), later: newest_applied })
            }
            None => plan.pending.push(migration.clone()),
        }
    }
    for record in applied.values() {
        if record.version > newest_known {
            plan.newer.push((*record).clone());
        } else if embedded.iter().all(|migration| migration.version() != record.version) {
            errors.push(HistoryError::Unknown { version: record.version, name: record.name.clone() });
        }
    }
    if errors.is_empty() { Ok(plan) } else { Err(errors) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn embedded() -> Vec<Migration> {
        ["V1__one", "V2__two", "V3__three"].map(|name| Migration::unapplied(name, "select 1").unwrap()).to_vec()
    }

    fn applied(migrations: &[Migration]) -> Vec<Record> {
        migrations
            .iter()
            .map(|m| Record {
                version: m.version(),
                name: m.name().to_owned(),
                applied_on: OffsetDateTime::UNIX_EPOCH,
                checksum: m.checksum(),
            })
            .collect()
    }

    #[test]
    fn what_is_not_applied_is_pending() {
        let migrations = embedded();
        let plan = compare(&applied(&migrations[..1]), &migrations).unwrap();
        assert_eq!(plan.pending, migrations[1..]);
        assert!(plan.newer.is_empty());
    }

    #[test]
    fn a_newer_database_is_no_error_of_its_own() {
        let migrations = embedded();
        let plan = compare(&applied(&migrations), &migrations[..2]).unwrap();
        assert!(plan.pending.is_empty());
        assert_eq!(plan.newer[0].version, 3);
    }

    #[test]
    fn everything_that_is_wrong_is_named() {
        let migrations = embedded();
        let mut history = applied(&migrations);
        history[2].checksum += 1;
        history.remove(0);
        history.push(Record { version: 0, name: "zero".into(), ..history[0].clone() });
        let errors = compare(&history, &migrations).unwrap_err();
        assert!(matches!(errors[0], HistoryError::Missing { version: 1, later: 3, .. }));
        assert!(matches!(errors[1], HistoryError::Diverged { version: 3, .. }));
        assert!(matches!(errors[2], HistoryError::Unknown { version: 0, .. }));
    }
}
