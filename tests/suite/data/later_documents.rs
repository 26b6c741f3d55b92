//! Random documents of the later models, sound and broken: each comes back as it came, or is refused.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde_json::{Map, Value, json};

use super::put::{get, put, reason};
use crate::database::Database;
use crate::documents;

/// How many of each form.
const DOCUMENTS: usize = 40;

fn models() -> &'static Value {
    static MODELS: OnceLock<Value> = OnceLock::new();
    MODELS.get_or_init(|| documents::parse(include_str!("../../data/generation-0.4/resources.json")))
}

/// Numbers that look random and are the same in every run.
pub(super) struct Dice(pub u64);

impl Dice {
    pub(super) fn below(&mut self, limit: usize) -> usize {
        // splitmix64
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % limit as u64).unwrap()
    }

    fn one_of<T: Clone>(&mut self, things: &[T]) -> T {
        things[self.below(things.len())].clone()
    }

    fn in_a_hundred(&mut self, part: usize) -> bool {
        self.below(100) < part
    }

    fn text(&mut self) -> Value {
        let texts = [
            "active",
            "2025-03",
            "2025-03-01",
            "2025-03-01T10:00:00-03:00",
            "2025-03-01T10:00:00.123450Z",
            "2025-02-30",
            "last Tuesday",
            "AMB",
            "outpatient",
            "Day surgery",
            "http://x.example/y",
            "urn:uuid:1",
            "Practitioner/9",
            "Organization/o",
            "o",
            "",
            "  a  ",
            "é\u{1f600}\n\"quoted\"",
            "final",
            "completed",
            "1.0.0",
            "function",
            "true",
            "5",
            "infinity",
            "2025-03-01 10:00:00+05:45",
        ];
        self.one_of(&texts).into()
    }

    fn anything(&mut self) -> Value {
        let text = self.text();
        self.one_of(&[
            Value::Null,
            json!(true),
            json!(7),
            json!(-0.25),
            text.clone(),
            json!([]),
            json!({}),
            json!([null]),
            json!([text.clone()]),
            json!([{"reference": text.clone()}]),
            json!({"reference": text}),
            json!([[1], {"a": [null]}]),
            json!({"coding": [{"code": "unknown"}]}),
            json!({"coding": {}}),
            json!({"text": null}),
            json!([{"use": "official"}]),
            json!(""),
            json!("0001-01-01"),
            json!(1e20),
        ])
    }

    /// A value as a field of a model has it.
    fn value(&mut self, field: &Value, depth: usize) -> Value {
        if field["nullable"] == true && self.in_a_hundred(40) {
            return Value::Null;
        }
        if let Some(values) = field["enum"].as_array() {
            return self.one_of(values);
        }
        if let Some(kinds) = field["json_type"].as_array() {
            let kind = self.one_of(kinds);
            return self.value(&json!({"json_type": kind, "items": {"json_type": "string"}}), depth);
        }
        let model = field["nested_model"].as_str();
        match field["json_type"].as_str().unwrap() {
            "boolean" => json!(self.in_a_hundred(50)),
            "integer" => json!(self.below(100)),
            "number" => self.one_of(&[json!(0.5), json!(1.0), json!(0), json!(0.123_456_789_012_345_67)]),
            "array" if depth > 3 => json!([]),
            "array" => {
                let list = (0..self.below(3)).map(|_| self.value(&field["items"], depth + 1)).collect::<Vec<_>>();
                list.into()
            }
            "object" => match model {
                Some(model) if models()["nested_models"].get(model).is_some() => self.part(model, depth + 1),
                _ => self.one_of(&[
                    json!({}),
                    json!({"a": [1, {"b": null}]}),
                    json!({"start": "2025-01-01", "end": "2025-02"}),
                ]),
            },
            "any" => self.anything(),
            _ => match field["format"].as_str() {
                Some("date-time") => self.one_of(&[
                    json!("2025-03-01T10:00:00Z"),
                    json!("2024-11-30T23:59:59.5+05:45"),
                    json!("2024-11-30T23:59:59"),
                    json!("1900-01-01T00:00:00.000001Z"),
                ]),
                Some(_) => self.one_of(&[json!("1985-03-01"), json!("1999-12-31")]),
                None if field["reference_form"].is_string() || field["reference_to"].is_array() => self.one_of(&[
                    json!("Patient/p"),
                    json!("https://x.example/fhir/Patient/1"),
                    json!("urn:uuid:2"),
                    json!("Practitioner/9"),
                ]),
                None => self.text(),
            },
        }
    }

    fn part(&mut self, model: &str, depth: usize) -> Value {
        let fields = models()["nested_models"][model]["fields"].as_array().unwrap();
        let mut part = Map::new();
        if self.in_a_hundred(50) {
            part.extend([
                ("id".to_owned(), json!("part-1")),
                ("version".to_owned(), json!("1.0.0")),
                ("meta_tag".to_owned(), json!([])),
            ]);
        }
        for field in fields {
            part.insert(field["name"].as_str().unwrap().to_owned(), self.value(field, depth));
        }
        part.into()
    }

    /// A whole document, as a dump has it; now and then with a fault.
    fn document(&mut self, resource: &Value, number: usize) -> Value {
        let mut document = Map::new();
        let bases = ["base", "domain_base"];
        let base = resource["base"].as_str().unwrap_or("base");
        let of_base = bases.iter().take_while(|name| **name != base).chain([&base]).collect::<Vec<_>>();
        for name in of_base {
            let fields = models()[name].as_array().or_else(|| models()[name]["fields"].as_array()).unwrap();
            for field in fields {
                document.insert(field["name"].as_str().unwrap().to_owned(), self.value(field, 0));
            }
        }
        for field in resource["fields"].as_array().unwrap() {
            document.insert(field["name"].as_str().unwrap().to_owned(), self.value(field, 0));
        }
        document.insert("id".to_owned(), json!(format!("d{number}")));
        for key in ["subject", "patient", "patient_ref"] {
            if document.contains_key(key) && !self.in_a_hundred(10) {
                document.insert(key.to_owned(), json!("Patient/p"));
            }
        }
        if resource["resource_type"] == "OrganizationContact" {
            document.insert("organization_id".to_owned(), json!("o"));
        }
        self.choose(&mut document);
        self.spoil(&mut document);
        document.into()
    }

    /// Where one of several fields is wanted, one has a value most of the time.
    fn choose(&mut self, document: &mut Map<String, Value>) {
        for (prefix, wanted) in [("value_", true), ("onset_", false), ("abatement_", false)] {
            let keys: Vec<String> = document.keys().filter(|key| key.starts_with(prefix)).cloned().collect();
            if keys.is_empty() || self.in_a_hundred(10) {
                continue;
            }
            keys.iter().for_each(|key| drop(document.insert(key.clone(), Value::Null)));
            if wanted {
                document.insert("value_string".to_owned(), json!("high"));
            }
        }
        for (key, empty) in [("reference_range", json!([])), ("stage", json!([])), ("telecom", json!([]))] {
            if document.contains_key(key) && !self.in_a_hundred(30) {
                document.insert(key.to_owned(), empty);
            }
        }
        for (key, value) in
            [("class_", "outpatient"), ("period_start", "2025-03-01T10:00:00Z"), ("period_end", "2025-03-02")]
        {
            if document.contains_key(key) && !self.in_a_hundred(20) {
                document.insert(key.to_owned(), json!(value));
            }
        }
    }

    fn spoil(&mut self, document: &mut Map<String, Value>) {
        let keys: Vec<String> = document
            .keys()
            .filter(|key| !["id", "resource_type", "organization_id"].contains(&key.as_str()))
            .cloned()
            .collect();
        if self.in_a_hundred(40) {
            for _ in 0..=self.below(3) {
                let key = self.one_of(&keys);
                let value = self.anything();
                // as good as absent
                if !(["created_at", "updated_at"].contains(&key.as_str()) && value.is_null()) {
                    document.insert(key, value);
                }
            }
        }
        if self.in_a_hundred(30) {
            for _ in 0..self.below(12) {
                document.remove(&self.one_of(&keys));
            }
        }
        if self.in_a_hundred(15) {
            let value = self.anything();
            document.insert("nobody_knows_this".to_owned(), value);
        }
        if self.in_a_hundred(5) {
            document.remove("id");
        }
    }
}

