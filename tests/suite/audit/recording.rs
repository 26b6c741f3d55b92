//! What is recorded equals what happened, by whatever way it happened.

use postgres::{Client, Row};
use serde_json::{Map, Value, json};

use crate::contract::minimal;
use crate::data::rules::with_parent;
use crate::database::Database;
use crate::documents::{self, Sample};

/// The trail as lines of `operation type/id fields`, without that of the database's own set-up.
pub fn trail(client: &mut Client) -> Vec<String> {
    let query = "
        select format('%s %s/%s%s%s', operation, resource_type, resource_id, ' was ' || previous_id, ' ' || changed_fields::text)
        from hacs_audit.resource_changes
        order by change_id";
    client.query(query, &[]).unwrap().iter().map(|row| row.get(0)).collect()
}

fn patients(client: &mut Client) {
    client.batch_execute("insert into hacs_core.patients (id, family) values ('p', 'Before')").unwrap();
}

#[test]
fn every_audited_table_records_insert_update_and_delete() {
    let database = Database::migrated();
    let mut client = database.client();
    let query = "select format('%I.%I', schema_name, table_name), audit from hacs_audit.coverage order by 1";
    let tables: Vec<(String, String)> =
        client.query(query, &[]).unwrap().iter().map(|r| (r.get(0), r.get(1))).collect();
    assert_eq!(tables.len(), 28);
    with_parent(&mut client);
    for (table, coverage) in tables {
        assert_eq!(coverage, "complete", "{table}");
        let (key, column, value) = match table.as_str() {
            "hacs_core.resources" => ("id", "data", "'{\"a\": 1}'"),
            "hacs_registry.templates" => ("id", "tags", "'{x}'"),
            "hacs_admin.system_config" => ("key", "value", "'2'"),
            _ => ("id", "extra", "'{\"a\": 1}'"),
        };
        let sample = Sample {
            table: table.clone(),
            document: minimal(&table),
            context: Map::new(),
            rule: String::new(),
            field: String::new(),
        };
        let before: i64 = count(&mut client);
        let stored = documents::insert(&mut client, &sample).unwrap();
        let id = stored[key].as_str().unwrap().to_owned();
        client.execute(&format!("update {table} set {column} = {value} where {key} = $1"), &[&id]).unwrap();
        let gone =
            client.query_one(&format!("delete from {table} as t where {key} = $1 returning to_jsonb(t)::text"), &[&id]);
        let gone: Value = serde_json::from_str(gone.unwrap().get(0)).unwrap();

        let rows = last(&mut client, 3);
        assert_eq!(count(&mut client) - before, 3, "{table}");
        let without_column = if table.ends_with("templates") { "Template" } else { "SystemConfig" };
        let resource_type = stored.get("resource_type").and_then(Value::as_str).unwrap_or(without_column);
        for (row, operation) in rows.iter().zip(["INSERT", "UPDATE", "DELETE"]) {
            assert_eq!(row.get::<_, String>("operation"), operation, "{table}");
            assert_eq!(row.get::<_, String>("resource_type"), resource_type, "{table}");
            assert_eq!(row.get::<_, String>("resource_id"), id, "{table}");
            assert_eq!(
                format!("{}.{}", row.get::<_, String>("schema_name"), row.get::<_, String>("table_name")),
                table
            );
        }
        let fields: Vec<String> = rows[1].get("changed_fields");
        assert!(fields.contains(&column.to_owned()) && !fields.contains(&"id".to_owned()), "{table} {fields:?}");
        let old: Value = serde_json::from_str(rows[2].get("old_text")).unwrap();
        assert_eq!(old, gone, "{table}");
    }
}

fn count(client: &mut Client) -> i64 {
    client.query_one("select count(*) from hacs_audit.resource_changes", &[]).unwrap().get(0)
}

fn last(client: &mut Client, number: i64) -> Vec<Row> {
    let query = "
        select operation::text, schema_name, table_name, resource_type, resource_id, patient_id, changed_fields,
            old_values::text as old_text, new_values::text as new_text, actor_id, purpose, request_id,
            session_role, acting_role, application_name, changed_at >= transaction_at as in_order,
            transaction_id = pg_current_xact_id() as same_transaction
        from (select * from hacs_audit.resource_changes order by change_id desc limit $1) as c
        order by change_id";
    client.query(query, &[&number]).unwrap()
}

