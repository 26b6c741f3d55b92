//! The law of src/: imports run down. A room knows those below it, and none above or beside it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// From the bottom to the top; rooms in one line do not know each other.
const ROOMS: [&[&str]; 7] =
    [&["server"], &["schema", "connect"], &["history"], &["error"], &["run", "inspect", "data"], &["tokio"], &["lib"]];

fn level(room: &str) -> Option<usize> {
    ROOMS.iter().position(|rooms| rooms.contains(&room))
}

fn files(dir: &Path, ending: &str, found: &mut Vec<std::path::PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, ending, found);
        } else if path.extension().is_some_and(|found| found == ending) {
            found.push(path);
        }
    }
}

#[test]
fn imports_run_down() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut all = Vec::new();
    files(&src, "rs", &mut all);
    let mut looked_at = 0;
    for file in all {
        let place = file.strip_prefix(&src).unwrap().to_string_lossy().replace('\\', "/");
        let room = place.split(['/', '.']).next().unwrap();
        let Some(own) = level(room).filter(|_| room != "lib") else { continue };
        for line in fs::read_to_string(&file).unwrap().lines().filter(|line| !line.trim_start().starts_with("//")) {
            for (at, _) in line.match_indices("crate::") {
                let name: String = line[at + 7..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                looked_at += 1;
                let of = level(&name).unwrap_or_else(|| panic!("{place}: crate::{name} is no room: {line}"));
                assert!(name == room || of < own, "{place} knows crate::{name}: {line}");
            }
        }
    }
    assert!(looked_at > 100, "{looked_at}");
}

#[test]
fn no_file_is_long_and_no_function() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut all = Vec::new();
    files(&src, "rs", &mut all);
    for file in all {
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.lines().count() <= 350, "{} is longer than 350 lines", file.display());
        let mut begun: Option<(usize, usize)> = None;
        for (at, line) in text.lines().enumerate() {
            let indent = line.len() - line.trim_start().len();
            if line.split('"').next().is_some_and(|code| code.contains("fn ")) && line.ends_with('{') {
                begun = Some((indent, at));
            }
            if let Some((of, start)) = begun.filter(|(of, _)| line == format!("{}}}", " ".repeat(*of))) {
                let _ = of;
                assert!(at - start <= 50, "{}: a function of {} lines ends at {}", file.display(), at - start, at + 1);
                begun = None;
            }
        }
    }
}

#[test]
fn half_of_the_files_fit_on_two_screens() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut all = Vec::new();
    files(&src, "rs", &mut all);
    let short = all.iter().filter(|file| fs::read_to_string(file).unwrap().lines().count() < 100).count();
    assert!(short * 2 >= all.len(), "{short} of {} files have less than 100 lines", all.len());
}

#[test]
fn every_public_name_stands_in_an_example_or_a_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut users = Vec::new();
    files(&root.join("examples"), "rs", &mut users);
    files(&root.join("tests/suite"), "rs", &mut users);
    let users: String = users.iter().map(|file| fs::read_to_string(file).unwrap()).collect();
    let used: BTreeSet<&str> = users.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
    let face = fs::read_to_string(root.join("src/lib.rs")).unwrap();
    let uses = face.split("pub use ").skip(1).filter_map(|rest| rest.split(';').next());
    let names = uses.flat_map(|path| path.rsplit("::").next().unwrap().split(['{', '}', ',']).map(str::trim));
    let functions = face.split("pub fn ").skip(1).filter_map(|rest| rest.split('(').next());
    let names: Vec<&str> = names.chain(functions).filter(|name| !name.is_empty()).collect();
    assert!((40..=75).contains(&names.len()), "{} names: {names:?}", names.len());
    assert_eq!(names.iter().filter(|name| !used.contains(*name)).collect::<Vec<_>>(), [&""; 0]);
}

#[test]
fn no_file_of_tests_is_long() {
    let mut all = Vec::new();
    files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests"), "rs", &mut all);
    for file in all {
        let lines = fs::read_to_string(&file).unwrap().lines().count();
        assert!(lines <= 400, "{} has {lines} lines", file.display());
    }
}

#[test]
fn no_line_of_sql_is_long() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut all = Vec::new();
    for dir in ["migrations", "src", "scripts", "deploy", "benches", "examples"] {
        files(&root.join(dir), "sql", &mut all);
    }
    assert!(all.len() > 30, "{} files", all.len());
    for file in all {
        for (at, line) in fs::read_to_string(&file).unwrap().lines().enumerate() {
            assert!(line.chars().count() <= 120, "{}, line {}: {line}", file.display(), at + 1);
        }
    }
}

#[test]
fn every_room_has_a_row_and_every_script_and_measurement_a_line() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |name: &str| fs::read_to_string(root.join(name)).unwrap();
    let names = |dir: &str| -> Vec<String> {
        let entries = fs::read_dir(root.join(dir)).unwrap().map(Result::unwrap);
        entries.map(|entry| entry.file_name().into_string().unwrap()).filter(|name| name != "README.md").collect()
    };
    let architecture = read("docs/architecture.md");
    let rooms: Vec<String> = names("src").into_iter().filter(|name| root.join("src").join(name).is_dir()).collect();
    assert!(rooms.len() >= 9, "{rooms:?}");
    for room in rooms {
        let rows = architecture.lines().filter(|line| {
            let subject = line.split(" | ").next().unwrap_or_default();
            line.starts_with('|') && subject.contains(&format!("[src/{room}/]"))
        });
        assert_eq!(rows.count(), 1, "rows of src/{room}/ in docs/architecture.md");
    }
    let scripts = read("scripts/README.md");
    for name in names("scripts") {
        assert!(scripts.contains(&format!("`{name}`")), "scripts/README.md does not name {name}");
    }
    let benches = read("benches/README.md");
    for (dir, name) in ["runner", "schema"]
        .iter()
        .flat_map(|dir| names(&format!("benches/{dir}")).into_iter().map(move |name| (dir, name)))
    {
        assert!(benches.contains(&format!("`{dir}/{name}`")), "benches/README.md does not name {dir}/{name}");
    }
}

#[test]
fn the_readme_is_read_in_one_sitting() {
    let readme = include_str!("../../../README.md");
    assert!(readme.lines().count() <= 200, "{} lines", readme.lines().count());
}
