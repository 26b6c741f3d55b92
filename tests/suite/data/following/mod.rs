//! Services of the original system write into their generic table, as their adapter does, statement by statement; and
//! what they write is checked, typed and audited here.

mod many;
mod strangers;

use postgres::Client;
use serde_json::{Value, json};

use crate::database::Database;

/// What the adapter runs at its first connection.
fn at_connection() -> &'static str {
    let script = include_str!("../../../../deploy/original-service.sql");
    &script[script.find("create table").unwrap()..script.find("insert into").unwrap()]
}

const SAVE: &str = "
    INSERT INTO public.hacs_resources (id, resource_type, data, created_by, updated_by)
    VALUES ($1, $2, $3::text::jsonb, $4, $4)
    ON CONFLICT (id) DO UPDATE SET data = EXCLUDED.data, updated_at = NOW(), updated_by = EXCLUDED.updated_by";
const UPDATE: &str = "
    UPDATE public.hacs_resources SET data = $2::text::jsonb, updated_at = NOW(), updated_by = $4
    WHERE id = $1 AND resource_type = $3";
const DELETE: &str = "DELETE FROM public.hacs_resources WHERE id = $1 AND resource_type = $2";

const SEARCH: &str = "
    SELECT data ->> 'id' FROM public.hacs_resources WHERE resource_type = $1 AND data->>'family' = $2
    ORDER BY created_at DESC LIMIT 100";

fn patient(id: &str, family: &str) -> Value {
    // As a model is dumped: with nulls.
    json!({"resource_type": "Patient", "id": id, "family": family, "given": ["Ada"], "gender": null,
        "created_at": "2025-01-02T03:04:05.678Z", "updated_at": "2025-01-02T03:04:05.678Z", "shoe_size": 38.50})
}

fn observation(id: &str, subject: &str) -> Value {
    json!({"resource_type": "Observation", "id": id, "subject": subject, "value_integer": 1})
}

trait Adapter: postgres::GenericClient {
    fn save(&mut self, document: &Value, actor: &str) -> Result<u64, postgres::Error> {
        let (id, of_type) = (document["id"].as_str().unwrap(), document["resource_type"].as_str().unwrap());
        self.execute(SAVE, &[&id, &of_type, &document.to_string(), &actor])
    }

    fn update(&mut self, document: &Value, actor: &str) -> Result<u64, postgres::Error> {
        let (id, of_type) = (document["id"].as_str().unwrap(), document["resource_type"].as_str().unwrap());
        self.execute(UPDATE, &[&id, &document.to_string(), &of_type, &actor])
    }

    fn delete(&mut self, of_type: &str, id: &str) -> Result<u64, postgres::Error> {
        self.execute(DELETE, &[&id, &of_type])
    }
}

impl Adapter for Client {}
impl Adapter for postgres::Transaction<'_> {}

/// A migrated database with a followed table.
fn followed(mode: &str) -> Database {
    let database = Database::migrated();
    follow(&database, mode);
    database
}

fn follow(database: &Database, mode: &str) {
    let statement =
        format!("select hacs_core.make_generic_table(); select hacs_core.follow('public.hacs_resources', '{mode}')");
    database.client().batch_execute(&statement).unwrap();
}

/// What the generic table and the typed ones say differently, as one line.
fn differences(database: &Database) -> String {
    database.text(
        "select coalesce(string_agg(concat_ws(' ', row_id, difference), '; ' order by row_id), '')
        from hacs_core.follow_differences('public.hacs_resources')",
    )
}

fn refused(database: &Database) -> String {
    database.text("select coalesce(string_agg(row_id || ' ' || coalesce(rule, field), ', ' order by row_id), '') from public.hacs_resources_refused")
}

fn changes(database: &Database) -> String {
    database.text(
        "select coalesce(string_agg(concat_ws(' ', operation, resource_type, resource_id, actor_id), ', ' order by change_id), '')
        from hacs_audit.resource_changes where resource_type <> 'SystemConfig'",
    )
}

fn message(error: &postgres::Error) -> &str {
    error.as_db_error().map_or("no error of the server", |error| error.message())
}

