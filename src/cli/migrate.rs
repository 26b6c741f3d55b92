//! `migrate`, and its `--dry-run`.

use std::fmt::Write;
use std::time::Duration;

use hacs_refinery::{Link, Options, Rehearsal, Report, Result, Standing, migrate, rehearse};

use super::args::{Args, Migrate};
use super::fleet::One;
use super::json::versioned;
use super::{Done, ExitCode, connect_to, progress, signals};

/// Carries it out.
pub fn run(args: &Args, of: &Migrate) -> Result<Done> {
    let run = signals::begin(None);
    let options = options(of, run.standing());
    let mut link = connect_to(args, &run)?;
    let progress = progress::start(args.global.quiet, Duration::from_secs(1), |elapsed| {
        format!("migrating: {} s ", elapsed.as_secs())
    });
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

/// The same for one of many.
pub fn one(link: &mut Link, of: &Migrate, standing: Standing) -> Result<One> {
    let options = options(of, standing);
    let (version, report, text) = if of.dry_run {
        let rehearsal = rehearse(link, &options)?;
        let text = format!("{} would be applied", rehearsal.migrations.len());
        (None, serde_json::to_value(&rehearsal), text)
    } else {
        let report = migrate(link, &options)?;
        let at = report.newer.last().copied().or(report.version);
        let text = at.map_or_else(|| "empty".to_owned(), |at| format!("at V{at}, {} applied", report.applied.len()));
        (at, serde_json::to_value(&report), text)
    };
    Ok(One { code: ExitCode::Success, version, report: report.unwrap_or_default(), text })
}

fn options(of: &Migrate, standing: Standing) -> Options {
    let mut options = Options::default();
    options.target = of.target;
    options.allow_newer = of.allow_newer;
    options.lock_timeout = of.lock_timeout;
    options.statement_timeout = of.statement_timeout;
    options.stop = signals::stop();
    options.standing = standing;
    options
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
