//! Ended in the midst, continued, and many such commands at once.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{List, Report};
use crate::database::{Database, ended, until_it_says};
use crate::newest::{EMBEDDED, NEWEST};
use crate::server;

const DAWDLE: &str = "create function public.dawdle() returns event_trigger language plpgsql as
        'begin perform pg_sleep(60); end';
    create event trigger dawdle on ddl_command_end when tag in ('CREATE TABLE') execute function public.dawdle()";

#[test]
fn a_signal_ends_all_that_are_under_way_in_time_and_the_next_run_goes_on() {
    for (name, code) in [("TERM", 143), ("INT", 130)] {
        let databases: Vec<Database> = (0..6).map(|_| Database::empty()).collect();
        let slow = databases.get(1..4).unwrap();
        slow.iter().for_each(|slow| slow.client().batch_execute(DAWDLE).unwrap());
        let list = List::of_databases(&databases);
        let child = list.start(&["migrate", "--parallel", "3"]);
        for slow in slow {
            slow.until(
                "select exists (select from pg_stat_activity where datname = current_database()
                    and wait_event = 'PgSleep')",
            );
        }
        let started = Instant::now();
        server::signal(child.id(), name);
        let end = ended(child.wait_with_output().unwrap());
        assert!(started.elapsed() < Duration::from_secs(6), "{:?}", started.elapsed());
        assert_eq!(end.code, Some(code), "{end:?}");
        let report = Report::of(end);
        for name in ["db1", "db2", "db3"] {
            assert_eq!(
                (report.code(name), &report.line(name)["left"]),
                (code as u64, &json!("unchanged")),
                "{report:?}"
            );
        }
        assert_eq!(report.summary["not_begun"], 6 - report.summary["ended"].as_u64().unwrap());
        for slow in slow {
            assert_eq!(slow.text("select to_regnamespace('hacs_core')"), "null");
            slow.client().batch_execute("drop event trigger dawdle; drop function public.dawdle()").unwrap();
        }
        let report = list.run(&["migrate"]);
        assert_eq!(
            (report.end.code, &report.summary["by_version"]),
            (Some(0), &json!({NEWEST.to_string(): 6})),
            "{report:?}"
        );
        assert_eq!(report.line("db0")["report"]["applied"], json!([]), "{report:?}");
    }
}

#[test]
fn killed_in_the_midst_it_leaves_nothing_half_done() {
    let databases: Vec<Database> = (0..4).map(|_| Database::empty()).collect();
    let list = List::of_databases(&databases);
    let mut child = list.start(&["migrate", "--parallel", "2"]);
    until_it_says(child.stdout.as_mut().unwrap(), "\n");
    server::signal(child.id(), "KILL");
    let _ = child.wait_with_output();
    for database in &databases {
        let all_or_nothing = "select to_regclass('hacs_admin.migrations') is null
            or to_regclass('hacs_audit.resource_changes') is not null";
        assert_eq!(database.text(all_or_nothing), "t");
    }
    let report = list.run(&["migrate"]);
    assert_eq!(
        (report.end.code, &report.summary["by_version"]),
        (Some(0), &json!({NEWEST.to_string(): 4})),
        "{report:?}"
    );
}

#[test]
fn many_such_commands_at_once_apply_everything_once() {
    let databases: Vec<Database> = (0..3).map(|_| Database::empty()).collect();
    let list = List::of_databases(&databases);
    let children: Vec<_> = (0..32).map(|_| list.start(&["migrate", "--parallel", "2"])).collect();
    let mut applied = 0;
    for child in children {
        let report = Report::of(ended(child.wait_with_output().unwrap()));
        assert_eq!(
            (report.end.code, &report.summary["by_version"]),
            (Some(0), &json!({NEWEST.to_string(): 3})),
            "{report:?}"
        );
        let of_line = |line: &Value| line["report"]["applied"].as_array().unwrap().len();
        applied += report.lines.iter().map(of_line).sum::<usize>();
    }
    assert_eq!(applied, 3 * EMBEDDED);
}
