//! One run at a time: a lock that ends with its transaction, so that no crash and no connection pool can keep it.

use std::fmt;
use std::thread::sleep;
use std::time::Duration;

use postgres::{SimpleQueryMessage, SimpleQueryRow, Transaction};

use crate::blocked::Patience;
use crate::error::{Error, Result};
use crate::ledger::rows;
use crate::options::Options;

/// The advisory lock of all migrations of a database: the letters `hacsmigr`.
pub(crate) const KEY: i64 = i64::from_be_bytes(*b"hacsmigr");

/// Who holds the lock.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Holder {
    /// Process id of the session on the server.
    pub pid: String,
    /// Its `application_name`.
    pub application: String,
    /// Since when its transaction runs.
    pub since: String,
}

impl From<&SimpleQueryRow> for Holder {
    fn from(row: &SimpleQueryRow) -> Self {
        let text = |column| row.get(column).unwrap_or_default().to_owned();
        Self { pid: text("pid"), application: text("application"), since: text("since") }
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "held by process {} ({}) since {}", self.pid, self.application, self.since)
    }
}

/// Asks for the lock.
pub(crate) fn query() -> String {
    format!("select pg_try_advisory_xact_lock({KEY}) as locked")
}

/// The answer to [`query`], which may come with others.
pub(crate) fn answer(messages: &[SimpleQueryMessage]) -> bool {
    rows(messages).any(|row| row.try_get("locked").ok().flatten() == Some("t"))
}

/// Waits for the lock. Asking again and again, instead of queueing, leaves the deadline and the messages to us, and
/// needs no `lock_timeout` that would also strike the migrations.
pub(crate) fn acquire(transaction: &mut Transaction<'_>, options: &Options, patience: &Patience) -> Result<()> {
    let mut pause = Duration::from_millis(20);
    let mut told: Option<Holder> = None;
    while !try_lock(transaction)? {
        let holder = holder(transaction)?;
        if patience.left().is_zero() {
            return Err(Error::Locked { waited: options.lock_timeout, holder });
        }
        if holder.is_some() && holder != told {
            log::warn!(
                "waiting for another migration of this database: {}",
                holder.as_ref().map_or_else(String::new, Holder::to_string)
            );
            told = holder;
        }
        sleep(pause.min(patience.left()));
        options.check_stop()?;
        pause = (pause * 2).min(Duration::from_millis(500));
    }
    Ok(())
}

fn try_lock(transaction: &mut Transaction<'_>) -> Result<bool> {
    let messages = transaction.simple_query(&query()).map_err(Error::during("taking the migration lock"))?;
    Ok(answer(&messages))
}

fn holder(transaction: &mut Transaction<'_>) -> Result<Option<Holder>> {
    let query = format!(
        "select l.pid, coalesce(nullif(a.application_name, ''), 'unnamed') as application,
             coalesce(date_trunc('second', a.xact_start)::text, 'unknown') as since
         from pg_locks as l
         left join pg_stat_activity as a on a.pid = l.pid
         where l.locktype = 'advisory'
             and l.granted
             and l.database = (select oid from pg_database where datname = current_database())
             and l.classid = ({KEY} >> 32)::oid
             and l.objid = ({KEY} & 4294967295)::oid
             and l.objsubid = 1",
    );
    let messages = transaction.simple_query(&query).map_err(Error::during("asking who holds the migration lock"))?;
    Ok(rows(&messages).next().map(Holder::from))
}