#[test]
fn what_a_service_writes_is_stored_typed_and_audited_in_the_same_transaction() {
    let database = followed("refuse");
    let mut service = database.client();
    service.batch_execute(at_connection()).unwrap();
    service.save(&patient("p1", "Byron"), "doctor/1").unwrap();
    service.save(&patient("p1", "Lovelace"), "doctor/2").unwrap();
    service.save(&observation("o1", "Patient/p1"), "agent/1").unwrap();
    assert_eq!(service.update(&patient("p1", "King"), "doctor/3").unwrap(), 1);
    assert_eq!(service.update(&patient("p9", "Nobody"), "doctor/3").unwrap(), 0);
    let mut transaction = service.transaction().unwrap();
    transaction.save(&patient("p2", "Never"), "doctor/4").unwrap();
    transaction.rollback().unwrap();
    assert_eq!(
        database.text(
            "select string_agg(id || ' ' || family || ' ' || birth_date_or_none, ',') from (
        select id, family, coalesce(birth_date::text, '-') as birth_date_or_none from hacs_core.patients) as p"
        ),
        "p1 King -"
    );
    assert_eq!(service.query(SEARCH, &[&"Patient", &"King"]).unwrap()[0].get::<_, &str>(0), "p1");
    assert_eq!(differences(&database), "");
    assert_eq!((service.delete("Observation", "o1").unwrap(), service.delete("Patient", "p1").unwrap()), (1, 1));
    assert_eq!(service.delete("Patient", "p1").unwrap(), 0);
    assert_eq!(
        changes(&database),
        "INSERT Patient p1 doctor/1, UPDATE Patient p1 doctor/2, INSERT Observation o1 agent/1, \
         UPDATE Patient p1 doctor/3, DELETE Observation o1, DELETE Patient p1"
    );
    assert_eq!(differences(&database), "");
}

#[test]
fn an_actor_that_is_named_counts_before_the_one_of_the_row() {
    let database = followed("refuse");
    let mut service = database.client();
    let mut transaction = service.transaction().unwrap();
    transaction.execute("select hacs_audit.set_actor('doctor/9', 'treatment')", &[]).unwrap();
    transaction.save(&patient("p1", "Byron"), "doctor/1").unwrap();
    transaction.commit().unwrap();
    service.batch_execute("set hacs_audit.actor_id = 'service/7'").unwrap();
    service.delete("Patient", "p1").unwrap();
    service.batch_execute("reset hacs_audit.actor_id").unwrap();
    let mut transaction = service.transaction().unwrap();
    for (id, actor) in [("p2", "doctor/2"), ("p3", "doctor/3")] {
        transaction.save(&patient(id, "Byron"), actor).unwrap();
    }
    transaction.commit().unwrap();
    assert_eq!(
        changes(&database),
        "INSERT Patient p1 doctor/9, DELETE Patient p1 service/7, INSERT Patient p2 doctor/2, INSERT Patient p3 doctor/3"
    );
}

#[test]
fn in_the_mode_refuse_the_service_gets_the_error_that_names_the_rule() {
    let database = followed("refuse");
    let mut service = database.client();
    let mut bad = patient("p1", "Byron");
    bad["gender"] = json!("none");
    let error = service.save(&bad, "doctor/1").unwrap_err();
    assert_eq!(message(&error), "Patient.gender is refused by patients_gender_valid");
    assert_eq!(error.as_db_error().unwrap().constraint(), Some("patients_gender_valid"));
    // In the middle of a bundle: all of it goes.
    let mut transaction = service.transaction().unwrap();
    transaction.save(&patient("p2", "Byron"), "doctor/1").unwrap();
    transaction.save(&observation("o1", "Patient/nobody"), "doctor/1").unwrap_err();
    drop(transaction);
    service.save(&patient("p3", "Byron"), "doctor/1").unwrap();
    service.save(&observation("o3", "Patient/p3"), "doctor/1").unwrap();
    let error = service.delete("Patient", "p3").unwrap_err();
    assert!(message(&error).contains("still referred to"), "{error:?}");
    for (data, words) in [
        (json!({"resource_type": "Patient", "id": "p5", "family": "x"}), "another id than the row"),
        (json!("a text"), "no JSON object"),
        (json!([]), "no JSON object"),
    ] {
        let error = service.execute(SAVE, &[&"p4", &"Patient", &data.to_string(), &"a"]).unwrap_err();
        assert!(message(&error).contains(words), "{error:?}");
    }
    assert_eq!(database.text("select string_agg(id, ',' order by id) from public.hacs_resources"), "o3,p3");
    assert_eq!(
        (differences(&database), changes(&database)),
        (String::new(), "INSERT Patient p3 doctor/1, INSERT Observation o3 doctor/1".into())
    );
}

