//! One transaction of a run: begun, opened under the lock, committed.

use refinery::Migration;
use refinery_core::traits::sync::Migrate;

use super::before;
use super::lock::{self, Scope};
use super::options::Options;
use super::patience::Patience;
use super::tables::Tables;
use crate::error::{Error, Outcome, Result};
use crate::history::ledger::{Ledger, LedgerError};
use crate::history::{self, Purpose, Record};
use crate::schema::embedded;
use crate::schema::legacy;
use crate::schema::location::Location;
use crate::server::{Connection, Failure, Message, START, Transaction};

/// Starts the transaction of a run, with its settings and under its lock.
pub(super) fn begin<'a>(client: &'a mut dyn Connection, options: &Options, patience: &Patience) -> Result<Ledger<'a>> {
    let transaction = Transaction::begin(client).map_err(Error::during("starting the transaction"))?;
    let mut ledger = Ledger::new(transaction);
    while !prepare(ledger.transaction(), options, patience)? {
        let doing = "waiting for the migration lock";
        let connection = ledger.transaction();
        Message::bare("rollback").send(connection).map_err(Error::during(doing))?;
        let waited = lock::acquire(connection, Scope::Transaction, options, patience);
        Message::start(START).send(connection).map_err(Error::during(doing))?;
        waited?;
    }
    Ok(ledger)
}

/// Sets the transaction up, looks in the same message whether something else than this tool has been here, and asks for
/// the lock: whether it was free.
fn prepare(connection: &mut dyn Connection, options: &Options, patience: &Patience) -> Result<bool> {
    let mut message = Message::of_run().then(&patience.setting()).then(concat!(
        "set local hacs_refinery.tool_version = '",
        env!("CARGO_PKG_VERSION"),
        "'"
    ));
    let untrusted = message.ask(&history::guard_query(Purpose::Run));
    let conflicts = message.ask(&legacy::query());
    message = message.then(&options.statement_setting());
    let locked = message.ask(&lock::query(Scope::Transaction));
    let answers = message.send(connection).map_err(Error::during("setting up the transaction"))?;
    let untrusted: Vec<String> = answers.rows(untrusted).map(|row| row.string(0)).collect();
    if !untrusted.is_empty() {
        return Err(Error::Untrusted(untrusted));
    }
    legacy::check(answers.rows(conflicts)).map_err(Error::Legacy)?;
    Ok(answers.is_true(locked))
}

/// What a run finds under its lock.
pub(super) struct Opened {
    pub history: Vec<Record>,
    /// Whether this is the first run, and anything stood in the six schemas before this transaction.
    pub stood_before: bool,
    pub tables: Tables,
}

/// Makes the history table where it is missing, and reads it.
pub(super) fn open(ledger: &mut Ledger<'_>) -> Result<Opened> {
    let bootstrap = |error: refinery::Error| {
        let failure = match ledger_error(&error) {
            Some(LedgerError::Server(failure) | LedgerError::Script { failure, .. }) => failure.clone(),
            _ => Failure::Broken(error.to_string()),
        };
        Error::Migration { location: Location::bootstrap(), failure }
    };
    ledger.assert_migrations_table(embedded::HISTORY_TABLE).map_err(bootstrap)?;
    let more = [Tables::QUERY, before::QUERY];
    let (history, answers) = history::read(ledger.transaction(), Message::of_run(), Purpose::Run, &more)?;
    ledger.remember(&history);
    let stood_before = history.is_empty() && answers.is_true(answers.before_last(0));
    Ok(Opened { history, stood_before, tables: Tables::from_rows(answers.rows(answers.before_last(1))) })
}

pub(super) fn commit(ledger: Ledger<'_>, options: &Options) -> Result<()> {
    let before = options.standing.replace(Outcome::Unknown);
    match ledger.commit() {
        Ok(()) => {
            options.standing.replace(Outcome::Complete);
            Ok(())
        }
        Err(failure @ Failure::Broken(_)) => Err(Error::CommitUnknown(failure)),
        Err(failure @ Failure::Refused(_)) => {
            options.standing.replace(before);
            Err(Error::Database { doing: "committing the run", failure })
        }
    }
}

/// Leads refinery's error back to what this crate's ledger met.
pub(super) fn failed(error: &refinery::Error, pending: &[Migration]) -> Error {
    let (at, failure) = match ledger_error(error) {
        Some(LedgerError::Script { at, failure }) => (*at, failure.clone()),
        Some(LedgerError::Server(failure)) => (None, failure.clone()),
        Some(LedgerError::History(failed)) => return failed.clone().into(),
        None => (None, Failure::Broken(error.to_string())),
    };
    let location = match at.and_then(|(index, offset)| Some((pending.get(index)?, offset))) {
        Some((migration, Some(offset))) => Location::at(migration, offset),
        Some((migration, None)) => Location::file(migration),
        None => Location::unknown(),
    };
    Error::Migration { location, failure }
}

fn ledger_error(error: &refinery::Error) -> Option<&LedgerError> {
    match error.kind() {
        refinery::error::Kind::Connection(_, cause) => cause.downcast_ref(),
        _ => None,
    }
}
