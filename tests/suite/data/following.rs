//! Services of the original system write into their generic table, as their adapter does, statement by statement; and what
//! they write is checked, typed and audited here.

use std::thread;

use postgres::{Client, NoTls};
use serde_json::{Value, json};

use crate::database::{Database, quoted};
use crate::pgbouncer::PgBouncer;
use crate::server::Server;

/// What the adapter runs at its first connection.
const AT_CONNECTION: &str = "
    CREATE TABLE IF NOT EXISTS public.hacs_resources (
        id TEXT PRIMARY KEY,
        resource_type TEXT NOT NULL,
        data JSONB NOT NULL,
        created_at TIMESTAMP WITH TIME ZONE DEFAULT NOW(),
        updated_at TIMESTAMP WITH TIME ZONE DEFAULT NOW(),
        created_by TEXT,
        updated_by TEXT
    );
    CREATE INDEX IF NOT EXISTS idx_hacs_resources_type ON public.hacs_resources(resource_type);
    CREATE INDEX IF NOT EXISTS idx_hacs_resources_created_at ON public.hacs_resources(created_at);
    CREATE INDEX IF NOT EXISTS idx_hacs_resources_data_gin ON public.hacs_resources USING GIN (data);
";

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
    service.batch_execute(AT_CONNECTION).unwrap();
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

#[test]
fn eight_connections_at_once_leave_both_tables_alike_directly_and_through_pgbouncer() {
    let server = Server::start(&[]);
    let database = Database::migrated_on(&server);
    follow(&database, "note");
    let bouncer = PgBouncer::start(&server, 4);
    let connect = |through: bool| {
        if through { Client::connect(&bouncer.url(&database.name), NoTls).unwrap() } else { database.client() }
    };
    thread::scope(|scope| {
        for worker in 0..8 {
            let mut service = connect(worker % 2 == 0);
            scope.spawn(move || {
                for turn in 0..25 {
                    // All of them write the same few patients, and each its own observations.
                    let shared = format!("p{}", turn % 3);
                    let own = format!("o{worker}-{turn}");
                    // Through a pooler of transactions no statement can be prepared beyond one.
                    let mut transaction = service.transaction().unwrap();
                    transaction
                        .save(&patient(&shared, &format!("of {worker} in {turn}")), &format!("doctor/{worker}"))
                        .unwrap();
                    transaction.save(&observation(&own, &format!("Patient/{shared}")), "agent/1").unwrap();
                    if turn % 5 == 4 {
                        transaction.delete("Observation", &own).unwrap();
                    }
                    transaction.commit().unwrap();
                }
            });
        }
    });
    assert_eq!((refused(&database), differences(&database)), (String::new(), String::new()));
    assert_eq!(database.text("select count(*) from hacs_core.observations"), "160");
    assert_eq!(database.text("select count(*) from public.hacs_resources"), "163");
}

#[test]
fn rows_that_stood_there_before_come_in_by_steps_and_no_writer_waits_for_it() {
    let database = Database::migrated();
    let mut service = database.client();
    service.batch_execute(AT_CONNECTION).unwrap();
    service.save(&observation("o1", "Patient/p1"), "doctor/1").unwrap();
    for number in 1..=30 {
        service.save(&patient(&format!("p{number}"), "Byron"), "doctor/1").unwrap();
    }
    service.save(&json!({"resource_type": "Patient", "id": "p31"}), "doctor/1").unwrap();
    follow(&database, "refuse");
    assert_eq!(database.text("select count(*) from hacs_core.patients"), "0");
    let mut steps = database.client();
    let mut last = String::new();
    let mut read = 0;
    loop {
        let mut step = steps.transaction().unwrap();
        let row =
            step.query_one("select * from hacs_core.follow_again('public.hacs_resources', $1, 7)", &[&last]).unwrap();
        if read == 0 {
            // While a step is open, others write; even a row that it has read, once it is over.
            service.save(&patient("p99", "Hopper"), "doctor/2").unwrap();
        }
        step.commit().unwrap();
        read += row.get::<_, i64>("read");
        match row.get::<_, Option<String>>("last") {
            Some(next) => last = next,
            None => break,
        }
    }
    assert_eq!(read, 33);
    // o1 came before its patient: it is tried again.
    assert_eq!(refused(&database), "o1 observations_patient_id_fkey, p31 patients_name_present");
    assert_eq!(database.text("select refused from hacs_core.follow_again('public.hacs_resources')"), "1");
    assert_eq!(refused(&database), "p31 patients_name_present");
    assert_eq!(differences(&database), "p31 is not stored");
    assert_eq!(
        database.text("select distinct actor_id from hacs_audit.resource_changes where resource_id = 'o1'"),
        "doctor/1"
    );
}

