//! The tests against a real PostgreSQL. They are one program, so that they share one server.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used
)]

#[cfg(feature = "tokio-postgres")]
mod asynchronous;
mod audit;
mod audit_attacks;
mod audit_carry;
mod audit_feed;
mod audit_guards;
mod audit_recorders;
mod audit_seals;
mod audit_tampering;
mod audit_truth;
mod audit_waiting;
mod catalogue;
mod command_line;
mod concurrently;
mod concurrently_crowd;
mod concurrently_killed;
mod concurrently_taken;
mod connection_strings;
mod contract;
mod contributing;
mod crowd;
mod database;
mod deployment;
mod documentation;
mod documents;
mod drift;
mod embeddings;
mod escapes;
mod evolving;
mod examples;
mod fake_server;
mod growth;
mod history;
mod house;
mod kills;
mod legacy;
mod locales;
mod manifest;
mod migrating;
mod packaging;
mod passwords;
mod pooled;
mod preexisting;
mod privileges;
mod properties;
mod proxy;
mod questions;
mod quickstart;
mod readme;
mod references;
mod refusals;
mod rehearsing;
mod rights;
mod round_trips;
mod rules;
mod samples;
mod scripts;
mod server;
mod snapshots;
mod stages;
mod status;
mod stopping;
mod surroundings;
mod terminal;
mod tls;
mod troubleshooting;
mod trust;
mod verifying;
mod waiting;
mod wire;

/// A program of `examples/`. cargo builds all of them beside the tests, but not where one test program is asked for.
fn example(name: &str) -> std::process::Command {
    static BUILT: std::sync::Once = std::sync::Once::new();
    let tests = std::env::current_exe().unwrap();
    let profile = tests.ancestors().nth(2).unwrap();
    BUILT.call_once(|| {
        let mut cargo = std::process::Command::new(env!("CARGO"));
        cargo.args(["build", "--quiet", "--locked", "--examples"]).current_dir(env!("CARGO_MANIFEST_DIR"));
        cargo.arg("--target-dir").arg(profile.parent().unwrap());
        if profile.ends_with("release") {
            cargo.arg("--release");
        }
        if cfg!(feature = "tokio-postgres") {
            cargo.arg("--all-features");
        }
        assert!(cargo.status().unwrap().success(), "the examples do not build");
    });
    std::process::Command::new(profile.join("examples").join(name))
}
