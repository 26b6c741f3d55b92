use std::collections::BTreeSet;
use std::process::{Command, Stdio};

use hacs_refinery::{Options, rehearse};
use refinery::Migration;
use serde_json::Value;

use crate::database::{Database, ended};
use crate::newest::{EMBEDDED, NEWEST};

fn with_one_more(sql: &str) -> Options {
    let mut options = Options::default();
    options.migrations.push(Migration::unapplied("V100__mine.sql", sql).unwrap());
    options
}

#[test]
fn a_dry_run_reports_every_migration_and_leaves_nothing_behind() {
    let database = Database::empty();
    let end = database.run(&["migrate", "--dry-run"]);
    assert_eq!((end.code, end.stderr.as_str()), (Some(0), ""), "{end:?}");
    let lines: Vec<&str> = end.stdout.lines().collect();
    assert_eq!(lines.len(), EMBEDDED + 1, "{end:?}");
    assert!(lines[0].starts_with("V1   hacs_core ") && lines[0].ends_with(" ms  0 rows changed"), "{end:?}");
    assert_eq!(lines[EMBEDDED], "Rolled back: nothing was changed.");
    assert_eq!(database.text("select count(*) from pg_namespace where nspname like 'hacs%'"), "0");

    database.run(&["migrate"]);
    assert_eq!(database.run(&["migrate", "--dry-run"]).stdout, "Nothing to do: nothing is pending.\n");
}

#[test]
fn a_dry_run_counts_rows_and_names_the_locks_on_tables_that_were_there() {
    let database = Database::migrated();
    database.client().batch_execute("insert into hacs_core.patients (family) values ('A'), ('B'), ('C')").unwrap();
    let options = with_one_more(
        "create table hacs_core.wards (id int primary key);
         alter table hacs_core.patients add column ward int;
         do $$ begin update hacs_core.patients set language = 'en' where family < 'C'; end $$;",
    );
    let found = rehearse(&mut database.client(), &options).unwrap();
    let mine = &found.migrations[0];
    // Each update of a patient leaves a row in the audit as well.
    assert!(mine.rows >= 2 && mine.rows <= 6, "{mine:?}");
    let locks: Vec<String> = mine.locks.iter().map(|lock| format!("{}: {}", lock.table, lock.mode)).collect();
    assert!(locks.contains(&"hacs_core.patients: access exclusive".to_owned()), "{locks:?}");
    assert!(!locks.iter().any(|lock| lock.contains("wards")), "{locks:?}");
    assert_eq!(database.text("select count(*) from hacs_admin.migrations"), NEWEST.to_string());
    assert_eq!(database.text("select count(*) from hacs_core.patients where language = 'en'"), "0");
}

#[test]
fn a_dry_run_fails_as_the_run_would() {
    let database = Database::migrated();
    let error = rehearse(&mut database.client(), &with_one_more("select 1;\nselect wrong;")).unwrap_err().to_string();
    assert!(error.starts_with("V100__mine.sql, line 2: column \"wrong\" does not exist (SQLSTATE 42703)"), "{error}");
}

/// Every kind of statement of which the text tells the lock: what is told before the run is what PostgreSQL takes.
#[test]
fn a_rehearsal_and_a_run_tell_the_same_locks_whatever_the_text_looks_like() {
    let patients = |mode: &str| vec![format!("hacs_core.patients {mode}")];
    for (sql, expected) in [
        ("alter table hacs_core.patients add column ward text", patients("access exclusive")),
        ("alter table hacs_core.patients validate constraint patients_age_range", patients("share update exclusive")),
        ("do $$ begin execute 'lock table hacs_core.' || 'patients in share mode'; end $$", patients("share")),
        ("alter index hacs_core.patients_pkey set (fillfactor = 90)", vec![]),
        ("create unique index mine on hacs_core.patients (family)", patients("share")),
        (
            "comment on table hacs_core.patients is 'alter table hacs_core.encounters add'",
            patients("share update exclusive"),
        ),
        ("select 'alter table hacs_core.encounters'", vec![]),
        ("lock table hacs_core.patients in exclusive mode", patients("exclusive")),
        ("drop table hacs_registry.templates", vec!["hacs_registry.templates access exclusive".to_owned()]),
        (
            "create table hacs_core.wards (id int, p text references hacs_core.patients (id))",
            patients("share row exclusive"),
        ),
    ] {
        let database = Database::migrated();
        let options = with_one_more(sql);
        let rehearsal = rehearse(&mut database.client(), &options).unwrap_or_else(|error| panic!("{sql}: {error}"));
        let report = hacs_refinery::migrate(&mut database.client(), &options).unwrap();
        let told = |locks: &mut dyn Iterator<Item = &hacs_refinery::Lock>| -> BTreeSet<String> {
            locks.map(|lock| format!("{} {}", lock.table, lock.mode)).collect()
        };
        let locks = told(&mut report.locks.iter());
        assert_eq!(told(&mut rehearsal.migrations[0].locks.iter()), locks, "{sql}");
        let strong = locks.into_iter().filter(|lock| !lock.ends_with("access share") && !lock.ends_with("row share"));
        let expected: BTreeSet<String> = expected.into_iter().collect();
        assert!(expected.is_subset(&strong.collect()), "{sql}: {:?}", report.locks);
    }
}

