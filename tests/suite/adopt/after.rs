//! What comes before and after: strictness, mended rejects, and the end of `hacs_legacy`.

use serde_json::{Value, json};

use super::{adopt, adopted, counts};
use crate::database::Database;
use crate::python::{AUGUST, SERVICE, database};

/// Four rows that are set aside, in two tables; one of them refers to another.
fn with_rejects() -> Database {
    let database = database(AUGUST);
    let rows = r#"
        insert into hacs_core.patients (id, full_name, gender) values ('good', 'G', 'female'), ('bad', 'Mallory', 'x');
        insert into hacs_core.observations (id, status, code, subject, value_integer)
            values ('lost', 'final', '{"text": "x"}', 'Patient/bad', 1);
        insert into public.hacs_resources (id, resource_type, data) values
            ('q', 'Patient', '{"id": "q", "resource_type": "Patient", "full_name": "Q", "birth_date": "Mallory"}'),
            ('list', 'Patient', '[1]');
    "#;
    database.client().batch_execute(rows).unwrap();
    database
}

#[test]
fn strictness_changes_nothing_where_a_row_would_be_set_aside() {
    let database = with_rejects();
    let before = database.dump();
    let end = adopt(&database, &["--strict"]);
    assert_eq!(end.code, Some(9), "{end:?}");
    assert!(
        end.stdout.ends_with("Nothing was changed, since --strict was given and rows would be set aside.\n"),
        "{end:?}"
    );
    assert_eq!(database.dump(), before);
    let mend = "update hacs_core.patients set gender = 'other' where id = 'bad'; delete from public.hacs_resources";
    database.client().batch_execute(mend).unwrap();
    let end = adopt(&database, &["--strict"]);
    assert_eq!(end.code, Some(0), "{end:?}");
    assert_eq!(database.text("select count(*) from hacs_core.patients"), "2");
}

#[test]
fn rejects_that_were_mended_are_taken_in_and_the_others_stay() {
    let database = with_rejects();
    assert_eq!(adopt(&database, &[]).code, Some(9));
    let (code, report) = adopted(&database, &["--retry"]);
    assert_eq!((code, counts(&report, "public.hacs_resources")), (Some(9), [2, 0, 0, 0, 2, 0]), "{report:#}");
    let mend = r#"
        update hacs_legacy.rejects set row = jsonb_set(row, '{gender}', '"other"') where id = 'bad';
        update hacs_legacy.rejects set row = jsonb_set(row, '{data,birth_date}', '"1985-04-03"') where id = 'q';
    "#;
    database.client().batch_execute(mend).unwrap();
    let before = database.dump();
    assert_eq!(adopt(&database, &["--retry", "--dry-run"]).code, Some(9));
    assert_eq!(database.dump(), before);
    let (code, report) = adopted(&database, &["--retry"]);
    assert_eq!(code, Some(9), "{report:#}");
    assert_eq!(counts(&report, "hacs_legacy.patients"), [1, 1, 0, 0, 0, 0]);
    assert_eq!(counts(&report, "hacs_legacy.observations"), [1, 1, 0, 0, 0, 0]);
    assert_eq!(counts(&report, "public.hacs_resources"), [2, 1, 0, 0, 1, 0]);
    let found = "select string_agg(concat_ws(' ', id, gender, birth_date), ', ' order by id) from hacs_core.patients";
    assert_eq!(database.text(found), "bad other, good female, q 1985-04-03");
    assert_eq!(database.text("select patient_id from hacs_core.observations"), "bad");
    assert_eq!(database.text("select string_agg(id, ' ') from hacs_legacy.rejects"), "list");
    // what does not even fit into the columns, and what still breaks a rule, is told anew
    let spoil = r#"update hacs_legacy.rejects set row = row || '{"data": {"full_name": "L", "gender": "y"}}' where id = 'list'"#;
    database.client().batch_execute(spoil).unwrap();
    assert_eq!(adopt(&database, &["--retry"]).code, Some(9));
    assert_eq!(database.text("select constraint_name from hacs_legacy.rejects"), "patients_gender_valid");
    let spoil = r#"update hacs_legacy.rejects set row = row || '{"created_at": "Mallory"}' where id = 'list'"#;
    database.client().batch_execute(spoil).unwrap();
    let end = adopt(&database, &["--retry"]);
    assert!(end.code == Some(9) && !(end.stdout.clone() + &end.stderr).contains("Mallory"), "{end:?}");
    assert_eq!(
        database.text("select message from hacs_legacy.rejects"),
        "the row does not fit into the columns of its table"
    );
    let origin = "select count(*) from hacs_audit.resource_changes where (actor_id, purpose) is distinct from ('adopt', 'migration')";
    assert_eq!(database.text(origin), "0");
}

