//! The migrations, compiled in, and refinery's runner for them.

use refinery::{Migration, Runner};
use time::OffsetDateTime;

mod files {
    refinery::embed_migrations!("migrations");
}

/// Version, name and checksum of each migration; build.rs reckons them.
const KNOWN: &[(i32, &str, u64)] = include!(concat!(env!("OUT_DIR"), "/known.rs"));

/// Name of the table in which refinery keeps its history.
pub const HISTORY_TABLE: &str = "hacs_admin.migrations";

/// refinery's runner over the embedded migrations, with [`HISTORY_TABLE`] as its history.
///
/// Refinery's own way, `runner().run(&mut client)`, takes no lock, commits a migration and its history row separately,
/// wants the schema `hacs_admin` to exist before, and cannot run a migration for which
/// [`outside_transaction`](crate::outside_transaction) holds. [`migrate`](crate::migrate()) does all that.
#[must_use]
pub fn runner() -> Runner {
    runner_for(&migrations())
}

/// The embedded migrations in the order of their versions.
#[must_use]
pub fn migrations() -> Vec<Migration> {
    let mut migrations = files::migrations::runner().get_migrations().clone();
    migrations.sort();
    migrations
}

/// The embedded migrations without their SQL: enough to compare a history with, and much sooner at hand.
pub(crate) fn known() -> Vec<Migration> {
    let applied = |(version, name, checksum): &(i32, &str, u64)| {
        Migration::applied(*version, (*name).to_owned(), OffsetDateTime::UNIX_EPOCH, *checksum)
    };
    KNOWN.iter().map(applied).collect()
}

/// A runner over other migrations with the same history table, for programs that bring migrations of their own.
#[must_use]
pub(crate) fn runner_for(migrations: &[Migration]) -> Runner {
    let mut runner = Runner::new(migrations);
    runner.set_migration_table_name(HISTORY_TABLE);
    runner
}

/// File name of a migration: `V1__hacs_core.sql`.
pub(crate) fn file_name(migration: &Migration) -> String {
    format!("{migration}.sql")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_without_the_sql_is_what_is_embedded() {
        assert_eq!(known(), migrations());
    }

    #[test]
    fn nine_files_are_embedded_in_order() {
        let names: Vec<String> = migrations().iter().map(file_name).collect();
        assert_eq!(
            names,
            [
                "V1__hacs_core.sql",
                "V2__hacs_clinical.sql",
                "V3__clinical_workflow.sql",
                "V4__hacs_registry.sql",
                "V5__hacs_agents.sql",
                "V6__hacs_admin.sql",
                "V7__hacs_audit.sql",
                "V8__audit_triggers.sql",
                "V9__documents.sql",
            ]
        );
    }
}
