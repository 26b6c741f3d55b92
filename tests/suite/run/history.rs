use hacs_refinery::{Error, HistoryError, Options};

use crate::database::Database;
use crate::newest::NEWEST;

/// Changes the history of a migrated database, and expects `migrate` to refuse it, touching nothing.
fn refused(change: &str, message: &str) {
    let database = Database::migrated();
    database.client().batch_execute(change).unwrap();
    let before = database.dump();

    let end = database.run(&["migrate"]);
    assert_eq!(end.code, Some(6), "{change}: {end:?}");
    assert!(end.stderr.contains(message), "{change}: {end:?}");
    assert!(end.stderr.contains("Nothing was changed"), "{change}: {end:?}");
    assert_eq!(database.dump(), before, "{change}");

    let status = database.run(&["status", "--json", "--check"]);
    assert_eq!(status.code, Some(6), "{change}: {status:?}");
    assert!(status.stdout.contains("\"migration_complete\": false"), "{change}: {status:?}");
}

#[test]
fn a_diverging_checksum_is_named() {
    refused(
        "update hacs_admin.migrations set checksum = '42' where version = 3",
        "V3 was applied as V3__clinical_workflow with checksum 42, but this binary has V3__clinical_workflow",
    );
}

#[test]
fn a_diverging_name_is_named() {
    refused(
        &format!("update hacs_admin.migrations set name = 'other' where version = {NEWEST}"),
        &format!("V{NEWEST} was applied as V{NEWEST}__other with checksum"),
    );
}

#[test]
fn a_missing_row_is_named() {
    refused(
        "delete from hacs_admin.migrations where version = 5",
        &format!("V5__hacs_agents was never applied, although V{NEWEST} was"),
    );
}

#[test]
fn an_unknown_row_between_the_known_ones_is_named() {
    refused(
        "insert into hacs_admin.migrations values (0, 'zero', '2026-01-01T00:00:00Z', '1')",
        "V0__zero was applied, but this binary has no such migration",
    );
}

#[test]
fn rows_that_cannot_be_read_are_named_each() {
    refused(
        "update hacs_admin.migrations set applied_on = 'last tuesday' where version = 2;
         update hacs_admin.migrations set checksum = '-1' where version = 4",
        "  the history row of version 2 cannot be read: applied_on is \"last tuesday\"\n  \
           the history row of version 4 cannot be read: checksum is \"-1\"\n",
    );
    refused(
        "update hacs_admin.migrations set checksum = null where version = 7",
        "the history row of version 7 cannot be read: checksum is null",
    );
}

#[test]
fn a_history_table_without_its_columns_is_named() {
    refused(
        "alter table hacs_admin.migrations drop column checksum",
        "the history table hacs_admin.migrations cannot be read: column \"checksum\" does not exist",
    );
}

#[test]
fn a_history_table_that_is_gone_does_not_start_a_second_history() {
    let database = Database::migrated();
    let expected = database.dump();
    // Every file is run again, which changes nothing, and is recorded.
    database.client().batch_execute("drop table hacs_admin.migrations").unwrap();
    let end = database.run(&["migrate"]);
    assert_eq!(end.code, Some(0), "{end:?}");
    assert!(end.stdout.contains(&format!("{NEWEST} migrations applied")), "{end:?}");
    assert_eq!(database.dump(), expected);
}

#[test]
fn each_of_refinerys_columns_is_missed_by_its_name() {
    for column in ["version", "name", "applied_on"] {
        refused(
            &format!("alter table hacs_admin.migrations drop column {column} cascade"),
            &format!("cannot be read: column \"{column}\" does not exist"),
        );
    }
}

#[test]
fn a_history_that_was_emptied_is_no_reason_to_touch_tables_of_another_shape() {
    let database = Database::migrated();
    let sql = "drop table hacs_admin.migrations; alter table hacs_agents.messages add column mine text";
    database.client().batch_execute(sql).unwrap();
    let before = database.dump();
    let end = database.run(&["migrate"]);
    assert_eq!(end.code, Some(7), "{end:?}");
    assert!(end.stderr.contains("extra column hacs_agents.messages.mine\n"), "{end:?}");
    assert_eq!(database.dump(), before);
}

#[test]
fn a_database_newer_than_the_binary_is_its_own_error_and_a_success_when_allowed() {
    let database = Database::migrated();
    let newer = "insert into hacs_admin.migrations values (100, 'later', '2026-01-01T00:00:00Z', '1')";
    database.client().batch_execute(newer).unwrap();

    let end = database.run(&["migrate"]);
    assert_eq!(end.code, Some(6), "{end:?}");
    let beyond = format!("this database is at V100, but this binary knows migrations up to V{NEWEST} only");
    assert!(end.stderr.contains(&beyond), "{end:?}");

    let end = database.run(&["migrate", "--allow-newer"]);
    assert_eq!(end.code, Some(0), "{end:?}");
    assert_eq!(end.stdout, "Nothing to do: the database is at V100, newer than this binary.\n");
    assert_eq!(database.run(&["status", "--check"]).code, Some(6));
}

#[test]
fn the_library_gives_the_errors_as_data() {
    let database = Database::migrated();
    database.client().batch_execute("update hacs_admin.migrations set checksum = '1' where version = 1").unwrap();
    match hacs_refinery::migrate(&mut database.client(), &Options::default()) {
        Err(Error::History(errors)) => {
            assert!(matches!(errors[..], [HistoryError::Diverged { version: 1, applied_checksum: 1, .. }]));
        }
        other => panic!("{other:?}"),
    }
}
