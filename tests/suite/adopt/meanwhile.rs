//! Services that write meanwhile, runs that are killed, and two at once.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use super::{adopt, adopted, counts};
use crate::database::{Database, ended, until};
use crate::python::{AUGUST, SERVICE, database};
use crate::run::kills::moments;

/// What a session waits for, of those that adopt.
const WAITS: &str = "select exists (select from pg_stat_activity where datname = current_database()
    and wait_event_type = 'Lock' and query ~ 'in share mode')";

#[test]
fn what_a_service_writes_while_its_table_is_read_is_not_lost() {
    let database = Database::empty();
    let more = r#"insert into public.hacs_resources (id, resource_type, data) values
        ('bad', 'Patient', '{"id": "bad", "resource_type": "Patient", "full_name": "B", "gender": "x"}'),
        ('lost', 'Observation', '{"id": "lost", "resource_type": "Observation", "subject": "Patient/bad", "value_integer": 1}'),
        ('waits', 'Observation', '{"id": "waits", "resource_type": "Observation", "subject": "Patient/late", "value_integer": 1}'),
        ('spoilt', 'Patient', '{"id": "spoilt", "resource_type": "Patient", "full_name": "S"}'),
        ('gone', 'Patient', '{"id": "gone", "resource_type": "Patient", "full_name": "G"}')"#;
    database.client().batch_execute(&(SERVICE.to_owned() + more)).unwrap();
    let mut service = database.client();
    let begun = r#"begin; insert into public.hacs_resources (id, resource_type, data) values
        ('late', 'Patient', '{"id": "late", "resource_type": "Patient", "full_name": "Late"}')"#;
    service.batch_execute(begun).unwrap();
    let run = database.start(&["adopt", "--json"]);
    database.until(WAITS);
    let rest = r#"
        update public.hacs_resources set data = data || '{"family": "Lovelace"}' where id = 'p';
        update public.hacs_resources set data = data || '{"gender": "other"}' where id = 'bad';
        update public.hacs_resources set data = data || '{"gender": "x"}' where id = 'spoilt';
        delete from public.hacs_resources where id in ('gone', 'o');
        commit"#;
    service.batch_execute(rest).unwrap();
    let end = ended(run.wait_with_output().unwrap());
    let report = serde_json::from_str(&end.stdout).unwrap_or_else(|_| panic!("{end:?}"));
    assert_eq!((end.code, counts(&report, "public.hacs_resources")), (Some(9), [6, 5, 0, 0, 1, 0]), "{report:#}");
    let found = "select string_agg(concat_ws(' ', id, family, gender), ', ' order by id) from hacs_core.patients";
    // a document that can no longer be stored leaves what was stored of it
    assert_eq!(database.text(found), "bad other, late, p Lovelace, spoilt");
    assert_eq!(database.text("select string_agg(id, ' ' order by id) from hacs_core.observations"), "lost waits");
    assert_eq!(database.text("select string_agg(id, ' ') from hacs_legacy.rejects"), "spoilt");
    assert_eq!(database.run(&["verify"]).code, Some(0));
}

#[test]
fn services_that_write_without_a_pause_lose_nothing_and_wait_no_longer_than_is_said() {
    let database = Database::empty();
    let many = "insert into public.hacs_resources (id, resource_type, data)
        select 'm' || n, 'Patient', jsonb_build_object('id', 'm' || n, 'resource_type', 'Patient', 'full_name', 'M' || n)
        from generate_series(1, 5000) as n";
    database.client().batch_execute(&(SERVICE.to_owned() + many)).unwrap();
    let stop = AtomicBool::new(false);
    let (end, report, longest) = thread::scope(|scope| {
        let writers: Vec<_> = (0..4)
            .map(|writer| {
                let mut client = database.client();
                let stop = &stop;
                scope.spawn(move || {
                    let mut longest = Duration::ZERO;
                    let mut number = 0;
                    while !stop.load(Ordering::Relaxed) {
                        number += 1;
                        let statement = format!(
                            r#"insert into public.hacs_resources (id, resource_type, data) values ('w{writer}-{}', 'Patient',
                               '{{"id": "w{writer}-{0}", "resource_type": "Patient", "full_name": "W{number}"}}')
                               on conflict (id) do update set data = excluded.data, updated_at = now()"#,
                            number % 50
                        );
                        let begun = Instant::now();
                        client.batch_execute(&statement).unwrap();
                        longest = longest.max(begun.elapsed());
                    }
                    longest
                })
            })
            .collect();
        let begun = Instant::now();
        let (code, report) = adopted(&database, &[]);
        let took = begun.elapsed();
        stop.store(true, Ordering::Relaxed);
        let longest = writers.into_iter().map(|writer| writer.join().unwrap()).max().unwrap();
        println!(
            "adopted in {took:?}, of which writers waited {}; at most {longest:?}",
            report["writers_waited_seconds"]
        );
        (code, report, longest)
    });
    assert_eq!(end, Some(0), "{report:#}");
    let said = Duration::from_secs_f64(report["writers_waited_seconds"].as_f64().unwrap());
    // a slice of waiting for the lock comes before, two seconds at first
    assert!(longest <= said + Duration::from_secs(3), "{longest:?} {said:?}");
    let (code, report) = adopted(&database, &[]);
    assert_eq!(code, Some(0), "{report:#}");
    let differs = "select count(*) from public.hacs_resources as r full join hacs_core.patients as p on p.id = r.id
        where r.resource_type = 'Patient' and r.data ->> 'full_name' is distinct from p.full_name";
    assert_eq!(database.text(differs), "0");
    assert_eq!(database.text("select count(*) from hacs_core.patients"), "5201");
}

