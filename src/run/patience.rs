//! When another session holds a table that a migration changes: give up soon, and try the whole run again.
//!
//! Whoever waits for a table makes all others wait behind him, readers too. So no statement waits long; between the
//! attempts the run holds nothing.

use std::time::{Duration, Instant};

use super::options::Options;
use crate::error::{Error, Result};
use crate::schema::names::SCHEMAS;
use crate::server::holder::{self, Holder};
use crate::server::{Connection, Message, sql, sqlstate};

/// How long a statement of the first attempt waits for a table; each further attempt waits twice as long.
const FIRST_SLICE: Duration = Duration::from_secs(2);

/// How long this attempt may wait.
pub(super) struct Patience {
    /// When the run gives up.
    deadline: Instant,
    /// How long one statement waits for a table.
    slice: Duration,
}

impl Patience {
    pub(super) fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// The statement that sets it for the transaction. Zero would mean to wait without end.
    pub(super) fn setting(&self) -> String {
        format!("set local lock_timeout = {}", self.slice.min(self.left()).as_millis().clamp(10, 1_000_000))
    }
}

/// Runs attempts until one is not ended by the lock of another session, or until the time is over.
pub(super) fn retry<T>(
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
        let holder = who_is_in_the_way(client);
        let (Error::Migration { failure, .. } | Error::Database { failure, .. }) = &error else { return Err(error) };
        if patience.left().is_zero() {
            let holder = holder.map(Box::new);
            return Err(Error::Blocked { waited: options.lock_timeout, holder, failure: failure.clone() });
        }
        if told.is_none() || holder != told {
            let who = holder.as_ref().map(|holder| format!(", {holder}")).unwrap_or_default();
            log::warn!("another session holds what this run needs{who}; trying again: {failure}");
            told = holder;
        }
        wait(client, pause.min(patience.left()));
        pause = (pause * 2).min(Duration::from_secs(5));
        patience.slice *= 2;
    }
}

/// A lock that was not granted in time, a deadlock, or a conflict with another transaction.
fn lost_a_lock(error: &Error) -> bool {
    use sqlstate::{DEADLOCK_DETECTED, LOCK_NOT_AVAILABLE, SERIALIZATION_FAILURE};
    let (Error::Migration { failure, .. } | Error::Database { failure, .. }) = error else { return false };
    matches!(failure.sqlstate(), Some(LOCK_NOT_AVAILABLE | DEADLOCK_DETECTED | SERIALIZATION_FAILURE))
}

/// The session with the oldest transaction of those that hold locks on tables in our schemas. When the server gives up
/// waiting it does not say for whom, and afterwards nothing waits that could be asked about.
fn who_is_in_the_way(client: &mut dyn Connection) -> Option<Holder> {
    let schemas = sql::literals(SCHEMAS);
    let ours = format!("c.relnamespace in (select oid from pg_namespace where nspname in ({schemas}))");
    let mut message = Message::new();
    let at = message.ask(&holder::query(&ours));
    message.send(client).ok()?.rows(at).next().map(Holder::from)
}

/// Waits, and says nothing meanwhile but that it is there: `idle_session_timeout` would end the session.
fn wait(client: &mut dyn Connection, mut left: Duration) {
    const SLICE: Duration = Duration::from_millis(200);
    while !left.is_zero() {
        client.pause(left.min(SLICE));
        left = left.saturating_sub(SLICE);
        let _ = Message::bare("").send(client);
    }
}
