//! The one table of documents that the services of the Python system write: `hacs_resources`.

use serde_json::Value;

use super::{adopt, adopted, counts, reasons};
use crate::database::Database;
use crate::python::{AUGUST, SERVICE, database};

const TABLE: &str = "public.hacs_resources";

/// What people and services left there besides, and what cannot be a document.
const ODD: &str = r#"
    insert into public.hacs_resources (id, resource_type, data, created_at, updated_at) values
        ('bad', 'Patient', '{"id": "bad", "resource_type": "Patient", "full_name": "Mallory", "gender": "Mallory"}', default, default),
        ('lost', 'Observation', '{"id": "lost", "resource_type": "Observation", "subject": "Patient/bad", "value_integer": 1}', default, default),
        ('born', 'Patient', '{"id": "born", "resource_type": "Patient", "full_name": "Mallory", "birth_date": "Mallory"}', default, default),
        ('list', 'Patient', '["Mallory"]', default, default),
        ('other', 'Patient', '{"id": "Mallory", "resource_type": "Patient", "full_name": "X"}', default, default),
        ('plan', 'CarePlan', '{"title": "kept whole", "resource_type": "CarePlan"}', default, default),
        ('two', 'Patient', '{"id": "two", "resource_type": "Condition", "subject": {"reference": "Patient/p"}, "clinical_status": "active"}', default, default),
        ('bundle', 'Bundle', '{"id": "bundle", "resourceType": "Bundle", "entry": [{"resource": {"resource_type": "Patient", "id": "x"}}]}', default, default),
        ('bare', 'Patient', '{"full_name": "Bare"}', '2025-07-01 10:00+00', '2025-08-01 10:00+00');
"#;

fn service() -> Database {
    let database = Database::empty();
    database.client().batch_execute(&(SERVICE.to_owned() + ODD)).unwrap();
    database
}

const ROWS: &str = "select json_agg(r order by id) from public.hacs_resources as r";

#[test]
fn a_rehearsal_tells_what_becomes_of_each_row_and_changes_nothing() {
    let database = service();
    let before = database.dump();
    let (code, report) = adopted(&database, &["--dry-run"]);
    assert_eq!((code, &report["changed"], &report["dry_run"]), (Some(9), &false.into(), &true.into()));
    assert_eq!(counts(&report, TABLE), [11, 6, 0, 0, 5, 0]);
    assert_eq!(database.dump(), before);
    let end = adopt(&database, &["--dry-run"]);
    assert!(end.stdout.contains("public.hacs_resources: 11 rows, 6 taken over, 5 set aside\n"), "{end:?}");
    assert!(end.stdout.ends_with("Rolled back: nothing was changed.\n"), "{end:?}");
    assert_eq!(database.dump(), before);
    let end = database.run(&["migrate"]);
    assert!(
        end.code == Some(0) && end.stderr.contains("is left alone; hacs-refinery adopt --dry-run tells"),
        "{end:?}"
    );
}

