//! `hacs-refinery distribute`.

use std::fmt::Write;
use std::time::Duration;

use clap::Args;
use hacs_refinery::Result;
use hacs_refinery::distribute::{DistributeOptions, Distribution, distribute};

use super::args::Args as All;
use super::json::versioned;
use super::waiting::Waiting;
use super::{Done, connect_to, progress, signals};

/// What `distribute` is told.
#[derive(Args, Debug)]
pub struct Distribute {
    /// Bring all tables back to the coordinator: what was, as the migrations make it
    #[arg(long)]
    undo: bool,

    /// Do everything, report it, and roll it back
    #[arg(long)]
    dry_run: bool,

    #[command(flatten)]
    waiting: Waiting,

    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

/// Carries it out.
pub fn run(args: &All, of: &Distribute) -> Result<Done> {
    let run = signals::begin(None);
    let options = of.waiting.options(run.standing());
    let mut how = DistributeOptions::default();
    how.undo = of.undo;
    how.dry_run = of.dry_run;
    let mut link = connect_to(args, &run)?;
    let doing = if of.undo { "bringing back" } else { "distributing" };
    let progress = progress::start(args.global.quiet, Duration::from_secs(1), move |elapsed| {
        format!("{doing}: {} s ", elapsed.as_secs())
    });
    let done = distribute(&mut link, &options, &how)?;
    drop(progress);
    let text = match of.json {
        true => versioned(&done),
        false if args.global.quiet => String::new(),
        false => report(&done),
    };
    Ok(Done::success(text))
}

fn report(done: &Distribution) -> String {
    let mut text = String::new();
    let width = done.tables.iter().map(|table| table.table.len()).max().unwrap_or(0);
    for table in &done.tables {
        let place = match (table.kind.as_str(), done.undone) {
            (_, true) => "",
            ("patient" | "own", _) => &format!("  by {}", table.by.as_deref().unwrap_or("id")),
            ("reference", _) => "  on every node",
            _ => "  on the coordinator",
        };
        let _ = writeln!(text, "{:width$}  {:>10} rows{place}", table.table, table.rows);
    }
    let rows: u64 = done.tables.iter().map(|table| table.rows).sum();
    let what = if done.undone { "One machine again" } else { "Distributed" };
    let _ = writeln!(
        text,
        "{what}: {rows} rows in {:.1} s; every table holds what it held before.",
        done.duration.as_secs_f64()
    );
    if done.dry_run {
        text += "Rolled back: nothing was changed.\n";
    }
    text
}
