//! A database that is broken spoils no other, and says why by itself.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{List, Report};
use crate::database::{Database, ended, tool, until_it_says};
use crate::newest::{EMBEDDED, NEWEST};
use crate::proxy::Proxy;
use crate::server::{self, Server};

const LATER: &str = "insert into hacs_admin.migrations (version, name, applied_on, checksum)
    select 99, 'later', applied_on, '5' from hacs_admin.migrations where version = 1";

#[test]
fn each_ends_as_it_would_alone_and_the_worst_exit_code_is_left() {
    let well: Vec<Database> = (0..4).map(|_| Database::empty()).collect();
    let complete = Database::migrated();
    let (locked, foreign) = (Database::empty(), Database::migrated());
    let (newer, changed) = (Database::migrated(), Database::migrated());
    let mut holder = locked.client();
    holder.execute("select pg_advisory_lock($1)", &[&i64::from_be_bytes(*b"hacsmigr")]).unwrap();
    foreign.client().batch_execute("update hacs_admin.migrations set checksum = '7' where version = 2").unwrap();
    newer.client().batch_execute(LATER).unwrap();
    changed.client().batch_execute("alter table hacs_core.patients drop column family cascade").unwrap();
    let server = Server::start(&[]);
    let elsewhere = Database::on(&server);

    let mut lines = vec![
        ("down", format!("postgresql://u:hunter2@127.0.0.1:{}/x", server::free_port())),
        ("unreadable", "postgresql://u:hunter2@h:port/x".to_owned()),
        ("locked", locked.conninfo()),
        ("foreign", foreign.conninfo()),
        ("newer", newer.conninfo()),
        ("complete", complete.conninfo()),
        ("elsewhere", elsewhere.conninfo()),
    ];
    lines.extend(["a", "b", "c", "d"].into_iter().zip(well.iter().map(Database::conninfo)));
    let list = List::of(lines);
    let report = list.run(&["migrate", "--lock-timeout", "1s", "--parallel", "3"]);
    for (name, code) in [("down", 3), ("unreadable", 2), ("locked", 5), ("foreign", 6), ("newer", 6), ("complete", 0)] {
        assert_eq!(report.code(name), code, "{name}: {report:?}");
    }
    for name in ["a", "b", "c", "d", "elsewhere"] {
        let line = report.line(name);
        assert_eq!((&line["exit_code"], &line["database_version"]), (&json!(0), &json!(NEWEST)), "{line}");
        assert_eq!(line["report"]["applied"].as_array().unwrap().len(), EMBEDDED, "{line}");
    }
    assert_eq!(report.line("locked")["left"], "unchanged");
    assert_eq!(report.end.code, Some(2));
    assert_eq!(report.summary["by_exit_code"], json!({"0": 6, "2": 1, "3": 1, "5": 1, "6": 2}));
    assert_eq!(report.summary["by_version"], json!({NEWEST.to_string(): 6, "unknown": 5}));
    let said = format!("{}{}", report.end.stdout, report.end.stderr);
    assert!(!said.contains("hunter2"), "{said}");

    // The next run goes on with what is left.
    drop(holder);
    let report = list.run(&["migrate", "--allow-newer"]);
    assert_eq!((report.code("locked"), report.code("newer")), (0, 0), "{report:?}");
    assert_eq!(report.line("newer")["database_version"], 99);
    assert_eq!(report.line("a")["report"]["applied"], json!([]));
    let checked = list.run(&["status", "--check"]);
    assert_eq!((checked.code("a"), checked.code("newer"), checked.code("down")), (0, 6, 3));
    assert_eq!(checked.line("a")["report"]["total_tables"], 31);
    let alone = List::of([("changed", changed.conninfo()), ("complete", complete.conninfo())]).run(&["verify"]);
    assert_eq!((alone.code("changed"), alone.code("complete"), alone.end.code), (7, 0, Some(7)));
    assert_eq!(alone.line("complete")["report"]["result"], "as_migrated");
}

#[test]
fn one_that_hangs_keeps_no_other_waiting() {
    let server = Server::start(&[]);
    let hanging = Database::on(&server);
    let proxy = Proxy::silent_after(&server, 12);
    let others: Vec<Database> = (0..6).map(|_| Database::migrated()).collect();
    let names: Vec<String> = (0..6).map(|at| format!("db{at}")).collect();
    let (_, of_database) = hanging.conninfo().split_once("user=").map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    let through = format!("host=127.0.0.1 port={} sslmode=disable user={of_database}", proxy.port);
    let rest = names.iter().zip(&others).map(|(name, database)| (name.as_str(), database.conninfo()));
    let list = List::of([("hanging", through)].into_iter().chain(rest));
    let mut child = list.start(&["status", "--parallel", "2"]);
    let mut said = String::new();
    for _ in &others {
        said += &until_it_says(child.stdout.as_mut().unwrap(), "\n");
    }
    assert!(!said.contains("hanging"), "{said}");
    let started = Instant::now();
    server::signal(child.id(), "TERM");
    let end = ended(child.wait_with_output().unwrap());
    assert!(started.elapsed() < Duration::from_secs(6), "{:?}", started.elapsed());
    assert_eq!(end.code, Some(143), "{end:?}");
    assert!(end.stderr.contains("hanging: Nothing was changed"), "{end:?}");
}

#[test]
fn the_databases_of_a_server_are_found_by_their_names() {
    let server = Server::start(&[]);
    let database = Database::on(&server);
    for name in ["hospital_1", "hospital_2", "hospitalx3", "other"] {
        database.client().batch_execute(&format!("create database {name} template template0")).unwrap();
    }
    let args = ["migrate", "--json", "--all-databases", "hospital_*", "--parallel", "2"];
    let report = Report::of(database.run(&args));
    assert_eq!(report.names(), ["hospital_1", "hospital_2"]);
    assert_eq!(
        (report.end.code, &report.summary["by_version"]),
        (Some(0), &json!({NEWEST.to_string(): 2})),
        "{report:?}"
    );
    let end = database.run(&["status", "--all-databases", "hospital??"]);
    assert!(end.stdout.contains("hospitalx3: empty, not complete"), "{end:?}");
    assert!(end.stdout.contains("3 databases in ") && end.stdout.contains(": 3 well, 0 failed.\n"), "{end:?}");
    assert_eq!(database.run(&["status", "--all-databases", "nobody"]).code, Some(2));
}

#[test]
fn a_list_that_is_not_understood_is_refused_without_its_text() {
    for text in ["postgresql://u:hunter2@h/a\n", "a\n", "a x\na postgresql://u:hunter2@h/a\n", "\n# none\n"] {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("list");
        std::fs::write(&file, text).unwrap();
        let end = ended(tool(&["status", "--databases"]).arg(&file).output().unwrap());
        assert_eq!(end.code, Some(2), "{text}: {end:?}");
        assert!(end.stderr.contains("reading the list of databases") && !end.stderr.contains("hunter2"), "{end:?}");
    }
    let end = ended(tool(&["status", "--databases", "/nowhere"]).output().unwrap());
    assert_eq!(end.code, Some(2), "{end:?}");
}
