//! Moving in: a database of the original Python system becomes one of ours, in one transaction.
//!
//! The old tables that are in the way are set aside, the migrations run, and the old rows are put as documents, by the
//! way of import. A table that services write to, such as `public.hacs_resources`, stays in its place, and is read
//! twice: first without a lock, for as long as it takes; then, under a lock that lets nobody write, what was written
//! meanwhile.

mod finish;
mod follow;
mod report;

use std::time::{Duration, Instant};

use super::options::Options;
use super::patience::{self, Patience};
use super::report::Applied;
use super::{before, no_transaction, pending, stage};
use crate::error::{Error, Result};
use crate::history::ledger::Ledger;
use crate::history::schema_guard;
use crate::schema::legacy::Conflict;
use crate::schema::names::TABLES;
use crate::server::{Connection, Limit, Message, sql, sqlstate};
pub use finish::{Finished, Leftover, finish};
pub use follow::{Follow, Followed, GENERIC_TABLE, Mode, follow, unfollow};
pub use report::{AdoptedTable, Adoption, SetAside};

/// How a database is adopted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AdoptOptions {
    /// Do everything, report it, and roll it back.
    pub dry_run: bool,
    /// Change nothing where a row would be set aside.
    pub strict: bool,
    /// Take in what stands in `hacs_legacy.rejects`, as it is now, and nothing else.
    pub retry: bool,
}

/// The functions of a run, made in the schema of temporary objects: those that look at what is there, and those that
/// need our tables.
const FIND: &str = include_str!("find.sql");
const TAKE: [&str; 4] =
    [include_str!("documents.sql"), include_str!("take.sql"), include_str!("tell.sql"), include_str!("again.sql")];

/// Nothing of the functions is left in the session.
const CLEAR: &str = "select pg_temp.hacs_clear(); drop function pg_temp.hacs_clear()";

/// Brings a database of the original Python system to the newest version, and takes its rows over.
///
/// Everything happens in one transaction, under the lock of the migrations. Tables that are in the way are moved to the
/// schema `hacs_legacy`, with rows, keys and indexes; nothing is dropped. Each old row becomes a document; what breaks
/// a rule stands in `hacs_legacy.rejects` afterwards. Run again, it takes over what was written since.
///
/// Migrations of [owners](Options::owner) are left to [`migrate`](crate::migrate()). The client must not be inside a
/// transaction.
///
/// # Errors
///
/// Those of [`migrate`](crate::migrate()).
pub fn adopt(client: &mut impl Connection, options: &Options, how: &AdoptOptions) -> Result<Adoption> {
    pending::check(options)?;
    client.limit(Limit::Statement(options.statement_timeout));
    let started = Instant::now();
    let mut adoption = patience::retry(client, options, |client, patience| attempt(client, options, how, patience))?;
    adoption.duration = started.elapsed();
    Ok(adoption)
}

/// The whole of it, once.
fn attempt(
    client: &mut dyn Connection,
    options: &Options,
    how: &AdoptOptions,
    patience: &Patience,
) -> Result<Adoption> {
    let (mut ledger, in_the_way) = stage::begin_beside(client, options, patience)?;
    find(&mut ledger, &in_the_way)?;
    if how.retry {
        return retry(ledger, options, how);
    }
    ask(&mut ledger, "setting old tables aside", "select pg_temp.hacs_set_aside()")?;
    let mut adoption = Adoption { dry_run: how.dry_run, ..Adoption::default() };
    adoption.applied = migrate(&mut ledger, options)?;
    options.check_stop()?;
    take(&mut ledger, "select pg_temp.hacs_take_over()")?;
    options.check_stop()?;
    let mut locked = None;
    if !how.dry_run && lock(&mut ledger, options, patience)? {
        locked = Some(Instant::now());
        ask(&mut ledger, "taking over what was written meanwhile", "select pg_temp.hacs_catch_up()")?;
    }
    ask(&mut ledger, "writing down what was done", "select pg_temp.hacs_write_down()")?;
    adoption.tables = tables(&mut ledger)?;
    let read = |table: &AdoptedTable| table.moved_to.is_some() || table.rows > table.read_before + table.left_alone;
    let changed = !adoption.applied.is_empty() || adoption.tables.iter().any(read);
    end(ledger, options, how, &mut adoption, changed)?;
    adoption.writers_waited = locked.map(|at| at.elapsed()).unwrap_or_default();
    Ok(adoption)
}

/// Takes in what was set aside.
fn retry(mut ledger: Ledger<'_>, options: &Options, how: &AdoptOptions) -> Result<Adoption> {
    let mut adoption = Adoption { dry_run: how.dry_run, ..Adoption::default() };
    migrated(&mut ledger, options)?;
    take(&mut ledger, "select pg_temp.hacs_retry()")?;
    adoption.tables = tables(&mut ledger)?;
    let changed = adoption.tables.iter().any(|table| table.rows > 0);
    end(ledger, options, how, &mut adoption, changed)?;
    Ok(adoption)
}

