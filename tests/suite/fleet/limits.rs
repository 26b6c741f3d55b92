//! How many at a time, in which order, and when no more.

use std::process::Stdio;

use serde_json::json;

use super::{List, Report};
use crate::connect::fake_server::watched;
use crate::database::{Database, ended, tool, until, until_it_says};
use crate::newest::NEWEST;
use crate::server::{self, Server};

#[test]
fn the_others_are_begun_only_where_the_canaries_are_well() {
    let databases: Vec<Database> = (0..5).map(|_| Database::empty()).collect();
    let list = List::of_databases(&databases);
    databases[1].client().batch_execute("create schema hacs_core; create table hacs_core.patients (x int)").unwrap();
    let report = list.run(&["migrate", "--canary", "2", "--parallel", "4"]);
    assert_eq!((report.names(), &report.summary["not_begun"]), (vec!["db0", "db1"], &json!(3)), "{report:?}");
    assert_ne!(report.code("db1"), 0);
    assert_eq!(report.end.code.map(|code| code as u64), Some(report.code("db1")), "{report:?}");
    databases[1].client().batch_execute("drop schema hacs_core cascade").unwrap();
    let report = list.run(&["migrate", "--canary", "2", "--parallel", "4"]);
    assert_eq!((report.end.code, &report.summary["ended"]), (Some(0), &json!(5)), "{report:?}");
    assert_eq!(report.line("db0")["report"]["applied"], json!([]));
}

#[test]
fn after_so_many_failures_no_other_is_begun() {
    let nowhere = format!("postgresql://u@127.0.0.1:{}/x", server::free_port());
    let names: Vec<String> = (0..50).map(|at| format!("db{at}")).collect();
    let list = List::of(names.iter().map(|name| (name.as_str(), nowhere.clone())));
    let report = list.run(&["status", "--stop-after", "3", "--parallel", "2"]);
    let ended = report.summary["ended"].as_u64().unwrap();
    assert!((3..=4).contains(&ended) && report.summary["not_begun"] == 50 - ended, "{report:?}");
    assert_eq!(report.end.code, Some(3));
}

#[test]
fn no_server_gets_more_at_a_time_than_it_may() {
    let server = Server::start(&[]);
    let held: Vec<Database> = (0..6).map(|_| Database::on(&server)).collect();
    let mut holders: Vec<_> = held.iter().map(Database::client).collect();
    for holder in &mut holders {
        holder.execute("select pg_advisory_lock($1)", &[&i64::from_be_bytes(*b"hacsmigr")]).unwrap();
    }
    let elsewhere: Vec<Database> = (0..3).map(|_| Database::migrated()).collect();
    let names: Vec<String> = (0..9).map(|at| format!("db{at}")).collect();
    let all = held.iter().chain(&elsewhere);
    let list = List::of(names.iter().zip(all).map(|(name, database)| (name.as_str(), database.conninfo())));
    let mut child = list.start(&["migrate", "--parallel", "6", "--per-host", "2"]);
    // Those of the other server have ended, so there are hands for more of this one.
    let mut said = String::new();
    for _ in &elsewhere {
        said += &until_it_says(child.stdout.as_mut().unwrap(), "\n");
    }
    let sessions = || held[0].text("select count(*) from pg_stat_activity where application_name = 'hacs-refinery'");
    until("two sessions", || sessions().as_str() >= "2");
    assert_eq!(sessions(), "2", "{said}");
    drop(holders);
    let mut end = ended(child.wait_with_output().unwrap());
    end.stdout.insert_str(0, &said);
    let report = Report::of(end);
    assert_eq!(
        (report.end.code, &report.summary["by_version"]),
        (Some(0), &json!({NEWEST.to_string(): 9})),
        "{report:?}"
    );
}

#[test]
fn ten_thousand_take_little_memory() {
    let nowhere = format!("postgresql://user:a_password@127.0.0.1:{}/hospital", server::free_port());
    let complete = Database::migrated();
    let names: Vec<String> = (0..10_000).map(|at| format!("hospital_{at}")).collect();
    let url = |at: usize| if at.is_multiple_of(100) { complete.conninfo() } else { format!("{nowhere}_{at}") };
    let list = List::of(names.iter().enumerate().map(|(at, name)| (name.as_str(), url(at))));
    let dir = tempfile::tempdir().unwrap();
    let out = std::fs::File::create(dir.path().join("out")).unwrap();
    let mut command = tool(&["status", "--parallel", "8", "--json", "--databases"]);
    command.arg(list.path()).stdout(out).stderr(Stdio::piped());
    let (end, most) = watched(command.spawn().unwrap());
    let told = format!("{most} kB at most: {end:?}");
    println!("{told}");
    assert_eq!(end.code, Some(3), "{told}");
    assert!(most < 64 * 1024, "{told}");
    let said = std::fs::read_to_string(dir.path().join("out")).unwrap();
    assert_eq!(said.lines().count(), 10_001, "{told}");
    assert!(said.lines().last().unwrap().contains("\"by_exit_code\":{\"0\":100,\"3\":9900}"), "{told}");
}

#[test]
fn many_such_commands_get_by_with_the_few_connections_that_a_server_has_where_they_may_wait() {
    let server = Server::start(&["max_connections = 20"]);
    let databases: Vec<Database> = (0..4).map(|_| Database::on(&server)).collect();
    let list = List::of_databases(&databases);
    let waiting = ["migrate", "--parallel", "4", "--wait", "5m"];
    let children: Vec<_> = (0..16).map(|_| list.start(&waiting)).collect();
    let mut applied = 0;
    for child in children {
        let report = Report::of(ended(child.wait_with_output().unwrap()));
        assert_eq!((report.end.code, &report.summary["by_exit_code"]), (Some(0), &json!({"0": 4})), "{report:?}");
        applied += report.lines.iter().filter(|line| line["report"]["applied"] != json!([])).count();
    }
    assert_eq!(applied, 4);
}

#[test]
fn a_list_may_come_from_standard_input() {
    let databases = [Database::migrated(), Database::empty()];
    let list = List::of_databases(&databases);
    let file = std::fs::File::open(list.path()).unwrap();
    let end = ended(tool(&["status", "--json", "--databases", "-"]).stdin(file).output().unwrap());
    let report = Report::of(end);
    assert_eq!((report.names(), report.end.code), (vec!["db0", "db1"], Some(0)), "{report:?}");
}
