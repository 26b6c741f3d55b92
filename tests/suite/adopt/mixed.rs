//! Parts of old databases, several forms beside each other, and tables that nobody knows.

use super::{adopt, adopted, counts, reasons};
use crate::database::Database;
use crate::python::{AUGUST, JULY, SERVICE, database, statements};

/// What the services of July 2025 made: each document in `full_resource`, some columns beside it.
const GRANULAR: &str = r#"
    create table public.patients (id text primary key, full_name text, full_resource jsonb not null, created_at timestamptz default now(), updated_at timestamptz default now());
    create table public.observations (id text primary key, subject text, full_resource jsonb not null, updated_at timestamptz default now());
    create table public.scratchpad_entries (id text primary key, full_resource jsonb not null);
    create table public.knowledge_items (id text primary key, title text, content text, embedding text, full_resource jsonb);
    insert into public.patients (id, full_resource) values
        ('p', '{"id": "p", "resource_type": "Patient", "full_name": "Ada"}'), ('untyped', '{"full_name": "Grace"}');
    insert into public.observations (id, full_resource) values
        ('o', '{"id": "o", "resource_type": "Observation", "subject": "Patient/p", "value_integer": 1}'), ('none', 'null');
    insert into public.scratchpad_entries (id, full_resource) values ('s', '{"note": "later"}');
    insert into public.knowledge_items (id, title, content, embedding, full_resource) values
        ('k', 'Aspirin', 'It thins.', '[1, 2.5]', '{"id": "k", "resource_type": "KnowledgeItem", "content": "It thins."}'),
        ('l', 'Ibuprofen', 'It soothes.', null, null);
"#;

#[test]
fn documents_in_full_resource_move_in_and_the_tables_stay() {
    let database = Database::empty();
    database.client().batch_execute(GRANULAR).unwrap();
    let (code, report) = adopted(&database, &[]);
    assert_eq!(code, Some(9), "{report:#}");
    for (table, expected) in [
        ("public.patients", [2, 2, 0, 0, 0, 0]),
        ("public.observations", [2, 1, 0, 0, 1, 0]),
        ("public.scratchpad_entries", [1, 1, 0, 0, 0, 0]),
        ("public.knowledge_items", [2, 2, 0, 0, 0, 0]),
    ] {
        assert_eq!(counts(&report, table), expected, "{table}: {:?}", reasons(&report, table));
    }
    for (query, expected) in [
        (
            "select string_agg(concat_ws(' ', id, full_name), ', ' order by id) from hacs_core.patients",
            "p Ada, untyped Grace",
        ),
        (
            "select hacs_core.get('ScratchpadEntry', 's')",
            r#"{"id": "s", "note": "later", "resource_type": "ScratchpadEntry"}"#,
        ),
        (
            "select string_agg(concat_ws(' ', id, extra ->> 'title', content), ', ' order by id) from hacs_registry.knowledge_items",
            "k Aspirin It thins., l Ibuprofen It soothes.",
        ),
        ("select count(*) from public.patients", "2"),
        ("select to_regnamespace('hacs_legacy')::text || ' ' || count(*) from hacs_legacy.rejects", "hacs_legacy 1"),
    ] {
        assert_eq!(database.text(query), expected, "{query}");
    }
    assert_eq!(database.run(&["verify"]).code, Some(0));
}

