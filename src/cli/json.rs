//! The JSON of every command but `status`, whose format is fixed by others.

use std::error::Error as _;
use std::time::SystemTime;

use hacs_refinery::{Error, Failure, ServerError};
use serde::Serialize;

use super::ExitCode;

#[derive(Serialize)]
struct Versioned<T> {
    /// Counts up when a key changes its meaning or goes away; new keys do not count.
    version: u32,
    #[serde(flatten)]
    report: T,
}

/// A report as an object with `version` first.
pub fn versioned(report: impl Serialize) -> String {
    let object = Versioned { version: 1, report };
    let json = serde_json::to_string_pretty(&object).unwrap_or_else(|error| error.to_string());
    hacs_refinery::safe_json(&json).into_owned() + "\n"
}

/// An error as a line of the log, with what a program decides by in keys of its own; values of rows only where asked for.
pub fn complaint(error: &Error, values: bool) -> String {
    let refused = refused(error);
    let line = serde_json::json!({
        "time": humantime::format_rfc3339_millis(SystemTime::now()).to_string(),
        "level": "ERROR",
        "target": "hacs_refinery::cli",
        "message": error.to_string(),
        "exit_code": ExitCode::from(error) as u8,
        "sqlstate": refused.map(|error| &error.sqlstate),
        "detail": refused.filter(|error| values || error.detail_of_row().is_none()).and_then(|error| error.detail.as_ref()),
        "hint": refused.and_then(|error| error.hint.as_ref()),
    });
    hacs_refinery::safe_json(&line.to_string()).into_owned() + "\n"
}

/// What the server said, where it is the cause.
pub fn refused(error: &Error) -> Option<&ServerError> {
    let mut cause = error.source();
    while let Some(inner) = cause {
        if let Some(Failure::Refused(error)) = inner.downcast_ref::<Failure>() {
            return Some(error);
        }
        cause = inner.source();
    }
    None
}
