//! Whatever a database holds or a server says, a terminal and a log get plain text.

use crate::database::{Database, Ended};

/// Clears the screen, sets the title, hides what follows, turns the direction, and begins a line like one of ours.
const EVIL: &str = "x\u{1b}[2J\u{1b}]0;y\u{7}\u{9b}8m\u{202e}\u{200b}\r\nerror: forged\n[2026-01-01T00:00:00Z ERROR x] forged\n\
                    Result      forged";

fn check(channel: &str, end: &Ended) {
    let text = format!("{}{}", end.stdout, end.stderr);
    let obeyed = |c: char| (c.is_control() && c != '\n' && c != '\t') || "\u{200b}\u{202e}".contains(c);
    assert!(!text.contains(obeyed), "{channel}: {text:?}");
    let forged = |line: &str| line.starts_with(['e', '[', 'R']) && line.ends_with("forged");
    assert!(!text.lines().any(forged), "{channel}: {text}");
    assert!(text.contains("forged"), "{channel} does not come to be seen: {text}");
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Every command in each of its forms.
fn all(channel: &str, database: &Database, commands: &[&[&str]]) {
    for command in commands {
        check(channel, &database.run(command));
        let json: Vec<&str> = command.iter().copied().chain(["--log-format", "json"]).collect();
        let end = database.run(&json);
        check(channel, &end);
        for line in end.stderr.lines() {
            serde_json::from_str::<serde_json::Value>(line)
                .unwrap_or_else(|error| panic!("{channel}: {error}: {line}"));
        }
    }
}

#[test]
fn names_in_the_history_are_plain_text() {
    let database = Database::migrated();
    let sql = format!("update hacs_admin.migrations set name = {} where version = 3", literal(EVIL));
    database.client().batch_execute(&sql).unwrap();
    all("a name of the history", &database, &[&["migrate"], &["status"], &["verify"], &["plan"]]);
}

#[test]
fn names_and_comments_of_objects_are_plain_text() {
    let database = Database::migrated();
    let name = crate::database::quoted(&EVIL[..55]);
    let sql = format!(
        "create table hacs_core.{name} (a int); alter table hacs_core.patients add column {name} int;
         comment on table hacs_core.observations is {0};
         alter table hacs_core.encounters alter class_fhir set default {0};",
        literal(EVIL)
    );
    database.client().batch_execute(&sql).unwrap();
    for command in [&["verify"][..], &["verify", "--json"], &["verify", "--deep", "-vvv"]] {
        check("an object", &database.run(command));
    }
    let json = database.run(&["verify", "--json"]).stdout;
    let found: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert!(found["differences"].to_string().contains("\\u001b[2J"), "the text itself is not changed: {json}");
}

#[test]
fn what_a_server_says_is_plain_text() {
    let database = Database::empty();
    let sql = format!(
        "create function public.evil() returns event_trigger language plpgsql as $$ begin
             raise notice '%', {0};
             raise exception using message = {0}, detail = {0}, hint = {0};
         end $$;
         create event trigger evil on ddl_command_start execute function public.evil();
         alter event trigger evil enable",
        literal(EVIL)
    );
    database.client().batch_execute(&sql).unwrap();
    all("an error", &database, &[&["migrate"], &["migrate", "-vvv"], &["migrate", "--dry-run"]]);
}

#[test]
fn only_the_colours_that_are_named_come_through() {
    let red = "\u{1b}[31m".to_owned();
    let text = hacs_refinery::safe_output("\u{1b}[31mred\u{1b}[2J", std::slice::from_ref(&red)).into_owned();
    assert!(text.starts_with("\u{1b}[31mred") && !text.contains("\u{1b}[2J"), "{text:?}");
}
