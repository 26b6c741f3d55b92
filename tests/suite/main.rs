//! The tests against a real PostgreSQL. They are one program, so that they share one server.

mod audit;
mod audit_guards;
mod audit_seals;
mod catalogue;
mod command_line;
mod contract;
mod contributing;
mod crowd;
mod database;
mod deployment;
mod documentation;
mod documents;
mod drift;
mod growth;
mod history;
mod kills;
mod legacy;
mod manifest;
mod migrating;
mod preexisting;
mod privileges;
mod properties;
mod proxy;
mod references;
mod refusals;
mod rehearsing;
mod round_trips;
mod rules;
mod samples;
mod scripts;
mod server;
mod snapshots;
mod status;
mod surroundings;
mod terminal;
mod tls;
mod verifying;
mod waiting;
mod wire;

/// A program of `examples/`, which cargo builds beside the tests.
fn example(name: &str) -> std::process::Command {
    let tests = std::env::current_exe().unwrap();
    let program = tests.ancestors().nth(2).unwrap().join("examples").join(name);
    assert!(program.exists(), "{} is missing: cargo build --examples", program.display());
    std::process::Command::new(program)
}