#[test]
fn what_was_written_while_it_was_not_followed_is_seen_and_comes_in_again() {
    let database = followed("note");
    let mut service = database.client();
    service.save(&patient("p1", "Byron"), "doctor/1").unwrap();
    service.batch_execute("select hacs_core.unfollow('public.hacs_resources')").unwrap();
    service.save(&patient("p1", "King"), "doctor/1").unwrap();
    service.save(&patient("p2", "Hopper"), "doctor/1").unwrap();
    assert_eq!(database.text("select family from hacs_core.patients"), "Byron");
    assert_eq!(database.text("select to_regclass('public.hacs_resources_refused')"), "null");
    assert_eq!(database.text("select count(*) from pg_trigger where tgrelid = 'public.hacs_resources'::regclass"), "0");
    follow(&database, "refuse");
    assert_eq!(differences(&database), "p1 says something else here: family; p2 is not stored");
    database.text("select refused from hacs_core.follow_again('public.hacs_resources')");
    assert_eq!(differences(&database), "");
    service.batch_execute("update hacs_core.patients set gender = 'female', given = '{}' where id = 'p2'").unwrap();
    assert_eq!(differences(&database), "p2 says something else here: gender, given, updated_at");
}

#[test]
fn each_valid_document_says_the_same_in_both() {
    let database = followed("note");
    let mut service = database.client();
    let text = include_str!("../../data/valid.ndjson");
    // One of them is deeper than this reader goes.
    let read = |line| Some(serde_json::from_str::<Value>(line).ok()?["doc"].clone());
    let documents: Vec<Value> = text.lines().filter_map(read).collect();
    assert!(documents.len() > text.lines().count() - 3);
    let mut ids = std::collections::BTreeSet::new();
    // One id has one row here, whatever its type.
    for document in documents.iter().filter(|document| ids.insert(document["id"].to_string())) {
        service.save(document, "doctor/1").unwrap();
    }
    database.text("select refused from hacs_core.follow_again('public.hacs_resources')");
    assert_eq!((refused(&database), differences(&database)), (String::new(), String::new()));
}

#[test]
fn each_document_of_the_later_generation_says_the_same_in_both() {
    let database = followed("note");
    let mut service = database.client();
    for line in include_str!("../../data/generation-0.4/samples.ndjson").lines() {
        service.save(&serde_json::from_str::<Value>(line).unwrap()["doc"], "doctor/1").unwrap();
    }
    database.text("select refused from hacs_core.follow_again('public.hacs_resources')");
    // Those two are named in the mapping: there is no substitute for what they lack.
    assert_eq!(refused(&database), "enc-06 subject, orgc-1 organization_id");
    assert_eq!(differences(&database), "enc-06 is not stored; orgc-1 is not stored");
}