#[test]
fn the_documents_of_a_service_move_in_and_what_breaks_a_rule_is_set_aside_with_its_reason() {
    let database = service();
    let rows = database.text(ROWS);
    let end = adopt(&database, &[]);
    assert_eq!(end.code, Some(9), "{end:?}");
    assert!(!(end.stdout.clone() + &end.stderr).contains("Mallory"), "values of rows are no matter of a log: {end:?}");
    assert!(end.stdout.contains("What was set aside stands in hacs_legacy.rejects"), "{end:?}");
    assert_eq!(database.text(ROWS), rows, "the table of the services stays as it is");
    assert_eq!(database.text("select to_regclass('public.idx_hacs_resources_data_gin') is not null"), "t");
    for (query, expected) in [
        ("select string_agg(id, ' ' order by id) from hacs_core.patients", "bare p"),
        ("select concat_ws(' ', patient_id, value_integer) from hacs_core.observations", "p 1"),
        ("select string_agg(id, ' ') from hacs_clinical.conditions", "two"),
        ("select string_agg(concat_ws(' ', resource_type, id), ', ' order by id) from hacs_core.resources", "Bundle bundle, CarePlan plan"),
        ("select jsonb_array_length(data -> 'entry') from hacs_core.resources where id = 'bundle'", "1"),
        (
            "select concat_ws(' ', created_at at time zone 'UTC', updated_at at time zone 'UTC') from hacs_core.patients where id = 'bare'",
            "2025-07-01 10:00:00 2025-08-01 10:00:00",
        ),
        ("select string_agg(distinct concat_ws(' ', actor_id, purpose), ', ') from hacs_audit.resource_changes", "adopt migration"),
        (
            "select string_agg(concat_ws(' ', id, code, field, constraint_name), ', ' order by id) from hacs_legacy.rejects",
            "bad 23514 gender patients_gender_valid, born 22023 birth_date, list 22023, \
             lost 23503 subject observations_patient_id_fkey, other 22023",
        ),
        ("select string_agg(distinct table_name, ' ') from hacs_legacy.rejects", TABLE),
        (
            "select count(*) from hacs_legacy.rejects as r join public.hacs_resources as t
             on t.id = coalesce(r.row ->> 'id', r.id) and t.data = r.row -> 'data' and t.resource_type = r.row ->> 'resource_type'",
            "5",
        ),
    ] {
        assert_eq!(database.text(query), expected, "{query}");
    }
    let end = database.run(&["verify", "--deep"]);
    assert_eq!(end.code, Some(0), "{end:?}");
    assert_eq!(database.text("select count(*) from pg_proc where pronamespace::regnamespace::text ~ 'temp'"), "0");
}

#[test]
fn the_reasons_are_counted_and_name_rules_and_fields_but_no_values() {
    let database = service();
    let (code, report) = adopted(&database, &[]);
    assert_eq!((code, &report["version"], &report["changed"]), (Some(9), &1.into(), &true.into()));
    let expected = [
        "Patient.birth_date is not of its kind",
        "observations_patient_id_fkey",
        "patients_gender_valid",
        "the document is no JSON object",
        "the row and its document have different ids",
    ];
    assert_eq!(reasons(&report, TABLE), expected.map(|reason| (reason.to_owned(), 1)));
    assert_eq!(report["applied"].as_array().unwrap().len(), crate::newest::EMBEDDED);
}

#[test]
fn run_again_it_takes_over_what_was_written_since_and_nothing_else() {
    let database = service();
    assert_eq!(adopt(&database, &[]).code, Some(9));
    let before = database.dump();
    let (code, report) = adopted(&database, &[]);
    assert_eq!((code, counts(&report, TABLE), &report["changed"]), (Some(0), [11, 0, 11, 0, 0, 0], &false.into()));
    assert!(adopt(&database, &[]).stdout.ends_with("Nothing to do.\n"));
    assert_eq!(database.dump(), before);
    // What was changed or removed here since stays so; what the service writes on comes in, mended rows too.
    let since = r#"
        select hacs_core.remove('Observation', 'o');
        update hacs_core.patients set family = 'here' where id = 'bare';
        insert into public.hacs_resources (id, resource_type, data) values
            ('new', 'Patient', '{"id": "new", "resource_type": "Patient", "full_name": "New"}');
        update public.hacs_resources set updated_at = now() + interval '1 s',
            data = data || '{"family": "Lovelace"}' where id = 'p';
        update public.hacs_resources set data = data || '{"family": "there"}' where id = 'bare';
        update public.hacs_resources set data = data || '{"gender": "other"}' where id = 'bad';
    "#;
    database.client().batch_execute(since).unwrap();
    let (code, report) = adopted(&database, &[]);
    assert_eq!((code, counts(&report, TABLE)), (Some(0), [12, 3, 8, 1, 0, 0]));
    let found = "select string_agg(concat_ws(' ', id, family), ', ' order by id) from hacs_core.patients";
    assert_eq!(database.text(found), "bad, bare here, new, p Lovelace");
    assert_eq!(database.text("select count(*) from hacs_core.observations"), "0");
    assert_eq!(
        database.text("select concat_ws(' ', table_name, id, newer_in) from hacs_legacy.older"),
        "public.hacs_resources bare hacs_core.patients"
    );
    assert_eq!(
        database.text("select string_agg(id, ' ' order by id) from hacs_legacy.rejects"),
        "born list lost other"
    );
}

