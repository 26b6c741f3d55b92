use std::collections::BTreeSet;
use std::process::{Command, Stdio};

use hacs_refinery::{Options, rehearse};
use refinery::Migration;
use serde_json::Value;

use crate::database::{Database, ended};

fn with_ninth(sql: &str) -> Options {
    let mut options = Options::default();
    options.migrations.push(Migration::unapplied("V9__mine.sql", sql).unwrap());
    options
}

#[test]
fn a_dry_run_reports_every_migration_and_leaves_nothing_behind() {
    let database = Database::empty();
    let end = database.run(&["migrate", "--dry-run"]);
    assert_eq!((end.code, end.stderr.as_str()), (Some(0), ""), "{end:?}");
    let lines: Vec<&str> = end.stdout.lines().collect();
    assert_eq!(lines.len(), 9, "{end:?}");
    assert!(lines[0].starts_with("V1   hacs_core ") && lines[0].ends_with(" ms  0 rows changed"), "{end:?}");
    assert_eq!(lines[8], "Rolled back: nothing was changed.");
    assert_eq!(database.text("select count(*) from pg_namespace where nspname like 'hacs%'"), "0");

    database.run(&["migrate"]);
    assert_eq!(database.run(&["migrate", "--dry-run"]).stdout, "Nothing to do: nothing is pending.\n");
}

#[test]
fn a_dry_run_counts_rows_and_names_the_locks_on_tables_that_were_there() {
    let database = Database::migrated();
    database.client().batch_execute("insert into hacs_core.patients (family) values ('A'), ('B'), ('C')").unwrap();
    let options = with_ninth(
        "create table hacs_core.wards (id int primary key);
         alter table hacs_core.patients add column ward int;
         do $$ begin update hacs_core.patients set language = 'en' where family < 'C'; end $$;",
    );
    let found = rehearse(&mut database.client(), &options).unwrap();
    let ninth = &found.migrations[0];
    // Each update of a patient leaves a row in the audit as well.
    assert!(ninth.rows >= 2 && ninth.rows <= 6, "{ninth:?}");
    let locks: Vec<String> = ninth.locks.iter().map(|lock| format!("{}: {}", lock.table, lock.mode)).collect();
    assert!(locks.contains(&"hacs_core.patients: access exclusive".to_owned()), "{locks:?}");
    assert!(!locks.iter().any(|lock| lock.contains("wards")), "{locks:?}");
    assert_eq!(database.text("select count(*) from hacs_admin.migrations"), "8");
    assert_eq!(database.text("select count(*) from hacs_core.patients where language = 'en'"), "0");
}

#[test]
fn a_dry_run_fails_as_the_run_would() {
    let database = Database::migrated();
    let error = rehearse(&mut database.client(), &with_ninth("select 1;\nselect wrong;")).unwrap_err().to_string();
    assert!(error.starts_with("V9__mine.sql, line 2: column \"wrong\" does not exist (SQLSTATE 42703)"), "{error}");
}

/// Every kind of statement of which the text tells the lock: what is told before the run is what PostgreSQL takes.
#[test]
fn the_locks_told_before_a_run_are_those_that_it_takes() {
    for sql in [
        "alter table hacs_core.patients add column ward text",
        "alter table only hacs_core.patients validate constraint patients_age_range",
        "alter table hacs_core.patients disable trigger patients_touch_updated_at",
        "alter table hacs_core.patients alter column family set statistics 500",
        "alter table hacs_core.patients add constraint mine check (family <> 'x') not valid, add column x numeric(3, 1)",
        "alter table hacs_registry.templates add constraint mine foreign key (name) references hacs_core.patients (id)",
        "create table hacs_core.wards (id int, p text references hacs_core.patients (id))",
        "create unique index mine on hacs_core.patients (family)",
        "create index if not exists mine on only hacs_core.patients using btree (family)",
        "create or replace trigger mine before update on hacs_core.patients for each row execute function hacs_core.touch_updated_at()",
        "drop trigger patients_touch_updated_at on hacs_core.patients",
        "drop table hacs_registry.templates",
        "drop index if exists hacs_core.encounters_patient_id_idx",
        "comment on table hacs_core.patients is 'x'",
        "comment on column hacs_core.patients.family is 'x'",
        "insert into hacs_core.resources (resource_type, data) select 'X', '{}' where false",
        "update hacs_core.patients set family = 'x' where false",
        "delete from hacs_core.patients where false",
        "set local hacs_audit.allow_truncate = 'on'; truncate hacs_registry.templates",
        "lock table hacs_core.patients in exclusive mode",
        "create policy mine on hacs_core.patients using (true)",
        "create statistics hacs_core.mine on family, phone from hacs_core.patients",
        "comment on schema hacs_core is 'x'",
    ] {
        let database = Database::migrated();
        let options = with_ninth(sql);
        let taken: BTreeSet<String> =
            rehearse(&mut database.client(), &options).unwrap_or_else(|error| panic!("{sql}: {error}")).migrations[0]
                .locks
                .iter()
                .filter(|lock| !["access share", "row share"].contains(&lock.mode.as_str()))
                // What triggers do is not in the text; those of the audit only add rows.
                .filter(|lock| !lock.table.starts_with("hacs_audit."))
                .map(|lock| format!("{} {}", lock.table, lock.mode))
                .collect();
        let told = told(&database, sql);
        // A lock includes all weaker ones: of several modes on one table the strongest was told.
        assert!(told.is_subset(&taken), "{sql}: told {told:?}, taken {taken:?}");
        let tables = |locks: &BTreeSet<String>| -> BTreeSet<String> {
            locks.iter().map(|lock| lock.split(' ').next().unwrap().to_owned()).collect()
        };
        assert_eq!(tables(&told), tables(&taken), "{sql}: told {told:?}, taken {taken:?}");
    }
}

