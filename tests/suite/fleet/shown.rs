//! What a person sees of many databases: a bar on a terminal, and names that cannot command it.

use std::process::Stdio;

use super::{List, Report};
use crate::cli::terminal::on_a_terminal;
use crate::database::{Database, ended, until_it_says};
use crate::server::{self, Server};

#[test]
fn a_terminal_shows_a_bar_the_slowest_and_the_failed_and_takes_the_line_away_again() {
    let databases = [Database::migrated(), Database::migrated(), Database::empty()];
    let mut holder = databases[2].client();
    holder.execute("select pg_advisory_lock($1)", &[&i64::from_be_bytes(*b"hacsmigr")]).unwrap();
    let nowhere = format!("postgresql://u:hunter2@127.0.0.1:{}/x", server::free_port());
    let long = "a_hospital_with_a_name_that_is_longer_than_what_is_left_of_the_line_of_a_terminal";
    let [one, two, locked] = databases.each_ref().map(Database::conninfo);
    let list = List::of([("locked", locked), ("well", one), (long, nowhere), ("better", two)]);
    let line = format!("migrate --parallel 2 --databases {}", list.path().display());
    let mut run = on_a_terminal(&databases[0], &line).stdout(Stdio::piped()).spawn().expect("script of util-linux");
    let bar = format!("\r\u{1b}[?7l[###############     ] 3 of 4, locked for 1 s, 1 failed: {long}\u{1b}[K\u{1b}[?7h");
    let mut shown = until_it_says(run.stdout.as_mut().unwrap(), &bar);
    drop(holder);
    let end = ended(run.wait_with_output().unwrap());
    assert_eq!(end.code, Some(3), "{end:?}");
    shown += &end.stdout;
    // What comes after the bar stands on a line of its own.
    let newest = hacs_refinery::migrations().len();
    assert!(shown.contains(&format!("\r\u{1b}[Klocked: at V{newest}, {newest} applied (")), "{shown:?}");
    assert!(shown.contains("4 databases in ") && shown.contains(": 3 well, 1 failed."), "{shown:?}");
    assert!(
        shown.contains(&format!("  {:16} {:>6}", format!("at V{newest}"), 3))
            && shown.contains("  exit code 3           1"),
        "{shown:?}"
    );
    assert!(!shown.contains("hunter2"), "{shown:?}");

    let quiet = on_a_terminal(&databases[0], &format!("{line} -q")).output().unwrap();
    let quiet = ended(quiet).stdout;
    assert!(!quiet.contains("of 4") && !quiet.contains("well:") && quiet.contains(": failed with 3 ("), "{quiet:?}");
}

#[test]
fn a_name_of_a_database_commands_no_terminal_and_forges_no_line() {
    let server = Server::start(&[]);
    let names = ["x\n2 databases in 0.1 s: 2 well, 0 failed.", "x\u{1b}[2J", "x \u{202e}\u{200b}'\"\\%$(id);é"];
    let databases: Vec<Database> = names.iter().map(|name| Database::named_on(&server, name)).collect();
    let url = databases[0].conninfo().split(" dbname=").next().unwrap().to_owned() + " dbname=postgres";
    let url = url.as_str();
    let run = |args: &[&str]| ended(crate::database::tool(&[args, &["-d", url]].concat()).output().unwrap());
    let text = run(&["migrate", "--all-databases", "x*", "-vv"]);
    assert_eq!(text.code, Some(0), "{text:?}");
    let forged =
        |said: &str| said.lines().any(|line| line.starts_with("2 databases")) || said.contains(['\u{1b}', '\u{202e}']);
    assert!(!forged(&text.stdout) && !forged(&text.stderr), "{text:?}");
    assert!(text.stdout.contains("3 databases in ") && text.stdout.contains("x\\u{a}2 databases in"), "{text:?}");
    databases.iter().for_each(|database| database.client().batch_execute("drop table hacs_agents.messages").unwrap());
    let report = Report::of(run(&["verify", "--all-databases", "x*", "--json"]));
    assert!(!forged(&report.end.stdout), "{report:?}");
    let mut failed: Vec<&str> =
        report.summary["failed"].as_array().unwrap().iter().map(|n| n.as_str().unwrap()).collect();
    failed.sort_unstable();
    let mut names = names;
    names.sort_unstable();
    assert_eq!((failed, report.names()), (names.to_vec(), names.to_vec()));
    // On a terminal as well.
    let line = format!("verify --all-databases 'x*' -d '{url}'");
    let shown = ended(on_a_terminal(&databases[0], &line).output().unwrap()).stdout;
    assert!(!shown.contains("\u{1b}[2J") && shown.contains("3 databases in "), "{shown:?}");
}
