//! Databases of the original Python system: tests/data/legacy/ says what they hold.

use crate::database::Database;
use crate::python::{self, AUGUST, JULY, SERVICE};

const IN_THE_WAY: &str =
    "tables of another shape, such as the original Python system's, are where the migrations make theirs";

/// `migrate` lists what is in the way and changes nothing; `status` and `verify` say the same, and give the same code.
fn refused(database: &Database, words: &[&str]) {
    let before = database.dump();
    let end = database.run(&["migrate"]);
    assert_eq!(end.code, Some(6), "{end:?}");
    for words in words.iter().chain(&[IN_THE_WAY, "Nothing was changed", "Run hacs-refinery adopt --dry-run"]) {
        assert!(end.stderr.contains(words), "{words}: {end:?}");
    }
    for command in [["status", "--check"], ["verify", "--quiet"]] {
        let said = database.run(&command);
        assert_eq!(said.code, Some(6), "{said:?}");
        for line in end.stderr.lines().filter_map(|line| line.strip_prefix("  hacs_")) {
            assert!(said.stdout.contains(&format!("In the way: hacs_{line}\n")), "{line}: {said:?}");
        }
    }
    assert_eq!(database.dump(), before);
}

#[test]
fn both_forms_of_the_python_database_are_recognised_and_left_alone() {
    let lists = ["\n  hacs_core.patients: columns not ours: ", "\n  hacs_registry.knowledge_items: columns ", " more"];
    refused(&python::database(JULY), &lists);
    let later = python::database(AUGUST);
    refused(&later, &lists);
    refused(&later, &["\n  hacs_clinical.appointments: "]);
    let said = later.run(&["status"]).stdout;
    assert!(
        said.contains("Left alone: public.hacs_resources: a table of the original Python system, about 0 rows\n"),
        "{said}"
    );
}

#[test]
fn a_part_of_a_python_database_is_recognised_as_well() {
    let one = Database::empty();
    one.client()
        .batch_execute("create schema hacs_core; create table hacs_core.patients (id text, name text)")
        .unwrap();
    refused(&one, &["\n  hacs_core.patients: columns not ours: name; missing: resource_type, "]);
}

#[test]
fn a_table_of_a_python_service_that_is_in_nobodys_way_is_left_alone_and_named_with_its_rows() {
    let database = Database::empty();
    database.client().batch_execute(SERVICE).unwrap();
    let rows = database.text("select json_agg(r order by id) from public.hacs_resources as r");
    let left = "public.hacs_resources: a table of the original Python system, about 2 rows";
    let end = database.run(&["migrate"]);
    assert!(end.code == Some(0) && end.stderr.contains(&format!("{left}, is left alone")), "{end:?}");
    for command in [["status", "--check"], ["verify", "--deep"]] {
        let said = database.run(&command);
        assert!(said.code == Some(0) && said.stdout.contains(&format!("Left alone: {left}\n")), "{said:?}");
    }
    assert_eq!(database.text("select json_agg(r order by id) from public.hacs_resources as r"), rows);
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

/// The blocks of "Moving in" of the guide: language and text.
fn blocks() -> Vec<(&'static str, &'static str)> {
    let guide = include_str!("../../../docs/for-python-users.md");
    let (_, section) = guide.split_once("\n## Moving in\n").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let parts = section.split("\n```").skip(1).step_by(2);
    parts.map(|block| block.split_once('\n').unwrap()).collect()
}

#[test]
fn a_python_database_moves_in_as_the_guide_says() {
    let database = python::database(AUGUST);
    database.client().batch_execute(SERVICE).unwrap();
    let old = "insert into hacs_core.patients (id, full_name, gender, photo_url) values
            ('p', 'Not Ada', 'female', null), ('q', 'Grace', 'female', 'x.png'), ('bad', 'B', 'unheard of', null);
        update hacs_core.patients set updated_at = '2025-01-01Z' where id = 'p';
        insert into hacs_core.observations (id, subject, status, code, value_integer, effective_datetime)
            values ('o2', 'Patient/q', 'final', '{\"text\": \"x\"}', 0, '2025-07-01 10:00+00');
        insert into hacs_audit.system_audit_log (id, action) values ('l', 'login')";
    database
        .client()
        .batch_execute(
            &old.replace("update hacs_core", "alter table hacs_core.patients disable trigger user; update hacs_core"),
        )
        .unwrap();
    let mut codes = Vec::new();
    for (language, text) in blocks() {
        match language {
            "sql" => database.client().batch_execute(text).unwrap(),
            "sh" => {
                for line in text.lines() {
                    let words: Vec<&str> = line.split('#').next().unwrap().split_whitespace().skip(1).collect();
                    codes.push((words.join(" "), database.run(&words).code));
                }
            }
            "text" => assert_eq!(
                database.run(&["migrate"]).stderr.lines().next(),
                text.lines().next(),
                "what migrate says before"
            ),
            _ => panic!("{language}"),
        }
    }
    let expected = [
        ("adopt --dry-run", 9),
        ("adopt", 9),
        ("adopt --retry", 9),
        ("adopt --finish", 9),
        ("adopt --retry", 0),
        ("adopt --finish", 9),
        ("adopt --finish --discard", 0),
    ];
    assert_eq!(codes, expected.map(|(command, code)| (command.to_owned(), Some(code))));
    let found = "select string_agg(concat_ws(' ', full_name, gender, extra ->> 'photo_url'), ', ' order by id) from hacs_core.patients";
    assert_eq!(database.text(found), "B unknown, Ada, Grace female x.png");
    let found =
        "select string_agg(concat_ws(' ', id, patient_id, value_integer, effective_datetime at time zone 'UTC'), ', '
        order by id) from hacs_core.observations";
    assert_eq!(database.text(found), "o p 1, o2 q 0 2025-07-01 10:00:00");
    assert_eq!(database.text("select string_agg(distinct actor_id, ' ') from hacs_audit.resource_changes"), "adopt");
    assert_eq!(database.run(&["verify"]).code, Some(0));
    assert_eq!(database.text("select to_regnamespace('hacs_legacy') is null"), "t");
    assert_eq!(database.text("select count(*) from public.hacs_resources"), "2");
}
