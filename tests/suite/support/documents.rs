//! The sample documents of the HACS models, and how to put one into its table.

use std::collections::BTreeSet;

use postgres::{Error, GenericClient, Row};
use serde::Deserialize;
use serde_json::{Map, Value};

/// A line of `tests/data/valid.ndjson` or `tests/data/invalid.ndjson`.
#[derive(Deserialize)]
pub struct Sample {
    pub table: String,
    #[serde(rename = "doc")]
    pub document: Map<String, Value>,
    /// Columns that the document itself does not have: the parent of a nested part.
    #[serde(default)]
    pub context: Map<String, Value>,
    /// For an invalid one: the rule that it breaks, and in which field.
    #[serde(default)]
    pub rule: String,
    #[serde(default)]
    pub field: String,
}

impl Sample {
    pub fn name(&self) -> String {
        let id = self.document.get("id").map(Value::to_string).unwrap_or_default();
        format!("{} {id} {} {}", self.table, self.rule, self.field)
    }
}

pub fn valid() -> Vec<Sample> {
    read(include_str!("../../data/valid.ndjson"))
}

pub fn invalid() -> Vec<Sample> {
    read(include_str!("../../data/invalid.ndjson"))
}

fn read(text: &str) -> Vec<Sample> {
    text.lines().map(parse).collect()
}

/// Some documents are nested more deeply than `serde_json` allows by default.
pub fn parse<'a, T: Deserialize<'a>>(text: &'a str) -> T {
    let mut json = serde_json::Deserializer::from_str(text);
    json.disable_recursion_limit();
    T::deserialize(&mut json).expect("JSON")
}

/// The columns of a table that a document may fill.
pub fn columns(client: &mut impl GenericClient, table: &str) -> BTreeSet<String> {
    let query = "select attname::text from pg_attribute
        where attrelid = $1::text::regclass and attnum > 0 and not attisdropped and attgenerated = ''";
    let rows = client.query(query, &[&table]).expect("the columns");
    rows.iter().map(|row| row.get(0)).collect()
}

/// Stores a document the way the README shows: known keys through `jsonb_populate_record`, the others in `extra`.
/// Gives back the stored row as JSON.
pub fn insert(client: &mut impl GenericClient, sample: &Sample) -> Result<Value, Error> {
    let columns = columns(client, &sample.table);
    let mut document = sample.document.clone();
    document.extend(sample.context.clone());
    let (known, extra): (Map<_, _>, Map<_, _>) = document.into_iter().partition(|(key, _)| columns.contains(key));
    let mut document = known;
    if columns.contains("extra") {
        document.entry("extra").or_insert(Value::Object(extra));
    }
    let list = document.keys().map(|key| format!("\"{key}\"")).collect::<Vec<_>>().join(", ");
    let table = &sample.table;
    let sql = format!(
        "insert into {table} as stored_row ({list})
         select {list} from jsonb_populate_record(null::{table}, $1::text::jsonb)
         returning to_jsonb(stored_row)::text"
    );
    let row: Row = client.query_one(&sql, &[&Value::Object(document).to_string()])?;
    Ok(parse(row.get(0)))
}

/// Whether a stored value is the given one: numbers by value, timestamps by instant.
pub fn same(given: &Value, stored: &Value) -> bool {
    match (given, stored) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        (Value::String(a), Value::String(b)) => a == b || instant(a).is_some() && instant(a) == instant(b),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        _ => given == stored,
    }
}

fn instant(text: &str) -> Option<time::OffsetDateTime> {
    use time::format_description::well_known::Rfc3339;
    let date_time = if text.len() == 10 { format!("{text}T00:00:00Z") } else { text.replacen(' ', "T", 1) };
    let parse = |text: &str| time::OffsetDateTime::parse(text, &Rfc3339).ok();
    parse(&date_time).or_else(|| parse(&format!("{date_time}Z")))
}
