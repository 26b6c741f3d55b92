//! The JSON of every command but `status`, whose format is fixed by others.

use serde::Serialize;

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
