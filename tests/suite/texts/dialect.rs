//! What SQL has to keep to so that it runs on a database that is distributed over machines as well: docs/scale-out.md.

use std::fs;
use std::path::{Path, PathBuf};

fn files(dir: &Path, endings: &[&str], found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, endings, found);
        } else if path.extension().is_some_and(|ending| endings.contains(&ending.to_str().unwrap())) {
            found.push(path);
        }
    }
}

fn texts(places: &[&str], endings: &[&str]) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    for place in places {
        let path = root.join(place);
        if path.is_dir() { files(&path, endings, &mut found) } else { found.push(path) }
    }
    found.iter().map(|path| (path.display().to_string(), fs::read_to_string(path).unwrap())).collect()
}

/// The newest migration that was written before the dialect; what came before is fitted by the distribution itself.
const BEFORE: i64 = 11;

/// What a later migration does that a distributed database does not take.
fn breaks(sql: &str) -> Vec<&'static str> {
    let code: String = sql.lines().filter(|line| !line.trim_start().starts_with("--")).collect::<Vec<_>>().join("\n");
    let words = code.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
    let mut broken = Vec::new();
    for statement in words.split(';').filter(|statement| statement.trim_start().starts_with("alter table")) {
        let adds = statement.matches(" add constraint ").count();
        let others = [" add column ", " alter column ", " drop column ", " drop constraint "];
        if adds > 1 || adds == 1 && others.iter().any(|other| statement.contains(other)) {
            broken.push("an ALTER TABLE adds one constraint, and does nothing else");
        }
    }
    let tables = words.matches("create table ").count();
    let told = ["patient", "own", "reference", "local"]
        .iter()
        .map(|kind| sql.matches(&format!("-- distribution: {kind}\n")).count())
        .sum::<usize>();
    if tables > told {
        broken.push("a new table says above it what it is: -- distribution: patient, own, reference or local");
    }
    if words.contains("exists (select from ") || words.contains("exists ( select from ") {
        broken.push("EXISTS asks for a column: select 1 from");
    }
    let asks_the_trail = |body: &str| body.contains("hacs_audit.resource_changes") && body.contains(" language sql ");
    if words.split("create or replace function ").skip(1).any(asks_the_trail) {
        broken.push("a function over the trail is written in PL/pgSQL");
    }
    if words.split("execute '").skip(1).any(|rest| rest.split('\'').next().unwrap().trim_end_matches(';').contains(';'))
    {
        broken.push("an EXECUTE has one statement");
    }
    broken
}

#[test]
fn later_migrations_keep_to_the_dialect() {
    for migration in hacs_refinery::migrations().iter().filter(|migration| migration.version() > BEFORE) {
        assert_eq!(breaks(migration.sql().unwrap()), [""; 0], "{migration}");
    }
}

/// One that breaks each rule, and one that keeps all.
#[test]
fn what_breaks_the_dialect_is_named() {
    let good = "-- distribution: patient\ncreate table hacs_core.stays (id text, patient_id text);
        alter table hacs_core.stays add constraint stays_pkey primary key (id);
        alter table hacs_core.stays add constraint stays_x check (exists (select 1 from unnest(array[1])));";
    assert_eq!(breaks(good), [""; 0]);
    for (sql, word) in [
        ("create table hacs_core.stays (id text);", "-- distribution"),
        ("alter table a add constraint b check (true), add constraint c check (true);", "one constraint"),
        ("alter table a add column d text, add constraint c check (true);", "one constraint"),
        ("select exists (select from a);", "EXISTS"),
        ("do $$ begin execute 'select 1; select 2'; end $$;", "EXECUTE"),
        (
            "create or replace function f(x text) returns text language sql as 'select 1 from hacs_audit.resource_changes';",
            "PL/pgSQL",
        ),
    ] {
        let broken = breaks(sql);
        assert!(broken.len() == 1 && broken[0].contains(word), "{sql}: {broken:?}");
    }
}

#[test]
fn no_exists_asks_for_no_column() {
    let all = texts(&["migrations", "src", "scripts"], &["sql", "rs", "sh"]);
    assert!(all.len() > 50, "{}", all.len());
    for (path, text) in all {
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(!words.contains("exists (select from ") && !words.contains("exists ( select from "), "{path}");
    }
}

/// In a distributed database the key of a table has the patient in it, and its name is the same.
#[test]
fn examples_name_a_key_by_its_constraint() {
    for (path, text) in texts(&["README.md", "docs", "examples", "clients"], &["md", "rs", "sql", "py", "sh"]) {
        assert!(!text.contains("on conflict ("), "{path}: on conflict on constraint …");
    }
    for (path, text) in texts(&["migrations"], &["sql"]) {
        for (at, line) in text.lines().enumerate().filter(|(_, line)| line.contains("on conflict (")) {
            // of tables that are not distributed, and where a table has no primary key
            let stays = ["(row_id)", "(key)", "'on conflict (id)'"].iter().any(|key| line.contains(key));
            assert!(stays, "{path}, line {}: {line}", at + 1);
        }
    }
}