#[test]
fn the_table_is_found_in_the_schema_that_a_connection_named_and_in_one_of_ours() {
    let database = Database::empty();
    let elsewhere = SERVICE.replace("public.", "wards.");
    let within = SERVICE
        .replace("public.", "hacs_core.")
        .replace("('p',", "('q',")
        .replace("\"p\"", "\"q\"")
        .replace("('o',", "('r',");
    let within = within.replace("\"o\"", "\"r\"").replace("Patient/p", "Patient/q");
    database
        .client()
        .batch_execute(&format!("create schema wards; create schema hacs_core; {elsewhere}; {within}"))
        .unwrap();
    let (code, report) = adopted(&database, &[]);
    assert_eq!(code, Some(0), "{report:#}");
    for table in ["wards.hacs_resources", "hacs_core.hacs_resources"] {
        assert_eq!(counts(&report, table), [2, 2, 0, 0, 0, 0], "{table}");
    }
    assert_eq!(database.text("select count(*) from hacs_core.patients"), "2");
    assert_eq!(database.text("select count(*) from hacs_legacy.hacs_resources"), "2");
    assert_eq!(database.text("select count(*) from wards.hacs_resources"), "2");
    assert_eq!(database.run(&["verify"]).code, Some(0));
}

#[test]
fn the_published_form_with_two_columns_of_documents_is_read_by_the_one_that_is_filled() {
    let database = database(AUGUST);
    let rows = r#"insert into public.hacs_resources (id, resource_type, data, full_resource) values
        ('a', 'Patient', '{"full_name": "A"}', null),
        ('b', 'Patient', '{}', '{"full_name": "B", "id": "b", "resource_type": "Patient"}')"#;
    database.client().batch_execute(rows).unwrap();
    let (code, report) = adopted(&database, &[]);
    assert_eq!((code, counts(&report, TABLE)), (Some(0), [2, 2, 0, 0, 0, 0]), "{report:#}");
    assert_eq!(database.text("select string_agg(full_name, ' ' order by id) from hacs_core.patients"), "A B");
    assert_eq!(database.run(&["verify"]).code, Some(0));
}

#[test]
fn documents_of_the_later_generation_move_in_and_come_back_as_they_were() {
    let database = service();
    let mut client = database.client();
    let mut samples = Vec::new();
    for line in include_str!("../../data/generation-0.4/samples.ndjson").lines() {
        let sample: Value = serde_json::from_str(line).unwrap();
        let (id, of_type) = (sample["doc"]["id"].as_str().unwrap(), sample["doc"]["resource_type"].as_str().unwrap());
        let insert = "insert into public.hacs_resources (id, resource_type, data) values ($1, $2, $3::text::jsonb)";
        client.execute(insert, &[&id, &of_type, &sample["doc"].to_string()]).unwrap();
        samples.push((of_type.to_owned(), id.to_owned()));
    }
    let (code, report) = adopted(&database, &[]);
    assert_eq!(code, Some(9), "{report:#}");
    // Those two are named in the mapping: there is no substitute for what they lack.
    let aside = "select string_agg(id, ' ' order by id) from hacs_legacy.rejects where id in (select id from public.hacs_resources where data ? 'meta_profile')";
    assert_eq!(database.text(aside), "enc-06 orgc-1");
    let differing = "select string_agg(t.id, ' ') from public.hacs_resources as t
        where data ? 'meta_profile' and id not in ('enc-06', 'orgc-1') and hacs_core.get(resource_type, id) is distinct from data";
    assert_eq!(database.text(differing), "null");
    assert!(samples.len() > 60);
}