#[test]
fn a_vector_store_moves_in_with_titles_and_embeddings() {
    let database = Database::empty();
    let vector = if database.text("select count(*) from pg_available_extensions where name = 'vector'") == "1" {
        "create extension vector; create table hacs_registry.knowledge_items (embedding vector(2),"
    } else {
        "create table hacs_registry.knowledge_items (embedding double precision[],"
    };
    let value = if vector.contains("extension") { "'[1,2.5]'" } else { "'{1, 2.5}'" };
    let store = format!(
        "create schema hacs_registry; {vector} id text primary key, title text not null, content text not null, metadata jsonb, source text);
         insert into hacs_registry.knowledge_items (id, title, content, metadata, source, embedding) values
             ('k', 'Aspirin', 'It thins.', '{{\"page\": 3}}', 'a book', {value}), ('l', 'Tea', 'It warms.', null, null, null)"
    );
    database.client().batch_execute(&store).unwrap();
    let (code, report) = adopted(&database, &[]);
    assert_eq!((code, counts(&report, "hacs_registry.knowledge_items")), (Some(0), [2, 2, 0, 0, 0, 0]), "{report:#}");
    let found = "select concat_ws(' ', embedding, extra ->> 'title', metadata, source) from hacs_registry.knowledge_items where id = 'k'";
    assert_eq!(database.text(found), r#"{1,2.5} Aspirin {"page": 3} a book"#);
}

#[test]
fn tables_that_stand_alone_in_our_schemas_are_set_aside_and_tables_that_nobody_knows_are_left_and_named() {
    let database = Database::empty();
    let parts = "create schema hacs_agents; create schema hacs_core;
        create table hacs_agents.memory_blocks (id text primary key, agent_id text, memory_type text, content text);
        insert into hacs_agents.memory_blocks values ('m', 'agent/1', 'semantic', 'Tea.'), ('n', 'agent/1', 'unheard of', 'Tea.');
        create table hacs_core.patients (number integer); insert into hacs_core.patients values (1);
        create table hacs_core.my_notes (note text); insert into hacs_core.my_notes values ('mine');
        create table public.orders (id integer); create view public.patients as select 1 as id;";
    database.client().batch_execute(parts).unwrap();
    let (code, report) = adopted(&database, &[]);
    assert_eq!(code, Some(9), "{report:#}");
    assert_eq!(counts(&report, "hacs_agents.memory_blocks"), [2, 1, 0, 0, 1, 0]);
    assert_eq!(reasons(&report, "hacs_agents.memory_blocks"), [("memories_memory_type_valid".to_owned(), 1)]);
    let note = |table: &str| {
        let of = report["tables"].as_array().unwrap().iter().find(|of| of["table"] == table).unwrap();
        (of["moved_to"].as_str().map(str::to_owned), of["note"].as_str().unwrap().to_owned())
    };
    assert_eq!(note("hacs_core.patients"), (Some("hacs_legacy.patients".to_owned()), "it has no column id".to_owned()));
    assert_eq!(note("hacs_core.my_notes"), (None, "it is not known".to_owned()));
    assert_eq!(note("public.orders"), (None, "it is not known".to_owned()));
    assert_eq!(database.text("select note from hacs_core.my_notes"), "mine");
    assert_eq!(database.text("select number from hacs_legacy.patients"), "1");
    let said = database.run(&["verify"]);
    assert!(said.code == Some(7) && said.stdout.contains("hacs_core.my_notes"), "{said:?}");
    let own = "insert into hacs_admin.system_config (key, value) values ('verify.ignore', '[\"hacs_core.my_notes\"]')";
    database.client().batch_execute(own).unwrap();
    assert_eq!(database.run(&["verify"]).code, Some(0));
}

#[test]
fn where_a_resource_stands_in_two_places_the_newer_wins_and_the_other_is_told() {
    let database = database(AUGUST);
    let rows = r#"
        insert into hacs_core.patients (id, full_name, updated_at) values ('p', 'old', '2025-07-01Z'), ('q', 'new', '2025-09-01Z'), ('r', 'r', '2025-07-01Z');
        insert into public.hacs_resources (id, resource_type, data, updated_at) values
            ('p', 'Patient', '{"id": "p", "resource_type": "Patient", "full_name": "new", "updated_at": "2025-08-01T00:00:00Z"}', '2025-08-01Z'),
            ('q', 'Patient', '{"id": "q", "resource_type": "Patient", "full_name": "old", "updated_at": "2025-08-01T00:00:00Z"}', '2025-08-02Z'),
            ('r', 'Patient', '{"id": "r", "resource_type": "Patient", "full_name": "r"}', '2025-07-01Z');
    "#;
    database.client().batch_execute(rows).unwrap();
    let (code, report) = adopted(&database, &[]);
    assert_eq!(code, Some(0), "{report:#}");
    assert_eq!(counts(&report, "hacs_core.patients"), [3, 1, 0, 2, 0, 0]);
    assert_eq!(counts(&report, "public.hacs_resources"), [3, 2, 0, 1, 0, 0]);
    let found = "select string_agg(concat_ws(' ', id, full_name), ', ' order by id) from hacs_core.patients";
    assert_eq!(database.text(found), "p new, q new, r r");
    let told = "select string_agg(concat_ws(' ', table_name, resource_type, id, newer_in), ', ' order by id) from hacs_legacy.older";
    assert_eq!(
        database.text(told),
        "hacs_core.patients Patient p public.hacs_resources, public.hacs_resources Patient q hacs_core.patients, \
         hacs_core.patients Patient r public.hacs_resources"
    );
    let versions = database.text("select string_agg(version_id::text, ' ') from hacs_core.patients");
    assert_eq!(versions, "1 1 1", "each was stored once");
}

#[test]
fn a_database_of_one_form_that_was_upgraded_to_the_other_moves_in_whole_and_keeps_keys_and_indexes() {
    let database = database(JULY);
    let upgrade: String = statements(AUGUST)
        .into_iter()
        .filter(|text| text.starts_with("create table"))
        .map(|text| text.replacen("create table", "create table if not exists", 1) + ";\n")
        .collect();
    database.client().batch_execute(&(upgrade + SERVICE)).unwrap();
    let inside = "select count(*) from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
        left join pg_index as i on i.indexrelid = c.oid left join pg_class as t on t.oid = i.indrelid
        where n.nspname";
    let before = database.text(&format!("{inside} in ('hacs_core', 'hacs_clinical', 'hacs_registry', 'hacs_agents', 'hacs_admin', 'hacs_audit') and c.relkind in ('r', 'i')"));
    let keys =
        "select count(*) from pg_constraint where contype in ('p', 'f', 'u') and connamespace::regnamespace::text";
    let keys_before = database.text(&format!("{keys} ~ '^hacs_'"));
    let end = adopt(&database, &[]);
    assert_eq!(end.code, Some(0), "{end:?}");
    assert_eq!(database.text(&format!("{inside} = 'hacs_legacy' and c.relkind in ('r', 'i')")), before);
    assert_eq!(database.text(&format!("{keys} = 'hacs_legacy'")), keys_before);
    assert_eq!(database.run(&["verify", "--deep"]).code, Some(0));
    assert_eq!(database.text("select count(*) from hacs_core.patients"), "1");
}

#[test]
fn a_name_that_is_taken_in_hacs_legacy_gets_a_number() {
    let database = Database::empty();
    let old = "create schema hacs_core; create schema hacs_legacy;
        create table hacs_legacy.patients (id text constraint patients_pkey primary key, full_name text);
        create table hacs_core.patients (id text constraint patients_pkey primary key, full_name text);
        insert into hacs_legacy.patients values ('a', 'A'); insert into hacs_core.patients values ('b', 'B');";
    database.client().batch_execute(old).unwrap();
    let (code, report) = adopted(&database, &[]);
    assert_eq!(code, Some(0), "{report:#}");
    assert_eq!(database.text("select string_agg(id, ' ' order by id) from hacs_core.patients"), "a b");
    assert_eq!(database.text("select id from hacs_legacy.patients_2"), "b");
}
