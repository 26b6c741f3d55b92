//! One run at a time: a lock that ends with its transaction, so that no crash and no connection pool can keep it.
//!
//! Who waits for it has no transaction open. `create index concurrently`, which the run that has the lock may be at,
//! waits for the end of every transaction that is looking at anything when it comes to its last step: each would wait
//! for the other, and the server would not see it, since one of them asks instead of queueing.

use std::time::Duration;

use super::options::Options;
use super::patience::Patience;
use crate::error::{Error, Result};
use crate::server::holder::{self, Holder};
use crate::server::{Connection, Message};

/// The advisory lock of all migrations of a database: the letters `hacsmigr`.
pub(super) const KEY: i64 = i64::from_be_bytes(*b"hacsmigr");

/// What finds the lock in `pg_locks`, as `l`.
pub(super) fn condition() -> String {
    format!(
        "l.locktype = 'advisory'
         and l.database = (select oid from pg_database where datname = current_database())
         and l.classid = ({KEY} >> 32)::oid and l.objid = ({KEY} & 4294967295)::oid and l.objsubid = 1"
    )
}

/// What the lock ends with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    Transaction,
    Session,
}

/// The expression that asks for the lock, and is true where it was free.
pub(super) fn call(scope: Scope) -> String {
    let function = match scope {
        Scope::Transaction => "pg_try_advisory_xact_lock",
        Scope::Session => "pg_try_advisory_lock",
    };
    format!("pg_catalog.{function}({KEY})")
}

/// Asks for the lock.
pub(super) fn query(scope: Scope) -> String {
    format!("select {}", call(scope))
}

/// Waits for the lock, outside of a transaction; one of a transaction was free then, and is not held. Asking again and
/// again, instead of queueing, leaves the deadline and the messages to us, and needs no `lock_timeout` that would also
/// strike the migrations.
pub(super) fn acquire(client: &mut dyn Connection, scope: Scope, options: &Options, patience: &Patience) -> Result<()> {
    let mut pause = Duration::from_millis(20);
    let mut told: Option<Holder> = None;
    while !try_lock(client, scope)? {
        let holder = who_holds_it(client)?;
        if patience.left().is_zero() {
            return Err(Error::Locked { waited: options.lock_timeout, holder: holder.map(Box::new) });
        }
        if holder.is_some() && holder != told {
            tell(holder.as_ref());
            told = holder;
        }
        client.pause(pause.min(patience.left()));
        options.check_stop()?;
        pause = (pause * 2).min(Duration::from_millis(500));
    }
    Ok(())
}

/// Says for whom the run waits.
fn tell(holder: Option<&Holder>) {
    let Some(holder) = holder else { return };
    if holder.may_migrate {
        log::warn!("waiting for another migration of this database: {holder}");
    } else {
        log::warn!("waiting for a session that has taken the lock of migrations, and cannot be one: {holder}");
    }
}

fn try_lock(client: &mut dyn Connection, scope: Scope) -> Result<bool> {
    let mut message = Message::about("asks for the advisory lock of migrations");
    let at = message.ask(&query(scope));
    Ok(message.send(client).map_err(Error::during("taking the migration lock"))?.is_true(at))
}

fn who_holds_it(client: &mut dyn Connection) -> Result<Option<Holder>> {
    let mut message = Message::about("asks who holds the advisory lock of migrations");
    let at = message.ask(&holder::query(&condition()));
    let answers = message.send(client).map_err(Error::during("asking who holds the migration lock"))?;
    Ok(answers.rows(at).next().map(Holder::from))
}
