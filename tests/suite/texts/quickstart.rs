//! scripts/quickstart.sh and what it is made of, tried on a checkout whose program only pretends: it finds what cargo
//! built wherever that is, and nobody else gets into the server that it starts.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::database::{Ended, ended};
use crate::server;

const PROGRAM: &str = "fn main() {
    let said: Vec<String> = std::env::args().skip(1).collect();
    println!(\"pretending: {}\", said.join(\" \"));
    if std::env::var_os(\"FAIL\").is_some() { std::process::exit(8) }
}";

/// The scripts beside a program that builds in a moment, and a temporary directory of their own.
struct Checkout {
    dir: tempfile::TempDir,
}

impl Checkout {
    fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("h").tempdir_in("/tmp").unwrap();
        // The server may run as another user, who has to get to its directory.
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let checkout = Self { dir };
        for name in ["scripts", "src", "tmp", "home"] {
            fs::create_dir(checkout.path(name)).unwrap();
        }
        for name in ["scripts/quickstart.sh", "scripts/lib.sh"] {
            fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join(name), checkout.path(name)).unwrap();
        }
        let manifest = "[package]\nname = \"hacs-refinery\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[workspace]\n";
        fs::write(checkout.path("Cargo.toml"), manifest).unwrap();
        let lock = "version = 4\n\n[[package]]\nname = \"hacs-refinery\"\nversion = \"0.1.0\"\n";
        fs::write(checkout.path("Cargo.lock"), lock).unwrap();
        fs::write(checkout.path("src/main.rs"), PROGRAM).unwrap();
        checkout
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env("TMPDIR", self.path("tmp")).env("PG_BINDIR", server::bindir()).stdin(Stdio::null());
        for name in ["DATABASE_URL", "HACS_QUICKSTART_DIR", "CARGO_TARGET_DIR", "PGHOST", "PGPORT"] {
            command.env_remove(name);
        }
        command.current_dir(self.dir.path());
        command
    }

    fn quickstart(&self, settings: &[(&str, &str)], args: &[&str]) -> Ended {
        let script = self.path("scripts/quickstart.sh");
        let mut command = self.command(script.to_str().unwrap());
        ended(command.envs(settings.iter().copied()).args(args).output().unwrap())
    }

    /// What a snippet that has read scripts/lib.sh says.
    fn snippet(&self, text: &str) -> Ended {
        let text = format!("set -euo pipefail; . scripts/lib.sh; {text}");
        ended(self.command("bash").args(["-c", &text]).output().unwrap())
    }

    /// The clusters that quickstart made.
    fn clusters(&self) -> Vec<PathBuf> {
        fs::read_dir(self.path("tmp")).unwrap().map(|entry| entry.unwrap().path()).collect()
    }
}

impl Drop for Checkout {
    fn drop(&mut self) {
        let _ = self.quickstart(&[], &["stop"]);
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|about| about.uid() == 0)
}

#[test]
fn quickstart_finds_its_program_wherever_cargo_puts_it() {
    let checkout = Checkout::new();
    let elsewhere = checkout.path("elsewhere");
    let end = checkout.quickstart(&[("CARGO_TARGET_DIR", elsewhere.to_str().unwrap())], &[]);
    assert_eq!(end.code, Some(0), "{end:?}");
    assert!(
        end.stdout.contains("pretending: migrate\n") && end.stdout.contains("Stop:     scripts/quickstart.sh stop")
    );
    assert!(!checkout.path("target").exists());

    fs::create_dir(checkout.path(".cargo")).unwrap();
    fs::write(checkout.path(".cargo/config.toml"), "[build]\ntarget-dir = \"by configuration\"\n").unwrap();
    let end = checkout.quickstart(&[], &[]);
    assert_eq!(end.code, Some(0), "{end:?}");
    assert!(checkout.path("by configuration").exists() && !checkout.path("target").exists());
    assert_eq!(checkout.clusters().len(), 1, "the second took the cluster of the first");

    let stopped = checkout.quickstart(&[], &["stop"]);
    assert_eq!((stopped.code, checkout.clusters().len()), (Some(0), 0), "{stopped:?}");
}

#[test]
fn no_script_thinks_it_knows_where_cargo_builds() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut looked_at = 0;
    for folder in ["scripts", "benches", "benches/lib", "benches/runner", "benches/schema", ".ci"] {
        for entry in fs::read_dir(root.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() || path.extension().is_some_and(|extension| extension != "sh") {
                continue;
            }
            looked_at += 1;
            let text = fs::read_to_string(&path).unwrap();
            for place in ["target/debug", "target/release", "target/static"] {
                assert!(!text.contains(place), "{} names {place}", path.display());
            }
        }
    }
    assert!(looked_at > 25, "{looked_at}");
}

#[test]
fn quickstart_that_fails_says_how_to_stop_what_it_started() {
    let checkout = Checkout::new();
    let end = checkout.quickstart(&[("FAIL", "yes")], &[]);
    assert_eq!(end.code, Some(8), "{end:?}");
    assert!(end.stderr.contains("the server may still run.\nStop:     scripts/quickstart.sh stop"), "{end:?}");
    fs::write(checkout.path("src/main.rs"), "no program").unwrap();
    let end = checkout.quickstart(&[], &[]);
    assert!(end.code == Some(1) && end.stderr.contains("cargo cannot build this"), "{end:?}");
    assert!(end.stderr.contains("Stop:     scripts/quickstart.sh stop"), "{end:?}");
}

