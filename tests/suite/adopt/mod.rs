//! Databases of the original Python system move in.

mod after;
mod following;
mod generic;
mod meanwhile;
mod mixed;
mod strangers;
mod tables;

use serde_json::Value;

use crate::database::{Database, Ended};

/// The report of `adopt --json`, and how it ended.
fn adopted(database: &Database, args: &[&str]) -> (Option<i32>, Value) {
    let end = database.run(&[&["adopt", "--json"], args].concat());
    let report = serde_json::from_str(&end.stdout).unwrap_or_else(|_| panic!("{end:?}"));
    (end.code, report)
}

/// What the report says of a table: rows, taken over, read before, older, set aside, left alone.
fn counts(report: &Value, table: &str) -> [u64; 6] {
    let of = report["tables"].as_array().unwrap().iter().find(|of| of["table"] == table);
    let of = of.unwrap_or_else(|| panic!("{table}: {report:#}"));
    ["rows", "taken_over", "read_before", "older", "set_aside", "left_alone"].map(|key| of[key].as_u64().unwrap())
}

/// Why rows of a table were set aside: counted.
fn reasons(report: &Value, table: &str) -> Vec<(String, u64)> {
    let of = report["tables"].as_array().unwrap().iter().find(|of| of["table"] == table).unwrap();
    let reasons = of["reasons"].as_array().unwrap().iter();
    reasons.map(|of| (of["reason"].as_str().unwrap().to_owned(), of["rows"].as_u64().unwrap())).collect()
}

/// Runs it, and gives the end.
fn adopt(database: &Database, args: &[&str]) -> Ended {
    database.run(&[&["adopt"], args].concat())
}
