//! What a run would do, without doing it.

use postgres::Client;
use refinery::Migration;

use crate::error::Result;
use crate::options::Options;
use crate::{blocked, ledger, lock, migrate};

/// The migrations that [`migrate`](crate::migrate()) would apply. It only reads.
///
/// # Errors
///
/// Those of [`migrate`](crate::migrate()) about the history.
pub fn pending(client: &mut Client, options: &Options) -> Result<Vec<Migration>> {
    migrate::check_target(options)?;
    blocked::retry(client, options, |client, patience| {
        let (found, _) = migrate::read_history(client, patience)?;
        Ok(migrate::plan(&found, options)?.pending)
    })
}

/// A script for psql that applies migrations and records them as [`migrate`](crate::migrate()) would: in one
/// transaction, under the same lock.
#[must_use]
pub fn script(pending: &[Migration]) -> String {
    if pending.is_empty() {
        return "-- Nothing is pending.\n".to_owned();
    }
    let mut text = format!(
        "\\set ON_ERROR_STOP on\nbegin;\nselect pg_advisory_xact_lock({});\n{}\n{}\n",
        lock::KEY,
        migrate::SETTINGS.trim(),
        ledger::BOOTSTRAP
    );
    for migration in pending {
        let (version, name, checksum) = (migration.version(), migration.name(), migration.checksum());
        text += &format!("\n-- {migration}.sql\n\n");
        text += "select set_config('hacs_refinery.migration_started', clock_timestamp()::text, true);\n\n";
        text += migration.sql().unwrap_or_default();
        text += &format!(
            "\n;\ninsert into hacs_admin.migrations (version, name, applied_on, checksum) values\n    \
             ({version}, '{name}', to_char(now() at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), '{checksum}');\n"
        );
    }
    text + "\ncommit;\n"
}
