//! `hacs-refinery adopt`.

use std::fmt::Write;
use std::time::Duration;

use clap::Args;
use hacs_refinery::Result;
use hacs_refinery::adopt::{AdoptOptions, AdoptedTable, Adoption, Finished, adopt, finish};

use super::args::Args as All;
use super::follow::{Following, told};
use super::json::versioned;
use super::waiting::Waiting;
use super::{Done, ExitCode, connect_to, progress, signals};

/// What `adopt` is told.
#[derive(Args, Debug)]
pub struct Adopt {
    /// Do everything, report it, and roll it back
    #[arg(long)]
    dry_run: bool,

    /// Change nothing where a row would be set aside
    #[arg(long)]
    strict: bool,

    /// Take in what was set aside, once its rows in hacs_legacy.rejects were mended
    #[arg(long, conflicts_with = "finish")]
    retry: bool,

    /// Drop hacs_legacy, if every row of it was taken over
    #[arg(long, conflicts_with = "strict")]
    finish: bool,

    /// With --finish: drop rows as well that were not taken over
    #[arg(long, requires = "finish")]
    discard: bool,

    #[command(flatten)]
    waiting: Waiting,

    #[command(flatten)]
    following: Following,

    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

/// Carries it out.
pub fn run(args: &All, of: &Adopt) -> Result<Done> {
    let run = signals::begin(None);
    let options = of.waiting.options(run.standing());
    let mut how = AdoptOptions::default();
    how.dry_run = of.dry_run;
    how.strict = of.strict;
    how.retry = of.retry;
    let mut link = connect_to(args, &run)?;
    if of.finish {
        let finished = finish(&mut link, &options, of.discard, of.dry_run)?;
        let kept = finished.only_here() > 0 && !of.discard;
        let text = if of.json { versioned(&finished) } else { what_goes(&finished, of) };
        let code = if kept { ExitCode::Refused } else { ExitCode::Success };
        return Ok(Done { text: if of.json || !args.global.quiet { text } else { String::new() }, code });
    }
    if let Some(text) = of.following.end(&mut link, &options)? {
        return Ok(Done::success(if args.global.quiet { String::new() } else { text }));
    }
    let progress = progress::start(args.global.quiet, Duration::from_secs(1), |elapsed| {
        format!("adopting: {} s ", elapsed.as_secs())
    });
    let mut adoption = adopt(&mut link, &options, &how)?;
    adoption.followed = of.following.begin(&mut link, &options)?;
    drop(progress);
    let text = if of.json { versioned(&adoption) } else { report(&adoption, of) };
    let refused = adoption.followed.as_ref().map_or(0, |followed| of.following.unstored(followed));
    let code = if adoption.set_aside() + refused > 0 { ExitCode::Refused } else { ExitCode::Success };
    Ok(Done { text: if of.json || !args.global.quiet { text } else { String::new() }, code })
}

fn report(adoption: &Adoption, of: &Adopt) -> String {
    let mut text = String::new();
    let (empty, filled): (Vec<_>, Vec<_>) =
        adoption.tables.iter().partition(|table| table.rows == 0 && table.moved_to.is_some());
    for table in filled {
        tell(&mut text, table);
    }
    if !empty.is_empty() {
        let _ = writeln!(text, "{} tables without rows, now in hacs_legacy", empty.len());
    }
    for applied in &adoption.applied {
        let _ = writeln!(text, "Applied V{} {}", applied.version, applied.name);
    }
    let sum = |of: fn(&AdoptedTable) -> u64| adoption.tables.iter().map(of).sum::<u64>();
    let (taken, aside) = (sum(|table| table.taken_over), adoption.set_aside());
    let _ = writeln!(
        text,
        "{} rows in {:.1} s: {taken} taken over, {} read before, {} older than another, {aside} set aside, {} left alone.",
        sum(|table| table.rows),
        adoption.duration.as_secs_f64(),
        sum(|table| table.read_before),
        sum(|table| table.older),
        sum(|table| table.left_alone)
    );
    text += &end(adoption, of, aside);
    text + &adoption.followed.as_ref().map(told).unwrap_or_default()
}

/// What is so now, and what comes next.
fn end(adoption: &Adoption, of: &Adopt, aside: u64) -> String {
    if of.dry_run {
        return "Rolled back: nothing was changed.\n".to_owned();
    }
    if of.strict && aside > 0 {
        return "Nothing was changed, since --strict was given and rows would be set aside.\n".to_owned();
    }
    if !adoption.changed {
        return "Nothing to do.\n".to_owned();
    }
    if aside == 0 {
        return String::new();
    }
    "What was set aside stands in hacs_legacy.rejects, each row with its reason.\n".to_owned()
}

/// A table, and below it why rows were set aside.
fn tell(text: &mut String, table: &AdoptedTable) {
    let moved = table.moved_to.as_ref().map(|to| format!(", now {to}")).unwrap_or_default();
    if let Some(note) = &table.note {
        let _ = writeln!(text, "{}{moved}: {} rows left alone: {note}", table.table, table.left_alone);
        return;
    }
    let _ = write!(text, "{}{moved}: {} rows", table.table, table.rows);
    let parts = [
        (table.taken_over, "taken over"),
        (table.read_before, "read before"),
        (table.older, "older than another"),
        (table.set_aside, "set aside"),
    ];
    for (count, what) in parts.iter().filter(|(count, _)| *count > 0) {
        let _ = write!(text, ", {count} {what}");
    }
    text.push('\n');
    for reason in &table.reasons {
        let _ = writeln!(text, "     {} set aside: {}", reason.rows, reason.reason);
    }
}

/// What stood in `hacs_legacy`, and whether it is gone.
fn what_goes(finished: &Finished, of: &Adopt) -> String {
    let mut text = String::new();
    for table in &finished.tables {
        let _ = write!(text, "{}: {} rows", table.table, table.rows);
        if let Some(note) = &table.note {
            let _ = write!(text, ", {} of them nowhere else: {note}", table.only_here);
        }
        text.push('\n');
    }
    let lost = finished.only_here();
    text + &if finished.dropped {
        format!("hacs_legacy is dropped, with {lost} rows that were not taken over.\n")
    } else if finished.tables.is_empty() {
        "Nothing to do: there is no hacs_legacy.\n".to_owned()
    } else if of.dry_run {
        "Nothing was changed.\n".to_owned()
    } else {
        format!("Nothing was changed: {lost} rows were not taken over. With --discard they go as well.\n")
    }
}
