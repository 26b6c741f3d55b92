//! A program for operators: it shows a run before it happens, can stop it, and says what an error has left behind.
//!
//!     DATABASE_URL=postgresql://localhost/hacs cargo run --example operator

#![allow(clippy::print_stdout)]

use std::time::Duration;

use hacs_refinery::{
    Canceller, Change, Conflict, ConnectError, DEFAULT_LOCK_TIMEOUT, Database, Difference, Error, HISTORY_TABLE,
    HistoryError, Holder, IGNORE_KEY, Link, Lock, MigrationState, Options, Outcome, Rehearsal, Rehearsed, Result,
    SCHEMAS, ServerError, Standing, Status, Supported, Unfinished, Verification, migrate, rehearse, safe_json,
    safe_line, safe_lines, status, verify,
};

fn main() -> std::result::Result<(), String> {
    let url = std::env::var("DATABASE_URL").ok();
    work(url.as_deref()).map_err(|error| format!("{error}\n{}", left_by(&error)))
}

fn work(url: Option<&str>) -> Result<()> {
    let database = Database::find(url).map_err(explained)?;
    let mut link: Link = database.link(Duration::from_secs(30))?;
    let mut options = Options::default();
    options.lock_timeout = DEFAULT_LOCK_TIMEOUT.min(Duration::from_secs(60));
    // Whoever watches may end the statement that runs, and can tell what the run has done by then.
    let _watch: (Canceller, Standing) = (database.link_canceller(&link), options.standing.clone());

    let Rehearsal { migrations, .. } = rehearse(&mut link, &options)?;
    let report = migrate(&mut link, &options)?;
    println!("{} applied, now at V{}", report.applied.len(), report.version.unwrap_or(0));
    for Rehearsed { name, locks, .. } in &migrations {
        let locks: Vec<String> = locks.iter().map(|Lock { table, mode, .. }| format!("{table} in {mode}")).collect();
        println!("beforehand: {} would lock [{}]", safe_line(name), locks.join(", "));
    }

    let found = status(&mut link)?;
    println!("{}", safe_json(&found.to_json()));
    let Status { schemas_found, migrations, .. } = &found;
    println!("{} of {} schemas; {HISTORY_TABLE} has", schemas_found.len(), SCHEMAS.len());
    for MigrationState { name, applied_on, .. } in migrations {
        println!("  {name} {}", if applied_on.is_some() { "applied" } else { "pending" });
    }
    let found: Verification = verify(&mut link, false)?;
    found.differences.iter().for_each(differs);
    for Supported { resource_type, fault, .. } in &found.resources {
        println!("{resource_type}: {}", fault.as_deref().map_or("stored".into(), safe_lines));
    }
    println!("{} differences, {} that {IGNORE_KEY} names", found.differences.len(), found.ignored);
    Ok(())
}

fn differs(Difference { change, name, .. }: &Difference) {
    let urgent = matches!(change, Change::Missing | Change::Disabled | Change::Invalid);
    println!("{} {change} {}", if urgent { "!" } else { " " }, safe_line(name));
}

fn explained(error: ConnectError) -> ConnectError {
    if error.is_configuration() {
        println!("the settings are wrong: to try again does not help");
    }
    error
}

/// What to do now, after an error.
fn left_by(error: &Error) -> String {
    let left = match error.outcome() {
        Outcome::NothingChanged | Outcome::RolledBack => "the database is as it was",
        Outcome::Parts => "the next run goes on",
        Outcome::Complete => "the run is done",
        _ => "ask for the status first",
    };
    let cause = match error {
        Error::Locked { holder: Some(holder), .. } | Error::Blocked { holder: Some(holder), .. } => held(holder),
        Error::Legacy(found) => found.iter().map(|Conflict { table, .. }| format!("{table} is another ")).collect(),
        Error::History(found) => found.iter().map(history).collect(),
        Error::Partly { unfinished: Some(Unfinished { version, done, statements, .. }), .. } => {
            format!("V{version}: {done} of {statements}")
        }
        Error::Migration { failure: hacs_refinery::Failure::Refused(refused), .. } => {
            let ServerError { sqlstate, .. } = &**refused;
            format!("SQLSTATE {sqlstate}")
        }
        _ => String::new(),
    };
    format!("{left} {cause}")
}

fn held(Holder { pid, role, .. }: &Holder) -> String {
    format!("select pg_terminate_backend({pid}) ends the session of {role}")
}

fn history(error: &HistoryError) -> String {
    match error {
        HistoryError::Unknown { .. } => "the history has a migration that nobody knows ".to_owned(),
        other => format!("{other} "),
    }
}
