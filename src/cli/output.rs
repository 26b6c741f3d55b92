//! What people read on standard output.

use std::fmt::Write;
use std::time::Duration;

use hacs_refinery::{Rehearsal, Report, SCHEMAS, Status, TABLES};

/// A line for each migration, then a summary; with nothing to do, one line.
pub fn report(report: &Report) -> String {
    let version = report.version.map_or_else(|| "empty".to_owned(), |version| format!("at V{version}"));
    if let Some(newest) = report.newer.last() {
        return format!("Nothing to do: the database is at V{newest}, newer than this binary.\n");
    }
    if report.applied.is_empty() {
        return format!("Nothing to do: the database is {version}.\n");
    }
    let mut text = String::new();
    let width = report.applied.iter().map(|applied| applied.name.len()).max().unwrap_or(0);
    for applied in &report.applied {
        let _ = writeln!(text, "Applied V{} {:width$}  {:>9}", applied.version, applied.name, millis(applied.duration));
    }
    // What stops nobody but those who change the table's definition is not worth a line.
    let weak = ["access share", "row share", "row exclusive"];
    for lock in report.locks.iter().filter(|lock| !weak.contains(&lock.mode.as_str())) {
        let _ = writeln!(text, "     locked {} in mode {}", lock.table, lock.mode);
    }
    let total = report.applied.iter().map(|applied| applied.duration).sum();
    let count = report.applied.len();
    let noun = if count == 1 { "migration" } else { "migrations" };
    let _ = writeln!(text, "{count} {noun} applied in {}; the database is {version}.", millis(total));
    text
}

/// A line for each migration, with its locks below.
pub fn rehearsal(rehearsal: &Rehearsal) -> String {
    if rehearsal.migrations.is_empty() {
        return "Nothing to do: nothing is pending.\n".to_owned();
    }
    let mut text = String::new();
    let width = rehearsal.migrations.iter().map(|migration| migration.name.len()).max().unwrap_or(0);
    for m in &rehearsal.migrations {
        if !m.rehearsed {
            let _ = writeln!(text, "V{:<3} {:width$}  not rehearsed: it runs outside a transaction", m.version, m.name);
            continue;
        }
        let _ =
            writeln!(text, "V{:<3} {:width$}  {:>9}  {} rows changed", m.version, m.name, millis(m.duration), m.rows);
        for lock in &m.locks {
            let _ = writeln!(text, "     locks {} in mode {}", lock.table, lock.mode);
        }
    }
    text + "Rolled back: nothing was changed.\n"
}

fn millis(duration: Duration) -> String {
    format!("{:.1} ms", duration.as_secs_f64() * 1000.0)
}

/// The facts of the JSON object, and the migrations in a table.
pub fn status(status: &Status) -> String {
    let mut text = String::new();
    let yes_no = |yes| if yes { "yes" } else { "no" };
    let _ = writeln!(text, "Schemas          {} of {}", status.total_schemas, SCHEMAS.len());
    for schema in SCHEMAS {
        let found = status.schemas_found.iter().any(|found| found == schema);
        let _ = writeln!(text, "  {schema:14} {}", if found { "found" } else { "missing" });
    }
    let _ = writeln!(text, "Tables           {} ({} expected)", status.total_tables, TABLES.len());
    let _ = writeln!(text, "Migration table  {}", yes_no(status.migration_table_exists));
    let _ = writeln!(text, "Complete         {}", yes_no(status.migration_complete));
    let _ = writeln!(text);
    let width = status.migrations.iter().map(|m| m.name.len()).max().unwrap_or(0);
    for migration in &status.migrations {
        let state = migration
            .applied_on
            .as_deref()
            .map_or("pending".to_owned(), |on| format!("applied {}", hacs_refinery::safe_line(on)));
        let _ = writeln!(text, "V{:<3} {:width$}  {state}", migration.version, migration.name);
    }
    for table in status.missing_tables.iter().filter(|_| status.migration_table_exists) {
        let _ = writeln!(text, "Missing table: {table}");
    }
    for constraint in &status.unmet_constraints {
        let _ = writeln!(text, "Constraint missing or not validated: {constraint}");
    }
    for problem in &status.problems {
        let _ = writeln!(text, "History: {problem}");
    }
    if let Some(newest) = status.newer.last() {
        let _ = writeln!(text, "The database is at V{newest}, newer than this binary.");
    }
    text
}
