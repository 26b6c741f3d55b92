//! A run on the real database that leaves nothing behind.

use std::time::{Duration, Instant};

use serde::Serialize;

use super::no_transaction::{self, outside_transaction};
use super::options::Options;
use super::patience::{self, Patience};
use super::pending::{self, Plan};
use super::tables::{Lock, Tables};
use super::{before, stage};
use crate::error::{Error, Result};
use crate::history::ledger::{LOCKS, Ledger};
use crate::schema::owned::OwnedMigration;
use crate::server::{Connection, Limit, Message};

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
    /// Whose migration it is: `None` for HACS's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Number of the migration.
    pub version: i64,
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

/// Does what [`migrate`](crate::migrate()) does, in one transaction, one migration at a time, and rolls it back.
/// Meanwhile it holds the locks of the real run. A migration outside a transaction is left out.
///
/// The client must not be inside a transaction.
///
/// # Errors
///
/// Those of [`migrate`](crate::migrate()).
pub fn rehearse(client: &mut impl Connection, options: &Options) -> Result<Rehearsal> {
    pending::check(options)?;
    client.limit(Limit::Statement(options.statement_timeout));
    patience::retry(client, options, |client, patience| attempt(client, options, patience))
}

/// The whole rehearsal, once.
fn attempt(client: &mut dyn Connection, options: &Options, patience: &Patience) -> Result<Rehearsal> {
    let (found, _) = pending::read_histories(client, options, patience)?;
    let plan = pending::plan(&found, options)?;
    if plan.pending.is_empty() {
        return Ok(Rehearsal::default());
    }
    no_transaction::check(&plan.pending)?;
    let mut ledger = stage::begin(client, options, patience)?;
    let opened = stage::open(&mut ledger, options)?;
    let Plan { pending, moved, .. } = pending::plan(&opened.histories, options)?;
    if opened.stood_before {
        before::check(&mut ledger, options, before::Strange::Refused)?;
    }
    stage::give_back(&mut ledger, &moved)?;
    let mut rehearsal = Rehearsal::default();
    let mut held = Held::look(&mut ledger, &opened.tables)?;
    for migration in &pending {
        let started = Instant::now();
        let rehearsed = run_one(&mut ledger, migration)?;
        let duration = started.elapsed();
        let now = Held::look(&mut ledger, &opened.tables)?;
        rehearsal.migrations.push(Rehearsed {
            owner: migration.of().to_name(),
            version: migration.version(),
            name: migration.name().to_owned(),
            duration,
            rows: now.rows.saturating_sub(held.rows),
            locks: now.locks.iter().filter(|lock| !held.locks.contains(lock)).cloned().collect(),
            rehearsed,
        });
        held = now;
    }
    Ok(rehearsal)
}

/// Applies a migration, or records one that cannot be taken back as if it had been: whether it was applied.
fn run_one(ledger: &mut Ledger<'_>, migration: &OwnedMigration) -> Result<bool> {
    let rehearsed = !outside_transaction(migration);
    let alone = std::slice::from_ref(migration);
    let done = if rehearsed {
        ledger.apply(alone)
    } else {
        log::warn!(
            "{migration} is not rehearsed, since it runs outside a transaction; what follows is rehearsed without it, \
             and may read or lock more for that reason"
        );
        ledger.record(migration)
    };
    done.map_err(|error| stage::failed(error, alone))?;
    Ok(rehearsed)
}

/// What the transaction has changed and locked so far, but for the history of the migrations.
struct Held {
    rows: u64,
    locks: Vec<Lock>,
}

impl Held {
    fn look(ledger: &mut Ledger<'_>, tables: &Tables) -> Result<Self> {
        let mut message = Message::within();
        let changed = message.ask(
            "select coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0)::text
             from pg_stat_xact_user_tables
             where schemaname <> 'hacs_admin' or relname !~ '^([a-z][a-z0-9_]*_)?migrations$'",
        );
        let locks = message.ask(LOCKS);
        let answers = message.send(ledger.transaction()).map_err(Error::during("reading the locks"))?;
        Ok(Self {
            rows: answers.value(changed).and_then(|rows| rows.parse().ok()).unwrap_or(0),
            locks: tables
                .locks(answers.rows(locks).filter_map(|row| row.text(0).zip(row.text(1))))
                .into_iter()
                .collect(),
        })
    }
}
