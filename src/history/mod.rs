//! The history table as it was found, and what it means for the migrations at hand.

mod compare;
mod guard;
pub(crate) mod ledger;
pub(crate) mod rules;
pub(crate) mod script;

use thiserror::Error;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::schema::owner::Owner;
use crate::server::safe_text::safe_line;
use crate::server::{Answers, Connection, Failure, Message, Row, sqlstate};
pub(crate) use compare::{Line, compare, sort_out};
pub(crate) use guard::{Purpose, call, query as guard_query, schema_guard};

/// A row of the history that refinery could have written.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Record {
    /// Number of the migration.
    pub version: i64,
    /// Its name, such as `hacs_core`.
    pub name: String,
    /// When the run that applied it began.
    pub applied_on: OffsetDateTime,
    /// refinery's checksum over name, number and text.
    pub checksum: u64,
}

/// Why a history does not match the migrations at hand.
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
        version: i64,
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
        version: i64,
        /// Its name.
        name: String,
        /// The highest version of the history.
        later: i64,
    },
    /// The history has a migration that this binary does not know, older than the newest that it knows.
    #[error("V{version}__{name} was applied, but this binary has no such migration", name = safe_line(name))]
    Unknown {
        /// Number of the migration.
        version: i64,
        /// Its name.
        name: String,
    },
    /// Two migrations at hand have the same number.
    #[error("there are two migrations V{version}: {one} and {other}", one = safe_line(one), other = safe_line(other))]
    Repeated {
        /// Their number.
        version: i64,
        /// Name of the one.
        one: String,
        /// Name of the other.
        other: String,
    },
    /// The table is there, but not as refinery made it.
    #[error("the history table {tables} cannot be read: {message}")]
    Unreadable {
        /// Its name, and those of the others that were read with it.
        tables: String,
        /// What the server said.
        message: String,
    },
    /// Any of these, in the history of an owner beside HACS.
    #[error("{owner}: {error}")]
    Of {
        /// The name with which [`Options::owner`](crate::Options::owner) brought it.
        owner: String,
        /// What is wrong.
        error: Box<HistoryError>,
    },
}

impl HistoryError {
    fn of(self, owner: &Owner) -> Self {
        match owner.to_name() {
            Some(owner) => Self::Of { owner, error: Box::new(self) },
            None => self,
        }
    }
}

/// The history table's columns as text; shared by `migrate` and `status`. Whoever asks puts the few rows in order: for
/// the server it would be a quarter of the work.
fn query(owner: &Owner) -> String {
    format!("select version, name, applied_on, checksum from only {}", owner.table())
}

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

/// Adds to a message the question for the histories of these owners and what comes after it, and reads the answer.
/// Nothing of a table is looked at before it is known to be one that can be trusted, and it stays that until the
/// transaction ends. Where a table is not there, nothing of the message was executed: see [`read_where_there`].
pub(crate) fn read(
    connection: &mut dyn Connection,
    message: Message,
    purpose: Purpose,
    owners: &[Owner],
    more: &[&str],
) -> Result<(Vec<Vec<Record>>, Answers), Failed> {
    if owners.is_empty() {
        return Ok(Default::default());
    }
    let message = owners.iter().fold(message, |message, owner| message.then(&purpose.lock(owner)));
    let mut message = message.then(&guard::raising(purpose, owners));
    let asked: Vec<(&Owner, usize)> = owners.iter().map(|owner| (owner, message.ask(&query(owner)))).collect();
    let message = more.iter().fold(message, |message, statement| message.then(statement));
    match message.send(connection) {
        Ok(answers) => {
            let records = asked.into_iter().map(|(owner, at)| parse_all(owner, answers.rows(at)));
            Ok((records.collect::<Result<_, _>>()?, answers))
        }
        Err(failure) => match failure.sqlstate() {
            Some(sqlstate::UNDEFINED_COLUMN) => {
                let tables = owners.iter().map(Owner::table).collect::<Vec<_>>().join(", ");
                Err(Failed::Unfit(vec![HistoryError::Unreadable { tables, message: failure.message().to_owned() }]))
            }
            Some(sqlstate::DIVISION_BY_ZERO | sqlstate::WRONG_OBJECT_TYPE | sqlstate::INSUFFICIENT_PRIVILEGE) => {
                Err(guard::explain(connection, purpose, owners, failure))
            }
            _ => Err(Failed::Server(failure)),
        },
    }
}

/// The same outside a transaction, where tables may be missing: an owner without a table has an empty history. Only
/// where all are there, the rest of the message was executed.
pub(crate) fn read_where_there(
    connection: &mut dyn Connection,
    message: &Message,
    purpose: Purpose,
    owners: &[Owner],
    more: &[&str],
) -> Result<(Vec<Vec<Record>>, Option<Answers>), Failed> {
    match read(connection, message.clone(), purpose, owners, more) {
        Ok((records, answers)) => return Ok((records, Some(answers))),
        Err(Failed::Server(failure)) if is_missing(&failure) && owners.len() < 2 => {
            return Ok((vec![Vec::new()], None));
        }
        Err(Failed::Server(failure)) if is_missing(&failure) => {}
        Err(failed) => return Err(failed),
    }
    let mut histories = Vec::new();
    for owner in owners {
        let alone = std::slice::from_ref(owner);
        histories.push(match read(connection, message.clone(), purpose, alone, &[]) {
            Ok((records, _)) => records.into_iter().flatten().collect(),
            Err(Failed::Server(failure)) if is_missing(&failure) => Vec::new(),
            Err(failed) => return Err(failed),
        });
    }
    Ok((histories, None))
}

fn is_missing(failure: &Failure) -> bool {
    matches!(failure.sqlstate(), Some(sqlstate::UNDEFINED_TABLE | sqlstate::INVALID_SCHEMA_NAME))
}

fn parse_all<'a>(owner: &Owner, rows: impl Iterator<Item = Row<'a>>) -> Result<Vec<Record>, Failed> {
    let (records, errors): (Vec<_>, Vec<_>) = rows.map(parse).partition(Result::is_ok);
    if !errors.is_empty() {
        return Err(Failed::Unfit(errors.into_iter().filter_map(Result::err).map(|error| error.of(owner)).collect()));
    }
    let mut records: Vec<Record> = records.into_iter().flatten().collect();
    records.sort_by_key(|record| record.version);
    Ok(records)
}

/// Reads a row of [`query`].
fn parse(row: Row<'_>) -> Result<Record, HistoryError> {
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
