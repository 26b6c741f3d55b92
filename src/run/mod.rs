//! The run: everything that is pending, in one transaction.

pub(crate) mod before;
pub(crate) mod lock;
pub(crate) mod locks;
pub(crate) mod no_transaction;
pub(crate) mod options;
pub(crate) mod patience;
pub(crate) mod pending;
pub(crate) mod rehearsal;
pub(crate) mod report;
pub(crate) mod standing;

use std::time::Duration;

use postgres::Client;
use refinery::{Migration, Target};
use time::OffsetDateTime;

use crate::error::{Error, Result};
use crate::history::ledger::{Ledger, LedgerError};
use crate::history::{self, HistoryError, Plan, Record};
use crate::run::lock::Scope;
use crate::run::options::Options;
use crate::run::patience::Patience;
use crate::run::report::{Applied, Report};
use crate::run::standing::Reached;
use crate::schema::embedded;
use crate::schema::legacy;
use crate::schema::location::Location;
use crate::server::answer::rows;
use crate::server::failure::Failure;
use crate::server::{Connection, Limit, START, Session};

/// Settings that a role or a database may have changed, and that would change what a migration means or makes.
pub(crate) const SETTINGS: &str = "
    set local search_path = pg_catalog, pg_temp;
    set local client_min_messages = warning;
    set local standard_conforming_strings = on;
    set local check_function_bodies = on;
    set local transform_null_equals = off;
    set local quote_all_identifiers = off;
    set local default_table_access_method = heap;
    set local default_tablespace = '';
    set local datestyle = iso;
    set local intervalstyle = postgres;
    set local timezone = 'UTC';
    set local extra_float_digits = 1;
    set local row_security = on;
    set local array_nulls = on;
    set local idle_in_transaction_session_timeout = 0;
    -- Without this, a server whose client was killed finishes the running statement first, and keeps its locks until
    -- then. Servers on some platforms cannot look.
    do $$
    begin
        perform set_config('client_connection_check_interval', '1s', true);
    exception
        when others then null;
    end
    $$;
    -- A success that was reported has to outlive a crash of the server.
    select set_config('synchronous_commit', 'on', true)
    where current_setting('synchronous_commit') = 'off';
";

/// Whether `hacs_audit.ensure_partitions()` has something to do: one of its months is not there, or the default partition
/// holds rows. To call the function takes longer than all the rest of a run with nothing to do; and to see the size of
/// the partition needs no right to its rows. Who may not look into the schema is told by the function.
///
/// The months are named here, by this machine's clock, which is a fifth of the query's time. The function goes by the
/// server's.
fn months_due() -> String {
    let now = OffsetDateTime::now_utc();
    let missing = (0..=3).map(|ahead| {
        let month = now.year() * 12 + i32::from(u8::from(now.month())) - 1 + ahead;
        format!(
            "to_regclass('hacs_audit.resource_changes_{:04}_{:02}') is null or ",
            month.div_euclid(12),
            month.rem_euclid(12) + 1
        )
    });
    format!(
        "select case when has_schema_privilege(to_regnamespace('hacs_audit'), 'usage')
            then {} pg_relation_size(to_regclass('hacs_audit.resource_changes_default')) is distinct from 0
            else true end as months_due",
        missing.collect::<String>()
    )
}

/// Brings a database to the newest version, or to [`Options::target`].
///
/// Everything happens in one transaction: it takes a lock that admits one run at a time, makes the history table,
/// applies what is pending, records it, and commits. Whatever ends the run before that leaves the database as it was.
/// With nothing to do, it only reads.
///
/// A migration for which [`outside_transaction`](crate::outside_transaction) holds parts the run: what stands before
/// it is committed first, its statements commit one by one, and the rest follows in another transaction.
///
/// The client must not be inside a transaction.
///
/// # Errors
///
/// [`Error::Locked`], [`Error::Blocked`], [`Error::Stopped`], [`Error::Legacy`], [`Error::History`],
/// [`Error::Newer`], [`Error::Migration`], [`Error::NoSuchTarget`], and [`Error::Database`] for everything else that
/// the server may say. Nothing was changed then, except that [`Error::CommitUnknown`] cannot tell. A run that goes in
/// parts has [`Error::NotRepeatable`], [`Error::NameTaken`] and [`Error::Pooled`] besides, and [`Error::Partly`] tells
/// what it has done.
pub fn migrate(client: &mut Client, options: &Options) -> Result<Report> {
    run(client, options)
}

/// The same on any connection.
pub(crate) fn run(client: &mut dyn Connection, options: &Options) -> Result<Report> {
    check_target(options)?;
    client.limit(Limit::Statement(options.statement_timeout));
    patience::retry(client, options, |client, patience| attempt(client, options, patience))
}

