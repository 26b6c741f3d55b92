//! One transaction of a run: begun, opened under the lock, committed.

use super::before;
use super::lock::{self, Scope};
use super::options::Options;
use super::patience::Patience;
use super::pending;
use super::tables::Tables;
use crate::error::{Error, Result};
use crate::history::ledger::{self, Ledger, LedgerError};
use crate::history::rules::{self, Replaced, Rules};
use crate::history::{self, Purpose, Record};
use crate::schema::embedded::HISTORY_TABLE;
use crate::schema::legacy::{self, Conflict};
use crate::schema::location::Location;
use crate::schema::owned::OwnedMigration;
use crate::server::{Connection, Message, START, Transaction};

/// Starts the transaction of a run, with its settings and under its lock.
pub(super) fn begin<'a>(client: &'a mut dyn Connection, options: &Options, patience: &Patience) -> Result<Ledger<'a>> {
    begin_with(client, options, patience, Conflicts::Refused).map(|(ledger, _)| ledger)
}

/// The same where tables may be in the way: gives them.
pub(super) fn begin_beside<'a>(
    client: &'a mut dyn Connection,
    options: &Options,
    patience: &Patience,
) -> Result<(Ledger<'a>, Vec<Conflict>)> {
    begin_with(client, options, patience, Conflicts::Given)
}

/// What is done about tables that are in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Conflicts {
    Refused,
    Given,
}

fn begin_with<'a>(
    client: &'a mut dyn Connection,
    options: &Options,
    patience: &Patience,
    conflicts: Conflicts,
) -> Result<(Ledger<'a>, Vec<Conflict>)> {
    let transaction = Transaction::begin(client).map_err(Error::during("starting the transaction"))?;
    let mut ledger = Ledger::new(transaction);
    loop {
        let (locked, found) = prepare(ledger.transaction(), options, patience, conflicts)?;
        if locked {
            return Ok((ledger, found));
        }
        let doing = "waiting for the migration lock";
        let connection = ledger.transaction();
        Message::bare("rollback").send(connection).map_err(Error::during(doing))?;
        let waited = lock::acquire(connection, Scope::Transaction, options, patience);
        Message::start(START).send(connection).map_err(Error::during(doing))?;
        waited?;
    }
}

/// Sets the transaction up, looks in the same message whether something else than this tool has been here, and asks for
/// the lock: whether it was free, and what is in the way.
fn prepare(
    connection: &mut dyn Connection,
    options: &Options,
    patience: &Patience,
    on_conflicts: Conflicts,
) -> Result<(bool, Vec<Conflict>)> {
    let mut message = Message::of_run().then(&patience.setting()).then(concat!(
        "set local hacs_refinery.tool_version = '",
        env!("CARGO_PKG_VERSION"),
        "'"
    ));
    let untrusted = message.ask(&history::guard_query(Purpose::Run, &pending::owners(options)?));
    let conflicts = message.ask(&legacy::query());
    message = message.then(&options.statement_setting());
    let locked = message.ask(&lock::query(Scope::Transaction));
    let answers = message.send(connection).map_err(Error::during("setting up the transaction"))?;
    let untrusted: Vec<String> = answers.rows(untrusted).map(|row| row.string(0)).collect();
    if !untrusted.is_empty() {
        return Err(Error::Untrusted(untrusted));
    }
    let legacy = legacy::read(answers.rows(conflicts));
    let locked = answers.is_true(locked);
    if on_conflicts == Conflicts::Given {
        return Ok((locked, legacy.conflicts));
    }
    if !legacy.conflicts.is_empty() {
        return Err(Error::Legacy(legacy.conflicts));
    }
    for table in legacy.beside.iter().filter(|_| locked) {
        log::warn!("{table}, is left alone; hacs-refinery adopt --dry-run tells what would become of its rows");
    }
    Ok((locked, Vec::new()))
}

/// Whether the tables are distributed over machines.
const DISTRIBUTED: &str = "select exists (
    select 1 from pg_attribute as a
    where a.attrelid = to_regclass('hacs_audit.resource_changes') and a.attname = 'compartment' and not a.attisdropped
)";

/// What a run finds under its lock.
pub(super) struct Opened {
    /// The history of HACS, and that of each owner.
    pub histories: Vec<Vec<Record>>,
    /// Whether this is the first run, and anything stood in the six schemas before this transaction.
    pub stood_before: bool,
    pub tables: Tables,
}

/// Makes the history tables where they are missing, and reads them.
pub(super) fn open(ledger: &mut Ledger<'_>, options: &Options) -> Result<Opened> {
    let owners = pending::owners(options)?;
    let bootstrap = Message::of_run().then(&ledger::bootstrap(&owners)).send(ledger.transaction());
    bootstrap.map_err(|failure| Error::Migration { location: Location::bootstrap(&owners), failure })?;
    let more = [DISTRIBUTED, rules::QUERY, Tables::QUERY, before::QUERY];
    let (histories, answers) = history::read(ledger.transaction(), Message::of_run(), Purpose::Run, &owners, &more)?;
    ledger.protect(Rules::from_rows(answers.rows(answers.before_last(2))));
    if answers.is_true(answers.before_last(3)) {
        ledger.send_one_by_one();
    }
    let stood_before = histories.first().is_some_and(Vec::is_empty) && answers.is_true(answers.before_last(0));
    Ok(Opened { histories, stood_before, tables: Tables::from_rows(answers.rows(answers.before_last(1))) })
}

/// Moves rows of HACS's history to the owners whose migrations they are about.
pub(super) fn give_back(ledger: &mut Ledger<'_>, moved: &[OwnedMigration]) -> Result<()> {
    let mut message = Message::of_run();
    for migration in moved {
        let (table, version) = (migration.of().table(), migration.version());
        log::info!("V{version}__{} is moved from {HISTORY_TABLE} to {table}", migration.name());
        message = message.then(&format!(
            "with moved as (delete from only {HISTORY_TABLE} where version = {version} returning *)
             insert into {table} (version, name, applied_on, checksum, applied_at, applied_by, duration, tool_version)
             select version, name, applied_on, '{}', applied_at, applied_by, duration, tool_version from moved",
            migration.checksum()
        ));
    }
    if moved.is_empty() {
        return Ok(());
    }
    message.send(ledger.transaction()).map(|_| ()).map_err(Error::during("giving each owner its part of the history"))
}

pub(super) fn commit(ledger: Ledger<'_>, options: &Options) -> Result<()> {
    options.standing.commit("committing the run", || ledger.commit())
}

/// Leads an error back to the file and the line.
pub(super) fn failed(error: LedgerError, pending: &[OwnedMigration]) -> Error {
    let (at, failure) = match error {
        LedgerError::Script { at, failure } => (at, failure),
        LedgerError::Server(failure) => (None, failure),
        LedgerError::Replaced { at, what: Replaced { function, rules } } => {
            return Error::Replaced { location: location(at, pending), function, rules };
        }
    };
    Error::Migration { location: location(at, pending), failure }
}

fn location(at: Option<(usize, Option<usize>)>, pending: &[OwnedMigration]) -> Location {
    match at.and_then(|(index, offset)| Some((pending.get(index)?, offset))) {
        Some((migration, Some(offset))) => Location::at(migration, offset),
        Some((migration, None)) => Location::file(migration),
        None => Location::unknown(),
    }
}
