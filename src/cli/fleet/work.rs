//! One database of many.

use std::cell::RefCell;
use std::time::Instant;

use hacs_refinery::{Error, Outcome, safe_json, safe_line, safe_lines};
use serde::Serialize;
use serde_json::Value;

use super::Work;
use super::list::Listed;
use crate::cli::args::Args;
use crate::cli::{ExitCode, connect_to_one, signals};

/// What a command has to say about one database.
pub struct One {
    /// The code that the command would have alone.
    pub code: ExitCode,
    /// The newest migration that the database has.
    pub version: Option<i64>,
    /// The object that the command prints alone.
    pub report: Value,
    /// The same in a few words.
    pub text: String,
}

/// How it ended; docs/fleet.md describes the keys.
#[derive(Serialize)]
pub struct End<'a> {
    version: u32,
    pub name: &'a str,
    pub exit_code: u8,
    pub seconds: f64,
    pub database_version: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    left: Option<&'static str>,
    #[serde(skip_serializing_if = "Value::is_null")]
    report: Value,
    #[serde(skip)]
    text: String,
}

thread_local! {
    static CURRENT: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// The name of the database that this thread is at, for the log.
pub fn current() -> Option<String> {
    CURRENT.with_borrow(Option::clone)
}

/// Does it with one.
pub fn on<'a>(listed: &'a Listed, args: &Args, what: &Work<'_>) -> End<'a> {
    let started = Instant::now();
    CURRENT.set(Some(listed.name.clone()));
    let run = signals::begin(Some(listed.name.clone()));
    let database = listed.database.clone().or_else(|text| text.parse().map_err(Error::Connect));
    let result = database
        .and_then(|database| connect_to_one(database, args, &run))
        .and_then(|mut link| what(&mut link, run.standing()));
    signals::end_of(&run);
    CURRENT.set(None);
    let end = End {
        version: 1,
        name: &listed.name,
        exit_code: 0,
        seconds: 0.0,
        database_version: None,
        error: None,
        left: None,
        report: Value::Null,
        text: String::new(),
    };
    let seconds = started.elapsed().as_secs_f64();
    match result {
        Ok(One { code, version, report, text }) => {
            End { exit_code: code as u8, seconds, database_version: version, report, text, ..end }
        }
        Err(error) => {
            let code = signals::exit_code().unwrap_or(ExitCode::from(&error) as u8);
            End { exit_code: code, seconds, error: Some(error.to_string()), left: Some(left(&error)), ..end }
        }
    }
}

/// What is in the database now, in a word.
fn left(error: &Error) -> &'static str {
    match error.outcome() {
        Outcome::NothingChanged | Outcome::RolledBack => "unchanged",
        Outcome::Parts => "parts",
        Outcome::Complete => "complete",
        _ => "unknown",
    }
}

impl End<'_> {
    /// One line.
    pub fn json(&self) -> String {
        let json = serde_json::to_string(self).unwrap_or_else(|error| error.to_string());
        safe_json(&json).into_owned() + "\n"
    }

    /// For people; with `quiet` only where something is wrong.
    pub fn text(&self, quiet: bool) -> String {
        let Self { exit_code, seconds, error, text, .. } = self;
        let name = safe_line(self.name);
        match error {
            None if quiet && *exit_code == 0 => String::new(),
            None => format!("{name}: {text} ({seconds:.2} s)\n"),
            Some(error) => {
                let error = safe_lines(error).trim_end().replace('\n', "\n    ");
                format!("{name}: failed with {exit_code} ({seconds:.2} s)\n    {error}\n")
            }
        }
    }
}