/// Numbers count by their value.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one == other || one.as_f64() == other.as_f64(),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(key, value)| other.get(key).is_some_and(|other| same(value, other)))
        }
        _ => one == other,
    }
}

fn differences(document: &Value, found: &Value) -> String {
    let (document, found) = (document.as_object().unwrap(), found.as_object().unwrap());
    let keys = document.keys().chain(found.keys().filter(|key| !document.contains_key(*key)));
    let differ =
        keys.filter(|key| !document.get(*key).zip(found.get(*key)).is_some_and(|(one, other)| same(one, other)));
    differ.map(|key| format!("{key}: {:?} became {:?}\n", document.get(key), found.get(key))).collect()
}

#[test]
fn random_documents_of_later_models_come_back_as_they_came_or_are_refused() {
    let database = Database::migrated();
    let mut client = database.client();
    for needed in [
        json!({"resource_type": "Patient", "id": "p", "family": "P"}),
        json!({"resource_type": "Organization", "id": "o", "name": "O"}),
    ] {
        put(&mut client, &needed, None).unwrap();
    }
    let count = std::env::var("HACS_TEST_LATER_DOCUMENTS").map_or(DOCUMENTS, |count| count.parse().unwrap());
    let mut dice = Dice(count as u64);
    let mut stored: BTreeMap<String, usize> = BTreeMap::new();
    let (mut refused, mut faults) = (BTreeMap::new(), String::new());
    for resource in models()["resources"].as_array().unwrap() {
        let form = format!(
            "{}{}",
            resource["resource_type"].as_str().unwrap(),
            resource["variant"].as_str().map(|v| format!("/{v}")).unwrap_or_default()
        );
        stored.insert(form.clone(), 0);
        for number in 0..count {
            let mut document = dice.document(resource, number);
            let put = match put(&mut client, &document, None) {
                Ok(put) => put,
                Err(error) => {
                    let (code, column, constraint) = reason(&error);
                    let is_told =
                        (code.starts_with("22") || code.starts_with("23")) && !(column + &constraint).is_empty();
                    assert!(is_told, "{error:?}: {document}");
                    *refused.entry(constraint).or_insert(0) += 1;
                    continue;
                }
            };
            *stored.get_mut(&form).unwrap() += 1;
            let resource_type = resource["resource_type"].as_str().unwrap();
            let found = get(&mut client, resource_type, &put.id);
            document["id"] = put.id.clone().into();
            if !same(&document, &found) {
                faults += &format!("{form}: {}\n", differences(&document, &found));
            }
        }
    }
    assert!(faults.is_empty(), "{faults}");
    assert!(stored.values().all(|stored| *stored > 0), "{stored:?} {refused:?}");
    eprintln!("{stored:?} {refused:?}");
}
