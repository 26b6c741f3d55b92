//! Databases of the original Python system: tests/data/legacy/ says what they hold.

use serde_json::Value;

use crate::database::Database;

pub const JULY: &str = include_str!("../../data/legacy/2025-07.json");
pub const AUGUST: &str = include_str!("../../data/legacy/2025-08.json");

/// What a service of the Python system makes at its first connection, with two documents.
pub const SERVICE: &str = r#"
    create table if not exists public.hacs_resources (
        id text primary key, resource_type text not null, data jsonb not null, created_at timestamptz default now(),
        updated_at timestamptz default now(), created_by text, updated_by text
    );
    create index if not exists idx_hacs_resources_data_gin on public.hacs_resources using gin (data);
    insert into public.hacs_resources (id, resource_type, data, created_by) values
        ('p', 'Patient', '{"id": "p", "resource_type": "Patient", "full_name": "Ada"}', 'doctor/1'),
        ('o', 'Observation', '{"id": "o", "resource_type": "Observation", "subject": "Patient/p", "value_integer": 1, "value_string": null}', 'doctor/1');
    analyze public.hacs_resources;
"#;

/// Makes the tables that a file describes.
pub fn database(facts: &str) -> Database {
    let database = Database::empty();
    database.client().batch_execute(&statements(facts).join(";\n")).unwrap_or_else(|error| panic!("{error:?}"));
    database
}

/// The statements that make them. Vectors become text: pgvector is not needed for their names.
pub fn statements(facts: &str) -> Vec<String> {
    let facts: Value = serde_json::from_str(facts).unwrap();
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let function = "create function public.update_updated_at_column() returns trigger language plpgsql
        as $$ begin new.updated_at = now(); return new; end $$";
    let mut sql = vec![function.to_owned()];
    let mut later = Vec::new();
    let mut schemas = Vec::new();
    for (name, table) in facts.as_object().unwrap() {
        let (schema, relation) = name.split_once('.').unwrap();
        if !schemas.contains(&schema) {
            schemas.push(schema);
            sql.push(format!("create schema if not exists {schema}"));
        }
        let columns: Vec<String> = list(&table["columns"])
            .iter()
            .map(|column| {
                let kind = text(&column["type"]).replace("vector(1536)", "text");
                let default = column["default"].as_str().map(|d| format!(" default {d}")).unwrap_or_default();
                let not_null = if column["not_null"] == true { " not null" } else { "" };
                format!("\"{}\" {kind}{default}{not_null}", text(&column["name"]))
            })
            .collect();
        sql.push(format!("create table {name} ({})", columns.join(", ")));
        for key in list(&table["keys"]).iter().map(text) {
            let target = if key.starts_with("FOREIGN") { &mut later } else { &mut sql };
            target.push(format!("alter table {name} add {key}"));
        }
        for trigger in list(&table["triggers"]).iter().map(text) {
            sql.push(format!(
                "create trigger {trigger} before update on {schema}.{relation}
                 for each row execute function public.update_updated_at_column()"
            ));
        }
        for index in list(&table["indexes"]) {
            let (index, on) = (text(&index["name"]), text(&index["on"]));
            // Those of unique keys are there already, those of vectors need pgvector.
            if !on.contains("vector") && !on.starts_with("ivfflat") && !on.starts_with("hnsw") {
                later.push(format!("create index if not exists {index} on {name} using {on}"));
            }
        }
    }
    sql.append(&mut later);
    sql
}
