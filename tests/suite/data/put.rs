//! Whole documents in and out by `hacs_core.put`, `get` and the others.

use postgres::{Error, GenericClient};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Map, Value, json};

use crate::contract::{contract, minimal};
use crate::data::properties::candidate;
use crate::database::Database;
use crate::documents::{self, Sample, same};

/// The document of a sample; a contact or a qualification says whose it is.
pub(super) fn document(sample: &Sample) -> Value {
    let mut document = sample.document.clone();
    document.extend(sample.context.clone());
    Value::Object(document)
}

fn type_of(sample: &Sample) -> &'static str {
    let of_table = |resource: &&crate::contract::Resource| resource.table == sample.table;
    &contract().resources.iter().find(of_table).expect("a resource").resource_type
}

pub(super) struct Put {
    pub id: String,
    pub version: i64,
    pub created: bool,
}

pub(super) fn put(client: &mut impl GenericClient, document: &Value, if_version: Option<i64>) -> Result<Put, Error> {
    let query = "select id, version_id, created from hacs_core.put($1::text::jsonb, $2)";
    let row = client.query_one(query, &[&document.to_string(), &if_version])?;
    Ok(Put { id: row.get(0), version: row.get(1), created: row.get(2) })
}

pub(super) fn get(client: &mut impl GenericClient, resource_type: &str, id: &str) -> Value {
    let row = client.query_one("select hacs_core.get($1, $2)::text", &[&resource_type, &id]).unwrap();
    row.get::<_, Option<String>>(0).map_or(Value::Null, |text| documents::parse(&text))
}

/// What a refusal says: SQLSTATE, field and constraint.
pub(super) fn reason(error: &Error) -> (String, String, String) {
    let db = error.as_db_error().unwrap_or_else(|| panic!("{error:?}"));
    let text = |part: Option<&str>| part.unwrap_or_default().to_owned();
    (db.code().code().to_owned(), text(db.column()), text(db.constraint()))
}

#[test]
fn every_valid_document_is_given_back_as_it_was_put_and_put_again_changes_nothing() {
    let database = Database::migrated();
    let mut client = database.client();
    // a session's settings change nothing
    client
        .batch_execute("set timezone = 'Asia/Kathmandu'; set extra_float_digits = -15; set datestyle = 'sql, dmy'")
        .unwrap();
    let samples = documents::valid();
    let all: Vec<Value> = samples.iter().rev().map(document).collect();
    let rows = client.query("select * from hacs_core.put_all($1::text::jsonb)", &[&Value::Array(all).to_string()]);
    assert_eq!(rows.unwrap().len(), 115);
    let changes = database.text("select count(*) from hacs_audit.resource_changes");
    for sample in &samples {
        let given = document(sample);
        let id = given["id"].as_str().unwrap();
        let found = get(&mut client, type_of(sample), id);
        assert!(same(&given, &found), "{}:\n{given}\n{found}", sample.name());
        let again = put(&mut client, &given, None).unwrap_or_else(|error| panic!("{}: {error:?}", sample.name()));
        assert!(again.id == id && !again.created, "{}", sample.name());
    }
    assert_eq!(database.text("select count(*) from hacs_audit.resource_changes"), changes);
}

#[test]
fn every_invalid_document_is_refused_by_put_and_by_put_all_for_the_same_reason() {
    let database = Database::migrated();
    let mut client = database.client();
    for sample in documents::valid() {
        let mut transaction = client.transaction().unwrap();
        transaction.batch_execute("set constraints all deferred").unwrap();
        put(&mut transaction, &document(&sample), None).unwrap();
        transaction.commit().unwrap();
    }
    let mut refused = 0;
    for mut sample in documents::invalid() {
        // A type that no table has is kept whole: nobody can say that it is a typing mistake.
        if sample.document.get("resource_type") == Some(&json!("BogusType")) {
            continue;
        }
        if sample.table.starts_with("hacs_core.organization_") {
            sample.context.insert("organization_id".into(), "org-system".into());
        }
        let given = document(&sample);
        let name = sample.name();
        let error = put(&mut client, &given, None).err().unwrap_or_else(|| panic!("{name} was accepted"));
        let list = json!([{"resource_type": "CarePlan"}, given]).to_string();
        let of_list = client.query("select hacs_core.put_all($1::text::jsonb)", &[&list]).err();
        let of_list = of_list.unwrap_or_else(|| panic!("{name} was accepted in a list"));
        assert_eq!(reason(&error), reason(&of_list), "{name}");
        let (_, field, constraint) = reason(&error);
        assert!(!field.is_empty() || !constraint.is_empty(), "{name}: {error:?}");
        let db = error.as_db_error().unwrap();
        assert_eq!(db.detail(), None, "{name}");
        assert!(!db.where_().unwrap_or_default().to_lowercase().contains("insert"), "{name}: {:?}", db.where_());
        assert!(of_list.as_db_error().unwrap().message().starts_with("document 2 of the list: "), "{of_list:?}");
        refused += 1;
    }
    assert_eq!(refused, 89);
    assert_eq!(database.text("select count(*) from hacs_core.resources"), "0");
}