#[test]
fn a_session_that_holds_the_table_ends_the_run_in_time_and_others_write_on() {
    let database = Database::empty();
    database.client().batch_execute(SERVICE).unwrap();
    let before = database.dump();
    let mut holder = database.client();
    holder.batch_execute("begin; update public.hacs_resources set updated_at = now() where id = 'p'").unwrap();
    let run = database.start(&["adopt", "--lock-timeout", "4s"]);
    database.until(WAITS);
    let begun = Instant::now();
    database.client().batch_execute("update public.hacs_resources set updated_by = 'x' where id = 'o'").unwrap();
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    let end = ended(run.wait_with_output().unwrap());
    assert_eq!(end.code, Some(5), "{end:?}");
    assert!(end.stderr.contains("another session held what this run needs, for 4s"), "{end:?}");
    holder.batch_execute("rollback").unwrap();
    let change = "update public.hacs_resources set updated_by = null where id = 'o'";
    database.client().batch_execute(change).unwrap();
    assert_eq!(database.dump(), before);
}

/// A database of some hundred rows in several tables.
fn some_hundred() -> Database {
    let database = database(AUGUST);
    let rows = "
        insert into hacs_core.patients (id, full_name) select 'p' || n, 'P' || n from generate_series(1, 300) as n;
        insert into hacs_core.observations (id, status, code, subject, value_integer)
            select 'o' || n, 'final', '{\"text\": \"x\"}', 'Patient/p' || n, n from generate_series(1, 310) as n;
        insert into public.hacs_resources (id, resource_type, data)
            select 'g' || n, 'Patient', jsonb_build_object('resource_type', 'Patient', 'full_name', 'G' || n)
            from generate_series(1, 300) as n";
    database.client().batch_execute(rows).unwrap();
    database
}

const SESSIONS: &str = "select not exists (select from pg_stat_activity where datname = current_database()
    and pid <> pg_backend_pid() and backend_type = 'client backend')";

#[test]
fn a_run_that_is_killed_at_any_moment_leaves_everything_as_it_was_or_complete() {
    let first = some_hundred();
    let begun = Instant::now();
    assert_eq!(adopt(&first, &[]).code, Some(9));
    let took = begun.elapsed().mul_f64(1.1);
    let complete = first.text("select count(*) from hacs_core.patients");
    let mut as_before = 0;
    for (number, moment) in moments(20).enumerate() {
        let database = some_hundred();
        let before = database.dump();
        let mut child = database.start(&["adopt", "--quiet"]);
        sleep(took.mul_f64(moment));
        if number % 2 == 0 {
            child.kill().unwrap();
        } else {
            let end = "select count(pg_terminate_backend(pid)) from pg_stat_activity
                where datname = current_database() and application_name ~ 'hacs'";
            database.text(end);
        }
        child.wait().unwrap();
        until("its session ends", || database.text(SESSIONS) == "t");
        let what = format!("{number}: {moment:.3} of {took:?}");
        if database.text("select to_regclass('hacs_core.seals') is null and to_regclass('hacs_audit.seals') is null")
            == "t"
        {
            as_before += 1;
            assert_eq!(database.dump(), before, "{what}");
            assert_eq!(adopt(&database, &[]).code, Some(9), "{what}");
        }
        assert_eq!(database.text("select count(*) from hacs_core.patients"), complete, "{what}");
        assert_eq!(database.text("select count(*) from hacs_legacy.rejects"), "10", "{what}");
        assert_eq!(database.run(&["verify"]).code, Some(0), "{what}");
    }
    println!("{as_before} of 20 as before");
}

#[test]
fn of_two_at_once_one_works_and_the_other_finds_it_done() {
    let database = some_hundred();
    let runs = [database.start(&["adopt", "--json"]), database.start(&["adopt", "--json"])];
    let ends = runs.map(|run| ended(run.wait_with_output().unwrap()));
    let mut codes = ends.each_ref().map(|end| end.code);
    codes.sort_unstable();
    assert_eq!(codes, [Some(0), Some(9)], "{ends:?}");
    assert_eq!(database.text("select count(*) from hacs_core.patients"), "600");
    assert_eq!(database.text("select count(*) from hacs_legacy.rejects"), "10");
    let twice = "select count(*) from hacs_core.patients where version_id > 1";
    assert_eq!(database.text(twice), "0");
}
