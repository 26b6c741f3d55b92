//! `baseline`.

use hacs_refinery::{Options, Result, baseline};

use super::args::{Args, Baseline};
use super::json::versioned;
use super::{Done, connect_to, signals};

/// Carries it out.
pub fn run(args: &Args, of: &Baseline) -> Result<Done> {
    let run = signals::begin(None);
    let mut options = Options::default();
    options.lock_timeout = of.lock_timeout;
    options.stop = signals::stop();
    options.standing = run.standing();
    let report = baseline(&mut connect_to(args, &run)?, &options)?;
    let version = report.version.unwrap_or(0);
    let text = match report.applied.len() {
        _ if of.json => versioned(&report),
        _ if args.global.quiet => String::new(),
        0 => format!("Nothing to do: the history says V{version} already.\n"),
        count => format!("As migrated: {count} migrations recorded; the database is at V{version}.\n"),
    };
    Ok(Done::success(text))
}