/// Commits, unless it was a rehearsal or strictness forbids it.
fn end(
    mut ledger: Ledger<'_>,
    options: &Options,
    how: &AdoptOptions,
    adoption: &mut Adoption,
    changed: bool,
) -> Result<()> {
    if how.dry_run || how.strict && adoption.set_aside() > 0 {
        return Ok(());
    }
    ask(&mut ledger, "ending", CLEAR)?;
    stage::commit(ledger, options)?;
    adoption.changed = changed;
    Ok(())
}

/// What comes after [`adopt`] needs a database that is migrated.
fn migrated(ledger: &mut Ledger<'_>, options: &Options) -> Result<()> {
    let opened = stage::open(ledger, options)?;
    let pending = pending::plan(&opened.histories, options)?.pending;
    match pending.iter().find(|migration| migration.of().name().is_none()) {
        Some(_) => Err(Error::NotAdopted),
        None => Ok(()),
    }
}

/// Looks what is there, once it is known that nobody else has his hands on what is written.
fn find(ledger: &mut Ledger<'_>, in_the_way: &[Conflict]) -> Result<()> {
    let doing = "looking at the old tables";
    let mut message = Message::of_run();
    let untrusted = message.ask(&schema_guard("hacs_legacy", &["rejects", "older"]));
    let answers = message.send(ledger.transaction()).map_err(Error::during(doing))?;
    let untrusted: Vec<String> = answers.rows(untrusted).map(|row| row.string(0)).collect();
    if !untrusted.is_empty() {
        return Err(Error::Untrusted(untrusted));
    }
    let list = |names: Vec<&str>| format!("array[{}]::text[]", sql::literals(names));
    let found = format!(
        "select pg_temp.hacs_find({}, {})",
        list(in_the_way.iter().map(|conflict| conflict.table.as_str()).collect()),
        list(TABLES.to_vec())
    );
    let message = Message::of_run().then(FIND).then(&found);
    message.send(ledger.transaction()).map(drop).map_err(Error::during(doing))
}

/// Applies what is pending of HACS's own migrations.
fn migrate(ledger: &mut Ledger<'_>, options: &Options) -> Result<Vec<Applied>> {
    let opened = stage::open(ledger, options)?;
    let mut plan = pending::plan(&opened.histories, options)?;
    plan.pending.retain(|migration| migration.of().name().is_none());
    if plan.is_empty() {
        return Ok(Vec::new());
    }
    no_transaction::check(&plan.pending)?;
    if opened.stood_before {
        before::check(ledger, options, before::Strange::Told)?;
    }
    stage::give_back(ledger, &plan.moved)?;
    ledger.apply(&plan.pending).map_err(|error| stage::failed(error, &plan.pending))?;
    Ok(Applied::all(&plan.pending, ledger.seconds()))
}

/// Everything that is there, while nobody waits but for the tables that were set aside.
fn take(ledger: &mut Ledger<'_>, query: &str) -> Result<()> {
    let message = TAKE.iter().fold(Message::of_run(), |message, functions| message.then(functions));
    message.then(query).send(ledger.transaction()).map(drop).map_err(Error::during("taking old rows over"))
}

/// Lets nobody write to the tables that stay in their place, until the end: whether there are any. Who waits for a lock
/// has others wait behind him, so no attempt is long; what was done so far is kept between them.
fn lock(ledger: &mut Ledger<'_>, options: &Options, patience: &Patience) -> Result<bool> {
    const SAVEPOINT: &str = "hacs_refinery_lock";
    let doing = "locking the tables that services write to";
    let Some(tables) = ask(ledger, doing, "select pg_temp.hacs_shared_tables()")? else { return Ok(false) };
    let mut pause = Duration::from_millis(100);
    loop {
        let message = Message::bare(&format!("savepoint {SAVEPOINT}"));
        message.send(ledger.transaction()).map_err(Error::during(doing))?;
        let message = Message::within().then(&patience.setting()).then(&format!("lock table {tables} in share mode"));
        let failure = match message.send(ledger.transaction()) {
            Ok(_) => return Ok(true),
            Err(failure) => failure,
        };
        if failure.sqlstate() != Some(sqlstate::LOCK_NOT_AVAILABLE) || patience.left().is_zero() {
            return Err(Error::during(doing)(failure));
        }
        log::warn!("a session writes to a table that is to be read to its end; trying again: {failure}");
        let message = Message::bare(&format!("rollback to savepoint {SAVEPOINT}"));
        message.send(ledger.transaction()).map_err(Error::during(doing))?;
        ledger.transaction().pause(pause.min(patience.left()));
        options.check_stop()?;
        pause = (pause * 2).min(Duration::from_secs(5));
    }
}

fn tables(ledger: &mut Ledger<'_>) -> Result<Vec<AdoptedTable>> {
    let mut message = Message::of_run();
    let at = message.ask("select * from pg_temp.hacs_report()");
    let answers = message.send(ledger.transaction()).map_err(Error::during("reading what was done"))?;
    Ok(answers.rows(at).map(AdoptedTable::from_row).collect())
}

/// Asks one thing in the transaction of the run.
fn ask(ledger: &mut Ledger<'_>, doing: &'static str, query: &str) -> Result<Option<String>> {
    let mut message = Message::of_run();
    let at = message.ask(query);
    let answers = message.send(ledger.transaction()).map_err(Error::during(doing))?;
    Ok(answers.value(at).map(str::to_owned))
}
