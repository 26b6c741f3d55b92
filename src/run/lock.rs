//! One run at a time: a lock that ends with its transaction, so that no crash and no connection pool can keep it.
//!
//! Who waits for it has no transaction open. `create index concurrently`, which the run that has the lock may be at, waits
//! for the end of every transaction that is looking at anything when it comes to its last step: each would wait for the
//! other, and the server would not see it, since one of them asks instead of queueing.

use std::fmt;
use std::time::Duration;

use postgres::{SimpleQueryMessage, SimpleQueryRow};

use crate::error::{Error, Result};
use crate::run::options::Options;
use crate::run::patience::Patience;
use crate::server::Session;
use crate::server::answer::rows;
use crate::server::safe_text::safe_line;

/// The advisory lock of all migrations of a database: the letters `hacsmigr`.
pub(crate) const KEY: i64 = i64::from_be_bytes(*b"hacsmigr");

/// What finds the lock in `pg_locks`.
pub(crate) fn condition() -> String {
    format!(
        "locktype = 'advisory'
         and database = (select oid from pg_database where datname = current_database())
         and classid = ({KEY} >> 32)::oid and objid = ({KEY} & 4294967295)::oid and objsubid = 1"
    )
}

/// What the lock ends with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    Transaction,
    Session,
}

/// Who holds the lock.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Holder {
    /// Process id of the session on the server.
    pub pid: String,
    /// The role that logged in.
    pub role: String,
    /// Its `application_name`, where this role may see it.
    pub application: String,
    /// Since when its transaction runs, or else the session.
    pub since: String,
}

impl From<&SimpleQueryRow> for Holder {
    fn from(row: &SimpleQueryRow) -> Self {
        let text = |column| row.get(column).unwrap_or_default().to_owned();
        Self { pid: text("pid"), role: text("role"), application: text("application"), since: text("since") }
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [role, application, since] = [&self.role, &self.application, &self.since].map(|text| safe_line(text));
        write!(f, "held by process {} of role {role} ({application}) since {since}", self.pid)
    }
}

/// The expression that asks for the lock, and is true where it was free.
pub(crate) fn call(scope: Scope) -> String {
    let function = match scope {
        Scope::Transaction => "pg_try_advisory_xact_lock",
        Scope::Session => "pg_try_advisory_lock",
    };
    format!("pg_catalog.{function}({KEY})")
}

/// Asks for the lock.
pub(crate) fn query(scope: Scope) -> String {
    format!("select {} as locked", call(scope))
}

/// The answer to [`query`], which may come with others.
pub(crate) fn answer(messages: &[SimpleQueryMessage]) -> bool {
    rows(messages).any(|row| row.try_get("locked").ok().flatten() == Some("t"))
}

/// Waits for the lock, outside of a transaction; one of a transaction was free then, and is not held. Asking again and
/// again, instead of queueing, leaves the deadline and the messages to us, and needs no `lock_timeout` that would also
/// strike the migrations.
pub(crate) fn acquire(client: &mut dyn Session, scope: Scope, options: &Options, patience: &Patience) -> Result<()> {
    let mut pause = Duration::from_millis(20);
    let mut told: Option<Holder> = None;
    while !try_lock(client, scope)? {
        let holder = holder(client)?;
        if patience.left().is_zero() {
            return Err(Error::Locked { waited: options.lock_timeout, holder: holder.map(Box::new) });
        }
        if holder.is_some() && holder != told {
            log::warn!(
                "waiting for another migration of this database: {}",
                holder.as_ref().map_or_else(String::new, Holder::to_string)
            );
            told = holder;
        }
        client.pause(pause.min(patience.left()));
        options.check_stop()?;
        pause = (pause * 2).min(Duration::from_millis(500));
    }
    Ok(())
}

fn try_lock(client: &mut dyn Session, scope: Scope) -> Result<bool> {
    // One message is one transaction: the setting ends with it.
    let query = format!("set local search_path = pg_catalog, pg_temp; {}", query(scope));
    let messages = client.simple_query(&query).map_err(Error::during("taking the migration lock"))?;
    Ok(answer(&messages))
}

fn holder(client: &mut dyn Session) -> Result<Option<Holder>> {
    let query = format!(
        "set local search_path = pg_catalog, pg_temp;
         select l.pid, coalesce(a.usename::text, 'unknown') as role, coalesce(nullif(a.application_name, ''), 'unnamed') as application,
             coalesce(date_trunc('second', coalesce(a.xact_start, a.backend_start))::text, 'unknown') as since
         from pg_locks as l
         left join pg_stat_activity as a on a.pid = l.pid
         where {} and granted",
        condition()
    );
    let messages = client.simple_query(&query).map_err(Error::during("asking who holds the migration lock"))?;
    Ok(rows(&messages).next().map(Holder::from))
}
