//! The binary's own parts: arguments, output, exit codes.

mod adopt;
mod args;
mod baseline;
mod distribute;
mod exit_code;
mod export;
mod fleet;
mod follow;
mod import;
mod json;
mod log;
mod migrate;
mod migrations;
mod progress;
mod seal;
mod shell;
mod signals;
mod status;
mod style;
mod usage;
mod verify;
mod waiting;

pub use self::log::start as start_log;
pub use args::{Args, LogFormat};
pub use exit_code::ExitCode;
pub use signals::{catch as catch_signals, exit_code as signal_exit_code};

use std::io::{ErrorKind, Write};
use std::sync::Arc;

use clap::Parser;
use hacs_refinery::{Database, Link, Result};

use args::Command;

/// Reads the command line. Where it asks for help or cannot be understood, that is said, and the code is what is left.
pub fn parse() -> std::result::Result<Args, ExitCode> {
    Args::try_parse().map_err(|error| {
        let text = usage::told(&error, &std::env::args_os().skip(1).collect::<Vec<_>>());
        if error.use_stderr() {
            complain_with(&text);
            ExitCode::Usage
        } else {
            write(&text, ExitCode::Success)
        }
    })
}

/// What a command has to say, and how it ends.
pub struct Done {
    text: String,
    code: ExitCode,
}

impl Done {
    fn success(text: String) -> Self {
        Self { text, code: ExitCode::Success }
    }
}

/// Carries out a command, and prints what it has to say.
///
/// # Errors
///
/// Whatever kept the command from doing its work.
pub fn run(args: &Args) -> Result<u8> {
    let Done { text, code } = match &args.command {
        Command::Migrate(of) if of.fleet.is_asked_for() => {
            return fleet::run(args, &of.fleet, of.json, &|link, standing| migrate::one(link, of, standing));
        }
        Command::Status { json, check, fleet } if fleet.is_asked_for() => {
            return fleet::run(args, fleet, *json, &|link, _| status::one(link, *check));
        }
        Command::Verify { json, deep, seals, fleet } if fleet.is_asked_for() => {
            return fleet::run(args, fleet, *json, &|link, _| verify::one(link, *deep, *seals));
        }
        Command::Migrate(of) => migrate::run(args, of)?,
        Command::Status { json, check, .. } => status::run(args, *json, *check)?,
        Command::Verify { json, deep, seals, .. } => verify::run(args, *json, *deep, *seals)?,
        Command::Seal { json } => seal::run(args, *json)?,
        Command::Baseline(of) => baseline::run(args, of)?,
        Command::Adopt(of) => adopt::run(args, of)?,
        Command::Distribute(of) => distribute::run(args, of)?,
        Command::Plan { json, sql } => migrations::plan(args, *json, *sql)?,
        Command::Import(of) => import::run(args, of)?,
        Command::Export(of) => return export::run(args, of).map(|code| code as u8),
        Command::List { json } => migrations::list(*json),
        Command::Show { version } => migrations::show(*version)?,
        Command::Completions { shell } => shell::completions(*shell),
        Command::Man => shell::man(),
    };
    Ok(write(&style::safe(&text), code) as u8)
}

/// A connection whose statements a signal cancels.
fn connect(args: &Args) -> Result<Link> {
    connect_to(args, &signals::begin(None))
}

/// The same for a run that says how far it is.
fn connect_to(args: &Args, run: &Arc<signals::Run>) -> Result<Link> {
    connect_to_one(Database::find(args.global.database_url.as_deref())?, args, run)
}

/// The same for one of many.
fn connect_to_one(mut database: Database, args: &Args, run: &Arc<signals::Run>) -> Result<Link> {
    if let Some(timeout) = args.global.connect_timeout {
        database.set_connect_timeout(timeout);
    }
    let link = database.link(args.global.wait)?;
    run.cancel_with(database.link_canceller(&link));
    Ok(link)
}

/// Says why a command failed: on standard error, in the form of the log. Values of a row, such as a patient's, only with -v.
pub fn complain(args: &Args, error: &hacs_refinery::Error) {
    let values = args.global.verbose > 0;
    match args.global.log_format {
        LogFormat::Text => {
            let detail = json::refused(error).and_then(|refused| refused.detail_of_row()).filter(|_| values);
            let detail = detail.map(|detail| format!("\nDETAIL: {detail}")).unwrap_or_default();
            let text = format!("{} {error}{detail}", style::paint(style::BAD, "error:"));
            complain_with(&format!("{}\n", style::safe(&text)));
        }
        LogFormat::Json => complain_with(&json::complaint(error, values)),
    }
}

/// Writes to standard error, where somebody reads it. The exit code says the rest.
fn complain_with(text: &str) {
    let _ = anstream::stderr().lock().write_all(text.as_bytes());
}

/// Writes to standard output, and tells how the command ends. A reader that has gone away, as in `| head`, is no
/// failure of ours; a full disk is.
fn write(text: &str, code: ExitCode) -> ExitCode {
    let mut out = anstream::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            ::log::error!("cannot write to standard output: {error}; what the command did is done all the same");
            if code == ExitCode::Success { ExitCode::Unexpected } else { code }
        }
        _ => code,
    }
}
