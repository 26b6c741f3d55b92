//! The programs of `examples/`, built once.

/// A program of `examples/`. cargo builds all of them beside the tests, but not where one test program is asked for.
pub fn example(name: &str) -> std::process::Command {
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

/// The program of `tests/stock_refinery`, built once.
pub fn stock_refinery() -> std::process::Command {
    static BUILT: std::sync::Once = std::sync::Once::new();
    let tests = std::env::current_exe().unwrap();
    let target = tests.ancestors().nth(3).unwrap().join("stock_refinery");
    BUILT.call_once(|| {
        let mut cargo = std::process::Command::new(env!("CARGO"));
        cargo.args(["build", "--quiet", "--locked", "--manifest-path"]);
        cargo.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/stock_refinery/Cargo.toml"));
        assert!(cargo.arg("--target-dir").arg(&target).status().unwrap().success(), "refinery alone does not build");
    });
    std::process::Command::new(target.join("debug/stock_refinery"))
}
