//! Documents of later models beside those of 0.3: each comes back as it came.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::put::{get, put, reason};
use crate::database::{Database, Ended};
use crate::documents::{self, Sample};

const SAMPLES: &str = include_str!("../../data/generation-0.4/samples.ndjson");

/// The samples, each with the organization whose contact it is.
pub(super) fn samples() -> Vec<Value> {
    let document = |line: &str| {
        let sample: Sample = documents::parse(line);
        let mut document = sample.document;
        document.extend(sample.context);
        Value::Object(document)
    };
    SAMPLES.lines().filter(|line| !line.is_empty()).map(document).collect()
}

pub(super) fn mapping() -> Value {
    documents::parse(include_str!("../../data/generation-0.4/mapping.json"))
}

pub(super) fn name(document: &Value) -> (String, String) {
    let text = |key: &str| document[key].as_str().unwrap().to_owned();
    (text("resource_type"), text("id"))
}

/// The rules that are named as what remains, by constraint or as a column that must not be null.
pub(super) fn refusals(mapping: &Value) -> BTreeSet<String> {
    let rules = mapping["refusals"].as_object().unwrap();
    let said = |list: &str| {
        rules[list].as_array().unwrap().iter().map(|rule| rule["rule"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let all = [said("remain_with_substitutes"), said("met_by_substitutes")].concat();
    all.iter().flat_map(|rule| rule.split(", ").map(str::to_owned).collect::<Vec<_>>()).collect()
}

/// As the mapping names a refusal.
pub(super) fn rule(error: &postgres::Error) -> String {
    let (code, column, constraint) = reason(error);
    if code == "23502" { format!("not null {column}") } else { constraint }
}

#[test]
fn every_sample_comes_back_as_it_came_or_is_refused_by_a_rule_that_the_mapping_names() {
    let database = Database::migrated();
    let mut client = database.client();
    // a session's settings change nothing
    client.batch_execute("set timezone = 'Asia/Kathmandu'; set datestyle = 'sql, dmy'").unwrap();
    let known = refusals(&mapping());
    let (mut stored, mut refused) = (Vec::new(), Vec::new());
    for document in samples() {
        match put(&mut client, &document, None) {
            Ok(_) => stored.push(document),
            Err(error) => refused.push((name(&document).1, rule(&error))),
        }
    }
    // A visit without a patient.
    assert_eq!(refused, [("enc-06".to_owned(), "not null subject".to_owned())]);
    assert!(refused.iter().all(|(_, rule)| known.contains(rule)), "{refused:?}");
    assert_eq!(stored.len(), 61);
    for document in &stored {
        let (resource_type, id) = name(document);
        assert_eq!(get(&mut client, &resource_type, &id), *document);
        // put again, it says nothing new
        let version = put(&mut client, document, None).unwrap().version;
        assert_eq!(version, put(&mut client, document, None).unwrap().version, "{resource_type}/{id}");
    }
    let types: BTreeSet<String> = stored.iter().map(|document| name(document).0).collect();
    assert_eq!(types.len(), 19, "{types:?}");
}

#[test]
fn without_substitutes_a_rule_refuses_what_a_document_does_not_say() {
    let database = Database::migrated();
    let mut client = database.client();
    let mapping = mapping();
    let met: BTreeSet<String> = mapping["refusals"]["met_by_substitutes"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|rule| rule["rule"].as_str().unwrap().split(", "))
        .map(str::to_owned)
        .collect();
    let mut refused = BTreeMap::new();
    for document in samples() {
        let exact = "select id from hacs_core.put($1::text::jsonb, substitute => false)";
        if let Err(error) = client.query_one(exact, &[&document.to_string()]) {
            let rule = rule(&error);
            // What refers to a refused one is refused by its reference.
            if !rule.ends_with("_fkey") && rule != "not null subject" {
                assert!(met.contains(&rule) || rule.starts_with("not null "), "{rule}");
                *refused.entry(rule).or_insert(0) += 1;
            }
            // With them it is stored as long as what it refers to is there.
            client.query_one("select id from hacs_core.put($1::text::jsonb)", &[&document.to_string()]).ok();
        }
    }
    assert!(refused.len() >= 5, "{refused:?}");
    assert_eq!(refused["encounters_class_fhir_valid"], 3, "{refused:?}");
}

fn patient() -> Value {
    samples().into_iter().find(|document| name(document).1 == "patient-002").unwrap()
}

#[test]
fn the_form_of_0_3_is_given_where_it_is_asked_for() {
    let database = Database::migrated();
    let mut client = database.client();
    put(&mut client, &patient(), None).unwrap();
    let row =
        client.query_one("select hacs_core.get('Patient', 'patient-002', generation => '0.3')::text", &[]).unwrap();
    let ours: Value = documents::parse(&row.get::<_, String>(0));
    let names = &patient()["name"][0];
    assert_eq!((&ours["family"], &ours["given"]), (&names["family"], &names["given"]));
    assert!(ours.get("meta_profile").is_none() && ours.get("hacs:generation").is_none(), "{ours}");
    // which is one of 0.3: put as it is, it is given back as it is
    put(&mut client, &ours, None).unwrap();
    let mut then = get(&mut client, "Patient", "patient-002");
    then["updated_at"] = ours["updated_at"].clone();
    assert_eq!(then, ours);
    let asked = client.query_one("select hacs_core.get('Patient', 'patient-002', '0.5')", &[]).unwrap_err();
    assert_eq!(reason(&asked).0, "22023");
    let none = client.query_one("select hacs_core.get('Patient', 'nobody', '0.3') is null", &[]).unwrap();
    assert!(none.get::<_, bool>(0));
}

#[test]
fn a_column_that_was_changed_since_is_in_the_document_and_the_rest_stays() {
    let database = Database::migrated();
    let mut client = database.client();
    let mut document = patient();
    document["telecom"] = json!([{"system": "phone", "value": "1"}]);
    put(&mut client, &document, None).unwrap();
    client
        .batch_execute(
            "update hacs_core.patients set family = 'Changed', birth_date = '1990-02-03', care_team = '{Practitioner/9}'
             where id = 'patient-002'",
        )
        .unwrap();
    let found = get(&mut client, "Patient", "patient-002");
    let mut expected = document.clone();
    for key in ["full_name", "display_name"] {
        expected["name"][0].as_object_mut().unwrap().remove(key);
    }
    expected["name"][0]["family"] = json!("Changed");
    expected["birth_date"] = json!("1990-02-03");
    expected["care_provider"] = json!(["Practitioner/9"]);
    expected["updated_at"] = found["updated_at"].clone();
    assert_eq!(found, expected);
    assert_ne!(found["updated_at"], document["updated_at"]);
}

#[test]
fn a_patch_is_of_the_form_in_which_a_document_is_given() {
    let database = Database::migrated();
    let mut client = database.client();
    put(&mut client, &patient(), None).unwrap();
    let patch = |client: &mut postgres::Client, merge: Value| {
        client.query_one("select hacs_core.patch('Patient', 'patient-002', $1::text::jsonb)", &[&merge.to_string()])
    };
    patch(&mut client, json!({"care_provider": ["Practitioner/7"], "photo": "p.png"})).unwrap();
    let found = get(&mut client, "Patient", "patient-002");
    assert_eq!((&found["care_provider"], &found["photo"]), (&json!(["Practitioner/7"]), &json!("p.png")));
    assert_ne!(found["updated_at"], patient()["updated_at"]);
    assert_eq!(database.text("select array_to_string(care_team, ' ') from hacs_core.patients"), "Practitioner/7");
    let mixed = patch(&mut client, json!({"care_team": ["Practitioner/8"]})).unwrap_err();
    let said = mixed.as_db_error().unwrap();
    assert_eq!((said.code().code(), said.column()), ("22023", Some("agent_meta")));
    assert!(said.message().starts_with("Patient has keys of two generations: care_team is of 0.3, "), "{said}");
}

#[test]
fn keys_tell_the_generation_and_the_version_does_not() {
    let database = Database::migrated();
    let mut client = database.client();
    let mut marked = |document: Value| {
        let id = put(&mut client, &document, None).unwrap_or_else(|e| panic!("{document}: {e:?}")).id;
        let (resource_type, table) = (document["resource_type"].as_str().unwrap(), document["table"].as_str());
        let _ = (resource_type, table);
        id
    };
    let id = marked(json!({"resource_type": "Patient", "full_name": "A"}));
    assert_eq!(database.text(&format!("select extra from hacs_core.patients where id = '{id}'")), "{}");
    let id = marked(json!({"resource_type": "Patient", "name": [{"family": "A", "given": ["B"]}]}));
    assert_eq!(
        database.text(&format!(
            "select extra #>> '{{hacs:generation,type}}' || family from hacs_core.patients where id = '{id}'"
        )),
        "PatientA"
    );
    // by the shape of what both have
    let id =
        marked(json!({"resource_type": "Condition", "subject": format!("Patient/{id}"), "clinical_status": "active"}));
    assert_eq!(
        database.text(&format!(
            "select extra #>> '{{hacs:generation,type}}' from hacs_clinical.conditions where id = '{id}'"
        )),
        "Condition"
    );
    for kind in ["executive", "working", "semantic"] {
        let id = marked(json!({"resource_type": "Memory", "memory_type": kind, "content": "c"}));
        assert_eq!(get(&mut database.client(), "Memory", &id)["memory_type"], kind);
    }
    let trick =
        json!({"resource_type": "Patient", "family": "A", "hacs:generation": {"model": "0.4", "type": "Patient"}});
    assert_eq!(reason(&put(&mut database.client(), &trick, None).err().unwrap()).0, "22023");
}

#[test]
fn a_memory_block_is_a_memory_and_known_by_both_names() {
    let database = Database::migrated();
    let mut client = database.client();
    let block = samples().into_iter().find(|document| document["resource_type"] == "MemoryBlock").unwrap();
    let (_, id) = name(&block);
    put(&mut client, &block, None).unwrap();
    assert_eq!(database.text("select count(*) from hacs_agents.memories"), "1");
    assert_eq!(get(&mut client, "MemoryBlock", &id), block);
    assert_eq!(get(&mut client, "Memory", &id), block);
    let gone = |client: &mut postgres::Client| -> bool {
        client.query_one("select hacs_core.remove('MemoryBlock', $1)", &[&id]).unwrap().get(0)
    };
    assert_eq!((gone(&mut client), gone(&mut client)), (true, false));
    // The one of 0.3 has no table of its own.
    let former =
        json!({"resource_type": "MemoryBlock", "id": "m", "memory_type": "semantic", "content": "c", "metadata": {}});
    put(&mut client, &former, None).unwrap();
    assert_eq!(database.text("select count(*) from hacs_core.resources"), "1");
    assert_eq!(get(&mut client, "MemoryBlock", "m"), former);
}

#[test]
fn the_functions_of_each_form_say_what_the_mapping_says() {
    let database = Database::migrated();
    let mut client = database.client();
    let mapping = mapping();
    let mut forms = 0;
    for (form, said) in mapping["types"].as_object().unwrap() {
        let mut entries: Vec<(Value, Value)> = Vec::new();
        for entry in said["fields"].as_array().unwrap().iter().filter(|entry| entry["op"] != "extra") {
            entries.push((entry["from"].clone(), entry["to"].clone()));
        }
        let rows = client
            .query("select to_jsonb(keys)::text, to_jsonb(columns)::text from hacs_core.later_entries($1)", &[form])
            .unwrap();
        let mut found: Vec<(Value, Value)> =
            rows.iter().map(|row| (documents::parse(row.get(0)), documents::parse(row.get(1)))).collect();
        let key = |pair: &(Value, Value)| pair.0.to_string();
        entries.sort_by_key(key);
        found.sort_by_key(key);
        assert_eq!(found, entries, "{form}");
        let unset: Map<String, Value> = documents::parse(
            client.query_one("select hacs_core.later_unset($1)::text", &[form]).unwrap().get::<_, String>(0).as_str(),
        );
        let named: BTreeSet<&str> =
            said["unset"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
        assert_eq!(unset.keys().map(String::as_str).collect::<BTreeSet<_>>(), named, "{form}");
        // every column there is, and none that is not
        let made: BTreeSet<String> = client
            .query(
                "select jsonb_object_keys(hacs_core.later_columns($1, '{}', true) || hacs_core.later_unset($1))
                 union select unnest('{id, created_at, updated_at}'::text[])",
                &[form],
            )
            .unwrap()
            .iter()
            .map(|row| row.get(0))
            .collect();
        let table = said["table"].as_str().unwrap();
        let own = said["own_default"].as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned());
        let columns: BTreeSet<String> = client
            .query("select name from hacs_core.document_columns($1::text::regclass)", &[&table])
            .unwrap()
            .iter()
            .map(|row| row.get(0))
            .collect();
        assert_eq!(made.into_iter().chain(own).collect::<BTreeSet<_>>(), columns, "{form}");
        forms += 1;
    }
    assert_eq!(forms, 21);
}

/// The lines of an export, by what they are of.
fn exported(database: &Database, args: &[&str]) -> BTreeMap<(String, String), Value> {
    let end = database.run(&[&["export"], args].concat());
    assert_eq!((end.code, end.stderr.as_str()), (Some(0), ""), "{args:?}");
    end.stdout.lines().map(documents::parse).map(|document: Value| (name(&document), document)).collect()
}

fn import(database: &Database, args: &[&str], documents: &[Value]) -> Ended {
    let file = tempfile::NamedTempFile::new().unwrap();
    let lines: String = documents.iter().map(|document| format!("{document}\n")).collect();
    std::fs::write(file.path(), lines).unwrap();
    database.run(&[&["import"], args, &[file.path().to_str().unwrap()]].concat())
}

#[test]
fn import_takes_both_generations_and_export_gives_each_as_it_came() {
    let database = Database::migrated();
    let rejects = tempfile::NamedTempFile::new().unwrap();
    let rejected = ["--rejects", rejects.path().to_str().unwrap()];
    // in an order that no reference likes, and with documents of 0.3 among them
    let former = documents::valid().into_iter().filter(|sample| sample.context.is_empty());
    let taken: BTreeSet<String> = samples().iter().map(|document| name(document).1).collect();
    let former = former.map(|sample| Value::Object(sample.document));
    let former: Vec<Value> = former.filter(|document| !taken.contains(&name(document).1)).collect();
    assert!(former.len() > 50, "{}", former.len());
    let all: Vec<Value> = samples().into_iter().rev().chain(former.iter().cloned()).collect();
    let end = import(&database, &rejected, &all);
    assert_eq!(end.code, Some(9), "{end:?}");
    let refused: Vec<Value> = std::fs::read_to_string(rejects.path()).unwrap().lines().map(documents::parse).collect();
    // the one without a patient is set aside as it was
    assert_eq!(refused.len(), 1, "{refused:?}");
    let refused = &refused[0];
    assert_eq!((&refused["id"], &refused["field"]), (&json!("enc-06"), &json!("subject")));
    assert_eq!(samples().iter().find(|document| document["id"] == "enc-06").unwrap(), &refused["document"]);
    let found = exported(&database, &[]);
    let sound = samples().into_iter().filter(|document| document["id"] != "enc-06");
    for document in sound {
        assert_eq!(found[&name(&document)], document);
    }
    assert_eq!(found.len(), 61 + former.len());

    // and so they move elsewhere
    let elsewhere = Database::migrated();
    let end = import(&elsewhere, &[], &found.values().cloned().collect::<Vec<_>>());
    assert_eq!(end.code, Some(0), "{end:?}");
    assert_eq!(exported(&elsewhere, &[]), found);
    let again = import(&elsewhere, &["--on-conflict", "replace"], &found.values().cloned().collect::<Vec<_>>());
    assert!(again.stdout.contains(" 0 stored, "), "{again:?}");
    let of_type = exported(&elsewhere, &["--type", "MemoryBlock"]);
    assert_eq!(of_type.len(), 3);
    let of_patient = exported(&elsewhere, &["--patient", "patient-002"]);
    assert!(of_patient.len() > 1 && of_patient.iter().all(|(key, document)| found[key] == *document));
}

#[test]
fn import_refuses_what_is_of_two_generations_and_with_exact_what_something_would_stand_for() {
    let database = Database::migrated();
    let unclear = json!({"resource_type": "Patient", "id": "u", "family": "A", "meta_profile": []});
    let fine = json!({"resource_type": "Patient", "id": "f", "family": "A"});
    let end = import(&database, &[], &[fine.clone(), unclear.clone()]);
    assert_eq!(end.code, Some(9), "{end:?}");
    let said = "line 2: Patient has keys of two generations: family is of 0.3, meta_profile of 0.4";
    assert!(end.stderr.contains(said), "{end:?}");
    let rejects = tempfile::NamedTempFile::new().unwrap();
    let rejected = ["--rejects", rejects.path().to_str().unwrap()];
    let end = import(&database, &rejected, &[fine, unclear]);
    assert!(end.code == Some(9) && end.stdout.contains("2 documents in "), "{end:?}");
    assert!(end.stdout.contains("1 stored, 0 left as they are, 1 refused"), "{end:?}");

    let mut medication =
        json!({"resource_type": "Medication", "id": "m", "generic_name": "G", "meta_profile": [], "code": null});
    let end = import(&database, &["--exact"], std::slice::from_ref(&medication));
    assert!(end.code == Some(9) && end.stderr.contains("Medication.code must not be null"), "{end:?}");
    assert_eq!(import(&database, &[], std::slice::from_ref(&medication)).code, Some(0));
    assert_eq!(database.text("select code ->> 'text' from hacs_clinical.medications"), "G");
    let mut found = get(&mut database.client(), "Medication", "m");
    for key in ["created_at", "updated_at"] {
        medication.as_object_mut().unwrap().remove(key);
        found.as_object_mut().unwrap().remove(key);
    }
    assert_eq!(found, medication);
}
