//! Random values for one field at a time: what the contract says of the field alone, the database says too.

use std::cell::RefCell;
use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Map, Value, json};

use crate::contract::{Field, contract, minimal};
use crate::data::rules::{with_parent, written_cases};
use crate::database::Database;
use crate::documents::{self, Sample};

/// Cases for each of the 904 fields.
const CASES: u32 = 12;

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[ -~]{0,12}", "\\PC{0,8}", Just(String::new()), Just("ACTIVE".to_owned())]
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        let map = prop::collection::hash_map("[a-z]{1,4}", inner.clone(), 0..3);
        prop_oneof![vec(inner, 0..3).prop_map(Value::from), map.prop_map(|map| Value::from(Map::from_iter(map)))]
    })
}

/// Objects that have some of a model's keys, often with values of the right type.
fn near(model: &str) -> BoxedStrategy<Value> {
    let contract = contract();
    let fields = contract.nested_models.get(model).map(|model| &model.fields);
    let fields = fields.unwrap_or_else(|| {
        &contract.resources.iter().find(|resource| resource.resource_type == model).expect("a model").fields
    });
    let required: Vec<&'static Field> = fields.iter().filter(|field| field.required).collect();
    let pair = |field: &'static Field| {
        let name = field.name.clone();
        prop_oneof![3 => right(field), 1 => any_json()].prop_map(move |value| (name.clone(), value))
    };
    let some = prop::sample::select(fields.iter().collect::<Vec<_>>()).prop_flat_map(pair);
    let needed = required.into_iter().map(pair).collect::<Vec<_>>();
    (needed, vec(some, 0..3), any::<bool>())
        .prop_map(|(needed, some, keep)| {
            let needed = needed.into_iter().filter(|_| keep);
            Value::from(Map::from_iter(needed.chain(some)))
        })
        .boxed()
}

/// Values that a field takes, most of the time.
fn right(field: &'static Field) -> BoxedStrategy<Value> {
    if let Some(values) = &field.values {
        return prop::sample::select(values.clone()).prop_map(Value::from).boxed();
    }
    match (field.json_type.as_str(), &field.items) {
        ("string", _) if field.format.is_some() => date_time(),
        ("string", _) => text().prop_map(Value::from).boxed(),
        ("boolean", _) => any::<bool>().prop_map(Value::from).boxed(),
        ("integer", _) => prop_oneof![-2_i64..200, Just(i64::from(i32::MAX))].prop_map(Value::from).boxed(),
        ("number", _) => prop_oneof![-2.0..2.0_f64, -1000.0..1000.0].prop_map(Value::from).boxed(),
        ("array", Some(items)) if items.json_type == "string" => {
            let values = items.values.clone().unwrap_or_else(|| vec!["a".into(), String::new()]);
            vec(prop::sample::select(values), 0..3).prop_map(Value::from).boxed()
        }
        _ => prop_oneof![Just(json!([])), Just(json!({})), Just(json!([{}]))].boxed(),
    }
}

fn date_time() -> BoxedStrategy<Value> {
    let valid =
        (1_i32..=9998, 1..=12, 1..=28, 0..24, 0..60, 0..60, -15..=14).prop_map(|(y, mo, d, h, mi, s, offset)| {
            json!(format!("{y:04}-{mo:02}-{d:02}T{h:02}:{mi:02}:{s:02}{offset:+03}:00"))
        });
    let invalid = [
        "infinity",
        "-infinity",
        "yesterday-ish",
        "2024-02-30T10:00:00Z",
        "2024-01-01T25:00:00Z",
        "2024-13-01T00:00:00Z",
    ];
    prop_oneof![3 => valid, 1 => prop::sample::select(invalid.to_vec()).prop_map(Value::from)].boxed()
}

