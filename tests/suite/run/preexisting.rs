//! What stands in the six schemas before the first migration.

use crate::database::Database;

fn everything(database: &Database) -> String {
    hacs_refinery::manifest(&mut database.client()).unwrap().to_string()
}

#[test]
fn a_table_of_another_shape_that_stood_before_rolls_the_run_back_and_is_named() {
    let database = Database::empty();
    let sql = "create schema hacs_registry;
        create table hacs_registry.templates as select * from (values (1)) as v (mine)";
    database.client().batch_execute(sql).unwrap();
    let before = everything(&database);
    let end = database.run(&["migrate"]);
    assert_eq!(end.code, Some(6), "{end:?}");
    assert!(end.stderr.contains("hacs_registry.templates: columns not ours: mine; missing: id, name"), "{end:?}");
    assert_eq!(everything(&database), before);
}

#[test]
fn a_hidden_difference_exits_with_7_and_leaves_everything_as_it_was() {
    let database = Database::migrated();
    // The database as it is, but for its history, one constraint and one column more.
    let sql = "drop table hacs_admin.migrations;
        alter table hacs_core.patients drop constraint patients_age_range, add column mine text";
    database.client().batch_execute(sql).unwrap();
    let before = everything(&database);
    for args in [&["migrate"][..], &["migrate", "--dry-run"]] {
        let end = database.run(args);
        assert_eq!(end.code, Some(7), "{end:?}");
        assert!(end.stderr.contains("  extra column hacs_core.patients.mine\n"), "{end:?}");
        assert!(end.stderr.contains("  missing constraint hacs_core.patients.patients_age_range\n"), "{end:?}");
        assert!(end.stderr.contains("Nothing was changed"), "{end:?}");
        assert_eq!(everything(&database), before);
    }
}

#[test]
fn what_stood_before_and_is_as_it_should_be_stays_and_the_run_succeeds() {
    let database = Database::migrated();
    database.client().batch_execute("drop table hacs_admin.migrations").unwrap();
    let end = database.run(&["migrate"]);
    assert_eq!((end.code, end.stderr.as_str()), (Some(0), ""), "{end:?}");
    assert_eq!(database.run(&["verify"]).code, Some(0));
}

#[test]
fn empty_schemas_with_grants_may_stand_there() {
    let database = Database::empty();
    database.client().batch_execute("create schema hacs_core; grant usage on schema hacs_core to public").unwrap();
    let end = database.run(&["migrate"]);
    assert_eq!((end.code, end.stderr.as_str()), (Some(0), ""), "{end:?}");
    let found = hacs_refinery::verify(&mut database.client(), false).unwrap();
    assert!(found.is_good(), "{found:?}");
    assert_eq!(found.warnings[0].name, "schema hacs_core to public");
}

#[test]
fn a_run_that_ends_before_the_newest_version_checks_as_much() {
    let database = Database::empty();
    database.client().batch_execute("create schema hacs_core; create table hacs_core.mine (a int)").unwrap();
    let before = everything(&database);
    for args in [&["migrate", "--target", "2"][..], &["migrate", "--target", "2", "--dry-run"]] {
        let end = database.run(args);
        assert_eq!(end.code, Some(7), "{end:?}");
        assert!(end.stderr.contains("  extra table hacs_core.mine\n"), "{end:?}");
        assert_eq!(everything(&database), before);
    }
    database.client().batch_execute("drop table hacs_core.mine; create domain hacs_core.email as text").unwrap();
    let end = database.run(&["migrate", "--target", "2"]);
    assert_eq!(end.code, Some(7), "{end:?}");
    assert!(end.stderr.contains("  missing constraint hacs_core.email."), "{end:?}");
    database.client().batch_execute("drop domain hacs_core.email").unwrap();
    let end = database.run(&["migrate", "--target", "2"]);
    assert_eq!(end.code, Some(0), "{end:?}");
    assert_eq!(database.run(&["migrate"]).code, Some(0));
    assert_eq!(database.run(&["verify"]).code, Some(0));
}

#[test]
fn a_program_with_migrations_of_its_own_checks_as_much() {
    let own = "create table hacs_core.wards (id text); create table if not exists hacs_core.beds (id text)";
    let mut options = hacs_refinery::Options::default();
    options.migrations.push(refinery::Migration::unapplied("V100__wards.sql", own).unwrap());

    let database = Database::empty();
    database.client().batch_execute("create schema hacs_core; create table hacs_core.beds (mine text)").unwrap();
    let error = hacs_refinery::migrate(&mut database.client(), &options).unwrap_err();
    assert!(error.to_string().contains("extra table hacs_core.beds"), "{error}");

    database.client().batch_execute("drop table hacs_core.beds").unwrap();
    let report = hacs_refinery::migrate(&mut database.client(), &options).unwrap();
    assert_eq!(report.applied.len(), hacs_refinery::migrations().len() + 1);
    assert!(report.applied.iter().all(|applied| !applied.duration.is_zero()), "{report:?}");
}

#[test]
fn a_program_that_has_none_of_these_migrations_is_not_asked() {
    let database = Database::empty();
    database.client().batch_execute("create schema hacs_core; create table hacs_core.mine (a int)").unwrap();
    let mut options = hacs_refinery::Options::default();
    options.migrations =
        vec![refinery::Migration::unapplied("V1__mine.sql", "alter table hacs_core.mine add b int").unwrap()].into();
    assert_eq!(hacs_refinery::migrate(&mut database.client(), &options).unwrap().applied.len(), 1);
}
