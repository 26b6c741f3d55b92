//! The scripts that need no container engine; scripts/test-containers.sh tests them in containers as well.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::database::{Database, Ended, ended, until};
use crate::newest::NEWEST;

const NOWHERE: &str = "postgresql://me@127.0.0.1:1/nowhere";

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// A command without any setting of the surroundings, with the tool on its PATH as in the image.
fn command(program: &Path) -> Command {
    let tool = Path::new(env!("CARGO_BIN_EXE_hacs-refinery"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let dirs = tool.parent().map(Path::to_owned).into_iter().chain(std::env::split_paths(&path));
    let mut command = Command::new(program);
    command.env_clear().env("PATH", std::env::join_paths(dirs).unwrap()).env("HACS_REFINERY", tool);
    command.stdin(Stdio::null());
    command
}

fn run_migrations(settings: &[(&str, &str)], args: &[&str]) -> Ended {
    let mut command = command(&file("scripts/run-migrations.sh"));
    ended(command.envs(settings.iter().copied()).args(args).output().unwrap())
}

fn test_migration(settings: &[(&str, &str)]) -> Ended {
    ended(command(&file("scripts/test-migration.sh")).envs(settings.iter().copied()).output().unwrap())
}

#[test]
fn run_migrations_migrates_and_prints_the_status_alone_on_standard_output() {
    let database = Database::empty();
    let end = run_migrations(&[("DATABASE_URL", &database.conninfo())], &[]);
    assert_eq!(end.code, Some(0), "{end:?}");
    assert!(end.stderr.contains("Applied V1"), "{end:?}");
    let status: serde_json::Value = serde_json::from_str(&end.stdout).unwrap();
    assert_eq!(status["migration_complete"], true);
    let again = run_migrations(&[("DATABASE_URL", &database.conninfo())], &[]);
    assert_eq!((again.code, &again.stdout), (Some(0), &end.stdout), "{again:?}");
}

#[test]
fn run_migrations_prints_nothing_but_json_where_the_log_is_json() {
    let database = Database::empty();
    let url = database.conninfo();
    for args in [&["--log-format", "json"][..], &["--log-format=json", "-v"]] {
        let end = run_migrations(&[("DATABASE_URL", &url)], args);
        assert_eq!(end.code, Some(0), "{end:?}");
        for line in end.stderr.lines() {
            serde_json::from_str::<serde_json::Value>(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        }
        let status: serde_json::Value = serde_json::from_str(&end.stdout).unwrap();
        assert_eq!(status["migration_complete"], true);
    }
    let end = run_migrations(&[("DATABASE_URL", &url), ("PGPASSFILE", "/no\"where")], &["--log-format", "json"]);
    let line: serde_json::Value = serde_json::from_str(&end.stderr).unwrap();
    assert_eq!((end.code, &line["exit_code"]), (Some(2), &2.into()), "{end:?}");
}

#[test]
fn run_migrations_hands_its_arguments_to_migrate() {
    let database = Database::empty();
    let end = run_migrations(&[("DATABASE_URL", &database.conninfo())], &["--target", "1"]);
    assert_eq!(end.code, Some(0), "{end:?}");
    assert_eq!(database.text("select count(*) from hacs_admin.migrations"), "1");
    assert!(end.stdout.contains("\"migration_complete\": false"), "{end:?}");
}

#[test]
fn run_migrations_exits_with_the_code_of_the_tool() {
    let database = Database::migrated();
    let url = database.conninfo();
    database.client().batch_execute("delete from hacs_admin.migrations where version = 3").unwrap();
    let history = run_migrations(&[("DATABASE_URL", &url)], &[]);
    assert_eq!((history.code, history.stdout.as_str()), (Some(6), ""), "{history:?}");
    let nothing_set = run_migrations(&[], &[]);
    assert_eq!(nothing_set.code, Some(2), "{nothing_set:?}");
    let nobody_there = run_migrations(&[("DATABASE_URL", NOWHERE), ("HACS_WAIT", "1s")], &[]);
    assert_eq!(nobody_there.code, Some(3), "{nobody_there:?}");
}

#[test]
fn run_migrations_does_not_take_an_incomplete_database_for_a_success() {
    let database = Database::migrated();
    database.client().batch_execute("drop table hacs_agents.messages cascade").unwrap();
    let end = run_migrations(&[("DATABASE_URL", &database.conninfo())], &[]);
    assert_eq!(end.code, Some(4), "{end:?}");
    assert!(end.stdout.contains("\"total_tables\": 30"), "{end:?}");
}

#[test]
fn run_migrations_reads_the_url_from_a_file_without_its_newline() {
    let database = Database::empty();
    let dir = tempfile::tempdir().unwrap();
    let url = dir.path().join("database url");
    fs::write(&url, database.conninfo() + "\n").unwrap();
    let url = url.to_str().unwrap();
    let end = run_migrations(&[("DATABASE_URL_FILE", url), ("DATABASE_URL", "")], &[]);
    assert_eq!(end.code, Some(0), "{end:?}");
    assert_eq!(database.text("select count(*) from hacs_admin.migrations"), NEWEST.to_string());

    let both = run_migrations(&[("DATABASE_URL_FILE", url), ("DATABASE_URL", NOWHERE)], &[]);
    assert_eq!(both.code, Some(2), "{both:?}");
    assert!(both.stderr.contains("both DATABASE_URL and DATABASE_URL_FILE are set"), "{both:?}");
    let missing = run_migrations(&[("DATABASE_URL_FILE", "/no/such/file")], &[]);
    assert_eq!(missing.code, Some(2), "{missing:?}");
    fs::write(url, "\n").unwrap();
    let empty = run_migrations(&[("DATABASE_URL_FILE", url)], &[]);
    assert_eq!(empty.code, Some(2), "{empty:?}");
}

#[cfg(unix)]
#[test]
fn run_migrations_takes_a_password_file_that_others_may_read_and_leaves_no_copy() {
    use std::os::unix::fs::PermissionsExt;
    let database = Database::empty();
    let dir = tempfile::tempdir().unwrap();
    let passfile = dir.path().join("pgpass");
    fs::write(&passfile, "*:*:*:*:secret\n").unwrap();
    fs::set_permissions(&passfile, fs::Permissions::from_mode(0o444)).unwrap();
    let url = database.conninfo();
    // The tool alone says that it does not use such a file.
    let alone = ended(database.tool(&["status"]).env("PGPASSFILE", &passfile).output().unwrap());
    assert!(alone.stderr.contains("is not used: others may read it"), "{alone:?}");

    let temporary = tempfile::tempdir().unwrap();
    let settings = [
        ("DATABASE_URL", url.as_str()),
        ("PGPASSFILE", passfile.to_str().unwrap()),
        ("TMPDIR", temporary.path().to_str().unwrap()),
    ];
    let end = run_migrations(&settings, &[]);
    assert_eq!(end.code, Some(0), "{end:?}");
    assert!(!end.stderr.contains("is not used"), "{end:?}");
    assert_eq!(fs::read_dir(temporary.path()).unwrap().count(), 0);
}

#[cfg(unix)]
#[test]
fn run_migrations_ends_at_once_when_it_is_told_to() {
    let mut script = command(&file("scripts/run-migrations.sh"));
    script.env("DATABASE_URL", NOWHERE).env("HACS_WAIT", "60s");
    let child = script.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let waits = format!("--ppid {} -o args=", child.id());
    until("the tool does not begin", || {
        let below = Command::new("ps").args(waits.split(' ')).output().unwrap();
        String::from_utf8_lossy(&below.stdout).contains("hacs-refinery")
    });
    let started = Instant::now();
    assert!(Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success());
    // The output ends when the tool has ended as well.
    let end = ended(child.wait_with_output().unwrap());
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    assert_eq!(end.code, Some(143), "{end:?}");
}

#[test]
fn test_migration_reports_each_step_and_keeps_what_is_there() {
    let database = Database::empty();
    let url = database.conninfo();
    let end = test_migration(&[("TEST_DATABASE_URL", &url), ("DATABASE_URL", NOWHERE)]);
    assert_eq!(end.code, Some(0), "{end:?}");
    assert!(end.stdout.contains("Complete         no") && end.stdout.contains("\"total_tables\": 31"), "{end:?}");
    assert!(end.stdout.lines().last().unwrap().starts_with("PASSED"), "{end:?}");

    let insert = "insert into hacs_core.organizations (id, name, created_at) values ('o1', 'Mercy', now())";
    database.client().batch_execute(insert).unwrap();
    let again = test_migration(&[("DATABASE_URL", &url)]);
    assert_eq!(again.code, Some(0), "{again:?}");
    assert_eq!(database.text("select count(*) from hacs_core.organizations"), "1");
}

#[test]
fn test_migration_fails_with_the_code_of_the_tool() {
    let database = Database::migrated();
    database.client().batch_execute("drop table hacs_agents.messages cascade").unwrap();
    let incomplete = test_migration(&[("DATABASE_URL", &database.conninfo())]);
    assert_eq!(incomplete.code, Some(4), "{incomplete:?}");
    assert!(incomplete.stdout.ends_with("FAILED: all schemas and tables (exit code 4)\n"), "{incomplete:?}");
    assert_eq!(test_migration(&[("DATABASE_URL", NOWHERE)]).code, Some(3));
    assert_eq!(test_migration(&[]).code, Some(2));
}

/// A machine on which nobody is root: neither sudo nor npm nor pgbouncer, and `id` gives the number of a plain user.
fn plain_user(dir: &Path, script: &str) -> Ended {
    let bin = dir.join("bin");
    fs::create_dir_all(&bin).unwrap();
    let tools = "bash sh env dirname cat mkdir grep sed awk rm find head xargs apt-get getent uname ls cp";
    for tool in tools.split(' ') {
        let found = ["/usr/bin", "/bin"].map(|dir| Path::new(dir).join(tool)).into_iter().find(|path| path.exists());
        if let Some(found) = found.filter(|_| !bin.join(tool).exists()) {
            std::os::unix::fs::symlink(found, bin.join(tool)).unwrap();
        }
    }
    program(&bin.join("id"), "echo 12345");
    let mut bash = Command::new("bash");
    bash.args(["-c", &format!("set -euo pipefail; . scripts/lib.sh; {script}")]).current_dir(file(""));
    ended(bash.env_clear().env("PATH", &bin).env("HOME", dir).stdin(Stdio::null()).output().unwrap())
}

fn program(path: &Path, text: &str) {
    fs::write(path, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
}

#[test]
fn without_root_what_is_optional_is_left_out_with_a_word_and_what_is_needed_is_named() {
    let dir = tempfile::tempdir().unwrap();
    if !Path::new("/usr/sbin/pgbouncer").exists() {
        let bouncer = plain_user(dir.path(), "need_pgbouncer; echo ${skipped[*]}");
        assert_eq!(bouncer.stdout, "--skip pgbouncer --skip pooled::\n", "{bouncer:?}");
        assert_eq!(bouncer.stderr, "==> NOT RUN: the tests through PgBouncer, since it is missing\n");
    }
    let missing = plain_user(dir.path(), "scripts/lint-migrations.sh");
    assert_eq!((missing.code, missing.stderr.as_str()), (Some(3), "==> npm is missing\n"), "{missing:?}");
    program(&dir.path().join("bin/npm"), "exit 1");
    let offline = plain_user(dir.path(), "scripts/lint-migrations.sh");
    assert!(offline.code == Some(3) && offline.stderr.contains("npm cannot install squawk-cli"), "{offline:?}");
    let optional = plain_user(dir.path(), "try_packages shellcheck || echo left out");
    assert_eq!((optional.stdout.as_str(), optional.stderr.as_str()), ("left out\n", ""), "{optional:?}");
    let needed = plain_user(dir.path(), "install_packages gcc");
    assert!(needed.code == Some(1) && needed.stderr.contains("please install: gcc"), "{needed:?}");
    // And the test command goes on after what it leaves out.
    let tests = fs::read_to_string(file("scripts/test.sh")).unwrap();
    assert!(tests.contains("if [ \"$code\" != 3 ] || as_root true 2>/dev/null; then exit \"$code\"; fi"));
}
