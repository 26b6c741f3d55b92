//! The HACS models, as facts: `tests/data/resources.json`.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde::Deserialize;
use serde_json::{Map, Value};

#[derive(Deserialize)]
pub struct Contract {
    pub resources: Vec<Resource>,
    pub nested_models: BTreeMap<String, Model>,
}

#[derive(Deserialize)]
pub struct Resource {
    pub resource_type: String,
    pub table: String,
    pub fields: Vec<Field>,
}

#[derive(Deserialize)]
pub struct Model {
    pub fields: Vec<Field>,
}

#[derive(Debug, Deserialize)]
pub struct Field {
    pub name: String,
    pub json_type: String,
    pub pg_type: String,
    #[serde(default)]
    pub required: bool,
    pub nullable: bool,
    /// For `id`, `created_at` and `updated_at`: HACS fills them in, so that no stored document lacks them.
    #[serde(default)]
    pub auto_filled: bool,
    pub default: Option<Value>,
    #[serde(rename = "enum")]
    pub values: Option<Vec<String>>,
    pub items: Option<Items>,
    pub nested_model: Option<String>,
    pub value_type: Option<String>,
    pub format: Option<String>,
    pub minimum: Option<f64>,
    pub maximum: Option<f64>,
}

#[derive(Debug, Deserialize)]
pub struct Items {
    pub json_type: String,
    #[serde(rename = "enum")]
    pub values: Option<Vec<String>>,
    pub nested_model: Option<String>,
    pub value_type: Option<String>,
    pub format: Option<String>,
}

pub fn contract() -> &'static Contract {
    static CONTRACT: OnceLock<Contract> = OnceLock::new();
    CONTRACT.get_or_init(|| serde_json::from_str(include_str!("../../data/resources.json")).expect("the contract"))
}

/// The least that each table takes: `src/inspect/minimal.json`.
pub fn minimal(table: &str) -> Map<String, Value> {
    static ROWS: OnceLock<Map<String, Value>> = OnceLock::new();
    let rows =
        ROWS.get_or_init(|| serde_json::from_str(include_str!("../../../src/inspect/minimal.json")).expect("rows"));
    rows.get(table).and_then(Value::as_object).unwrap_or_else(|| panic!("minimal.json lacks {table}")).clone()
}

impl Field {
    pub fn may_be_null(&self) -> bool {
        self.nullable && !self.auto_filled
    }

    /// Whether HACS takes a value for this field, as far as the field alone decides.
    pub fn takes(&self, value: &Value) -> bool {
        if value.is_null() {
            return self.may_be_null();
        }
        let allowed = |values: &Option<Vec<String>>, value: &Value| {
            values.as_ref().is_none_or(|values| value.as_str().is_some_and(|text| values.iter().any(|v| v == text)))
        };
        let number = value.as_f64().unwrap_or_default();
        is_type(&self.json_type, value)
            && allowed(&self.values, value)
            && self.minimum.is_none_or(|minimum| number >= minimum)
            && self.maximum.is_none_or(|maximum| number <= maximum)
            && (self.format.as_deref() != Some("date-time") || is_date_time(value))
            && (self.value_type.is_none() || is_text_map(value))
            && self.nested_model.as_ref().is_none_or(|model| conforms(model, value))
            && self.items.as_ref().is_none_or(|items| {
                value.as_array().into_iter().flatten().all(|item| {
                    is_type(&items.json_type, item)
                        && allowed(&items.values, item)
                        && (items.format.as_deref() != Some("date-time") || is_date_time(item))
                        && (items.value_type.is_none() || is_text_map(item))
                        && items.nested_model.as_ref().is_none_or(|model| conforms(model, item))
                })
            })
    }
}

fn is_type(json_type: &str, value: &Value) -> bool {
    match json_type {
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.as_f64().is_some_and(|number| number.fract() == 0.0),
        "number" => value.is_number(),
        "object" => value.is_object(),
        "array" => value.is_array(),
        other => panic!("the contract has a new type: {other}"),
    }
}

fn is_text_map(value: &Value) -> bool {
    value.as_object().is_some_and(|map| map.values().all(Value::is_string))
}

/// What the strategies below produce is RFC 3339, or is no date at all.
fn is_date_time(value: &Value) -> bool {
    use time::format_description::well_known::Rfc3339;
    value.as_str().is_some_and(|text| time::OffsetDateTime::parse(text, &Rfc3339).is_ok())
}

/// Whether a nested part is what its model takes.
fn conforms(model: &str, value: &Value) -> bool {
    let fields = &contract().nested_models.get(model).map(|model| &model.fields);
    let of_resource = || &contract().resources.iter().find(|r| r.resource_type == model).expect("a model").fields;
    let fields = fields.unwrap_or_else(of_resource);
    value.as_object().is_some_and(|part| {
        fields.iter().all(|field| match part.get(&field.name) {
            Some(Value::Null) => field.nullable,
            Some(value) if field.name == "email" => {
                value.as_str().is_some_and(|text| text.is_empty() || text.contains('@'))
            }
            Some(value) => field.takes(value),
            None => !field.required,
        })
    })
}