#[test]
fn an_update_keeps_what_changed_before_and_after() {
    let database = Database::migrated();
    let mut client = database.client();
    patients(&mut client);
    client
        .batch_execute("update hacs_core.patients set family = 'After', given = '{A}', updated_at = '2026-01-01Z'")
        .unwrap();
    let row = &last(&mut client, 1)[0];
    let text = |column| serde_json::from_str::<Value>(row.get(column)).unwrap();
    assert_eq!(row.get::<_, Vec<String>>("changed_fields"), ["updated_at", "given", "family"]);
    assert_eq!((&text("old_text")["family"], &text("new_text")["family"]), (&json!("Before"), &json!("After")));
    assert_eq!((&text("old_text")["given"], &text("new_text")["given"]), (&Value::Null, &json!(["A"])));
    assert_eq!(text("new_text").as_object().unwrap().len(), 3);
}

#[test]
fn an_update_that_changes_nothing_but_its_time_leaves_no_row() {
    let database = Database::migrated();
    let mut client = database.client();
    patients(&mut client);
    client
        .batch_execute(
            "update hacs_core.patients set family = 'Before'; update hacs_core.patients set updated_at = now()",
        )
        .unwrap();
    assert_eq!(trail(&mut client), ["INSERT Patient/p"]);
}

#[test]
fn every_way_of_writing_is_recorded() {
    // each begins with patient p, whose insertion is the first line
    let cases: &[(&str, &[&str])] = &[
        (
            "insert into hacs_core.patients (id, family) values ('p', 'x') on conflict (id) do update set family = 'Upsert'",
            &["UPDATE Patient/p {updated_at,family}"],
        ),
        (
            "insert into hacs_core.patients (id, family) values ('q', 'x') on conflict (id) do update set family = 'Upsert'",
            &["INSERT Patient/q"],
        ),
        ("insert into hacs_core.patients (id, family) values ('p', 'x') on conflict do nothing", &[]),
        ("update hacs_core.patients set id = 'q'", &["UPDATE Patient/q was p {id,updated_at}"]),
        (
            "begin; savepoint s; delete from hacs_core.patients; rollback to s; update hacs_core.patients set age = 1; commit",
            &["UPDATE Patient/p {updated_at,age}"],
        ),
        ("begin; delete from hacs_core.patients; rollback", &[]),
        (
            "set session_replication_role = replica; update hacs_core.patients set age = 1; reset session_replication_role",
            &["UPDATE Patient/p {age}"],
        ),
        (
            "insert into hacs_core.organizations (id, name) values ('o', 'O');
          insert into hacs_core.organization_contacts (id, organization_id) values ('c', 'o');
          delete from hacs_core.organizations",
            &[
                "INSERT Organization/o",
                "INSERT OrganizationContact/c",
                "DELETE OrganizationContact/c",
                "DELETE Organization/o",
            ],
        ),
        (
            "with gone as (delete from hacs_core.patients returning family)
          insert into hacs_core.patients (id, family) select 'q', family from gone",
            &["DELETE Patient/p", "INSERT Patient/q"],
        ),
        (
            "do $$ begin
              update hacs_core.patients set age = 1;
              begin update hacs_core.patients set age = 2; raise exception 'x'; exception when others then null; end;
          end $$",
            &["UPDATE Patient/p {updated_at,age}"],
        ),
    ];
    for (sql, expected) in cases {
        let database = Database::migrated();
        let mut client = database.client();
        patients(&mut client);
        client.batch_execute(sql).unwrap();
        let lines = trail(&mut client);
        assert_eq!(lines[0], "INSERT Patient/p");
        let mut found: Vec<&str> = lines[1..].iter().map(String::as_str).collect();
        let mut expected = expected.to_vec();
        // The order in which one statement's parts fire is PostgreSQL's own.
        found.sort_unstable();
        expected.sort_unstable();
        assert_eq!(found, expected, "{sql}");
    }
}

#[test]
fn copy_is_recorded_row_by_row() {
    use std::io::Write;
    let database = Database::migrated();
    let mut client = database.client();
    let mut writer = client.copy_in("copy hacs_core.patients (id, family) from stdin").unwrap();
    writer.write_all(b"a\tA\nb\tB\n").unwrap();
    writer.finish().unwrap();
    assert_eq!(trail(&mut client), ["INSERT Patient/a", "INSERT Patient/b"]);
}