#[test]
fn nobody_else_gets_into_the_cluster_of_quickstart() {
    let checkout = Checkout::new();
    // What others prepared: the name of before, and one that looks like ours.
    let id = fs::metadata("/proc/self").unwrap().uid();
    symlink("/etc", checkout.path(&format!("tmp/hacs-quickstart-{id}"))).unwrap();
    fs::create_dir(checkout.path("tmp/hacs-quickstart-prepared")).unwrap();
    let end = checkout.quickstart(&[], &[]);
    assert_eq!(end.code, Some(0), "{end:?}");
    let used = |path: &PathBuf| path.join("data").exists();
    let home = checkout.clusters().into_iter().find(used).expect("a cluster");
    assert_eq!(mode(&home), 0o700);
    let socket = home.join(".s.PGSQL.5432");
    assert!(fs::metadata(&socket).unwrap().file_type().is_socket());
    assert_eq!(mode(&socket), 0o700);
    let hba = fs::read_to_string(home.join("data/pg_hba.conf")).unwrap();
    let trusted: Vec<&str> = hba.lines().filter(|line| line.starts_with("host") && line.contains("trust")).collect();
    assert!(trusted.is_empty(), "{trusted:?}");
    if is_root() {
        // Even where the directory were open.
        fs::set_permissions(&home, fs::Permissions::from_mode(0o755)).unwrap();
        let mut psql = Command::new(server::bindir().join("psql"));
        std::os::unix::process::CommandExt::uid(&mut psql, 12345);
        psql.env_clear().current_dir("/").args(["-X", "-c", "select 1", "-U", "hacs", "-d", "hacs", "-h"]).arg(&home);
        let end = ended(psql.output().unwrap());
        assert!(end.code == Some(2) && end.stderr.contains("Permission denied"), "{end:?}");
        fs::set_permissions(&home, fs::Permissions::from_mode(0o700)).unwrap();
    }
}

#[test]
fn a_directory_that_is_not_ours_alone_is_refused() {
    let checkout = Checkout::new();
    let place = |name: &str| checkout.path(name).to_str().unwrap().to_owned();
    let refused = |dir: &str, reason: &str| {
        let end = checkout.quickstart(&[("HACS_QUICKSTART_DIR", dir)], &[]);
        assert!(end.code == Some(1) && end.stderr.contains(reason), "{dir}: {end:?}");
        let stopped = checkout.quickstart(&[("HACS_QUICKSTART_DIR", dir)], &["stop"]);
        assert!(stopped.code == Some(1) && stopped.stderr.contains(reason), "{dir}: {stopped:?}");
    };
    symlink(checkout.path("home"), checkout.path("link")).unwrap();
    refused(&place("link"), "is no directory");
    for open in [0o755, 0o701, 0o777, 0o1777] {
        let dir = checkout.path(&format!("open{open:o}"));
        fs::create_dir(&dir).unwrap();
        fs::set_permissions(&dir, fs::Permissions::from_mode(open)).unwrap();
        refused(dir.to_str().unwrap(), "is open to others");
    }
    if is_root() {
        let theirs = checkout.path("theirs");
        fs::create_dir(&theirs).unwrap();
        fs::set_permissions(&theirs, fs::Permissions::from_mode(0o700)).unwrap();
        std::os::unix::fs::chown(&theirs, Some(12345), Some(12345)).unwrap();
        refused(theirs.to_str().unwrap(), "belongs to somebody else");
    } else {
        refused("/usr", "belongs to somebody else");
    }
}

#[test]
fn stopping_removes_the_cluster_and_nothing_else() {
    let checkout = Checkout::new();
    let home = checkout.path("mine");
    let settings = [("HACS_QUICKSTART_DIR", home.to_str().unwrap())];
    let end = checkout.quickstart(&settings, &[]);
    assert_eq!(end.code, Some(0), "{end:?}");
    fs::write(home.join("letter"), "dear").unwrap();
    let stopped = checkout.quickstart(&settings, &["stop"]);
    assert_eq!(stopped.code, Some(0), "{stopped:?}");
    let left: Vec<_> = fs::read_dir(&home).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["letter"]);
}

#[test]
fn over_tcp_a_password_is_asked_for() {
    let checkout = Checkout::new();
    let port = server::free_port();
    let home = checkout.path("tcp");
    let snippet = format!(
        "start_cluster '{home}' -c listen_addresses=127.0.0.1 -c port={port}
         PGPASSWORD= \"$PG_BINDIR/psql\" -X -w -h 127.0.0.1 -p {port} -U hacs -c 'select 1' postgres || echo \"refused\"
         remove_cluster '{home}' immediate",
        home = home.display()
    );
    let end = checkout.snippet(&snippet);
    assert!(end.code == Some(0) && end.stdout == "refused\n", "{end:?}");
    assert!(end.stderr.contains("no password supplied"), "{end:?}");
}
