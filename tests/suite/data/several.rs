//! Documents of several parts, bundles of several documents, and the search for them.

use serde_json::{Value, json};

use crate::data::put::{document, get, put, reason};
use crate::database::Database;
use crate::documents;

#[test]
fn contacts_and_qualifications_stand_in_their_tables_and_in_the_document_of_their_organization() {
    let database = Database::migrated();
    let mut client = database.client();
    let contact = |id: Option<&str>, city: &str| {
        let mut contact = json!({"resource_type": "OrganizationContact", "city": city, "odd": 1});
        if let Some(id) = id {
            contact["id"] = json!(id);
        }
        contact
    };
    let organization = |id: &str, contacts: Vec<Value>| {
        json!({"resource_type": "Organization", "id": id, "name": "O", "contacts": contacts,
            "qualifications": [{"id": format!("{id}-q"), "code": {}, "issuer_organization_id": "nobody"}]})
    };
    let first = organization("o", vec![contact(Some("b"), "B"), contact(None, "A"), contact(Some("c"), "C")]);
    assert!(put(&mut client, &first, None).unwrap().created);
    let cities = "select string_agg(city, ' ' order by position) from hacs_core.organization_contacts";
    assert_eq!(database.text(cities), "B A C");
    let found = get(&mut client, "Organization", "o");
    assert_eq!((found["contacts"].as_array().unwrap().len(), &found["contacts"][2]["odd"]), (3, &json!(1)));
    // made-up ids are made up in the same way again
    assert_eq!(put(&mut client, &first, None).unwrap().version, 1);
    assert_eq!(put(&mut client, &found, None).unwrap().version, 1);
    // a change of a part is one of the whole
    let second = organization("o", vec![contact(Some("c"), "C"), contact(Some("b"), "D")]);
    assert_eq!(put(&mut client, &second, Some(1)).unwrap().version, 2);
    assert_eq!(database.text(cities), "C D");
    client.batch_execute("select hacs_core.remove('OrganizationContact', 'c')").unwrap();
    assert_eq!(reason(&put(&mut client, &second, Some(2)).err().unwrap()).0, "40001");
    let stolen = organization("other", vec![contact(Some("b"), "B")]);
    let error = put(&mut client, &stolen, None).err().unwrap();
    assert_eq!(reason(&error).2, "organization_contacts_pkey");
    assert_eq!(database.text("select count(*) from hacs_core.organizations"), "1");
    let alone = json!({"resource_type": "OrganizationContact", "id": "n", "organization_id": "o", "city": "N"});
    put(&mut client, &alone, None).unwrap();
    assert_eq!(get(&mut client, "OrganizationContact", "n")["organization_id"], "o");
    let without = json!({"resource_type": "Organization", "id": "o", "name": "O"});
    put(&mut client, &without, None).unwrap();
    assert_eq!(database.text("select count(*) from hacs_core.organization_contacts"), "0");
    let error =
        put(&mut client, &json!({"resource_type": "Organization", "name": "O", "contacts": null}), None).err().unwrap();
    assert_eq!(reason(&error), ("22023".into(), "contacts".into(), String::new()));
}

#[test]
fn a_patient_with_records_is_not_removed_and_the_error_says_why() {
    let database = Database::migrated();
    let mut client = database.client();
    client
        .batch_execute(
            "insert into hacs_core.patients (id, family) values ('p', 'P');
        insert into hacs_core.observations (subject, value_integer) values ('Patient/p', 1)",
        )
        .unwrap();
    let error = client.batch_execute("select hacs_core.remove('Patient', 'p')").unwrap_err();
    let db = error.as_db_error().unwrap();
    assert_eq!(db.message(), "Patient/p is still referred to: observations_patient_id_fkey, in hacs_core.observations");
    assert_eq!((db.detail(), db.code().code()), (None, "23503"));
    let error =
        put(&mut client, &json!({"resource_type": "Observation", "subject": "Patient/q", "value_integer": 1}), None)
            .err()
            .unwrap();
    assert_eq!(error.as_db_error().unwrap().message(), "Observation.subject refers to Patient/q, which is not here");
}

#[test]
fn a_bundle_goes_in_whole_or_not_at_all() {
    let database = Database::migrated();
    let mut client = database.client();
    let entry = |resource: Value| json!({"fullUrl": "urn:x", "resource": resource});
    let message = |id: &str, reply: &str| {
        entry(json!({"resource_type": "AgentMessage", "id": id, "role": "agent", "content": "x", "in_reply_to": reply}))
    };
    let bundle =
        |entries: Vec<Value>| json!({"resourceType": "Bundle", "type": "transaction", "entry": entries}).to_string();
    let good =
        bundle(vec![message("a", "b"), message("b", "a"), entry(json!({"resourceType": "Patient", "full_name": "X"}))]);
    let rows = client
        .query("select ordinal, resource_type, version_id, created from hacs_core.put_all($1::text::jsonb)", &[&good])
        .unwrap();
    assert_eq!(rows.iter().map(|row| row.get::<_, i64>(0)).collect::<Vec<_>>(), [1, 2, 3]);
    assert!(rows.iter().all(|row| row.get::<_, i64>(2) == 1 && row.get(3)));
    let bad = bundle(vec![message("c", "nobody"), entry(json!({"resourceType": "Patient", "full_name": "Y"}))]);
    let error = client.query("select hacs_core.put_all($1::text::jsonb)", &[&bad]).err().unwrap();
    assert_eq!(reason(&error).2, "messages_in_reply_to_id_fkey");
    assert_eq!(database.text("select count(*) from hacs_core.patients"), "1");
    for odd in
        ["7", "{\"resourceType\": \"Bundle\"}", "[null]", "{\"resourceType\": \"Patient\", \"entry\": []}", "[[]]"]
    {
        assert_eq!(
            reason(&client.query("select hacs_core.put_all($1::text::jsonb)", &[&odd]).err().unwrap()).0,
            "22023",
            "{odd}"
        );
    }
}