#[test]
fn two_writers_at_once_are_both_recorded() {
    let database = Database::migrated();
    patients(&mut database.client());
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let mut client = database.client();
            std::thread::spawn(move || {
                for n in 0..25 {
                    let sql = format!("update hacs_core.patients set age = {n}, phone = '{writer}-{n}'");
                    client.batch_execute(&sql).unwrap();
                }
            })
        })
        .collect();
    writers.into_iter().for_each(|writer| writer.join().unwrap());
    assert_eq!(trail(&mut database.client()).len(), 101);
    // The chain of old and new values has no break: each update saw what the one before had written.
    let breaks = "select count(*) from (
            select old_values -> 'phone' as before, lag(new_values -> 'phone') over (order by change_id) as after
            from hacs_audit.resource_changes where operation = 'UPDATE'
        ) as c where before <> after";
    assert_eq!(database.text(breaks), "0");
}

#[test]
fn the_actor_is_recorded_and_gone_at_the_end_of_the_transaction() {
    let database = Database::migrated();
    let mut client = database.client();
    client.batch_execute("set application_name = 'ward app'").unwrap();
    client
        .batch_execute(
            "begin; select hacs_audit.set_actor('practitioner/42', purpose => 'treatment', request_id => 'r1');
             insert into hacs_core.patients (id, family) values ('p', 'P'); commit;
             insert into hacs_core.patients (id, family) values ('q', 'Q')",
        )
        .unwrap();
    let rows = last(&mut client, 2);
    let told =
        |row: &Row| -> Vec<Option<String>> { ["actor_id", "purpose", "request_id"].map(|c| row.get(c)).to_vec() };
    assert_eq!(told(&rows[0]), ["practitioner/42", "treatment", "r1"].map(|text| Some(text.to_owned())));
    assert_eq!(told(&rows[1]), [None, None, None]);
    assert_eq!(rows[0].get::<_, Option<String>>("application_name").as_deref(), Some("ward app"));
    assert!(rows[0].get::<_, bool>("in_order"));
}

#[test]
fn without_an_actor_nothing_is_written_where_one_is_required() {
    let database = Database::migrated();
    let mut client = database.client();
    patients(&mut client);
    client
        .batch_execute(
            "begin; select hacs_audit.set_actor('me');
        insert into hacs_admin.system_config (key, value) values ('audit.require_actor', 'true'); commit",
        )
        .unwrap();
    for sql in [
        "insert into hacs_core.patients (family) values ('x')",
        "update hacs_core.patients set age = 1",
        "delete from hacs_core.patients",
    ] {
        let error = client.batch_execute(sql).unwrap_err();
        let db = error.as_db_error().unwrap();
        assert_eq!(db.message(), "this transaction has no actor, and audit.require_actor is set");
        assert!(db.hint().unwrap().contains("hacs_audit.set_actor("));
    }
    client
        .batch_execute("begin; select hacs_audit.set_actor('me'); update hacs_core.patients set age = 1; commit")
        .unwrap();
    assert_eq!(database.text("select age from hacs_core.patients"), "1");
}

#[test]
fn the_patient_is_known_for_everything_that_belongs_to_one() {
    let database = Database::migrated();
    let mut client = database.client();
    for sample in documents::valid() {
        let _ = documents::insert(&mut client, &sample);
    }
    let query = "select count(*) from hacs_audit.resource_changes as c
        where c.resource_type = 'Observation' and c.patient_id is distinct from (
            select o.patient_id from hacs_core.observations as o where o.id = c.resource_id)";
    assert_eq!(database.text(query), "0");
    assert_eq!(
        database.text("select string_agg(distinct resource_type, ' ' order by resource_type) from hacs_audit.resource_changes where patient_id is not null"),
        "AgentMessage AllergyIntolerance Appointment Condition Encounter FamilyMemberHistory Goal GuidanceResponse \
         MedicationRequest Observation Patient Procedure RiskAssessment ServiceRequest Task",
    );
}

#[test]
fn truncation_is_refused_and_where_it_is_allowed_every_row_is_kept() {
    let database = Database::migrated();
    let mut client = database.client();
    patients(&mut client);
    let error = client.batch_execute("truncate hacs_core.patients cascade").unwrap_err();
    assert!(error.as_db_error().unwrap().message().starts_with("TRUNCATE of "), "{error:?}");
    client
        .batch_execute("begin; set local hacs_audit.allow_truncate = 'on'; truncate hacs_core.patients cascade; commit")
        .unwrap();
    let lines = trail(&mut client);
    assert!(
        lines.contains(&"DELETE Patient/p".to_owned()) && lines.contains(&"TRUNCATE patients/".to_owned()),
        "{lines:?}"
    );
    assert_eq!(database.text("select hacs_audit.as_of('Patient', 'p', clock_timestamp())"), "null");
    client.batch_execute("truncate hacs_core.patients cascade").expect_err("the permission was for one transaction");
}
