//! `hacs-refinery`: parse, run, print one error.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    let args = match cli::parse() {
        Ok(args) => args,
        Err(code) => return code.into(),
    };
    cli::start_log(&args.global);
    cli::catch_signals();
    match cli::run(&args) {
        Ok(code) => code.into(),
        Err(error) => {
            cli::complain(args.global.log_format, &error);
            cli::signal_exit_code().unwrap_or_else(|| cli::ExitCode::from(&error).into())
        }
    }
}
