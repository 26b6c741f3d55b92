//! What a run outside a transaction leaves in its session until it ends: the lock, and settings that it puts back.

use crate::error::{Error, Result};
use crate::run::lock::{self, Scope};
use crate::run::options::{Options, millis};
use crate::run::patience::Patience;
use crate::server::{Connection, Message, settings, sql};

/// Does something under the migration lock, held by the session: it ends with the session, however that ends.
pub(super) fn under_lock<T>(
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
    if let Err(error) = Message::bare(&unlock()).send(client) {
        log::debug!("the migration lock ends with the session: {error}");
    }
    client.undo_with("");
    result
}

/// Gives the lock back, if the session has it.
fn unlock() -> String {
    format!(
        "{}select pg_advisory_unlock({}) from pg_locks as l where l.pid = pg_backend_pid() and {} and l.granted",
        Message::new().text(),
        lock::KEY,
        lock::condition()
    )
}

/// Behind a pooler that gives each transaction to another session, the lock would stay with a session that is not
/// ours any more. A pooler opens its sessions itself; in one that this client has opened, the encoding is the one
/// that it asked for with its first message.
fn refuse_pooler(client: &mut dyn Connection) -> Result<()> {
    let mut message = Message::new();
    let source = message.ask("select source from pg_settings where name = 'client_encoding'");
    let answers = message.send(client).map_err(Error::during("looking at the session"))?;
    if answers.value(source) == Some("client") { Ok(()) } else { Err(Error::Pooled) }
}

/// Whether this session still is the one that has the lock.
pub(super) fn holds_lock(client: &mut dyn Connection) -> Result<bool> {
    let mut message = Message::new();
    let held = message.ask(&format!(
        "select exists (select 1 from pg_locks as l where l.pid = pg_backend_pid() and {} and l.granted)",
        lock::condition()
    ));
    Ok(message.send(client).map_err(Error::during("looking for the migration lock"))?.is_true(held))
}

/// Settings as they were.
pub(super) struct Settings(String);

impl Settings {
    /// Sets up the session as every transaction of a run is. Others may change besides, in the statements.
    pub(super) fn set(client: &mut dyn Connection, options: &Options, others: &[String]) -> Result<Self> {
        let doing = Error::during("setting up the session");
        let own = ["lock_timeout", "statement_timeout", "default_transaction_isolation"];
        let mut names: Vec<&str> = settings::names().chain(own).collect();
        names.extend(others.iter().map(String::as_str));
        let mut message = Message::default();
        // In a session's own settings, before this program's are set.
        let before = message.ask(&format!(
            "select pg_catalog.string_agg(
                 pg_catalog.format('select pg_catalog.set_config(%L, %L, false)', name, pg_catalog.current_setting(name)), '; '
             )
             from (values {}) as n (name)
             where pg_catalog.current_setting(name, true) is not null",
            sql::rows(names)
        ));
        let before = message.send(client).map_err(&doing)?.value(before).unwrap_or_default().to_owned();
        let unlock = unlock();
        client.undo_with(&format!("{unlock}; {before}"));
        let message = settings::of_runs(settings::Scope::Session)
            .iter()
            .fold(Message::default(), |message, statement| message.then(statement))
            .then("set default_transaction_isolation = 'read committed'")
            // Nobody who reads or writes waits behind the statements that are allowed here: they may wait long.
            .then(&format!("set lock_timeout = {}", millis(options.lock_timeout).max(10)))
            .then(&format!("set statement_timeout = {}", millis(options.statement_timeout)));
        message.send(client).map_err(&doing)?;
        Ok(Self(before))
    }

    /// Puts the settings back.
    pub(super) fn restore(self, client: &mut dyn Connection) {
        if let Err(error) = Message::bare(&self.0).send(client) {
            log::debug!("the settings of the session were not put back: {error}");
        }
        client.undo_with(&unlock());
    }
}
