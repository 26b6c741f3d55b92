//! The programs of `examples/`, run as their first lines say.

use crate::database::{Database, ended};
use crate::newest::NEWEST;

fn run(name: &str, database: &Database) -> String {
    let end = ended(crate::example(name).env("DATABASE_URL", database.conninfo()).output().unwrap());
    assert_eq!((end.code, end.stderr.as_str()), (Some(0), ""), "{name}: {end:?}");
    end.stdout
}

#[test]
fn every_example_migrates_an_empty_database_and_finds_nothing_to_do_in_a_complete_one() {
    let all: Vec<String> = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/examples"))
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        // tools to measure and to look with: other tests run them
        .filter(|name| !["connected", "wire"].contains(&name.as_str()))
        .filter(|name| {
            cfg!(feature = "tokio-postgres")
                || ["carry", "documents", "embed", "operator", "synchronous"].contains(&name.as_str())
        })
        .collect();
    assert!(all.len() >= 2, "{all:?}");
    for name in all {
        let database = Database::empty();
        let first = run(&name, &database);
        assert!(first.starts_with(&format!("{NEWEST} applied, now at V{NEWEST}\n")), "{name}: {first}");
        assert_eq!(database.run(&["status", "--check"]).code, Some(0), "{name}");
        let second = run(&name, &database);
        assert!(second.starts_with(&format!("0 applied, now at V{NEWEST}\n")), "{name}: {second}");
        match name.as_str() {
            "embed" => {}
            "carry" => assert!(second.contains("Patient: 0 stored, 1 were there\n1 exported\n{"), "{second}"),
            "operator" => {
                assert!(first.contains("beforehand: hacs_core would lock ["), "{first}");
                assert!(second.contains("Patient: stored\n") && second.contains("\n0 differences, 0 that"), "{second}");
            }
            "documents" => assert!(second.contains("\"full_name\": \"Grace Hopper\""), "{second}"),
            "service_with_deadpool" => assert!(second.ends_with("request 7: 0 patients\n"), "{second}"),
            _ => assert!(second.ends_with("\n0 patients\n"), "{second}"),
        }
        if name == "tokio_postgres" {
            assert!(second.contains("\"migration_complete\": true"), "{second}");
        }
    }
}
