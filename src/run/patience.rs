//! When another session holds a table that a migration changes: give up soon, and try the whole run again.
//!
//! Whoever waits for a table makes all others wait behind him, readers too. So no statement waits long; between the
//! attempts the run holds nothing.

use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use crate::run::lock::Holder;
use crate::run::options::Options;
use crate::schema::names::SCHEMAS;
use crate::server::answer::rows;
use crate::server::{Connection, Session};

/// How long a statement of the first attempt waits for a table; each further attempt waits twice as long.
const FIRST_SLICE: Duration = Duration::from_secs(2);

/// How long this attempt may wait.
pub(crate) struct Patience {
    /// When the run gives up.
    deadline: Instant,
    /// How long one statement waits for a table.
    slice: Duration,
}

impl Patience {
    pub(crate) fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// The statement that sets it for the transaction. Zero would mean to wait without end.
    pub(crate) fn setting(&self) -> String {
        format!("set local lock_timeout = {};", self.slice.min(self.left()).as_millis().clamp(10, 1_000_000))
    }
}

/// Runs attempts until one is not ended by the lock of another session, or until the time is over.
pub(crate) fn retry<T>(
    client: &mut dyn Connection,
    options: &Options,
    mut attempt: impl FnMut(&mut dyn Connection, &Patience) -> Result<T>,
) -> Result<T> {
    let now = Instant::now();
    let far = now + Duration::from_secs(365 * 24 * 60 * 60);
    let mut patience = Patience { deadline: now.checked_add(options.lock_timeout).unwrap_or(far), slice: FIRST_SLICE };
    let mut pause = Duration::from_millis(100);
    let mut told: Option<Holder> = None;
    loop {
        options.check_stop()?;
        let error = match attempt(client, &patience) {
            Err(error) if lost_a_lock(&error) => error,
            decided => return decided,
        };
        let holder = holder(client);
        let (Error::Migration { failure, .. } | Error::Database { failure, .. }) = &error else { return Err(error) };
        if patience.left().is_zero() {
            let (waited, holder) = (options.lock_timeout, holder.map(Box::new));
            return Err(Error::Blocked { waited, holder, failure: failure.clone() });
        }
        if told.is_none() || holder != told {
            let who = holder.as_ref().map(|holder| format!(", {holder}")).unwrap_or_default();
            log::warn!("another session holds what this run needs{who}; trying again: {failure}");
            told = holder;
        }
        client.pause(pause.min(patience.left()));
        pause = (pause * 2).min(Duration::from_secs(5));
        patience.slice *= 2;
    }
}

/// A lock that was not granted in time, a deadlock, or a conflict with another transaction.
fn lost_a_lock(error: &Error) -> bool {
    let (Error::Migration { failure, .. } | Error::Database { failure, .. }) = error else { return false };
    matches!(failure.sqlstate(), Some("55P03" | "40P01" | "40001"))
}

/// The session with the oldest transaction of those that hold locks on tables in our schemas. When the server gives up
/// waiting it does not say for whom, and afterwards nothing waits that could be asked about.
fn holder(client: &mut dyn Session) -> Option<Holder> {
    let schemas = SCHEMAS.map(|name| format!("'{name}'")).join(", ");
    let query = format!(
        "select coalesce(l.pid::text, 'unknown') as pid,
             coalesce(a.usename::text, 'unknown') as role, 
             coalesce(nullif(a.application_name, ''), 'unnamed') as application,
             coalesce(date_trunc('second', a.xact_start)::text, 'unknown') as since
         from pg_catalog.pg_locks as l
         join pg_catalog.pg_class as c on c.oid = l.relation
         join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
         left join pg_catalog.pg_stat_activity as a on a.pid = l.pid
         where l.granted
             and l.database = (select oid from pg_catalog.pg_database where datname = current_database())
             and l.pid is distinct from pg_catalog.pg_backend_pid()
             and n.nspname in ({schemas})
         order by a.xact_start
         limit 1"
    );
    let messages = client.simple_query(&query).ok()?;
    rows(&messages).next().map(Holder::from)
}
