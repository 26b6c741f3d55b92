//! The binary's own parts: arguments, output, exit codes.

mod args;
mod exit_code;
mod output;
mod signals;

pub use args::{Args, Global};
pub use exit_code::ExitCode;
pub use signals::{catch as catch_signals, exit_code as signal_exit_code};

use std::io::{ErrorKind, Write};

use hacs_refinery::{Database, Options, Result, Status};

use args::Command;

/// Carries out a command.
///
/// # Errors
///
/// Whatever kept the command from doing its work.
pub fn run(args: &Args) -> Result<ExitCode> {
    let connect = || {
        let url = args.global.database_url.clone().or_else(|| std::env::var("DATABASE_URL").ok());
        let mut database = Database::find(url.as_deref())?;
        if let Some(timeout) = args.global.connect_timeout {
            database.set_connect_timeout(timeout);
        }
        let client = database.wait(args.global.wait)?;
        signals::cancel_with(database.canceller(&client));
        Ok::<_, hacs_refinery::Error>(client)
    };
    match &args.command {
        Command::Migrate { target, allow_newer, lock_timeout, statement_timeout } => {
            let mut options = Options::default();
            options.target = *target;
            options.allow_newer = *allow_newer;
            options.lock_timeout = *lock_timeout;
            options.statement_timeout = *statement_timeout;
            options.stop = signals::stop();
            let report = hacs_refinery::migrate(&mut connect()?, &options)?;
            if !args.global.quiet {
                print(&output::report(&report));
            }
            Ok(ExitCode::Success)
        }
        Command::Status { json, check } => {
            let status = hacs_refinery::status(&mut connect()?)?;
            let text = if *json { status.to_json() + "\n" } else { output::status(&status) };
            print(&text);
            Ok(if *check { check_code(&status) } else { ExitCode::Success })
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

/// Writes to standard output. A reader that has gone away, as in `| head`, is no failure of ours.
fn print(text: &str) {
    if let Err(error) = std::io::stdout().lock().write_all(text.as_bytes())
        && error.kind() != ErrorKind::BrokenPipe
    {
        log::error!("cannot write to standard output: {error}");
    }
}

/// Sends the log to standard error.
pub fn start_log(global: &Global) {
    let level = match (global.quiet, global.verbose) {
        (true, _) => "error",
        (false, 0) => "warn",
        (false, 1) => "info",
        (false, 2) => "debug",
        (false, _) => "trace",
    };
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or(level)).init();
}