#[test]
fn a_service_needs_the_table_and_the_rights_of_the_application_and_no_more() {
    let database = Database::migrated();
    let role = format!("{}_service", database.name);
    let quoted = quoted(&role);
    let mut owner = database.client();
    owner.batch_execute(&format!("create role {quoted} login")).unwrap();
    owner.batch_execute(&format!("
        select hacs_core.make_generic_table();
        alter table public.hacs_resources owner to {quoted};
        grant create on schema public to {quoted};
        grant usage on schema hacs_core, hacs_clinical, hacs_registry, hacs_agents, hacs_audit to {quoted};
        grant select, insert, update, delete on all tables in schema hacs_core, hacs_clinical, hacs_registry, hacs_agents to {quoted};
        grant execute on all functions in schema hacs_core, hacs_clinical, hacs_registry, hacs_agents to {quoted};
        select hacs_core.follow('public.hacs_resources', 'note');
    ")).unwrap();
    let mut service = database.client_as(&role);
    service.batch_execute(AT_CONNECTION).unwrap();
    service.save(&patient("p1", "Byron"), "doctor/1").unwrap();
    service.save(&json!({"resource_type": "Patient", "id": "p2"}), "doctor/1").unwrap();
    assert_eq!(
        (refused(&database), changes(&database)),
        ("p2 patients_name_present".into(), "INSERT Patient p1 doctor/1".into())
    );
    // It cannot end it, nor see the trail; what it can do to its own table, verify tells.
    assert_eq!(
        service.batch_execute("select hacs_core.unfollow('public.hacs_resources')").unwrap_err().code().unwrap().code(),
        "42501"
    );
    assert_eq!(
        service.batch_execute("select from hacs_audit.resource_changes").unwrap_err().code().unwrap().code(),
        "42501"
    );
    let verify = |args: &[&str]| database.run(&[&["verify"], args].concat());
    assert_eq!(verify(&[]).code, Some(0), "{:?}", verify(&[]));
    let deep = verify(&["--deep"]);
    assert_eq!(deep.code, Some(0), "{deep:?}");
    assert!(deep.stdout.contains("refused documents public.hacs_resources"), "{deep:?}");
    service.batch_execute("alter table public.hacs_resources disable trigger hacs_follow").unwrap();
    service.save(&patient("p3", "Byron"), "doctor/1").unwrap();
    let disabled = verify(&[]);
    assert_eq!(disabled.code, Some(7), "{disabled:?}");
    assert!(disabled.stdout.contains("disabled trigger public.hacs_resources.hacs_follow"), "{disabled:?}");
    service.batch_execute("alter table public.hacs_resources enable trigger hacs_follow").unwrap();
    assert_eq!(verify(&[]).code, Some(0));
    let deep = verify(&["--deep"]);
    assert_eq!(deep.code, Some(7), "{deep:?}");
    assert!(deep.stdout.contains("1 that are not, such as Patient/p3"), "{deep:?}");
    drop(service);
    owner.batch_execute(&format!("drop owned by {quoted} cascade; drop role {quoted}")).unwrap();
}

#[test]
fn a_table_that_could_run_code_of_its_owner_is_not_read() {
    let database = followed("note");
    for prepared in [
        "alter table public.hacs_resources enable row level security",
        "create table public.heir () inherits (public.hacs_resources)",
    ] {
        let mut client = database.client();
        let mut transaction = client.transaction().unwrap();
        transaction.batch_execute(prepared).unwrap();
        for asked in [
            "follow_again('public.hacs_resources')",
            "follow_differences('public.hacs_resources')",
            "follow('public.hacs_resources')",
        ] {
            let mut savepoint = transaction.transaction().unwrap();
            let error = savepoint.batch_execute(&format!("select hacs_core.{asked}")).unwrap_err();
            assert!(message(&error).contains("is no plain table"), "{prepared}: {asked}: {error:?}");
        }
    }
    for (other, words) in [
        ("create view public.other as select * from public.hacs_resources", "is no plain table"),
        ("create table public.other (id text, data jsonb)", "is no table of the original adapter"),
    ] {
        let mut client = database.client();
        let mut transaction = client.transaction().unwrap();
        transaction.batch_execute(other).unwrap();
        let error = transaction.batch_execute("select hacs_core.follow('public.other')").unwrap_err();
        assert!(message(&error).contains(words), "{other}: {error:?}");
    }
}

#[test]
fn a_table_of_refusals_that_somebody_else_has_made_is_not_written_to() {
    let trap = "create function public.trap() returns trigger language plpgsql as
            $$ begin raise exception 'run as %', current_user; end $$;
        create table public.hacs_resources_refusals (row_id text primary key, resource_type text, id text, sqlstate text,
            field text, rule text, message text, hint text, refused_at timestamptz default now());
        create trigger trap before insert on public.hacs_resources_refusals for each row execute function public.trap();";
    // Before it is followed, and in the place of ours afterwards.
    let before = Database::migrated();
    let mut client = before.client();
    client.batch_execute(&format!("select hacs_core.make_generic_table(); {trap}")).unwrap();
    let error = client.batch_execute("select hacs_core.follow('public.hacs_resources', 'note')").unwrap_err();
    assert!(message(&error).contains("is not the table that hacs_core.follow makes"), "{error:?}");
    assert_eq!(before.text("select count(*) from pg_trigger where tgname = 'hacs_follow'"), "0");
    let after = followed("note");
    let mut client = after.client();
    client.save(&json!({"resource_type": "Patient", "id": "p1"}), "doctor/1").unwrap();
    client.batch_execute(&format!("drop table public.hacs_resources_refusals cascade; {trap}")).unwrap();
    for asked in ["follow_again('public.hacs_resources')", "follow_differences('public.hacs_resources')"] {
        let error = client.batch_execute(&format!("select hacs_core.{asked}")).unwrap_err();
        assert!(message(&error).contains("is not the table that hacs_core.follow makes"), "{asked}: {error:?}");
    }
    // Of another role, without any trigger.
    client.batch_execute("drop trigger trap on public.hacs_resources_refusals; alter table public.hacs_resources_refusals owner to pg_monitor").unwrap();
    let error = client.batch_execute("select hacs_core.follow_again('public.hacs_resources')").unwrap_err();
    assert!(message(&error).contains("is not the table that hacs_core.follow makes"), "{error:?}");
}

#[test]
fn a_table_with_an_odd_name_is_followed_like_any_other() {
    let database = Database::migrated();
    let mut client = database.client();
    client
        .batch_execute(
            r#"create schema "Odd 'Schema'"; select hacs_core.make_generic_table($$Odd 'Schema'$$, 'My "Docs"');
            select hacs_core.follow($$"Odd 'Schema'"."My ""Docs"""$$, 'note')"#,
        )
        .unwrap();
    let save = SAVE.replace("public.hacs_resources", r#""Odd 'Schema'"."My ""Docs""""#);
    client.execute(&save, &[&"p1", &"Patient", &patient("p1", "Byron").to_string(), &"doctor/1"]).unwrap();
    client.execute(&save, &[&"p2", &"Patient", &"{}", &"doctor/1"]).unwrap();
    assert_eq!(database.text(r#"select row_id from "Odd 'Schema'"."My ""Docs""_refused""#), "p2");
    let end = database.run(&["verify", "--deep"]);
    assert!(end.code == Some(0) && end.stdout.contains("1 that are not, such as Patient/p2"), "{end:?}");
    client.batch_execute(r#"drop trigger hacs_follow on "Odd 'Schema'"."My ""Docs""""#).unwrap();
    assert_eq!(database.run(&["verify"]).code, Some(7));
    client.batch_execute(r#"select hacs_core.unfollow($$"Odd 'Schema'"."My ""Docs"""$$)"#).unwrap();
    assert_eq!(database.run(&["verify"]).code, Some(0));
}
