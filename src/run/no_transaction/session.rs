//! What a run outside a transaction leaves in its session until it ends: the lock, and settings that it puts back.

use crate::error::{Error, Result};
use crate::run::SETTINGS;
use crate::run::lock::{self, Scope};
use crate::run::options::Options;
use crate::run::patience::Patience;
use crate::server::answer::rows;
use crate::server::{Connection, Session};

/// Does something under the migration lock, held by the session: it ends with the session, however that ends.
pub(crate) fn under_lock<T>(
    client: &mut dyn Connection,
    options: &Options,
    patience: &Patience,
    work: impl FnOnce(&mut dyn Connection) -> Result<T>,
) -> Result<T> {
    refuse_pooler(client)?;
    client.undo_with(&unlock());
    lock::acquire(client, Scope::Session, options, patience)?;
    let result = work(client);
    // Where the connection is gone, so is the lock.
    if let Err(error) = client.batch_execute(&unlock()) {
        log::debug!("the migration lock ends with the session: {error}");
    }
    client.undo_with("");
    result
}

/// Gives the lock back, if the session has it.
fn unlock() -> String {
    format!(
        "select pg_catalog.pg_advisory_unlock({}) from pg_catalog.pg_locks
         where pid = pg_catalog.pg_backend_pid() and {} and granted",
        lock::KEY,
        lock::condition()
    )
}

/// Behind a pooler that gives each transaction to another session, the lock would stay with a session that is not
/// ours any more. A pooler opens its sessions itself; in one that this client has opened, the encoding is the one
/// that it asked for with its first message.
fn refuse_pooler(client: &mut dyn Session) -> Result<()> {
    let query = "select source from pg_catalog.pg_settings where name = 'client_encoding'";
    let messages = client.simple_query(query).map_err(Error::during("looking at the session"))?;
    let own = rows(&messages).any(|row| row.get(0) == Some("client"));
    if own { Ok(()) } else { Err(Error::Pooled) }
}

/// Whether this session still is the one that has the lock.
pub(crate) fn holds_lock(client: &mut dyn Session) -> Result<bool> {
    let query = format!(
        "select exists (
             select from pg_catalog.pg_locks
             where pid = pg_catalog.pg_backend_pid() and {} and granted
         )",
        lock::condition()
    );
    let messages = client.simple_query(&query).map_err(Error::during("looking for the migration lock"))?;
    Ok(rows(&messages).any(|row| row.get(0) == Some("t")))
}

/// Settings as they were.
pub(crate) struct Settings(String);

impl Settings {
    /// Sets up the session as every transaction of a run is. Others may change besides, in the statements.
    pub(crate) fn set(client: &mut dyn Session, options: &Options, others: &[String]) -> Result<Self> {
        let doing = Error::during("setting up the session");
        let own = ["client_connection_check_interval", "synchronous_commit", "lock_timeout", "statement_timeout"];
        let of_runs = SETTINGS.lines().filter_map(|line| line.trim().strip_prefix("set local ")?.split(' ').next());
        let names =
            of_runs.chain(own).chain(["default_transaction_isolation"]).chain(others.iter().map(String::as_str));
        let names: Vec<String> = names.map(|name| format!("('{name}')")).collect();
        let query = format!(
            "select string_agg(format('select set_config(%L, %L, false)', name, current_setting(name)), '; ')
             from (values {}) as n (name)
             where current_setting(name, true) is not null",
            names.join(", ")
        );
        let messages = client.simple_query(&query).map_err(&doing)?;
        let before = rows(&messages).find_map(|row| row.get(0)).unwrap_or_default().to_owned();

        let longest = u128::from(i32::MAX.unsigned_abs());
        let settings = format!(
            "{} set default_transaction_isolation = 'read committed'; set lock_timeout = {}; set statement_timeout = {}",
            SETTINGS.replace("set local ", "set ").replace(", true)", ", false)"),
            // Nobody who reads or writes waits behind the statements that are allowed here: they may wait long.
            options.lock_timeout.as_millis().clamp(10, longest),
            options.statement_millis(),
        );
        client.undo_with(&format!("{}; {before}", unlock()));
        client.batch_execute(&settings).map_err(&doing)?;
        Ok(Self(before))
    }

    /// Puts the settings back.
    pub(crate) fn restore(self, client: &mut dyn Session) {
        if let Err(error) = client.batch_execute(&self.0) {
            log::debug!("the settings of the session were not put back: {error}");
        }
        client.undo_with(&unlock());
    }
}
