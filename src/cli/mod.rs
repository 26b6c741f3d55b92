//! The binary's own parts: arguments, output, exit codes.

mod args;
mod embedded;
mod exit_code;
mod json;
mod log;
mod output;
mod progress;
mod signals;
mod style;
mod usage;
mod verification;

pub use self::log::start as start_log;
pub use args::{Args, LogFormat};
pub use exit_code::ExitCode;
pub use signals::{catch as catch_signals, exit_code as signal_exit_code};

use std::io::{ErrorKind, Write};

use clap::Parser;
use hacs_refinery::{Database, Options, Result, Status, migrate, pending, rehearse, status, verify};

use args::Command;
use json::versioned;

/// Reads the command line. Where it asks for help or cannot be understood, that is said, and the code is what is left.
pub fn parse() -> std::result::Result<Args, ExitCode> {
    Args::try_parse().map_err(|error| {
        let text = usage::told(&error, &std::env::args_os().skip(1).collect::<Vec<_>>());
        if error.use_stderr() {
            anstream::eprint!("{text}");
            ExitCode::Usage
        } else {
            write(&text);
            ExitCode::Success
        }
    })
}

/// Carries out a command.
///
/// # Errors
///
/// Whatever kept the command from doing its work.
pub fn run(args: &Args) -> Result<ExitCode> {
    let connect = || {
        let mut database = Database::find(args.global.database_url.as_deref())?;
        if let Some(timeout) = args.global.connect_timeout {
            database.set_connect_timeout(timeout);
        }
        let link = database.link(args.global.wait)?;
        signals::cancel_with(database.link_canceller(&link));
        Ok::<_, hacs_refinery::Error>(link)
    };
    match &args.command {
        Command::Migrate { target, allow_newer, lock_timeout, statement_timeout, dry_run, json } => {
            let mut options = Options::default();
            options.target = *target;
            options.allow_newer = *allow_newer;
            options.lock_timeout = *lock_timeout;
            options.statement_timeout = *statement_timeout;
            options.stop = signals::stop();
            options.standing = signals::standing();
            let mut link = connect()?;
            let progress = progress::start(args.global.quiet);
            let text = if *dry_run {
                let rehearsal = rehearse(&mut link, &options)?;
                if *json { versioned(&rehearsal) } else { output::rehearsal(&rehearsal) }
            } else {
                let report = migrate(&mut link, &options)?;
                if *json { versioned(&report) } else { output::report(&report) }
            };
            drop(progress);
            if *json || !args.global.quiet {
                print(&text);
            }
            Ok(ExitCode::Success)
        }
        Command::Status { json, check } => {
            let found = status(&mut connect()?)?;
            let text = if *json {
                hacs_refinery::safe_json(&found.to_json()).into_owned() + "\n"
            } else {
                output::status(&found)
            };
            print(&text);
            Ok(if *check { check_code(&found) } else { ExitCode::Success })
        }
        Command::Verify { json, deep } => {
            let found = verify(&mut connect()?, *deep)?;
            let code = verification::code(&found);
            print(&if *json {
                versioned(verification::Json::from(&found))
            } else {
                verification::text(&found, args.global.quiet)
            });
            Ok(code)
        }
        Command::Plan { json, sql } => {
            let pending = pending(&mut connect()?, &Options::default())?;
            print(&if *sql { hacs_refinery::script(&pending) } else { embedded::plan(&pending, *json) });
            Ok(ExitCode::Success)
        }
        Command::List { json } => {
            print(&embedded::list(*json));
            Ok(ExitCode::Success)
        }
        Command::Show { version } => {
            print(&embedded::show(*version)?);
            Ok(ExitCode::Success)
        }
        Command::Completions { shell } => {
            print(&embedded::completions(*shell));
            Ok(ExitCode::Success)
        }
        Command::Man => {
            print(&embedded::man());
            Ok(ExitCode::Success)
        }
    }
}

fn check_code(status: &Status) -> ExitCode {
    if !status.problems.is_empty() || !status.newer.is_empty() {
        ExitCode::History
    } else if status.migration_complete {
        ExitCode::Success
    } else {
        ExitCode::Pending
    }
}

/// Says why a command failed: on standard error, in the form of the log.
pub fn complain(format: LogFormat, error: &hacs_refinery::Error) {
    match format {
        LogFormat::Text => {
            let text = format!("{} {error}", style::paint(style::BAD, "error:"));
            anstream::eprintln!("{}", style::safe(&text));
        }
        LogFormat::Json => ::log::error!("{error}"),
    }
}

/// Writes what may hold text of others to standard output.
fn print(text: &str) {
    write(&style::safe(text));
}

/// Writes to standard output. A reader that has gone away, as in `| head`, is no failure of ours.
fn write(text: &str) {
    if let Err(error) = anstream::stdout().lock().write_all(text.as_bytes())
        && error.kind() != ErrorKind::BrokenPipe
    {
        ::log::error!("cannot write to standard output: {error}");
    }
}
