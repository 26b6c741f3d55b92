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

/// Of the superuser and of the three roles.
const PASSWORDS: [&str; 4] = ["POSTGRES_PASSWORD", "MIGRATOR_PASSWORD", "APP_PASSWORD", "AUDITOR_PASSWORD"];

/// A directory with the scripts alone, where no `.env` of the developer's counts.
struct Checkout(tempfile::TempDir);

impl Checkout {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("scripts")).unwrap();
        for name in ["scripts/deploy-with-migrations.sh", "scripts/make-secrets.sh", "scripts/lib.sh"] {
            fs::copy(file(name), dir.path().join(name)).unwrap();
        }
        Self(dir)
    }

    fn write(&self, name: &str, text: &str) -> &Self {
        fs::write(self.0.path().join(name), text).unwrap();
        self
    }

    fn command(&self, script: &str) -> Command {
        let mut command = Command::new(self.0.path().join(script));
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).stdin(Stdio::null());
        command.env("HOME", self.0.path());
        command
    }

    fn deploy(&self, settings: &[(&str, &str)], args: &[&str]) -> Ended {
        let mut command = self.command("scripts/deploy-with-migrations.sh");
        ended(command.envs(settings.iter().copied()).args(args).output().unwrap())
    }
}

#[test]
fn a_dry_run_prints_the_steps_in_their_order() {
    let end = Checkout::new().deploy(&[], &["development", "--dry-run"]);
    assert_eq!(end.code, Some(0), "{end:?}");
    let commands: Vec<&str> = end.stderr.lines().filter_map(|line| line.strip_prefix("+ docker compose ")).collect();
    let begins = [
        "build hacs-migration",
        "up -d postgres",
        "exec -T postgres",
        "run --rm --no-deps -T hacs-roles",
        "run --rm --no-deps -T hacs-migration",
        "run --rm --no-deps -T hacs-grants",
        "run --rm --no-deps -T hacs-migration hacs-refinery verify",
        "up -d",
    ];
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
    let good = PASSWORDS.map(|name| (name, "other"));
    assert_eq!(bare.deploy(&good, &["production", "--yes", "--dry-run"]).code, Some(0));
    for (at, name) in PASSWORDS.iter().enumerate() {
        for bad in ["password", ""] {
            let mut settings = good;
            settings[at] = (name, bad);
            refused(&bare, &settings);
        }
    }
    for url in
        ["postgresql://hacs:password@postgres/hacs", "host=postgres password=password", "host=x password='password'"]
    {
        for name in ["MIGRATOR_URL", "APP_URL"] {
            refused(&bare, &[&good[..], &[(name, url)]].concat());
        }
    }
    for line in
        ["POSTGRES_PASSWORD=password", "export POSTGRES_PASSWORD = \"password\"\r", "POSTGRES_PASSWORD='password'"]
    {
        refused(Checkout::new().write(".env", line), &good[1..]);
    }
    let files = Checkout::new();
    let settings = [("COMPOSE_FILE", "docker-compose.yml:docker-compose.secrets.yml"), ("SECRETS_DIR", ".")];
    let names =
        ["postgres_password", "migrator_password", "app_password", "auditor_password", "migrator_url", "app_url"];
    for name in names {
        files.write(name, "other\n");
    }
    assert_eq!(files.deploy(&settings, &["production", "--yes", "--dry-run"]).code, Some(0));
    for name in names {
        files.write(
            name,
            if name.ends_with("url") { "postgresql://hacs_app:password@postgres/hacs\n" } else { "password\n" },
        );
        refused(&files, &settings);
        files.write(name, "other\n");
    }
}

#[test]
fn make_secrets_makes_what_the_deployment_takes_and_keeps_what_is_there() {
    let checkout = Checkout::new();
    let make = || ended(checkout.command("scripts/make-secrets.sh").output().unwrap());
    let end = make();
    assert_eq!(end.code, Some(0), "{end:?}");
    let secrets = checkout.0.path().join("secrets");
    let text = |name: &str| fs::read_to_string(secrets.join(name)).unwrap();
    let app = text("app_password");
    assert_eq!(text("app_url"), format!("postgresql://hacs_app:{}@postgres:5432/hacs\n", app.trim()));
    assert_eq!(
        text("sealer_url"),
        format!("postgresql://hacs_sealer:{}@postgres:5432/hacs\n", text("sealer_password").trim())
    );
    assert!(app.trim().len() == 40 && app != text("migrator_password"), "{app}");
    use std::os::unix::fs::PermissionsExt;
    assert_eq!(fs::metadata(&secrets).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(fs::metadata(secrets.join("app_url")).unwrap().permissions().mode() & 0o777, 0o644);
    let settings = [("COMPOSE_FILE", "docker-compose.yml:docker-compose.secrets.yml")];
    assert_eq!(checkout.deploy(&settings, &["production", "--yes", "--dry-run"]).code, Some(0));
    assert_eq!(make().code, Some(0));
    assert_eq!(text("app_password"), app);
}

#[test]
fn production_wants_a_backup() {
    let checkout = Checkout::new();
    checkout.write(".env", &PASSWORDS.map(|name| format!("{name}=\"hard to guess\"\n")).concat());
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
    for name in PASSWORDS {
        assert!(compose.contains(&format!("{name}: ${{{name}:-password}}")), "{name}");
    }
    assert!(read("scripts/deploy-with-migrations.sh").contains("\ndevelopment_password=password\n"));
    assert!(compose.contains("\"pg_isready\", \"-q\", \"-h\", \"127.0.0.1\""), "a socket is ready too early");
}

#[test]
fn the_image_builds_its_dependencies_with_a_stand_in_for_each_file_of_the_manifest() {
    let dockerfile = read("Dockerfile.migration");
    let (_, command) = dockerfile.split_once("\nRUN mkdir -p src").unwrap();
    let (command, _) = command.split_once("&& cargo build").unwrap();
    let dir = tempfile::tempdir().unwrap();
    for name in ["Cargo.toml", "Cargo.lock", "build.rs"] {
        fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join(name), dir.path().join(name)).unwrap();
    }
    let command = format!("mkdir -p src{command} && {} metadata --offline --no-deps --format-version 1", env!("CARGO"));
    let end = ended(Command::new("sh").args(["-ec", &command]).current_dir(dir.path()).output().unwrap());
    assert!(end.code == Some(0) && end.stdout.contains("\"suite\""), "{end:?}");
}