#[test]
fn a_migration_whose_columns_are_named_as_ours_changes_no_report() {
    for sql in [
        "select 100 as version, 12345 as seconds, 'x' as name, 'access exclusive' as mode, 'hacs_core.patients' as relation",
        "select true as locked, true as stood_before, 'a' as what, 16384 as oid; select 100, 12345",
        "create table hacs_core.mine (version int, seconds int); insert into hacs_core.mine values (100, 12345) returning *",
    ] {
        let database = Database::migrated();
        let options = with_one_more(sql);
        let rehearsal = rehearse(&mut database.client(), &options).unwrap();
        assert_eq!(rehearsal.migrations.len(), 1, "{sql}");
        assert!(rehearsal.migrations[0].rows <= 1 && rehearsal.migrations[0].locks.is_empty(), "{sql}: {rehearsal:?}");
        let report = hacs_refinery::migrate(&mut database.client(), &options).unwrap();
        let [applied] = report.applied.as_slice() else { panic!("{sql}: {report:?}") };
        assert!(applied.version == 100 && applied.duration < std::time::Duration::from_secs(600), "{sql}: {report:?}");
        assert!(report.locks.is_empty() && report.version == Some(100), "{sql}: {report:?}");
    }
}

#[test]
fn plan_shows_what_is_pending_and_touches_nothing() {
    let database = Database::empty();
    let end = database.run(&["plan"]);
    assert_eq!((end.code, end.stdout.lines().count()), (Some(0), EMBEDDED), "{end:?}");
    assert_eq!(database.text("select count(*) from pg_namespace where nspname like 'hacs%'"), "0");
    database.run(&["migrate", "--target", "6"]);
    let pending: Value = serde_json::from_str(&database.run(&["plan", "--json"]).stdout).unwrap();
    let versions: Vec<_> = pending["pending"].as_array().unwrap().iter().map(|m| m["version"].clone()).collect();
    assert_eq!((pending["version"].clone(), versions), (1.into(), (7..=NEWEST).map(Value::from).collect()));
    assert_eq!(pending["database_version"], 6);
    let applied = pending["applied"].as_array().unwrap();
    assert_eq!((applied.len(), &applied[5]["name"]), (6, &"hacs_admin".into()));
    assert!(applied[0]["applied_on"].as_str().unwrap().starts_with("20"), "{applied:?}");
    database.run(&["migrate"]);
    assert_eq!(database.run(&["plan"]).stdout, "Nothing is pending.\n");
}

#[test]
fn the_script_of_plan_makes_the_same_database_in_psql() {
    let database = Database::empty();
    let script = database.run(&["plan", "--sql"]).stdout;
    let mut psql = Command::new(crate::server::bindir().join("psql"))
        .args(["-X", "-d", &database.conninfo()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("psql starts");
    std::io::Write::write_all(&mut psql.stdin.take().unwrap(), script.as_bytes()).unwrap();
    let end = ended(psql.wait_with_output().unwrap());
    assert_eq!((end.code, end.stderr.as_str()), (Some(0), ""), "{end:?}");
    // A line for each file, and nothing of what a hundred statements answer.
    let files: String =
        hacs_refinery::migrations().iter().map(|migration| format!("{migration}.sql\n")).collect::<String>();
    assert_eq!(end.stdout, files + "All of it is committed.\n");
    assert_eq!(database.run(&["migrate"]).stdout, format!("Nothing to do: the database is at V{NEWEST}.\n"));
    assert_eq!(database.run(&["verify"]).code, Some(0));
    assert_eq!(database.run(&["plan", "--sql"]).stdout, "-- Nothing is pending.\n");
}

#[test]
fn list_and_show_print_what_is_embedded_without_a_database() {
    let list = ended(crate::database::tool(&["list"]).output().unwrap());
    assert_eq!((list.code, list.stdout.lines().count()), (Some(0), EMBEDDED), "{list:?}");
    for version in ["V3", "3", "v3"] {
        let show = ended(crate::database::tool(&["show", version]).output().unwrap());
        assert_eq!(show.stdout, include_str!("../../../migrations/V3__clinical_workflow.sql"));
    }
    let json = ended(crate::database::tool(&["list", "--json"]).output().unwrap());
    let listed: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(listed["migrations"][2]["file"], "V3__clinical_workflow.sql");
    let none = ended(crate::database::tool(&["show", "V99"]).output().unwrap());
    let refused = format!("error: there is no migration V99; the newest is V{NEWEST}\n");
    assert_eq!((none.code, none.stderr), (Some(2), refused));
}
