//! `status`.

use std::fmt::Write;

use hacs_refinery::{Link, MigrationState, Result, SCHEMAS, Status, TABLES, safe_json, safe_line, status};

use super::args::Args;
use super::fleet::One;
use super::{Done, ExitCode, connect};

/// Carries it out.
pub fn run(args: &Args, json: bool, check: bool) -> Result<Done> {
    let found = status(&mut connect(args)?)?;
    let text = if json { safe_json(&found.to_json()).into_owned() + "\n" } else { lines(&found) };
    Ok(Done { text, code: if check { code(&found) } else { ExitCode::Success } })
}

/// The same for one of many.
pub fn one(link: &mut Link, check: bool) -> Result<One> {
    let found = status(link)?;
    let (text, version) = (short(&found), newest(&found));
    let code = if check { code(&found) } else { ExitCode::Success };
    Ok(One { code, version, report: serde_json::to_value(&found).unwrap_or_default(), text })
}

/// The newest migration that the database has.
pub fn newest(status: &Status) -> Option<i64> {
    let applied = status.migrations.iter().filter(|migration| migration.applied_on.is_some());
    applied.map(|migration| migration.version).max()
}

fn short(status: &Status) -> String {
    let at = newest(status).map_or_else(|| "empty".to_owned(), |version| format!("at V{version}"));
    match code(status) {
        ExitCode::Success => format!("{at}, complete"),
        ExitCode::Pending => format!("{at}, not complete"),
        _ if !status.conflicts.is_empty() => format!("{at}, tables of the original Python system are in the way"),
        _ => format!("{at}, the history does not match this binary"),
    }
}

fn code(status: &Status) -> ExitCode {
    if !status.problems.is_empty() || !status.newer.is_empty() || !status.conflicts.is_empty() {
        ExitCode::History
    } else if status.migration_complete {
        ExitCode::Success
    } else {
        ExitCode::Pending
    }
}

fn place(status: &Status) -> &'static str {
    if status.distributed { ", distributed by patient" } else { "" }
}

/// The facts of the JSON object, and the migrations in a table.
fn lines(status: &Status) -> String {
    let mut text = String::new();
    let yes_no = |yes| if yes { "yes" } else { "no" };
    let _ = writeln!(text, "Schemas          {} of {}", status.total_schemas, SCHEMAS.len());
    for schema in SCHEMAS {
        let found = status.schemas_found.iter().any(|found| found == schema);
        let _ = writeln!(text, "  {schema:14} {}", if found { "found" } else { "missing" });
    }
    let _ = writeln!(text, "Tables           {} ({} expected)", status.total_tables, TABLES.len());
    let _ = writeln!(text, "Migration table  {}", yes_no(status.migration_table_exists));
    let _ = writeln!(text, "Complete         {}{}", yes_no(status.migration_complete), place(status));
    if let Some(sealed) = &status.sealed {
        let _ = writeln!(text, "Audit sealed     {}", safe_line(sealed));
    }
    let _ = writeln!(text);
    let width = status.migrations.iter().map(|m| m.name.len()).max().unwrap_or(0);
    for migration in &status.migrations {
        let state =
            migration.applied_on.as_deref().map_or("pending".to_owned(), |on| format!("applied {}", safe_line(on)));
        let _ = writeln!(text, "V{:<3} {:width$}  {state}", migration.version, migration.name);
    }
    for owner in &status.owners {
        let name = safe_line(&owner.name);
        if owner.unreadable {
            let _ = writeln!(text, "{name}: this role may not read its history");
        }
        for MigrationState { version, name: of, applied_on, .. } in &owner.migrations {
            let state = applied_on.as_deref().unwrap_or("pending");
            let _ = writeln!(text, "{name}: V{version} {}  applied {}", safe_line(of), safe_line(state));
        }
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
    for conflict in &status.conflicts {
        let _ = writeln!(text, "In the way: {conflict}");
    }
    for table in &status.beside {
        let _ = writeln!(text, "Left alone: {table}");
    }
    if let Some(newest) = status.newer.last() {
        let _ = writeln!(text, "The database is at V{newest}, newer than this binary.");
    }
    text
}
