//! Colours, progress, logs, completions, the manual page.

use std::process::{Command, Stdio};

use crate::database::{Database, ended, tool, until_it_says};
use crate::newest::NEWEST;

#[test]
fn colours_are_for_terminals_alone_and_no_color_takes_them_away() {
    let run = |variables: &[(&str, &str)]| {
        let mut command = tool(&["verify"]);
        command.envs(variables.iter().copied());
        ended(command.output().unwrap()).stderr
    };
    assert!(run(&[]).starts_with("error: "));
    assert!(run(&[("CLICOLOR_FORCE", "1")]).starts_with("\u{1b}["));
    assert!(run(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]).starts_with("error: "));
}

/// Runs a command line on a terminal; what stands there afterwards.
pub fn on_a_terminal(database: &Database, line: &str) -> Command {
    let line = format!("{} {line}", env!("CARGO_BIN_EXE_hacs-refinery"));
    let mut script = Command::new("script");
    script.args(["--quiet", "--return", "--command", &line, "/dev/null"]);
    script.env("DATABASE_URL", database.conninfo()).env("TERM", "xterm").env_remove("NO_COLOR").stdin(Stdio::null());
    script
}

/// What it showed, where it ended well.
fn shown(script: std::process::Output) -> String {
    let end = ended(script);
    assert_eq!(end.code, Some(0), "{end:?}");
    end.stdout
}

#[test]
fn a_terminal_shows_progress_from_the_first_second_on_and_colours() {
    let database = Database::empty();
    let mut other = database.client();
    let mut transaction = other.transaction().unwrap();
    let key = i64::from_be_bytes(*b"hacsmigr");
    transaction.execute("select pg_advisory_xact_lock($1)", &[&key]).unwrap();
    let mut run = on_a_terminal(&database, "migrate").stdout(Stdio::piped()).spawn().expect("script of util-linux");
    let first = until_it_says(run.stdout.as_mut().unwrap(), "migrating: 1 s ");
    let second = until_it_says(run.stdout.as_mut().unwrap(), "migrating: 2 s ");
    transaction.rollback().unwrap();
    let shown = first + &second + &shown(run.wait_with_output().unwrap());
    assert!(shown.contains("\u{1b}[K"), "the line is taken away again: {shown:?}");
    assert!(shown.contains(&format!("{NEWEST} migrations applied")), "{shown:?}");

    let shown = |line| self::shown(on_a_terminal(&database, line).output().unwrap());
    assert!(!shown("migrate").contains("migrating"));
    assert!(shown("verify").contains("\u{1b}[32mas migrated\u{1b}[0m"));
}

#[test]
fn every_log_line_is_a_json_object_where_asked_for() {
    let database = Database::empty();
    let end = database.run(&["migrate", "-vv", "--log-format", "json"]);
    assert_eq!(end.code, Some(0), "{end:?}");
    assert!(end.stderr.lines().count() > 3, "{end:?}");
    for line in end.stderr.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        for key in ["time", "level", "target", "message"] {
            assert!(line[key].is_string(), "{line}");
        }
    }
    let failed = ended(tool(&["status", "--log-format", "json"]).output().unwrap());
    let line: serde_json::Value = serde_json::from_str(failed.stderr.trim()).unwrap();
    assert_eq!((failed.code, &line["level"]), (Some(2), &"ERROR".into()));
}

#[test]
fn completions_for_five_shells_and_a_manual_page_know_every_command() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let end = ended(tool(&["completions", shell]).output().unwrap());
        assert_eq!(end.code, Some(0), "{shell}");
        for word in ["migrate", "verify", "--deep", "--dry-run"] {
            let word = if shell == "fish" { word.trim_start_matches("--") } else { word };
            assert!(end.stdout.contains(word), "{shell} {word}");
        }
    }
    let bash = ended(tool(&["completions", "bash"]).output().unwrap()).stdout;
    let complete = r#"COMP_WORDS=(hacs-refinery ver); COMP_CWORD=1
        read -ra spec <<<"$(complete -p hacs-refinery)"
        for i in "${!spec[@]}"; do if [ "${spec[i]}" = -F ]; then "${spec[i + 1]}" hacs-refinery ver hacs-refinery; fi; done
        echo "${COMPREPLY[@]}""#;
    let complete = format!("{bash}\n{complete}");
    let end = ended(Command::new("bash").args(["-c", &complete]).output().unwrap());
    assert_eq!(end.stdout, "verify\n", "{}", end.stderr);

    let man = ended(tool(&["man"]).output().unwrap()).stdout;
    for part in [".TH hacs", ".SH NAME", "verify", "Exit codes:"] {
        assert!(man.contains(part), "{part}");
    }
}
