//! What the documents say, as far as a program can tell.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::database::Database;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// README.md and the other Markdown files of the root and of docs/.
fn documents() -> Vec<PathBuf> {
    let files = [ROOT.to_owned(), format!("{ROOT}/docs")].map(|dir| fs::read_dir(dir).unwrap());
    let paths = files.into_iter().flatten().map(|entry| entry.unwrap().path());
    paths.filter(|path| path.extension().is_some_and(|extension| extension == "md")).collect()
}

/// The targets of links and pictures: `](target)`.
fn targets(text: &str) -> impl Iterator<Item = &str> {
    text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target)
}

/// The anchors that a forge gives to the headings of a document.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    let kept = |c: &char| c.is_alphanumeric() || [' ', '-', '_'].contains(c);
    headings
        .map(|line| line.trim_start_matches('#').trim().to_lowercase().chars().filter(kept).collect::<String>())
        .map(|heading| heading.replace(' ', "-"))
        .collect()
}

#[test]
fn every_link_leads_to_a_file_and_every_anchor_to_a_heading() {
    let mut checked = 0;
    let mut broken = Vec::new();
    for document in documents() {
        let text = fs::read_to_string(&document).unwrap();
        for target in targets(&text).filter(|target| !target.contains("://")) {
            checked += 1;
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let path = if file.is_empty() { document.clone() } else { document.parent().unwrap().join(file) };
            let found = match fs::read_to_string(&path) {
                Ok(linked) => anchor.is_empty() || anchors(&linked).contains(anchor),
                Err(_) => path.is_dir(),
            };
            if !found {
                broken.push(format!("{}: {target}", document.strip_prefix(ROOT).unwrap_or(Path::new("")).display()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
    assert!(checked > 100, "{checked}");
}

#[test]
fn a_database_of_the_python_package_is_refused_with_the_error_that_its_users_are_told() {
    let told = include_str!("../../../docs/for-python-users.md");
    let (_, rest) = told.split_once("```text\n").unwrap();
    let (expected, _) = rest.split_once("```").unwrap();

    let database = Database::empty();
    let old = "create schema hacs_core;
        create table hacs_core.patients (id text primary key, full_name text, created_at timestamptz, updated_at timestamptz,
            active boolean, name text)";
    database.client().batch_execute(old).unwrap();
    let end = database.run(&["migrate"]);
    assert_eq!((end.code, end.stderr.as_str()), (Some(6), expected));
}

/// The text of an SVG, line by line.
fn shown(svg: &str) -> Vec<String> {
    let lines = svg.lines().filter(|line| line.starts_with("<text "));
    let text = |line: &str| line.split('<').filter_map(|part| Some(part.split_once('>')?.1)).collect::<String>();
    lines.map(|line| text(line).replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")).collect()
}

/// Times are not the same in every run.
fn without_times(line: &str) -> String {
    if !line.contains(" ms") {
        return line.to_owned();
    }
    let words = line
        .split_whitespace()
        .map(|word| if word.parse::<f64>().is_ok_and(|_| word.contains('.')) { "#" } else { word });
    words.collect::<Vec<_>>().join(" ")
}

#[test]
fn the_picture_of_a_terminal_shows_what_the_program_prints() {
    let picture = shown(include_str!("../../../docs/pictures/terminal.svg"));
    let database = Database::empty();
    let mut printed = Vec::new();
    for line in picture.iter().filter_map(|line| line.strip_prefix("$ ")) {
        printed.push(format!("$ {line}"));
        match line.strip_prefix("hacs-refinery ") {
            Some(command) => printed.extend(database.run(&[command]).stdout.lines().map(str::to_owned)),
            None => {
                let sql = line.strip_prefix("psql -qXc '").and_then(|rest| rest.strip_suffix('\'')).expect("psql");
                database.client().batch_execute(sql).unwrap();
            }
        }
        printed.push(String::new());
    }
    printed.pop();
    assert!(printed.len() > 20, "{printed:#?}");
    let compared = |lines: &[String]| lines.iter().map(|line| without_times(line)).collect::<Vec<_>>();
    assert_eq!(compared(&picture), compared(&printed), "scripts/update-picture.sh makes it anew");
}

#[test]
fn every_picture_is_shown_and_has_more_than_two_tables() {
    let mut pages = documents();
    pages.extend(fs::read_dir(Path::new(ROOT).join("docs/schema")).unwrap().map(|entry| entry.unwrap().path()));
    let texts: String = pages.iter().map(|page| fs::read_to_string(page).unwrap()).collect();
    for entry in fs::read_dir(Path::new(ROOT).join("docs/pictures")).unwrap() {
        let (path, name) = (entry.as_ref().unwrap().path(), entry.unwrap().file_name().into_string().unwrap());
        assert!(texts.contains(&format!("pictures/{name})")), "no document shows {name}");
        let nodes = fs::read_to_string(path).unwrap().matches("class=\"node\"").count();
        assert!(name == "terminal.svg" || nodes > 2, "{name} has {nodes} tables");
    }
}

#[test]
fn what_all_tables_of_resources_have_is_told_once() {
    let introduction = include_str!("../../../docs/schema.md");
    let (_, table) = introduction.split_once("## What every table of resources has\n").unwrap();
    let lines = table.lines().skip(3).take_while(|line| line.starts_with("| `"));
    let columns: Vec<&str> = lines.map(|line| line.split(" | ").next().unwrap()).collect();
    assert_eq!(columns.len(), 6, "{columns:?}");
    let clinical = include_str!("../../../docs/schema/hacs_clinical.md");
    for column in columns {
        assert!(!clinical.lines().any(|line| line.starts_with(&format!("{column} | "))), "{column} is told again");
    }
    assert!(!clinical.contains("hacs_core.is_list("), "a call in place of words");
}

#[test]
fn docker_compose_is_spelt_in_one_way() {
    let mut files = documents();
    for dir in ["deploy", "deploy/kubernetes", "scripts"] {
        files.extend(fs::read_dir(Path::new(ROOT).join(dir)).unwrap().map(|entry| entry.unwrap().path()));
    }
    for name in
        ["docker-compose.yml", "docker-compose.secrets.yml", "docker-compose.follow.yml", "Dockerfile.migration"]
    {
        files.push(Path::new(ROOT).join(name));
    }
    for file in files.iter().filter(|file| file.is_file()) {
        for line in fs::read_to_string(file).unwrap().lines() {
            // What was typed before, in the guide for those who did; and the program of that name, where it is looked for.
            let before = line.starts_with("| `docker-compose ") && line.contains("| `docker compose ");
            let looked_for = line.contains("command -v docker-compose") || line.contains("install docker-compose,");
            if !before && !looked_for {
                let typed = ["up", "run", "exec", "down", "build", "-f"];
                let hyphen = typed.iter().any(|verb| line.contains(&format!("docker-compose {verb}")));
                assert!(!hyphen, "{}: {line}", file.display());
            }
        }
    }
}

#[test]
fn every_test_that_a_document_names_is_there() {
    let mut sources = Vec::new();
    for dir in ["tests/suite", "src"] {
        files(&Path::new(ROOT).join(dir), &mut sources);
    }
    let sources: Vec<(PathBuf, String)> =
        sources.into_iter().map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect();
    let is_there = |module: &str, name: &str| {
        let of_module = |path: &Path| {
            path.file_stem().unwrap() == module
                || path.parent().unwrap().file_name().unwrap() == module
                || module == "tests"
        };
        let mut all = sources.iter().filter(|(path, _)| of_module(path));
        all.any(|(_, text)| name == "*" && text.contains("#[test]") || text.contains(&format!("fn {name}(")))
    };
    let (mut named, mut missing) = (0, Vec::new());
    for document in documents() {
        let text = fs::read_to_string(&document).unwrap();
        for code in text.split('`').skip(1).step_by(2) {
            let Some((path, name)) = code.rsplit_once("::") else { continue };
            let module = path.rsplit("::").next().unwrap();
            // A sentence, and no item of the library.
            if name != "*" && name.matches('_').count() < 4
                || module.contains(|c: char| !c.is_ascii_lowercase() && c != '_')
            {
                continue;
            }
            named += 1;
            if !is_there(module, name) {
                missing.push(format!("{}: {code}", document.file_name().unwrap().display()));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
    assert!(named > 120, "{named}");
}

fn files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        match path.extension() {
            _ if path.is_dir() => files(&path, found),
            Some(extension) if extension == "rs" => found.push(path),
            _ => {}
        }
    }
}

#[test]
fn each_rule_of_the_reference_is_broken_by_its_example() {
    let database = Database::migrated();
    let mut client = database.client();
    let rules = include_str!("../../../docs/schema/rules.md");
    let (mut rows, mut tried) = (0, 0);
    for row in rules.lines().filter(|line| line.starts_with("| `")) {
        rows += 1;
        let cells: Vec<&str> = row.split(" | ").collect();
        let (rule, wants) = (cells[0].trim_matches(['|', ' ', '`']), cells[2]);
        let table = cells[1].split(['[', ']']).nth(1).unwrap();
        let example = cells[3].trim_matches(['|', ' ', '`']).replace("\\|", "|");
        // The others are tried by the tests of the rules, on top of a document that is good.
        let simple = [
            "a JSON object",
            "a JSON list",
            "one of ",
            "each one of ",
            "An id is not blank",
            "Days and times lie",
            "It does not end before it starts",
            "`resource_type = ",
        ];
        if !simple.iter().any(|simple| wants.starts_with(simple)) {
            continue;
        }
        let found: Option<bool> = client
            .query_one(
                &format!(
                    "select (xpath('//v/text()', query_to_xml(format(
                        'select (%s) as v from jsonb_populate_record(null::{table}, %L)',
                        pg_get_expr(k.conbin, k.conrelid), $1::text
                    ), true, false, '')))[1]::text::boolean
                    from pg_constraint as k where k.conname = $2::text and k.conrelid = '{table}'::regclass"
                ),
                &[&example, &rule],
            )
            .unwrap()
            .get(0);
        assert_eq!(found, Some(false), "{row}");
        tried += 1;
    }
    assert!(rows > 500 && tried > 400, "{rows} {tried}");
}

/// What strangers had to read twice, or took for something else, in documents of earlier days.
const NOT_UNDERSTOOD: [&str; 21] = [
    "complete or as it was before, whoever",
    "parts it",
    "parts the run",
    "does not fit to this binary",
    "how it comes to that",
    "only their owner can tell",
    "append-only for everybody.",
    "the setting counts for itself",
    "goes in and out as it is",
    "is no apology",
    "the word of the application about",
    "has no name yet",
    "It never queues",
    "cannot be registered",
    "leaves the tool ignorant",
    "standing still",
    "no application was written for",
    "This has not.",
    "After each but the last",
    "is yours to add",
    "what becomes of it",
];

#[test]
fn what_was_not_understood_at_the_first_reading_does_not_come_back() {
    let mut found = Vec::new();
    for document in documents().iter().filter(|document| !document.ends_with("CHANGELOG.md")) {
        let text = fs::read_to_string(document).unwrap();
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let unclear = NOT_UNDERSTOOD.iter().filter(|words| text.contains(**words));
        found.extend(unclear.map(|words| format!("{}: {words}", document.file_name().unwrap().display())));
    }
    assert!(found.is_empty(), "{found:#?}");
}