#[test]
fn search_asks_what_an_index_serves_and_says_what_that_is() {
    let database = Database::migrated();
    let mut client = database.client();
    for sample in documents::valid() {
        let mut transaction = client.transaction().unwrap();
        transaction.batch_execute("set constraints all deferred").unwrap();
        put(&mut transaction, &document(&sample), None).unwrap();
        transaction.commit().unwrap();
    }
    client.batch_execute(
        "insert into hacs_core.patients (id, family, birth_date, identifiers) values ('s', 'Sommer', '1985-04-03', '[{\"system\": \"mrn\", \"value\": \"1\"}]');
         insert into hacs_core.observations (id, subject, code, value_integer) values ('s', 'Patient/s', '{\"coding\": [{\"system\": \"l\", \"code\": \"c\"}]}', 1);
         insert into hacs_clinical.conditions (id, subject, clinical_status, code) values ('s', '{\"reference\": \"Patient/s\"}', 'active', '{\"coding\": [{\"code\": \"c\"}]}');
         insert into hacs_core.observations (subject, value_integer) select 'urn:x', n from generate_series(1, 3000) as n;
         analyze",
    ).unwrap();
    let found = [
        ("Patient", r#"{"id": "s"}"#),
        ("Patient", r#"{"family": "SOMMER"}"#),
        ("Patient", r#"{"birth_date": "1985-04-03"}"#),
        ("Patient", r#"{"identifiers": "mrn|1"}"#),
        ("Patient", r#"{"identifiers": [{"value": "1"}], "birth_date": "1985-04-03"}"#),
        ("Observation", r#"{"subject": "Patient/s"}"#),
        ("Observation", r#"{"code": "l|c"}"#),
        ("Condition", r#"{"subject": {"reference": "Patient/s"}}"#),
        ("Condition", r#"{"code": "c", "clinical_status": "active"}"#),
    ];
    for (resource_type, criteria) in found {
        let query =
            format!("select string_agg(d ->> 'id', ' ') from hacs_core.search('{resource_type}', '{criteria}') as d");
        assert_eq!(database.text(&query), "s", "{resource_type} {criteria}");
        let mut session = database.client();
        let statement: String = session
            .query_one(&format!("select hacs_core.search_statement('{resource_type}', '{criteria}')"), &[])
            .unwrap()
            .get(0);
        session.batch_execute("set enable_seqscan = off").unwrap();
        let plan = session.simple_query(&format!("explain {statement}")).unwrap();
        let text = format!("{plan:?}");
        assert!(text.contains("Index Cond") && !text.contains("Seq Scan"), "{resource_type} {criteria}: {text}");
    }
    let refused = [
        ("Patient", r#"{"gender": "male"}"#, Some("gender")),
        ("Condition", r#"{"code": "c"}"#, Some("code")),
        ("Condition", r#"{"code": "c", "clinical_status": "resolved"}"#, Some("code")),
        ("Observation", r#"{"subject": "https://example.org/Patient/1"}"#, Some("subject")),
        ("Patient", r#"{"birth_date": "today"}"#, Some("birth_date")),
        ("Patient", "{}", None),
        ("CarePlan", r#"{"status": "x"}"#, None),
    ];
    for (resource_type, criteria, field) in refused {
        let error = client
            .query(&format!("select hacs_core.search('{resource_type}', '{criteria}')"), &[])
            .err()
            .unwrap_or_else(|| panic!("{criteria}"));
        let db = error.as_db_error().unwrap();
        assert_eq!((db.code().code(), db.column()), ("22023", field), "{error:?}");
    }
    let error = client.query("select hacs_core.search('Patient', '{\"gender\": \"x\"}')", &[]).err().unwrap();
    assert!(error.as_db_error().unwrap().hint().unwrap().contains("birth_date, family, id, identifiers"), "{error:?}");
    assert_eq!(database.text("select count(*) from hacs_core.search('Observation', '{\"code\": {}}', 2)"), "2");
}

#[test]
fn a_table_whose_columns_changed_is_named_and_attached_anew() {
    let database = Database::migrated();
    let mut client = database.client();
    let odd = "select string_agg(table_name || ' ' || documents, ', ') from hacs_core.document_coverage where documents <> 'complete'";
    assert_eq!(database.text(odd), "null");
    client.batch_execute("alter table hacs_core.patients add column nickname text").unwrap();
    assert_eq!(database.text(odd), "patients altered");
    client.batch_execute("select hacs_core.attach_documents('hacs_core.patients')").unwrap();
    assert_eq!(database.text(odd), "null");
    let given = json!({"resource_type": "Patient", "id": "p", "full_name": "X", "nickname": "N"});
    put(&mut client, &given, None).unwrap();
    assert_eq!(database.text("select nickname || ' ' || extra from hacs_core.patients"), "N {}");
    assert_eq!(get(&mut client, "Patient", "p")["nickname"], "N");
    client.batch_execute("drop function hacs_core.put_patients(jsonb, jsonb, bigint, text, integer)").unwrap();
    assert_eq!(database.text(odd), "patients missing");
    let error = client.batch_execute("select hacs_core.attach_documents('hacs_registry.templates')").unwrap_err();
    assert_eq!(error.as_db_error().unwrap().message(), "hacs_registry.templates holds no documents");
}
