//! What scripts/deploy-with-migrations.sh refuses, and that the files of a deployment agree with each other.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::database::{Ended, ended};

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn read(name: &str) -> String {
    fs::read_to_string(file(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// A directory with the scripts alone, where no `.env` of the developer's counts.
struct Checkout(tempfile::TempDir);

impl Checkout {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("scripts")).unwrap();
        for name in ["scripts/deploy-with-migrations.sh", "scripts/lib.sh"] {
            fs::copy(file(name), dir.path().join(name)).unwrap();
        }
        Self(dir)
    }

    fn write(&self, name: &str, text: &str) -> &Self {
        fs::write(self.0.path().join(name), text).unwrap();
        self
    }

    fn deploy(&self, settings: &[(&str, &str)], args: &[&str]) -> Ended {
        let mut command = Command::new(self.0.path().join("scripts/deploy-with-migrations.sh"));
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).stdin(Stdio::null());
        ended(command.envs(settings.iter().copied()).args(args).output().unwrap())
    }
}

#[test]
fn a_dry_run_prints_the_steps_in_their_order() {
    let end = Checkout::new().deploy(&[], &["development", "--dry-run"]);
    assert_eq!(end.code, Some(0), "{end:?}");
    let commands: Vec<&str> = end.stderr.lines().filter_map(|line| line.strip_prefix("+ docker-compose ")).collect();
    let begins = ["build hacs", "up -d postgres", "exec -T postgres", "run --rm", "run --rm", "up -d"];
    assert_eq!(commands.len(), begins.len(), "{commands:?}");
    for (command, begin) in commands.iter().zip(begins) {
        assert!(command.starts_with(begin), "{command} does not begin with {begin}");
    }
}

#[test]
fn production_refuses_the_development_password_wherever_it_stands() {
    let refused = |checkout: &Checkout, settings: &[(&str, &str)]| {
        let end = checkout.deploy(settings, &["production", "--yes", "--dry-run"]);
        assert_eq!(end.code, Some(1), "{settings:?}: {end:?}");
        assert!(end.stderr.contains("production refuses") || end.stderr.contains("production needs"), "{end:?}");
        assert!(!end.stderr.contains("+ "), "{end:?}");
    };
    let bare = Checkout::new();
    refused(&bare, &[]);
    refused(&bare, &[("POSTGRES_PASSWORD", "password")]);
    for url in
        ["postgresql://hacs:password@postgres/hacs", "host=postgres password=password", "host=x password='password'"]
    {
        refused(&bare, &[("POSTGRES_PASSWORD", "other"), ("DATABASE_URL", url)]);
    }
    for line in
        ["POSTGRES_PASSWORD=password", "export POSTGRES_PASSWORD = \"password\"\r", "POSTGRES_PASSWORD='password'"]
    {
        refused(Checkout::new().write(".env", line), &[]);
    }
    let files = Checkout::new();
    let settings = [("COMPOSE_FILE", "docker-compose.yml:docker-compose.secrets.yml"), ("SECRETS_DIR", ".")];
    files.write("postgres_password", "password\n").write("database_url", "").write("pgpass", "");
    refused(&files, &settings);
    files.write("postgres_password", "other\n").write("pgpass", "*:*:*:*:password\n*:*:*:*:other\n");
    refused(&files, &settings);
    files.write("pgpass", "*:*:*:*:other\n");
    assert_eq!(files.deploy(&settings, &["production", "--yes", "--dry-run"]).code, Some(0));
}

#[test]
fn production_wants_a_backup() {
    let checkout = Checkout::new();
    checkout.write(".env", "POSTGRES_PASSWORD=\"hard to guess\"\n");
    let end = checkout.deploy(&[], &["production"]);
    assert_eq!(end.code, Some(1), "{end:?}");
    assert!(end.stderr.contains("--yes says that there is one"), "{end:?}");
    let dry = checkout.deploy(&[], &["production", "--dry-run"]);
    assert_eq!(dry.code, Some(0), "{dry:?}");
    assert!(dry.stderr.contains("would ask whether there is a backup"), "{dry:?}");
}

#[test]
fn wrong_usage_of_the_deployment_exits_with_2() {
    for args in [&[][..], &["staging"], &["production", "development"], &["--dry-run"], &["development", "--force"]] {
        assert_eq!(Checkout::new().deploy(&[], args).code, Some(2), "{args:?}");
    }
}

#[test]
fn the_files_of_a_deployment_agree_with_each_other() {
    let version = env!("CARGO_PKG_VERSION");
    let dockerfile = read("Dockerfile.migration");
    assert!(dockerfile.contains(&format!("org.opencontainers.image.version=\"{version}\"")));
    let newer = |line: &&str| line.starts_with("# syntax") || line.contains("COPY --link") || line.contains("<<");
    assert_eq!(dockerfile.lines().find(newer), None, "older engines cannot build this");
    let compose = read("docker-compose.yml");
    assert!(compose.contains("POSTGRES_PASSWORD: ${POSTGRES_PASSWORD:-password}"));
    assert!(read("scripts/deploy-with-migrations.sh").contains("\ndevelopment_password=password\n"));
    assert!(compose.contains("\"pg_isready\", \"-q\", \"-h\", \"127.0.0.1\""), "a socket is ready too early");
}