#[test]
fn values_are_taken_as_the_models_take_them_and_no_others() {
    let database = Database::migrated();
    let mut client = database.client();
    client.batch_execute("set timezone = 'America/St_Johns'; set datestyle = 'sql, mdy'").unwrap();
    let patient =
        |field: &str, value: &Value| json!({"resource_type": "Patient", "id": "p", "full_name": "X", field: value});
    let taken = [
        ("birth_date", json!("1985-04-03"), json!("1985-04-03")),
        ("birth_date", json!("1985-04-03T00:00:00"), json!("1985-04-03")),
        ("age", json!("12"), json!(12)),
        ("age", json!(12.0), json!(12)),
        ("deceased", json!("true"), json!(true)),
        ("deceased", json!("off"), json!(false)),
        ("created_at", json!("2026-01-05T10:00:00"), json!("2026-01-05T10:00:00Z")),
        ("created_at", json!("2026-01-05"), json!("2026-01-05T00:00:00Z")),
        ("created_at", json!("0001-01-01T00:00:00Z"), json!("0001-01-01T00:00:00Z")),
        ("created_at", json!("2026-01-05T10:00:00+23:00"), json!("2026-01-04T11:00:00Z")),
        ("given", json!(["a", ""]), json!(["a", ""])),
        ("odd", json!({"x": [1.50, null]}), json!({"x": [1.50, null]})),
        ("version_id", json!("mine"), json!("mine")),
    ];
    for (field, value, expected) in taken {
        put(&mut client, &patient(field, &value), None).unwrap_or_else(|error| panic!("{field} {value}: {error:?}"));
        let found = get(&mut client, "Patient", "p");
        assert!(same(&expected, &found[field]), "{field}: {value} became {}", found[field]);
    }
    let refused = [
        ("birth_date", json!("today"), "Patient.birth_date must be a day, YYYY-MM-DD, not a text like \"aaaaa\""),
        (
            "birth_date",
            json!("03/04/1985"),
            "Patient.birth_date must be a day, YYYY-MM-DD, not a text like \"99/99/9999\"",
        ),
        (
            "birth_date",
            json!("0044-03-15 BC"),
            "Patient.birth_date must be a day, YYYY-MM-DD, not a text like \"9999-99-99 aa\"",
        ),
        (
            "birth_date",
            json!("10000-01-01"),
            "Patient.birth_date must be a day, YYYY-MM-DD, not a text like \"99999-99-99\"",
        ),
        ("birth_date", json!("1985-03"), "Patient.birth_date must be a day, YYYY-MM-DD, not a text like \"9999-99\""),
        ("birth_date", json!(19850403), "Patient.birth_date must be a day, YYYY-MM-DD, not a number like 99999999"),
        (
            "birth_date",
            json!("٢٠٢٦-01-05"),
            "Patient.birth_date must be a day, YYYY-MM-DD, not a text like \"????-99-99\"",
        ),
        ("created_at", json!("now"), "Patient.created_at must be an ISO 8601 time, not a text like \"aaa\""),
        (
            "created_at",
            json!("2026-01-05 10:00 PST"),
            "Patient.created_at must be an ISO 8601 time, not a text like \"9999-99-99 99:99 aaa\"",
        ),
        ("age", json!("twelve"), "Patient.age must be a whole number, not a text like \"aaaaaa\""),
        ("age", json!(1.5), "Patient.age must be a whole number, not a number like 9.9"),
        (
            "age",
            json!(3_000_000_000_u64),
            "Patient.age must be a whole number of 32 bits, not a number like 9999999999",
        ),
        ("deceased", json!("of"), "Patient.deceased must be true or false, not a text like \"aa\""),
        ("family", json!({"a": 1}), "Patient.family must be a text, not an object"),
        ("family", json!(1), "Patient.family must be a text, not a number like 9"),
        ("given", json!("Ada"), "Patient.given must be a list of texts, not a text like \"aaa\""),
        ("given", json!(["a", 1]), "Patient.given must be a list of texts, not a list of numbers and texts"),
        ("email", json!("nope"), "Patient.email is refused by email_rfc_5322: a text like \"aaaa\""),
        ("gender", json!("m"), "Patient.gender is refused by patients_gender_valid"),
        ("active", Value::Null, "Patient.active must not be null"),
        (
            "id",
            json!(" "),
            "Patient.id is refused by patients_id_form: An id is not blank, no longer than 2048 bytes, and can be reached by a reference",
        ),
    ];
    for (field, value, message) in refused {
        let error = put(&mut client, &patient(field, &value), None).err().unwrap_or_else(|| panic!("{field} {value}"));
        let db = error.as_db_error().unwrap();
        assert_eq!((db.message(), db.column()), (message, Some(field)), "{error:?}");
    }
}