#[test]
fn what_comes_from_elsewhere_is_pinned_by_what_it_is() {
    let hex = |text: &str, length: usize| text.len() == length && text.chars().all(|c| c.is_ascii_hexdigit());
    let mut actions = 0;
    for name in ["ci", "release"] {
        let text = read(&format!(".github/workflows/{name}.yml"));
        for line in text.lines().filter_map(|line| line.trim_start_matches([' ', '-']).strip_prefix("uses: ")) {
            if line.starts_with("./") {
                continue;
            }
            let (commit, tag) = line.split_once('@').unwrap().1.split_once(" # v").expect(line);
            assert!(hex(commit, 40) && tag.split('.').count() == 3, "{line}");
            actions += 1;
        }
        for line in text.lines().filter(|line| line.contains("cargo install") && !line.contains("--path")) {
            assert!(line.contains("--locked --version '="), "{line}");
        }
    }
    assert!(actions >= 7, "{actions}");
    let images = [
        ("Dockerfile.migration", 2),
        ("docker-compose.yml", 1),
        ("docker-compose.follow.yml", 2),
        ("deploy/kubernetes/roles-job.yaml", 1),
    ];
    for (name, wanted) in images {
        let text = read(name);
        let digests =
            text.split("@sha256:").skip(1).map(|rest| rest.split(|c: char| !c.is_alphanumeric()).next().unwrap());
        assert_eq!(digests.filter(|digest| hex(digest, 64)).count(), wanted, "{name}");
    }
    let froms = read("Dockerfile.migration");
    assert_eq!(froms.lines().filter(|line| line.starts_with("FROM ") && !line.starts_with("FROM ${")).count(), 0);
}

/// The lines of a Job's head that wait for its end.
fn wait_for_the_end(text: &str) -> String {
    let comment = text.lines().map_while(|line| line.strip_prefix('#')).map(|line| line.trim_start_matches(' '));
    let lines: Vec<&str> = comment.skip_while(|line| !line.starts_with("(for ")).collect();
    let end = lines.iter().position(|line| line.ends_with("exit 1)")).expect("the end of the loop");
    lines[..=end].join("\n")
}

#[test]
fn waiting_for_a_job_ends_when_it_is_complete_and_when_it_has_failed() {
    // In place of kubectl: a Job in the state that it is told, at the third question.
    let kubectl = "#!/bin/sh
        echo \"$*\" >>asked
        case $* in
            logs*) echo 'the log' ;;
            *condition=$STATE*) [ \"$(grep -c \"condition=$STATE\" asked)\" -ge 3 ] ;;
            *) exit 1 ;;
        esac";
    for name in ["migration-job", "roles-job", "fleet-job"] {
        let text = read(&format!("deploy/kubernetes/{name}.yaml"));
        let seconds = text.split("activeDeadlineSeconds: ").nth(1).unwrap().lines().next().unwrap();
        let tries: u32 = text.split("$(seq ").nth(1).unwrap().split(')').next().unwrap().parse().unwrap();
        assert_eq!(seconds, (tries * 5).to_string(), "{name} waits as long as the Job may take");
        for (state, code, printed) in [("complete", 0, ""), ("failed", 1, "the log\n"), ("gone", 1, "the log\n")] {
            let dir = tempfile::tempdir().unwrap();
            let program = dir.path().join("kubectl");
            fs::write(&program, kubectl).unwrap();
            fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
            let path = std::env::join_paths(
                [dir.path().to_owned()].into_iter().chain(std::env::split_paths(&std::env::var_os("PATH").unwrap())),
            );
            let mut sh = Command::new("sh");
            sh.args(["-c", &wait_for_the_end(&text).replace(&format!("$(seq {tries})"), "$(seq 9)")]);
            let end =
                ended(sh.current_dir(dir.path()).env("PATH", path.unwrap()).env("STATE", state).output().unwrap());
            assert_eq!((end.code, end.stdout.as_str()), (Some(code), printed), "{name} {state}: {end:?}");
        }
    }
}

/// The job that distributes a database runs the tests of that room, on three nodes of one version of Citus's own image.
#[test]
fn the_distributed_tests_run_on_a_pinned_cluster() {
    let text = read(".github/workflows/ci.yml");
    let job = text.split("\n  distributed:\n").nth(1).unwrap().split("\n  package:\n").next().unwrap();
    let images: Vec<&str> = job.lines().filter_map(|line| line.trim().strip_prefix("image: ")).collect();
    assert_eq!(images.len(), 3, "{images:?}");
    let version = images[0].strip_prefix("citusdata/citus:").expect("Citus's image");
    assert!(version.split('.').count() == 3 && version.starts_with("13."), "{version}");
    assert!(images.iter().all(|image| *image == images[0]), "{images:?}");
    assert!(job.contains("TEST_CITUS_URL=") && job.contains("--test suite distributed::"), "{job}");
    let docs = read("docs/scale-out.md");
    assert!(docs.contains(images[0]), "docs/scale-out.md does not name {}", images[0]);
}
