//! The migrations, compiled in.

use refinery::Migration;
use time::OffsetDateTime;

mod files {
    refinery::embed_migrations!("migrations");
}

/// Version, name and checksum of each migration; build.rs reckons them.
const KNOWN: &[(i64, &str, u64)] = include!(concat!(env!("OUT_DIR"), "/known.rs"));

/// Name of the table in which refinery keeps its history.
pub const HISTORY_TABLE: &str = "hacs_admin.migrations";

/// The embedded migrations in the order of their versions.
#[must_use]
pub fn migrations() -> Vec<Migration> {
    let mut migrations = files::migrations::runner().get_migrations().clone();
    migrations.sort();
    migrations
}

/// The embedded migrations without their SQL: enough to compare a history with, and much sooner at hand.
pub(crate) fn known() -> Vec<Migration> {
    let applied = |(version, name, checksum): &(i64, &str, u64)| {
        Migration::applied(*version, (*name).to_owned(), OffsetDateTime::UNIX_EPOCH, *checksum)
    };
    KNOWN.iter().map(applied).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::owner::Owner;

    #[test]
    fn what_is_known_without_the_sql_is_what_is_embedded() {
        let reckoned = |m: &Migration| (m.version(), m.name().to_owned(), Owner::HACS.checksum(m));
        let known: Vec<_> = known().iter().map(reckoned).collect();
        assert_eq!(known, migrations().iter().map(reckoned).collect::<Vec<_>>());
    }

    #[test]
    fn these_files_are_embedded_in_order() {
        let names: Vec<String> = migrations().iter().map(|m| format!("{m}.sql")).collect();
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
                "V10__generations.sql",
                "V11__follow.sql",
            ]
        );
    }
}