/// The whole run, once.
fn attempt(client: &mut dyn Connection, options: &Options, patience: &Patience) -> Result<Report> {
    let (found, months_due) = read_history(client, patience)?;
    let plan = plan(&found, options)?;
    if plan.pending.is_empty() {
        if months_due {
            make_partitions(client, &found);
        }
        return Ok(report(&found, &plan, Vec::new()));
    }
    no_transaction::check(&plan.pending)?;
    if !found.is_empty() {
        locks::announce(client, &plan.pending)?;
    }
    if no_transaction::any(&plan.pending) {
        return no_transaction::run(client, options, patience);
    }
    apply(begin(client, options, patience)?, options)
}

/// Starts the transaction of a run, with its settings and under its lock.
pub(crate) fn begin<'a>(client: &'a mut dyn Connection, options: &Options, patience: &Patience) -> Result<Ledger<'a>> {
    let mut ledger = Ledger::over(client.begin().map_err(Error::during("starting the transaction"))?);
    while !prepare(&mut ledger, options, patience)? {
        let doing = "waiting for the migration lock";
        let session = ledger.transaction();
        session.batch_execute("rollback").map_err(Error::during(doing))?;
        let waited = lock::acquire(session, Scope::Transaction, options, patience);
        session.batch_execute(START).map_err(Error::during(doing))?;
        waited?;
    }
    Ok(ledger)
}

/// Makes the months of the audit trail that are not there yet. Without them nothing is lost: their rows go to the
/// default partition. So a role that may not make them, or a standby, is no reason to fail.
fn make_partitions(client: &mut dyn Session, found: &[Record]) {
    const SINCE: i32 = 7;
    let has_them = found.iter().any(|record| record.version == SINCE);
    if let Some(failure) =
        has_them.then(|| client.batch_execute("select hacs_audit.ensure_partitions()").err()).flatten()
    {
        log::warn!("the partitions of the audit trail could not be checked: {failure}");
    }
}

/// Sets the transaction up, looks in the same message whether something else than this tool has been here, and asks for
/// the lock: whether it was free.
fn prepare(ledger: &mut Ledger<'_>, options: &Options, patience: &Patience) -> Result<bool> {
    let version = env!("CARGO_PKG_VERSION");
    let setup = format!(
        "{SETTINGS} {} set local hacs_refinery.tool_version = '{version}'; {} set local statement_timeout = {}; {}",
        patience.setting(),
        legacy::query(),
        options.statement_millis(),
        lock::query(Scope::Transaction),
    );
    let messages = ledger.transaction().simple_query(&setup).map_err(Error::during("setting up the transaction"))?;
    legacy::check(&messages)?;
    Ok(lock::answer(&messages))
}

/// Under the lock: makes the history table where it is missing, and reads it. Also whether anything stood in the six
/// schemas before this transaction.
pub(crate) fn open_history(ledger: &mut Ledger<'_>) -> Result<(Vec<Record>, bool)> {
    use refinery_core::traits::sync::Migrate;

    let bootstrap = |error: refinery::Error| {
        let failure = match ledger_error(&error) {
            Some(LedgerError::Server(failure) | LedgerError::Script { failure, .. }) => failure.clone(),
            _ => Failure::Broken(error.to_string()),
        };
        Error::Migration { location: Location::bootstrap(), failure }
    };
    ledger.assert_migrations_table(embedded::HISTORY_TABLE).map_err(bootstrap)?;
    let messages = ledger
        .transaction()
        .simple_query(&format!("{}; {}", history::QUERY, before::QUERY))
        .map_err(|error| unreadable(&error).unwrap_or_else(|| Error::during("reading the migration history")(error)))?;
    let found = parse_all(&messages)?;
    ledger.remember(&found);
    Ok((found, before::answer(&messages)))
}

/// Under the lock: what is pending now, since another run may have finished while this one waited.
pub(crate) fn apply(mut ledger: Ledger<'_>, options: &Options) -> Result<Report> {
    let (found, stood_before) = open_history(&mut ledger)?;
    let plan = plan(&found, options)?;
    if plan.pending.is_empty() {
        return Ok(report(&found, &plan, Vec::new()));
    }
    if stood_before && found.is_empty() {
        before::check(&mut ledger, options)?;
    }

    let target = options.target.map_or(Target::Latest, Target::Version);
    embedded::runner_for(&options.migrations)
        .set_target(target)
        .set_grouped(true)
        .run(&mut ledger)
        .map_err(|error| failed(&error, &plan.pending))?;
    let applied = applied(&plan.pending, ledger.seconds());
    options.check_stop()?;
    commit(ledger, options)?;
    Ok(report(&found, &plan, applied))
}

