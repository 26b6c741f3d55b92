//! `hacs-refinery`: parse, run, print one error.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    // Before all else: the first process of a container ignores a signal that nobody has asked for.
    let caught = cli::catch_signals();
    let args = match cli::parse() {
        Ok(args) => args,
        Err(code) => return code.into(),
    };
    cli::start_log(&args);
    if let Err(error) = caught {
        log::warn!("signals end this program without waiting for the server: {error}");
    }
    match cli::run(&args) {
        Ok(code) => code.into(),
        Err(error) => {
            cli::complain(&args, &error);
            cli::signal_exit_code().unwrap_or_else(|| cli::ExitCode::from(&error) as u8).into()
        }
    }
}
