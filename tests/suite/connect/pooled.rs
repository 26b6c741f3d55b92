//! Through PgBouncer, in each of its modes.

use crate::database::{Database, Ended, ended, tool};
use crate::pgbouncer::PgBouncer;
use crate::server::Server;

fn url(bouncer: &PgBouncer, database: &Database) -> String {
    bouncer.url(&database.name)
}

fn run(url: &str, args: &[&str]) -> Ended {
    // A list names its databases itself.
    let at: &[&str] = if args.contains(&"--databases") { &[] } else { &["-d", url] };
    ended(tool(&[args, at].concat()).output().unwrap())
}

/// A file with a document.
fn documents(dir: &tempfile::TempDir) -> String {
    let path = dir.path().join("documents");
    std::fs::write(&path, "{\"resource_type\": \"Patient\", \"id\": \"p\", \"family\": \"x\"}\n").unwrap();
    path.display().to_string()
}

/// A list of one database.
fn list(dir: &tempfile::TempDir, url: &str) -> String {
    let path = dir.path().join("list");
    std::fs::write(&path, format!("one {url}\n")).unwrap();
    path.display().to_string()
}

#[test]
fn in_session_and_transaction_mode_every_command_works() {
    let server = Server::start(&[]);
    for mode in ["session", "transaction"] {
        let bouncer = PgBouncer::in_mode(&server, mode, 2);
        let database = Database::on(&server);
        let url = url(&bouncer, &database);
        let dir = tempfile::tempdir().unwrap();
        let documents = documents(&dir);
        for args in [
            &["plan"][..],
            &["migrate", "--dry-run"],
            &["migrate"],
            &["migrate"],
            &["status", "--check"],
            &["verify"],
            &["verify", "--deep"],
            &["import", &documents],
            // What the first has left in the pooled session is in nobody's way.
            &["import", "--on-conflict", "replace", &documents],
            &["export"],
            &["seal"],
            &["verify", "--seals"],
            &["baseline"],
            &["status", "--databases", &list(&dir, &url)],
            &["migrate", "--databases", &list(&dir, &url)],
        ] {
            let end = run(&url, args);
            assert_eq!(end.code, Some(0), "{mode} {args:?}: {end:?}");
        }
        assert!(!database.is_locked(), "{mode}");
    }
}

#[test]
fn in_statement_mode_it_says_in_one_line_why_it_cannot() {
    let server = Server::start(&[]);
    let bouncer = PgBouncer::in_mode(&server, "statement", 2);
    let database = Database::on(&server);
    let dir = tempfile::tempdir().unwrap();
    let documents = documents(&dir);
    for args in [
        &["migrate"][..],
        &["migrate", "--dry-run"],
        &["status"],
        &["verify"],
        &["migrate", "--wait", "60s"],
        &["baseline"],
        &["import", &documents],
        &["export"],
    ] {
        let migrated = Database::migrated_on(&server);
        let database = if ["import", "export"].contains(&args[0]) { &migrated } else { &database };
        let end = run(&url(&bouncer, database), args);
        assert_eq!(end.code, Some(3), "{args:?}: {end:?}");
        // While it hands on the server's answer, PgBouncer cannot put in a word of its own, and only hangs up.
        let told = end.stderr.contains("transaction blocks not allowed in statement pooling mode")
            && end.stderr.contains("\nNEXT: This connection goes through a pooler in statement mode");
        let cut = ["connection closed\n", "bytes remaining on stream\n"].iter().any(|words| end.stderr.contains(words));
        let hung_up = cut && end.stderr.contains("A pooler in statement mode may do so without a word");
        assert!(told || hung_up, "{args:?}: {end:?}");
        assert!(end.stderr.contains("Nothing was changed."), "{args:?}: {end:?}");
    }
    assert_eq!(database.text("select to_regnamespace('hacs_core')"), "null");
}

#[test]
fn a_setting_that_a_pooler_does_not_take_is_not_waited_for() {
    let server = Server::start(&[]);
    let bouncer = PgBouncer::in_mode(&server, "transaction", 2);
    let database = Database::on(&server);
    let url = url(&bouncer, &database) + "&options=-c%20work_mem%3D8MB";
    let start = std::time::Instant::now();
    let end = run(&url, &["status", "--wait", "10m"]);
    assert_eq!(end.code, Some(3), "{end:?}");
    assert!(end.stderr.contains("(SQLSTATE 08P01)\nHINT: A pooler"), "{end:?}");
    // It would have been ten minutes.
    assert!(start.elapsed().as_secs() < 120, "{end:?}");
}
