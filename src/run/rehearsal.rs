//! A run on the real database that leaves nothing behind.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use postgres::{Client, SimpleQueryRow};
use refinery::Target;
use serde::Serialize;

use crate::error::{Error, Result};
use crate::history::ledger::Ledger;
use crate::run::no_transaction::{self, outside_transaction};
use crate::run::options::Options;
use crate::run::patience::{self, Patience};
use crate::run::{self, before};
use crate::schema::embedded;
use crate::server::answer::rows;
use crate::server::{Connection, Limit};

/// What a run would do to this database.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Rehearsal {
    /// Each pending migration, in order.
    pub migrations: Vec<Rehearsed>,
}

/// A migration that was applied and taken back, or left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Rehearsed {
    /// Number of the migration.
    pub version: i32,
    /// Its name, such as `hacs_core`.
    pub name: String,
    /// How long it took, with the way to the server and back.
    #[serde(rename = "seconds", serialize_with = "crate::run::report::seconds")]
    pub duration: Duration,
    /// Rows that it inserted, updated or deleted.
    pub rows: u64,
    /// Locks that it was the first to take, on tables that were there before the run.
    pub locks: Vec<Lock>,
    /// Whether it was applied at all. One that runs outside a transaction cannot be taken back: it was left out.
    pub rehearsed: bool,
}

/// A lock on a table, held until the run ends.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[non_exhaustive]
pub struct Lock {
    /// The table or view, with its schema.
    pub table: String,
    /// PostgreSQL's name of the mode, such as `access exclusive`.
    pub mode: String,
}

/// Does what [`migrate`](crate::migrate()) does, in one transaction, one migration at a time, and rolls it back.
/// Meanwhile it holds the locks of the real run. A migration outside a transaction is left out.
///
/// The client must not be inside a transaction.
///
/// # Errors
///
/// Those of [`migrate`](crate::migrate()).
pub fn rehearse(client: &mut Client, options: &Options) -> Result<Rehearsal> {
    run(client, options)
}

/// The same on any connection.
pub(crate) fn run(client: &mut dyn Connection, options: &Options) -> Result<Rehearsal> {
    run::check_target(options)?;
    client.limit(Limit::Statement(options.statement_timeout));
    patience::retry(client, options, |client, patience| attempt(client, options, patience))
}

/// The whole rehearsal, once.
fn attempt(client: &mut dyn Connection, options: &Options, patience: &Patience) -> Result<Rehearsal> {
    let (found, _) = run::read_history(client, patience)?;
    let pending = run::plan(&found, options)?.pending;
    if pending.is_empty() {
        return Ok(Rehearsal::default());
    }
    no_transaction::check(&pending)?;
    let mut ledger = run::begin(client, options, patience)?;
    let before = relations(&mut ledger)?;
    let (found, stood_before) = run::open_history(&mut ledger)?;
    let pending = run::plan(&found, options)?.pending;
    if stood_before && found.is_empty() {
        before::check(&mut ledger, options)?;
    }

    let mut rehearsal = Rehearsal::default();
    let mut held = look(&mut ledger, &before)?;
    for migration in &pending {
        let rehearsed = !outside_transaction(migration);
        let target = if rehearsed {
            Target::Version(migration.version())
        } else {
            log::warn!(
                "{migration} is not rehearsed, since it runs outside a transaction; what follows is rehearsed without \
                 it, and may read or lock more for that reason"
            );
            Target::FakeVersion(migration.version())
        };
        let started = Instant::now();
        embedded::runner_for(&options.migrations)
            .set_target(target)
            .set_grouped(true)
            .run(&mut ledger)
            .map_err(|error| run::failed(&error, std::slice::from_ref(migration)))?;
        let duration = started.elapsed();
        let now = look(&mut ledger, &before)?;
        rehearsal.migrations.push(Rehearsed {
            version: migration.version(),
            name: migration.name().to_owned(),
            duration,
            rows: now.rows.saturating_sub(held.rows),
            locks: now.locks.difference(&held.locks).cloned().collect(),
            rehearsed,
        });
        held = now;
    }
    Ok(rehearsal)
}

/// The names of all tables and views that the run finds, by their ids: what it drops has no name afterwards.
fn relations(ledger: &mut Ledger<'_>) -> Result<BTreeMap<String, String>> {
    let query = "select oid, oid::regclass as name from pg_class
        where oid >= 16384 and relkind in ('r', 'p', 'f', 'v', 'm')
            and oid is distinct from to_regclass('hacs_admin.migrations')";
    let messages = ledger.transaction().simple_query(query).map_err(Error::during("listing the tables"))?;
    let text = |row: &SimpleQueryRow, column| row.get(column).unwrap_or_default().to_owned();
    Ok(rows(&messages).map(|row| (text(row, "oid"), text(row, "name"))).collect())
}

struct Held {
    rows: u64,
    locks: BTreeSet<Lock>,
}

/// What this transaction has changed and locked so far, but for the history of the migrations.
fn look(ledger: &mut Ledger<'_>, before: &BTreeMap<String, String>) -> Result<Held> {
    let query = "select coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0)::text as changed
         from pg_stat_xact_user_tables
         where (schemaname, relname) <> ('hacs_admin', 'migrations');
         select relation, lower(trim(regexp_replace(replace(mode, 'Lock', ''), '([A-Z])', ' \\1', 'g'))) as mode
         from pg_locks
         where pid = pg_backend_pid() and locktype = 'relation'";
    let messages = ledger.transaction().simple_query(query).map_err(Error::during("reading the locks"))?;
    let text = |row: &SimpleQueryRow, column| row.try_get(column).ok().flatten().map(str::to_owned);
    let lock = |row| Some(Lock { table: before.get(&text(row, "relation")?)?.clone(), mode: text(row, "mode")? });
    Ok(Held {
        rows: rows(&messages).find_map(|row| text(row, "changed")?.parse().ok()).unwrap_or(0),
        locks: rows(&messages).filter_map(lock).collect(),
    })
}
