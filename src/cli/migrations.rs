//! `list`, `plan` and `show`: the migrations in this binary.

use std::fmt::Write;

use hacs_refinery::{
    Error, MigrationState, Options, OwnedMigration, Result, migrations, outside_transaction, pending, script, status,
};
use serde::Serialize;

use super::args::Args;
use super::json::versioned;
use super::{Done, connect};

#[derive(Serialize)]
struct Listed {
    version: i64,
    name: String,
    file: String,
    checksum: String,
    lines: usize,
    /// Whether it runs in a transaction, with others.
    transaction: bool,
}

impl From<&OwnedMigration> for Listed {
    fn from(migration: &OwnedMigration) -> Self {
        Self {
            version: migration.version(),
            name: migration.name().to_owned(),
            file: format!("{migration}.sql"),
            // As in the history table: it does not fit into a JSON number.
            checksum: migration.checksum().to_string(),
            lines: migration.sql().map_or(0, |sql| sql.lines().count()),
            transaction: !outside_transaction(migration),
        }
    }
}

/// `list`: all migrations.
pub fn list(json: bool) -> Done {
    let listed: Vec<Listed> = migrations().into_iter().map(|m| Listed::from(&OwnedMigration::from(m))).collect();
    Done::success(if json { versioned(serde_json::json!({ "migrations": listed })) } else { lines(&listed) })
}

/// `plan`: what is pending, or the script that applies it.
pub fn plan(args: &Args, json: bool, sql: bool) -> Result<Done> {
    let mut connection = connect(args)?;
    let pending = pending(&mut connection, &Options::default())?;
    Ok(Done::success(if sql {
        script(&pending)
    } else if json {
        planned_json(&pending, &status(&mut connection)?.migrations)
    } else {
        planned(&pending)
    }))
}

fn planned(pending: &[OwnedMigration]) -> String {
    let listed: Vec<Listed> = pending.iter().map(Listed::from).collect();
    if listed.is_empty() { "Nothing is pending.\n".to_owned() } else { lines(&listed) }
}

/// Also what is there already, so that nobody has to ask twice.
fn planned_json(pending: &[OwnedMigration], known: &[MigrationState]) -> String {
    let pending: Vec<Listed> = pending.iter().map(Listed::from).collect();
    let applied: Vec<&MigrationState> = known.iter().filter(|migration| migration.applied_on.is_some()).collect();
    let database_version = applied.last().map(|migration| migration.version);
    versioned(serde_json::json!({ "database_version": database_version, "applied": applied, "pending": pending }))
}

/// A line for each migration.
fn lines(listed: &[Listed]) -> String {
    let width = listed.iter().map(|m| m.name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for Listed { version, name, checksum, lines, transaction, .. } in listed {
        let how = if *transaction { "" } else { "  outside a transaction" };
        let _ = writeln!(text, "V{version:<3} {name:width$}  {lines:>5} lines  checksum {checksum}{how}");
    }
    text
}

/// `show`: the SQL of a migration.
pub fn show(version: i64) -> Result<Done> {
    let all = migrations();
    let newest = all.last().map_or(0, |m| m.version());
    let found = all.into_iter().find(|m| m.version() == version);
    let found = found.ok_or(Error::NoSuchTarget { target: version, newest })?;
    Ok(Done::success(found.sql().unwrap_or_default().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use refinery::Migration;

    #[test]
    fn a_migration_outside_a_transaction_is_listed_as_such() {
        let inside: OwnedMigration = Migration::unapplied("V9__a.sql", "select 1").unwrap().into();
        let outside: OwnedMigration =
            Migration::unapplied("V10__b.sql", "-- hacs-refinery: no transaction\nvacuum").unwrap().into();
        let text = planned(&[inside.clone(), outside.clone()]);
        assert_eq!(
            text.lines().map(|line| line.ends_with("  outside a transaction")).collect::<Vec<_>>(),
            [false, true]
        );
        let json: serde_json::Value = serde_json::from_str(&planned_json(&[inside, outside], &[])).unwrap();
        assert_eq!(
            (&json["pending"][0]["transaction"], &json["pending"][1]["transaction"]),
            (&true.into(), &false.into())
        );
    }
}