fn finished(database: &Database, args: &[&str]) -> (Option<i32>, Value) {
    let end = database.run(&[&["adopt", "--finish", "--json"], args].concat());
    (end.code, serde_json::from_str(&end.stdout).unwrap_or_else(|_| panic!("{end:?}")))
}

#[test]
fn hacs_legacy_goes_when_every_row_is_taken_over_or_when_it_is_said() {
    let database = with_rejects();
    let end = adopt(&database, &["--finish"]);
    assert_eq!(end.code, Some(6), "the old tables are still in the way: {end:?}");
    assert_eq!(adopt(&database, &[]).code, Some(9));
    let before = database.dump();
    let end = adopt(&database, &["--finish"]);
    assert_eq!(end.code, Some(9), "{end:?}");
    assert!(end.stdout.contains("hacs_legacy.rejects: 4 rows, 4 of them nowhere else: set aside"), "{end:?}");
    assert!(end.stdout.contains("hacs_legacy.patients: 2 rows\n"), "{end:?}");
    assert!(
        end.stdout.ends_with("Nothing was changed: 4 rows were not taken over. With --discard they go as well.\n"),
        "{end:?}"
    );
    assert_eq!(finished(&database, &["--discard", "--dry-run"]).1["dropped"], json!(false));
    assert_eq!(database.dump(), before);
    database.client().batch_execute("create view public.mine as select * from hacs_legacy.patients").unwrap();
    let end = adopt(&database, &["--finish", "--discard"]);
    assert!(
        end.code == Some(1) && end.stderr.contains("view public.mine depends on table hacs_legacy.patients"),
        "{end:?}"
    );
    database.client().batch_execute("drop view public.mine").unwrap();
    let (code, report) = finished(&database, &["--discard"]);
    assert_eq!((code, &report["dropped"]), (Some(0), &json!(true)), "{report:#}");
    assert_eq!(database.text("select to_regnamespace('hacs_legacy') is null"), "t");
    assert_eq!(database.text("select count(*) from public.hacs_resources"), "2");
    assert_eq!(database.run(&["verify"]).code, Some(0));
    // what was read once is not read again
    let (code, report) = adopted(&database, &[]);
    assert_eq!((code, counts(&report, "public.hacs_resources")), (Some(0), [2, 0, 2, 0, 0, 0]));
    assert!(adopt(&database, &["--finish"]).stdout.contains("Nothing to do: there is no hacs_legacy.\n"));
}

#[test]
fn rows_that_were_written_after_the_last_run_are_no_rows_that_were_taken_over() {
    let database = database(AUGUST);
    database.client().batch_execute("insert into hacs_core.patients (id, full_name) values ('a', 'A')").unwrap();
    assert_eq!(adopt(&database, &[]).code, Some(0));
    database.client().batch_execute("insert into hacs_legacy.patients (id, full_name) values ('b', 'B')").unwrap();
    let (code, report) = finished(&database, &[]);
    assert_eq!((code, &report["dropped"]), (Some(9), &json!(false)));
    assert_eq!(adopt(&database, &[]).code, Some(0));
    assert_eq!(database.text("select string_agg(id, ' ' order by id) from hacs_core.patients"), "a b");
    assert_eq!(finished(&database, &[]).0, Some(0));
    assert_eq!(database.text("select to_regnamespace('hacs_legacy') is null"), "t");
}

#[test]
fn what_comes_after_needs_a_database_that_was_adopted() {
    let database = Database::empty();
    database.client().batch_execute(SERVICE).unwrap();
    for args in [["--retry"], ["--finish"]] {
        let end = adopt(&database, &args);
        assert_eq!(end.code, Some(4), "{end:?}");
        assert!(
            end.stderr.contains("this database was not adopted yet")
                && end.stderr.contains("Run hacs-refinery adopt first"),
            "{end:?}"
        );
    }
    assert_eq!(database.text("select to_regnamespace('hacs_admin') is null"), "t");
}
