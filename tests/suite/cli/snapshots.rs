//! What the tool prints, word for word. scripts/update-manifest.sh writes it anew.

use insta::{assert_snapshot, with_settings};

use crate::database::{Database, Ended, ended, tool};
use crate::newest::NEWEST;

/// Exit code, standard output and standard error in one text. Times, checksums and the database are not the same in
/// every run: digits of a time become `#`.
fn told(args: &[&str], end: &Ended) -> String {
    let text = format!(
        "$ hacs-refinery {}\n{}{}[exit {}]\n",
        args.join(" "),
        end.stdout,
        end.stderr,
        end.code.map_or("by signal".into(), |code| code.to_string())
    );
    let lines: Vec<String> = text.lines().map(without_times).map(without_newest).collect();
    lines.join("\n")
}

/// The newest version is another one after each migration; the lists of them begin with the version.
fn without_newest(line: String) -> String {
    if line.starts_with('V') && !line.starts_with("Ver") {
        return line;
    }
    let (version, json) = (format!("V{NEWEST}"), format!("_version\": {NEWEST}"));
    line.replace(&version, "V##")
        .replace(&json, "_version\": ##")
        .replace(&format!("{NEWEST} pending"), "## pending")
        .replace(&format!("{NEWEST} migrations"), "## migrations")
}

fn without_times(line: &str) -> String {
    let mut line = line.to_owned();
    let mut from = 0;
    while let Some(at) = line[from..].find("20").map(|at| from + at) {
        from = at + 2;
        if let Some(end) = line[at..].find('Z').filter(|_| line[at..].chars().nth(10) == Some('T')) {
            let time = line[at..at + end].replace(|c: char| c.is_ascii_digit(), "#");
            line = format!("{}{}{}", &line[..at], &time[..19], &line[at + end..]);
        }
    }
    if let Some((before, after)) = line.split_once(" ms") {
        let at = before.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.').trim_end().len();
        return format!("{} #.# ms{after}", &before[..at]);
    }
    // How long a migration is and what it sums up to changes with each edit of it, and is no promise.
    let Some((before, _)) = line.split_once("checksum ") else { return line };
    let before = before.strip_suffix(" lines  ").map_or(before.to_owned(), |counted| {
        format!("{} # lines  ", counted.trim_end_matches(|c: char| c.is_ascii_digit()).trim_end())
    });
    format!("{before}checksum #")
}

fn check(name: &str, database: Option<&Database>, args: &[&str]) {
    let mut command = database.map_or_else(|| tool(args), |database| database.tool(args));
    let end = ended(command.env_remove("COLUMNS").output().unwrap());
    with_settings!({ snapshot_path => "../snapshots", prepend_module_to_snapshot => false, omit_expression => true }, {
        assert_snapshot!(name, told(args, &end));
    });
}

#[test]
fn help() {
    check("help", None, &["--help"]);
    check("help_short", None, &["-h"]);
    for command in ["migrate", "adopt", "distribute", "status", "verify", "plan", "list", "show", "completions", "man"]
    {
        check(&format!("help_{command}"), None, &[command, "--help"]);
    }
}

#[test]
fn results() {
    let database = Database::empty();
    check("status_empty", Some(&database), &["status"]);
    check("verify_pending", Some(&database), &["verify"]);
    check("plan_all", Some(&database), &["plan"]);
    check("migrate_target", Some(&database), &["migrate", "--target", "2"]);
    check("status_half", Some(&database), &["status"]);
    check("migrate_dry_run_json_target", Some(&database), &["migrate", "--dry-run", "--target", "3"]);
    let database = Database::migrated();
    check("status_complete", Some(&database), &["status"]);
    check("verify_deep", Some(&database), &["verify", "--deep"]);
    check("migrate_nothing", Some(&database), &["migrate"]);
    check("migrate_nothing_json", Some(&database), &["migrate", "--json"]);
    let sql = "drop index hacs_core.encounters_patient_id_idx; comment on schema hacs_core is null;
        alter table hacs_core.patients disable trigger patients_touch_updated_at, drop constraint patients_age_range";
    database.client().batch_execute(sql).unwrap();
    check("verify_drift", Some(&database), &["verify"]);
    check("verify_drift_status", Some(&database), &["status"]);
}

#[test]
fn errors() {
    check("error_mistyped_command", None, &["migrat"]);
    check("error_mistyped_flag", None, &["verify", "--jsn"]);
    check("error_no_database", None, &["verify"]);
    check("error_no_such_target", None, &["show", "V99"]);
    check("error_not_a_version", None, &["show", "core"]);
    check("error_wrong_url", None, &["plan", "-d", "mysql://me:hunter2@h/x"]);
    check("error_json_log", None, &["plan", "-d", "mysql://h/x", "--log-format", "json"]);
    check("error_nobody_listens", None, &["status", "-d", "postgres://127.0.0.1:1/x?sslmode=disable"]);
    let database = Database::migrated();
    database.client().batch_execute("update hacs_admin.migrations set name = 'x' where version = 1").unwrap();
    check("error_history", Some(&database), &["migrate"]);
}