/// Values for a column. A text column would turn a number into a text before any rule could see it: there, only what
/// PostgreSQL does not convert is of use.
pub fn candidate(field: &'static Field) -> BoxedStrategy<Value> {
    let null = Just(Value::Null);
    match field.pg_type.as_str() {
        "jsonb" => {
            let model =
                field.nested_model.as_ref().or(field.items.as_ref().and_then(|items| items.nested_model.as_ref()));
            let objects = model.map_or_else(|| any_json().boxed(), |model| near(model));
            prop_oneof![1 => null, 3 => any_json(), 4 => objects.clone(), 6 => vec(objects, 0..3).prop_map(Value::from)]
                .boxed()
        }
        "text[]" => {
            let item = prop_oneof![4 => right_item(field), 1 => Just(Value::Null), 1 => Just(json!(["nested"]))];
            // Lists of unequal depth are no array at all, but an error of another kind: lists of one depth suffice.
            prop_oneof![1 => null, 1 => Just(json!({})), 1 => Just(json!("x")), 6 => vec(item, 0..3).prop_map(uniform)]
                .boxed()
        }
        "double precision[]" => {
            let number = prop_oneof![5 => any::<i32>().prop_map(Value::from), 1 => Just(Value::Null)];
            prop_oneof![1 => null, 5 => vec(number, 0..4).prop_map(Value::from)].boxed()
        }
        "text" => prop_oneof![1 => null, 3 => right(field), 2 => text().prop_map(Value::from)].boxed(),
        "date" => {
            let day = (1_i32..=9999, 1..=12, 1..=28).prop_map(|(y, m, d)| json!(format!("{y:04}-{m:02}-{d:02}")));
            prop_oneof![1 => null, 4 => day].boxed()
        }
        "timestamptz" => prop_oneof![1 => null, 5 => date_time()].boxed(),
        _ => prop_oneof![1 => null, 5 => right(field)].boxed(),
    }
}

fn right_item(field: &Field) -> BoxedStrategy<Value> {
    let values = field.items.as_ref().and_then(|items| items.values.clone());
    match values {
        Some(values) => prop_oneof![4 => prop::sample::select(values), 1 => text()].prop_map(Value::from).boxed(),
        None => text().prop_map(Value::from).boxed(),
    }
}

fn uniform(items: Vec<Value>) -> Value {
    let nested = items.first().is_some_and(Value::is_array);
    Value::from(items.into_iter().filter(|item| item.is_array() == nested).collect::<Vec<_>>())
}

#[test]
fn the_database_agrees_with_the_models_on_random_values() {
    let database = Database::migrated();
    let mut client = database.client();
    client.batch_execute("set timezone = 'UTC'").unwrap();
    let mut transaction = client.transaction().unwrap();
    with_parent(&mut transaction);
    // Rules on several fields, or on more than the shape of one: a field's own predicate says nothing about them.
    let other_rules: BTreeSet<String> = written_cases()
        .into_iter()
        .map(|case| case.constraint)
        .filter(|name| !["_conforms", "_text_map", "_text_map_list"].iter().any(|ending| name.ends_with(ending)))
        .filter(|name| !name.starts_with("texts_") && name != "score_between_0_and_1")
        .filter(|name| {
            (!name.ends_with("_range") || name == "patients_age_range") && !name.ends_with("_category_valid")
        })
        .collect();
    let transaction = RefCell::new(transaction);
    let mut faults = Vec::new();

    for resource in &contract().resources {
        for field in &resource.fields {
            let mut runner = TestRunner::new(Config { cases: CASES, failure_persistence: None, ..Config::default() });
            let result = runner.run(&candidate(field), |value| {
                let mut document = minimal(&resource.table);
                document.insert(field.name.clone(), value.clone());
                let sample = Sample {
                    table: resource.table.clone(),
                    document,
                    context: Map::new(),
                    rule: String::new(),
                    field: String::new(),
                };
                let mut outer = transaction.borrow_mut();
                let mut savepoint = outer.transaction().unwrap();
                let result = documents::insert(&mut savepoint, &sample);
                savepoint.rollback().unwrap();
                match result {
                    Ok(_) => prop_assert!(field.takes(&value), "the database takes {value}"),
                    Err(error) => {
                        let db = error.as_db_error().expect("an answer");
                        let rule = db.constraint().unwrap_or_default();
                        let of_another_rule = other_rules.contains(rule)
                            || ["_fkey", "_per_1", "_id_form"].iter().any(|end| rule.ends_with(end));
                        prop_assert!(of_another_rule || !field.takes(&value), "the database refuses {value}: {db}");
                    }
                }
                Ok(())
            });
            faults.extend(result.err().map(|error| format!("{}.{}: {error}", resource.table, field.name)));
        }
    }
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}