#[test]
fn other_names_of_types_and_fields_are_taken_and_must_not_contradict() {
    let database = Database::migrated();
    let mut client = database.client();
    let visit = json!({"resourceType": "Encounter", "id": "e", "class": "AMB", "status": "planned",
        "period": {"start": "2024"}, "subject": "urn:x"});
    put(&mut client, &visit, None).unwrap();
    let found = get(&mut client, "Encounter", "e");
    assert_eq!(
        (&found["class_fhir"], &found["resource_type"], found.get("class")),
        (&json!("AMB"), &json!("Encounter"), None)
    );
    let mut both = visit.clone();
    both["class_fhir"] = json!("EMER");
    let error = put(&mut client, &both, None).err().unwrap();
    assert_eq!(error.as_db_error().unwrap().message(), "Encounter.class and Encounter.class_fhir say different things");
    client.batch_execute("select hacs_core.patch('Encounter', 'e', '{\"class\": \"VR\"}')").unwrap();
    assert_eq!(get(&mut client, "Encounter", "e")["class_fhir"], "VR");
    for bad in [json!({"id": "x"}), json!([]), json!({"resource_type": "Patient", "resourceType": "Encounter"})] {
        assert_eq!(reason(&put(&mut client, &bad, None).err().unwrap()).0, "22023", "{bad}");
    }
    let plan = json!({"resourceType": "CarePlan", "id": "c", "anything": 1});
    assert!(put(&mut client, &plan, None).unwrap().created);
    assert_eq!(get(&mut client, "CarePlan", "c"), plan);
    assert_eq!(get(&mut client, "CarePlan", "nobody"), Value::Null);
    assert_eq!(
        database.text("select hacs_core.remove('CarePlan', 'c') || ' ' || hacs_core.remove('CarePlan', 'c')"),
        "true false"
    );
}

#[test]
fn what_a_document_says_replaces_all_that_was_there_and_its_times_stay() {
    let database = Database::migrated();
    let mut client = database.client();
    let given = json!({"resource_type": "Patient", "id": "p", "family": "A", "gender": "male", "odd": 1,
        "updated_at": "2020-01-01T00:00:00Z", "created_at": "2019-01-01T00:00:00Z"});
    put(&mut client, &given, None).unwrap();
    let next = json!({"resource_type": "Patient", "id": "p", "family": "B", "updated_at": "2020-01-01T00:00:00Z"});
    assert_eq!(put(&mut client, &next, None).unwrap().version, 2);
    let found = get(&mut client, "Patient", "p");
    assert!(
        same(&json!("2020-01-01T00:00:00Z"), &found["updated_at"]) && same(&given["created_at"], &found["created_at"])
    );
    assert_eq!((&found["gender"], found.get("odd")), (&Value::Null, None));
    let silent = json!({"resource_type": "Patient", "id": "p", "family": "C"});
    put(&mut client, &silent, None).unwrap();
    assert_eq!(
        database.text(
            "select updated_at = (select max(transaction_at) from hacs_audit.resource_changes) from hacs_core.patients"
        ),
        "t"
    );
    assert_eq!(put(&mut client, &silent, None).unwrap().version, 3);
    // a number is not only its value: 6.0 was measured more closely than 6
    let value = |text: &str| -> Value {
        serde_json::from_str(&format!("{{\"resource_type\": \"Observation\", \"id\": \"o\", \"subject\": \"urn:x\", \"value_quantity\": {{\"value\": {text}}}}}")).unwrap()
    };
    client.batch_execute("select hacs_core.put('{\"resource_type\": \"Observation\", \"id\": \"o\", \"subject\": \"urn:x\", \"value_quantity\": {\"value\": 6.0}}')").unwrap();
    client.batch_execute("select hacs_core.put('{\"resource_type\": \"Observation\", \"id\": \"o\", \"subject\": \"urn:x\", \"value_quantity\": {\"value\": 6.00}}')").unwrap();
    assert_eq!(
        database.text("select version_id || ' ' || (value_quantity ->> 'value') from hacs_core.observations"),
        "2 6.00"
    );
    assert!(!put(&mut client, &value("7"), None).unwrap().created);
    // what a later generation writes where a column cannot hold it
    client.batch_execute("select hacs_core.put_kept('{\"resource_type\": \"Patient\", \"id\": \"k\", \"family\": \"K\"}', '{\"birth_date\": \"1985-03\"}')").unwrap();
    assert_eq!(get(&mut client, "Patient", "k")["birth_date"], "1985-03");
}

