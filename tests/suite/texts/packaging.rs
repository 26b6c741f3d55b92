//! What `cargo package` puts into the crate.

use std::process::Command;

use crate::database::ended;

#[test]
fn the_crate_holds_the_migrations_and_what_builds_it_and_nothing_else() {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["package", "--list", "--allow-dirty", "--offline"]).current_dir(env!("CARGO_MANIFEST_DIR"));
    let end = ended(cargo.output().unwrap());
    assert_eq!(end.code, Some(0), "{end:?}");
    assert!(!end.stderr.contains("warning"), "{}", end.stderr);
    let files: Vec<&str> = end.stdout.lines().collect();
    for migration in hacs_refinery::migrations() {
        assert!(files.contains(&format!("migrations/{migration}.sql").as_str()), "{migration}: {files:?}");
    }
    for name in [
        "Cargo.lock",
        "README.md",
        "CHANGELOG.md",
        "LICENSE-APACHE",
        "LICENSE-MIT",
        "build.rs",
        "src/history/bootstrap.sql",
    ] {
        assert!(files.contains(&name), "{name}: {files:?}");
    }
    let beside = |name: &&&str| {
        let parts = ["benches/", "examples/", "migrations/", "src/"];
        name.contains('/') && !parts.iter().any(|part| name.starts_with(part))
    };
    assert_eq!(files.iter().find(beside), None);
}