#[test]
fn in_the_mode_note_the_document_stays_and_is_listed_with_its_reason() {
    let database = followed("note");
    let mut service = database.client();
    let mut bad = patient("p1", "Byron");
    bad["gender"] = json!("none");
    let mut transaction = service.transaction().unwrap();
    transaction.save(&bad, "doctor/1").unwrap();
    transaction.save(&observation("o1", "Patient/p1"), "doctor/1").unwrap();
    transaction.save(&patient("p2", "King"), "doctor/1").unwrap();
    transaction.commit().unwrap();
    assert_eq!(refused(&database), "o1 observations_patient_id_fkey, p1 patients_gender_valid");
    assert_eq!(differences(&database), "o1 is not stored; p1 is not stored");
    // What was good and no longer is: here it stays as it was.
    let mut worse = patient("p2", "Queen");
    worse["birth_date"] = json!("yesterday");
    service.save(&worse, "doctor/2").unwrap();
    assert_eq!(refused(&database), "o1 observations_patient_id_fkey, p1 patients_gender_valid, p2 birth_date");
    assert_eq!(
        differences(&database),
        "o1 is not stored; p1 is not stored; p2 says something else here: birth_date, family"
    );
    // Mended, and what refers to it tried again.
    service.save(&patient("p1", "Byron"), "doctor/1").unwrap();
    service.save(&patient("p2", "Queen"), "doctor/2").unwrap();
    assert_eq!(refused(&database), "o1 observations_patient_id_fkey");
    assert_eq!(database.text("select refused from hacs_core.follow_again('public.hacs_resources')"), "0");
    assert_eq!((refused(&database), differences(&database)), (String::new(), String::new()));
    // What is no document at all.
    service.execute(SAVE, &[&"list", &"Patient", &"[1]", &"doctor/1"]).unwrap();
    assert_eq!((refused(&database), differences(&database)), ("list data".into(), "list is not stored".into()));
    database.text("select refused from hacs_core.follow_again('public.hacs_resources')");
    assert_eq!(refused(&database), "list data");
    service.delete("Patient", "list").unwrap();
    assert_eq!((refused(&database), differences(&database)), (String::new(), String::new()));
    // A removal that is refused is listed as well.
    service.delete("Patient", "p1").unwrap();
    assert_eq!(differences(&database), "p1 is still stored");
    service.delete("Observation", "o1").unwrap();
    assert_eq!(
        database.text("select refused from hacs_core.follow_again('public.hacs_resources', after => 'zz')"),
        "0"
    );
    assert_eq!((refused(&database), differences(&database)), (String::new(), String::new()));
    assert!(changes(&database).ends_with("DELETE Observation o1, DELETE Patient p1"), "{}", changes(&database));
}

#[test]
fn a_type_may_have_a_mode_of_its_own_and_what_is_no_fault_of_a_document_is_an_error_in_both() {
    let database = Database::migrated();
    let follow = |others: &str| {
        let statement = format!("select hacs_core.follow('public.hacs_resources', 'refuse', '{others}')");
        database.client().batch_execute(&statement)
    };
    database.client().batch_execute("select hacs_core.make_generic_table()").unwrap();
    follow(r#"{"Observation": "note"}"#).unwrap();
    let mut service = database.client();
    service.save(&observation("o1", "Patient/nobody"), "doctor/1").unwrap();
    service.save(&json!({"resource_type": "Patient", "id": "p1"}), "doctor/1").unwrap_err();
    assert_eq!(refused(&database), "o1 observations_patient_id_fkey");
    for wrong in [r#"{"Observation": "look"}"#, r#"{"Observation": null}"#, "[]"] {
        assert!(message(&follow(wrong).unwrap_err()).contains("mode refuse or note"), "{wrong}");
    }
    // Nobody may write observations any more: that is no rule that a document breaks.
    service
        .batch_execute(
            "create function public.stop() returns trigger language plpgsql as
        $$ begin raise exception 'stop' using errcode = 'insufficient_privilege'; end $$;
        create trigger stop before insert on hacs_core.observations execute function public.stop()",
        )
        .unwrap();
    let error = service.save(&observation("o2", "Patient/nobody"), "doctor/1").unwrap_err();
    assert_eq!(error.code().unwrap().code(), "42501");
}

#[test]
fn a_row_that_becomes_another_document_takes_the_old_one_away() {
    let database = followed("refuse");
    let mut service = database.client();
    service.save(&patient("x1", "Byron"), "doctor/1").unwrap();
    // The adapter's upsert leaves the type of the row: its document says what it is.
    service.save(&json!({"resource_type": "CarePlan", "id": "x1", "title": "Walk"}), "doctor/1").unwrap();
    assert_eq!(database.text("select hacs_core.get('Patient', 'x1')"), "null");
    assert_eq!(database.text("select hacs_core.get('CarePlan', 'x1') ->> 'title'"), "Walk");
    // A row with another id, and a document that leaves type and id to its row.
    service.execute("update public.hacs_resources set id = 'x2', data = data || '{\"id\": \"x2\"}'", &[]).unwrap();
    service.execute(SAVE, &[&"p7", &"Patient", &r#"{"family": "Hopper"}"#, &"doctor/1"]).unwrap();
    assert_eq!(database.text("select hacs_core.get('CarePlan', 'x1')"), "null");
    assert_eq!(database.text("select hacs_core.get('Patient', 'p7') ->> 'family'"), "Hopper");
    assert_eq!(differences(&database), "");
    let error = service.batch_execute("truncate public.hacs_resources").unwrap_err();
    assert!(message(&error).contains("its documents are followed"), "{error:?}");
}
