//! `migrate`, `status` and `verify` for many databases: each by itself, some at a time.

mod batch;
mod list;
mod options;
mod summary;
mod work;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hacs_refinery::{Link, Result, Standing};

use super::args::Args;
use super::{ExitCode, progress, signals, style, write};
pub use options::Fleet;
use summary::Summary;
pub use work::{One, current};

/// How often the line on a terminal is written anew.
const BEAT: Duration = Duration::from_millis(250);

/// What is done with each.
pub type Work<'a> = dyn Fn(&mut Link, Standing) -> Result<One> + Sync + 'a;

/// Does it with each of the databases, says how each ended, and then what that comes to. The exit code is the worst
/// one.
pub fn run(args: &Args, of: &Fleet, json: bool, what: &Work<'_>) -> Result<u8> {
    let databases = list::read(args, of)?;
    signals::expect_many();
    let summary = Arc::new(Mutex::new(Summary::new(databases.len())));
    let shown = Arc::clone(&summary);
    let line = progress::start(args.global.quiet, BEAT, move |_| locked(&shown).line());
    let one = |database: &list::Listed| {
        locked(&summary).begin(&database.name);
        let end = work::on(database, args, what);
        let text = if json { end.json() } else { end.text(args.global.quiet) };
        line.aside(|| write(&style::safe(&text), ExitCode::Success));
        locked(&summary).end(&end)
    };
    let (canaries, others) = databases.split_at(of.canary.min(databases.len()));
    batch::run(canaries, &of.limits(), &one);
    if locked(&summary).failed() == 0 {
        batch::run(others, &of.limits(), &one);
    }
    drop(line);
    let summary = locked(&summary);
    let text = if json { summary.json() } else { summary.text() };
    let written = write(&style::safe(&text), ExitCode::Success);
    let code = signals::exit_code().unwrap_or_else(|| summary.worst());
    Ok(if code == 0 { written as u8 } else { code })
}

fn locked(summary: &Mutex<Summary>) -> std::sync::MutexGuard<'_, Summary> {
    summary.lock().unwrap_or_else(PoisonError::into_inner)
}
