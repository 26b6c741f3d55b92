//! A database that other means have made of exactly these files.

use hacs_refinery::{Error, Options, baseline, migrate};

use crate::database::Database;
use crate::newest::NEWEST;

/// As psql makes it, file by file.
fn by_hand() -> Database {
    let database = Database::empty();
    for migration in hacs_refinery::migrations() {
        database.client().batch_execute(migration.sql().unwrap()).unwrap();
    }
    database
}

#[test]
fn what_other_means_have_made_of_these_files_is_recorded_and_then_as_migrated() {
    let database = by_hand();
    let end = database.run(&["baseline"]);
    assert_eq!(
        (end.code, end.stdout.as_str()),
        (Some(0), format!("As migrated: {NEWEST} migrations recorded; the database is at V{NEWEST}.\n").as_str()),
        "{end:?}"
    );
    assert_eq!(database.run(&["status", "--check"]).code, Some(0));
    assert_eq!(database.run(&["verify"]).code, Some(0));
    let again = database.run(&["baseline"]);
    assert_eq!(
        (again.code, again.stdout.as_str()),
        (Some(0), format!("Nothing to do: the history says V{NEWEST} already.\n").as_str())
    );
    assert_eq!(migrate(&mut database.client(), &Options::default()).unwrap().applied, []);
    assert_eq!(database.dump(), Database::migrated().dump());
}

#[test]
fn anything_else_is_refused_with_the_differences_and_nothing_is_recorded() {
    let database = by_hand();
    database.client().batch_execute("alter table hacs_core.patients drop constraint patients_gender_valid").unwrap();
    let before = database.dump();
    let end = database.run(&["baseline"]);
    assert_eq!(end.code, Some(7), "{end:?}");
    let words = [
        "is not what the migrations make",
        "missing constraint hacs_core.patients.patients_gender_valid",
        "Nothing was recorded.",
    ];
    assert!(words.iter().all(|words| end.stderr.contains(words)), "{end:?}");
    assert_eq!(database.text("select count(*) from hacs_admin.migrations"), "0");
    assert_eq!(database.dump(), before);

    let empty = Database::empty();
    assert_eq!(empty.run(&["baseline"]).code, Some(7));
    assert_eq!(empty.text("select count(*) from pg_namespace where nspname like 'hacs%'"), "0");
}

#[test]
fn a_history_that_has_begun_is_continued_by_migrate_and_not_by_this() {
    let database = Database::empty();
    assert_eq!(database.run(&["migrate", "--target", "3"]).code, Some(0));
    let error = baseline(&mut database.client(), &Options::default()).unwrap_err();
    assert!(matches!(error, Error::Recorded(3)), "{error:?}");
    assert_eq!(database.run(&["baseline"]).code, Some(6));
}
