//! `migrate`, and its `--dry-run`.

use std::fmt::Write;
use std::time::Duration;

use hacs_refinery::{Options, Rehearsal, Report, Result, migrate, rehearse};

use super::args::{Args, Migrate};
use super::json::versioned;
use super::{Done, connect, progress, signals};

/// Carries it out.
pub fn run(args: &Args, of: &Migrate) -> Result<Done> {
    let mut options = Options::default();
    options.target = of.target;
    options.allow_newer = of.allow_newer;
    options.lock_timeout = of.lock_timeout;
    options.statement_timeout = of.statement_timeout;
    options.stop = signals::stop();
    options.standing = signals::standing();
    let mut link = connect(args)?;
    let progress = progress::start(args.global.quiet);
    let text = if of.dry_run {
        let rehearsal = rehearse(&mut link, &options)?;
        if of.json { versioned(&rehearsal) } else { rehearsed(&rehearsal) }
    } else {
        let report = migrate(&mut link, &options)?;
        if of.json { versioned(&report) } else { applied(&report) }
    };
    drop(progress);
    Ok(Done::success(if of.json || !args.global.quiet { text } else { String::new() }))
}

/// A line for each migration, then a summary; with nothing to do, one line.
fn applied(report: &Report) -> String {
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
fn rehearsed(rehearsal: &Rehearsal) -> String {
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
