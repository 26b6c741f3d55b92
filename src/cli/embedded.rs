//! What the binary itself holds: migrations, completions, the manual page.

use std::fmt::Write;

use clap::CommandFactory;
use clap_complete::Shell;
use hacs_refinery::{Error, Result, migrations, outside_transaction};
use refinery::Migration;
use serde::Serialize;

use super::args::Args;
use super::json::versioned;

#[derive(Serialize)]
struct Listed {
    version: i32,
    name: String,
    file: String,
    checksum: String,
    lines: usize,
    /// Whether it runs in a transaction, with others.
    transaction: bool,
}

impl From<&Migration> for Listed {
    fn from(migration: &Migration) -> Self {
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

/// All migrations.
pub fn list(json: bool) -> String {
    let listed: Vec<Listed> = migrations().iter().map(Listed::from).collect();
    if json { versioned(serde_json::json!({ "migrations": listed })) } else { lines(&listed) }
}

/// What is pending.
pub fn plan(pending: &[Migration], json: bool) -> String {
    let listed: Vec<Listed> = pending.iter().map(Listed::from).collect();
    if json {
        versioned(serde_json::json!({ "pending": listed }))
    } else if listed.is_empty() {
        "Nothing is pending.\n".to_owned()
    } else {
        lines(&listed)
    }
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

/// The SQL of a migration.
pub fn show(version: i32) -> Result<String> {
    let all = migrations();
    let newest = all.last().map_or(0, |m| m.version());
    let found = all.into_iter().find(|m| m.version() == version);
    let found = found.ok_or(Error::NoSuchTarget { target: version, newest })?;
    Ok(found.sql().unwrap_or_default().to_owned())
}

/// The completions for a shell.
pub fn completions(shell: Shell) -> String {
    let mut out = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "hacs-refinery", &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

/// The manual page, in roff.
pub fn man() -> String {
    let mut out = Vec::new();
    clap_mangen::Man::new(Args::command()).render(&mut out).unwrap_or_else(|error| unreachable!("{error}"));
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_migration_outside_a_transaction_is_listed_as_such() {
        let inside = Migration::unapplied("V9__a.sql", "select 1").unwrap();
        let outside = Migration::unapplied("V10__b.sql", "-- hacs-refinery: no transaction\nvacuum").unwrap();
        let text = plan(&[inside.clone(), outside.clone()], false);
        assert_eq!(
            text.lines().map(|line| line.ends_with("  outside a transaction")).collect::<Vec<_>>(),
            [false, true]
        );
        let json: serde_json::Value = serde_json::from_str(&plan(&[inside, outside], true)).unwrap();
        assert_eq!(
            (&json["pending"][0]["transaction"], &json["pending"][1]["transaction"]),
            (&true.into(), &false.into())
        );
    }
}