#[test]
fn the_database_takes_and_gives_back_random_documents_as_the_models_do() {
    let database = Database::migrated();
    let mut client = database.client();
    client.batch_execute("insert into hacs_core.organizations (id, name) values ('parent', 'P')").unwrap();
    let mut transaction = client.transaction().unwrap();
    let mut faults = Vec::new();
    for resource in &contract().resources {
        for field in resource
            .fields
            .iter()
            .filter(|field| !["id", "resource_type", "contacts", "qualifications"].contains(&field.name.as_str()))
        {
            let cases = Config { cases: 8, failure_persistence: None, ..Config::default() };
            let shared = std::cell::RefCell::new(&mut transaction);
            let result = TestRunner::new(cases).run(&candidate(field), |value| {
                let mut given: Map<String, Value> = minimal(&resource.table);
                given.insert("resource_type".into(), json!(resource.resource_type));
                given.insert("id".into(), json!("random"));
                given.insert(field.name.clone(), value.clone());
                let mut outer = shared.borrow_mut();
                let mut savepoint = outer.transaction().unwrap();
                let result = put(&mut savepoint, &Value::Object(given.clone()), None);
                let found = result.is_ok().then(|| get(&mut savepoint, &resource.resource_type, "random"));
                savepoint.rollback().unwrap();
                match (result, found) {
                    (Ok(_), Some(found)) if field.takes(&value) => {
                        let stored = &found[&field.name];
                        // serde_json reads a number to the last digit but one
                        let near =
                            value.as_f64().zip(stored.as_f64()).is_some_and(|(a, b)| (a - b).abs() <= a.abs() * 1e-15);
                        prop_assert!(near || same(&value, stored), "{value} became {stored}");
                    }
                    // lenient: the whole number of "12"; or a text where later models have it and 0.3 an object
                    (Ok(_), found) => prop_assert!(
                        value.is_string()
                            || value.is_null()
                            || value.is_number()
                            || found.as_ref().is_some_and(|found| found[&field.name] == value),
                        "{value} became {found:?}"
                    ),
                    (Err(error), _) => {
                        let (code, column, constraint) = reason(&error);
                        prop_assert!(!column.is_empty() || !constraint.is_empty(), "{code}: {error:?}");
                        prop_assert!(error.as_db_error().unwrap().detail().is_none(), "{error:?}");
                    }
                }
                Ok(())
            });
            faults.extend(result.err().map(|error| format!("{}.{}: {error}", resource.table, field.name)));
        }
    }
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

/// What is refused is told by kind and form: the message, the detail, the hint and the context go into logs.
#[test]
fn no_value_of_a_refused_document_is_in_its_error() {
    let database = Database::migrated();
    let mut client = database.client();
    client
        .batch_execute(
            "alter table hacs_core.patients add column weight numeric, add column mrn text unique;
             select hacs_core.attach_documents('hacs_core.patients')",
        )
        .unwrap();
    put(&mut client, &json!({"resource_type": "Patient", "id": "q", "full_name": "Q", "mrn": "Secretes"}), None)
        .unwrap();
    let fields = ["birth_date", "created_at", "age", "deceased", "email", "gender", "weight", "mrn", "telecom", "id"];
    for field in fields {
        for value in [json!("Secretes"), json!(["Secretes", 1]), json!({"Secretes": true})] {
            let document = json!({"resource_type": "Patient", "id": "p", "full_name": "X", field: value});
            let Err(error) = put(&mut client, &document, None) else {
                assert_eq!(client.execute("delete from hacs_core.patients where id <> 'q'", &[]).unwrap(), 1);
                continue;
            };
            assert!(!format!("{error:?}").contains("Secretes"), "{error:?}");
        }
    }
    for (value, form) in [
        (json!("Zoë 7, St. Mary's"), "a text like \"aa? 9, aa. aaaa?a\""),
        (json!("x".repeat(50)), &*format!("a text like \"{}…\"", "a".repeat(40))),
        (json!(""), "an empty text"),
        (json!(-1.5e300), &*format!("a number like -9{}…", "9".repeat(38))),
        (json!([]), "an empty list"),
        (
            json!([1, "a", null, true, {}, []]),
            "a list of lists and null and numbers and objects and texts and true or false",
        ),
        (json!(false), "true or false"),
        (json!({"a": 1}), "an object"),
        (Value::Null, "null"),
    ] {
        let said: String =
            client.query_one("select hacs_core.described($1::text::jsonb)", &[&value.to_string()]).unwrap().get(0);
        assert_eq!(said, form, "{value}");
    }
}
