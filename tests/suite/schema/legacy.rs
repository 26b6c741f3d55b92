//! Databases of the original Python system: tests/data/legacy/ says what they hold.

use serde_json::Value;

use crate::database::Database;

/// Makes the tables that a file describes. Vectors become text: pgvector is not needed for their names.
fn python_database(facts: &str) -> Database {
    let facts: Value = serde_json::from_str(facts).unwrap();
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let mut sql = "create function public.update_updated_at_column() returns trigger language plpgsql
        as $$ begin new.updated_at = now(); return new; end $$;\n"
        .to_owned();
    let mut later = String::new();
    let mut schemas = Vec::new();
    for (name, table) in facts.as_object().unwrap() {
        let (schema, relation) = name.split_once('.').unwrap();
        if !schemas.contains(&schema) {
            schemas.push(schema);
            sql += &format!("create schema if not exists {schema};\n");
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
        sql += &format!("create table {name} ({});\n", columns.join(", "));
        for key in list(&table["keys"]).iter().map(text) {
            let target = if key.starts_with("FOREIGN") { &mut later } else { &mut sql };
            *target += &format!("alter table {name} add {key};\n");
        }
        for trigger in list(&table["triggers"]).iter().map(text) {
            sql += &format!(
                "create trigger {trigger} before update on {schema}.{relation}
                 for each row execute function public.update_updated_at_column();\n"
            );
        }
        for index in list(&table["indexes"]) {
            let (index, on) = (text(&index["name"]), text(&index["on"]));
            // Those of unique keys are there already, those of vectors need pgvector.
            if !on.contains("vector") && !on.starts_with("ivfflat") && !on.starts_with("hnsw") {
                later += &format!("create index if not exists {index} on {name} using {on};\n");
            }
        }
    }
    let database = Database::empty();
    database.client().batch_execute(&(sql + &later)).unwrap_or_else(|error| panic!("{error:?}"));
    database
}

fn refused(database: &Database, words: &[&str]) {
    let before = database.dump();
    let end = database.run(&["migrate"]);
    assert_eq!(end.code, Some(6), "{end:?}");
    let always = ["this database was made by the original Python migrations", "Nothing was changed", "README"];
    for words in words.iter().chain(&always) {
        assert!(end.stderr.contains(words), "{words}: {end:?}");
    }
    assert_eq!(database.dump(), before);
}

#[test]
fn both_forms_of_the_python_database_are_recognised_and_left_alone() {
    let lists = [
        "\n  hacs_core.patients: columns not ours: ",
        "\n  hacs_agents.memory_blocks: a table of the Python migrations\n",
        "\n  hacs_admin.system_configuration: a table of the Python migrations\n",
        " more",
    ];
    refused(&python_database(include_str!("../../data/legacy/2025-07.json")), &lists);
    let later = python_database(include_str!("../../data/legacy/2025-08.json"));
    refused(&later, &lists);
    refused(
        &later,
        &["\n  public.hacs_resources: a table of the Python migrations\n", "\n  hacs_clinical.appointments: "],
    );
}

#[test]
fn tables_that_psql_made_from_the_same_files_are_ours() {
    let database = Database::migrated();
    let expected = database.dump();
    database.client().batch_execute("drop table hacs_admin.migrations").unwrap();
    let end = database.run(&["migrate"]);
    assert_eq!(end.code, Some(0), "{end:?}");
    assert_eq!(database.dump(), expected);
}