/// What the embedding example logs before it applies a ninth migration, which it does.
fn told(database: &Database, sql: &str) -> BTreeSet<String> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("V9__mine.sql");
    std::fs::write(&file, sql).unwrap();
    let end = ended(
        crate::example("embed")
            .arg(&file)
            .env("DATABASE_URL", database.conninfo())
            .env("RUST_LOG", "info")
            .output()
            .unwrap(),
    );
    assert_eq!(end.code, Some(0), "{end:?}");
    let line = |line: &str| {
        let (_, rest) = line.split_once("V9 locks ")?;
        let (table, rest) = rest.split_once(" (")?;
        let (mode, _) = rest.split_once(" in mode ")?.1.split_once(':')?;
        Some(format!("{table} {mode}"))
    };
    end.stderr.lines().filter_map(line).collect()
}

#[test]
fn plan_shows_what_is_pending_and_touches_nothing() {
    let database = Database::empty();
    let end = database.run(&["plan"]);
    assert_eq!((end.code, end.stdout.lines().count()), (Some(0), 8), "{end:?}");
    assert_eq!(database.text("select count(*) from pg_namespace where nspname like 'hacs%'"), "0");
    database.run(&["migrate", "--target", "6"]);
    let pending: Value = serde_json::from_str(&database.run(&["plan", "--json"]).stdout).unwrap();
    let versions: Vec<_> = pending["pending"].as_array().unwrap().iter().map(|m| m["version"].clone()).collect();
    assert_eq!((pending["version"].clone(), versions), (1.into(), vec![7.into(), 8.into()]));
    database.run(&["migrate"]);
    assert_eq!(database.run(&["plan"]).stdout, "Nothing is pending.\n");
}

#[test]
fn the_script_of_plan_makes_the_same_database_in_psql() {
    let database = Database::empty();
    let script = database.run(&["plan", "--sql"]).stdout;
    let mut psql = Command::new(crate::server::bindir().join("psql"))
        .args(["-X", "-q", "-d", &database.conninfo()])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("psql starts");
    std::io::Write::write_all(&mut psql.stdin.take().unwrap(), script.as_bytes()).unwrap();
    let end = ended(psql.wait_with_output().unwrap());
    assert_eq!(end.code, Some(0), "{end:?}");
    assert_eq!(database.run(&["migrate"]).stdout, "Nothing to do: the database is at V8.\n");
    assert_eq!(database.run(&["verify"]).code, Some(0));
    assert_eq!(database.run(&["plan", "--sql"]).stdout, "-- Nothing is pending.\n");
}

#[test]
fn list_and_show_print_what_is_embedded_without_a_database() {
    let list = ended(crate::database::tool(&["list"]).output().unwrap());
    assert_eq!((list.code, list.stdout.lines().count()), (Some(0), 8), "{list:?}");
    for version in ["V3", "3", "v3"] {
        let show = ended(crate::database::tool(&["show", version]).output().unwrap());
        assert_eq!(show.stdout, include_str!("../../migrations/V3__clinical_workflow.sql"));
    }
    let json = ended(crate::database::tool(&["list", "--json"]).output().unwrap());
    let listed: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(listed["migrations"][2]["file"], "V3__clinical_workflow.sql");
    let none = ended(crate::database::tool(&["show", "V99"]).output().unwrap());
    assert_eq!((none.code, none.stderr.as_str()), (Some(2), "error: there is no migration V99; the newest is V8\n"));
}