pub(crate) fn commit(ledger: Ledger<'_>, options: &Options) -> Result<()> {
    let before = options.standing.replace(Reached::Unknown);
    match ledger.commit() {
        Ok(()) => {
            options.standing.replace(Reached::Complete);
            Ok(())
        }
        Err(failure @ Failure::Broken(_)) => Err(Error::CommitUnknown(failure)),
        Err(failure @ Failure::Refused(_)) => {
            options.standing.replace(before);
            Err(Error::Database { doing: "committing the run", failure })
        }
    }
}

pub(crate) fn check_target(options: &Options) -> Result<()> {
    let newest = newest(&options.migrations.known());
    match options.target {
        Some(target) if target > newest || target < 1 => Err(Error::NoSuchTarget { target, newest }),
        _ => Ok(()),
    }
}

fn newest(migrations: &[Migration]) -> i32 {
    migrations.iter().map(Migration::version).max().unwrap_or(0)
}

/// The plan for a history, cut at the target.
pub(crate) fn plan(found: &[Record], options: &Options) -> Result<Plan> {
    let known = options.migrations.known();
    let mut plan = history::compare(found, &known).map_err(Error::History)?;
    if let Some(newer) = plan.newer.last().filter(|_| !options.allow_newer) {
        return Err(Error::Newer { database: newer.version, known: newest(&known) });
    }
    plan.pending.retain(|migration| options.target.is_none_or(|target| migration.version() <= target));
    if !plan.pending.is_empty() {
        // What is to be run has to have its SQL.
        let is_pending = |migration: &&Migration| plan.pending.contains(migration);
        plan.pending = options.migrations.iter().filter(is_pending).cloned().collect();
    }
    Ok(plan)
}

/// The history without a transaction and without a lock. A database that has none has an empty one. Also whether months of
/// the audit trail are due.
pub(crate) fn read_history(client: &mut dyn Session, patience: &Patience) -> Result<(Vec<Record>, bool)> {
    const UNDEFINED_TABLE: &str = "42P01";
    // One message is one transaction: the setting ends with it.
    match client.simple_query(&format!(
        "set local search_path = pg_catalog, pg_temp; {} {}; {}",
        patience.setting(),
        history::QUERY,
        months_due()
    )) {
        Ok(messages) => {
            let due = rows(&messages).any(|row| row.try_get("months_due").ok().flatten() == Some("t"));
            Ok((parse_all(&messages)?, due))
        }
        Err(failure) if failure.sqlstate() == Some(UNDEFINED_TABLE) => Ok((Vec::new(), false)),
        Err(failure) => {
            Err(unreadable(&failure).unwrap_or_else(|| Error::during("reading the migration history")(failure)))
        }
    }
}

/// A history table without the columns that it should have.
pub(crate) fn unreadable(failure: &Failure) -> Option<Error> {
    const UNDEFINED_COLUMN: &str = "42703";
    match failure {
        Failure::Refused(error) if error.sqlstate == UNDEFINED_COLUMN => {
            Some(Error::History(vec![HistoryError::Unreadable(error.message.clone())]))
        }
        _ => None,
    }
}

fn parse_all(messages: &[postgres::SimpleQueryMessage]) -> Result<Vec<Record>> {
    let of_history = rows(messages).filter(|row| row.try_get("version").is_ok());
    let (records, errors): (Vec<_>, Vec<_>) = of_history.map(history::parse).partition(std::result::Result::is_ok);
    if errors.is_empty() {
        let mut records: Vec<Record> = records.into_iter().flatten().collect();
        records.sort_by_key(|record| record.version);
        Ok(records)
    } else {
        Err(Error::History(errors.into_iter().filter_map(std::result::Result::err).collect()))
    }
}

/// Leads refinery's error back to what this crate's ledger met.
pub(crate) fn failed(error: &refinery::Error, pending: &[Migration]) -> Error {
    let (at, failure) = match ledger_error(error) {
        Some(LedgerError::Script { at, failure }) => (*at, failure.clone()),
        Some(LedgerError::Server(failure)) => (None, failure.clone()),
        Some(LedgerError::History(history)) => return Error::History(vec![history.clone()]),
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

fn applied(pending: &[Migration], seconds: &[(i32, f64)]) -> Vec<Applied> {
    let duration = |version| {
        let found = seconds.iter().find(|(of, _)| *of == version);
        found.map_or(Duration::ZERO, |(_, seconds)| Duration::from_secs_f64(seconds.max(0.0)))
    };
    pending
        .iter()
        .map(|m| Applied { version: m.version(), name: m.name().to_owned(), duration: duration(m.version()) })
        .collect()
}

fn report(found: &[Record], plan: &Plan, applied: Vec<Applied>) -> Report {
    let version = applied.last().map(|last| last.version).or(found.last().map(|last| last.version));
    Report { applied, version, newer: plan.newer.iter().map(|record| record.version).collect() }
}
