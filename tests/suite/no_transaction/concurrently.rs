//! Migrations outside a transaction. What holds when they end in the middle is in `killed.rs`.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use hacs_refinery::{Error, Failure, migrate, rehearse};

use crate::database::{Database, ended, tool};
use crate::newest::NEWEST;
use crate::pgbouncer::PgBouncer;
use crate::server::{self, Server};
use crate::stages::{BOTH, MARK, indexes, three, versions, with, with_patients};

fn strs(files: &[String]) -> Vec<&str> {
    files.iter().map(String::as_str).collect()
}

#[test]
fn an_index_is_made_while_others_write_and_the_history_is_in_order() {
    let database = with_patients(600);
    let over = AtomicBool::new(false);
    let (meanwhile, report) = thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut client = database.client();
            let making = "select exists (select from pg_stat_progress_create_index where datname = current_database())";
            let insert =
                "insert into hacs_core.patients (id, family, phone) values ('w' || $1::int4, 'W', 'tel w' || $1)";
            // So many, since each row makes the index take longer.
            let (mut rows, mut meanwhile) = (0, 0);
            while !over.load(Ordering::Relaxed) && rows < 200 {
                let mut is_making = || client.query_one(making, &[]).unwrap().get::<_, bool>(0);
                let before = is_making();
                if before || rows < 20 {
                    client.execute(insert, &[&rows]).unwrap();
                    rows += 1;
                }
                let mut is_making = || client.query_one(making, &[]).unwrap().get::<_, bool>(0);
                meanwhile += i32::from(before && is_making());
            }
            meanwhile
        });
        let report = migrate(&mut database.client(), &with(&strs(&three())));
        over.store(true, Ordering::Relaxed);
        (writer.join().unwrap(), report.unwrap())
    });
    assert_eq!(report.applied.iter().map(|applied| applied.version).collect::<Vec<_>>(), [100, 101, 102]);
    assert_eq!(report.version, Some(102));
    assert!(report.applied[1].duration > Duration::from_millis(1000), "{report:?}");
    assert!(meanwhile > 20, "rows were written while an index was in the making: {meanwhile}");
    assert_eq!((versions(&database).as_str(), indexes(&database).as_str()), ("100 101 102", BOTH));
    let row = "select duration >= '1 s' and applied_by = session_user and tool_version is not null
        from hacs_admin.migrations where version = 101";
    assert_eq!(database.text(row), "t");
    let again = migrate(&mut database.client(), &with(&strs(&three()))).unwrap();
    assert_eq!(again.applied, []);
}

#[test]
fn duplicates_fail_with_the_place_and_leave_no_index_and_the_next_run_goes_on() {
    let database = with_patients(3);
    database.client().batch_execute("update hacs_core.patients set phone = 'same' where id <> 'p1'").unwrap();
    let error = migrate(&mut database.client(), &with(&strs(&three()))).unwrap_err();
    let text = error.to_string();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines,
        [
            "V101__mine.sql, line 6: could not create unique index \"patients_phone_key\" (SQLSTATE 23505)",
            "DETAIL: the values of the row are left out; -v shows them",
            "STATEMENT: create unique index concurrently if not exists patients_phone_key on hac …",
            "NEXT: The rows that are there already break the rule. Mend them, then run this again.",
            "V100 was applied and stays. V101 runs outside a transaction: 2 of its 3 statements are done. \
             The next run starts it again.",
        ]
    );
    let Error::Partly { applied, unfinished, cause } = error else { panic!("{error:?}") };
    assert_eq!((applied, unfinished.unwrap().done), (vec!["V100".to_owned()], 2));
    let Error::Migration { failure: Failure::Refused(refused), .. } = *cause else { panic!("{cause:?}") };
    assert_eq!(refused.detail_of_row(), Some("Key (public.slowly(phone))=(same) is duplicated."));
    assert_eq!(
        (versions(&database).as_str(), indexes(&database).as_str()),
        ("100", "hacs_core.patients_ward_idx true")
    );

    database.client().batch_execute("update hacs_core.patients set phone = id").unwrap();
    let kept = "select 'hacs_core.patients_ward_idx'::regclass::oid";
    let before = database.text(kept);
    let report = migrate(&mut database.client(), &with(&strs(&three()))).unwrap();
    assert_eq!(report.applied.iter().map(|applied| applied.version).collect::<Vec<_>>(), [101, 102]);
    assert_eq!((versions(&database).as_str(), indexes(&database).as_str()), ("100 101 102", BOTH));
    assert_eq!(database.text(kept), before, "what was done is not done again");
}

#[test]
fn statements_that_may_not_run_twice_are_refused_before_anything_is_done() {
    let database = Database::migrated();
    for (statement, why) in [
        (
            "create index concurrently mine on hacs_core.patients (family)",
            "write CREATE INDEX CONCURRENTLY IF NOT EXISTS",
        ),
        ("drop index concurrently hacs_core.mine", "write DROP INDEX CONCURRENTLY IF EXISTS"),
        ("update hacs_core.patients set age = age + 1", "it belongs into a migration of its own, in a transaction"),
        ("vacuum full hacs_core.patients", "VACUUM FULL keeps everybody from the table"),
        ("reindex table hacs_core.patients", "without CONCURRENTLY"),
    ] {
        let outside = format!("{MARK}analyze hacs_core.patients;\n\n{statement};");
        let error = migrate(&mut database.client(), &with(&["create schema mine", &outside])).unwrap_err();
        assert!(matches!(error, Error::NotRepeatable { .. }), "{error:?}");
        let text = error.to_string();
        assert!(text.starts_with("V101__mine.sql, line 4: ") && text.contains(why), "{text}");
        assert!(text.contains(&format!("\nSTATEMENT: {statement}\nNothing was changed.")), "{text}");
        rehearse(&mut database.client(), &with(&["create schema mine", &outside])).unwrap_err();
    }
    assert_eq!(database.text("select to_regnamespace('mine')"), "null");
}

#[test]
fn without_the_mark_such_a_statement_is_refused_with_the_line_that_is_missing() {
    let database = Database::migrated();
    let options = with(&["create index concurrently if not exists mine on hacs_core.patients (family)"]);
    let text = migrate(&mut database.client(), &options).unwrap_err().to_string();
    assert!(text.contains("(SQLSTATE 25001)") && text.contains("-- hacs-refinery: no transaction\n"), "{text}");
    assert!(text.ends_with("Nothing was changed: the whole run was rolled back."), "{text}");
}

#[test]
fn through_pgbouncer_a_run_outside_a_transaction_is_refused_before_anything_is_done() {
    let server = Server::start(&[]);
    let database = Database::migrated_on(&server);
    let bouncer = PgBouncer::start(&server, 4);
    let url = bouncer.url(&database.name);
    let mut client = url.parse::<hacs_refinery::Database>().unwrap().connect().unwrap();
    for _ in 0..3 {
        let error = migrate(&mut client, &with(&strs(&three()))).unwrap_err();
        assert!(matches!(error, Error::Pooled), "{error:?}");
        assert!(error.to_string().contains("Nothing was changed. Connect to the server itself"), "{error}");
    }
    assert_eq!(database.text("select count(*) from hacs_admin.migrations"), NEWEST.to_string());
    assert!(!database.is_locked());
    // What comes before can be had.
    let mut options = with(&strs(&three()));
    options.target = Some(100);
    assert_eq!(migrate(&mut client, &options).unwrap().applied.len(), 1);
}

/// A session's settings and advisory locks.
fn session(client: &mut postgres::Client) -> Vec<String> {
    let query = "select name || ' = ' || setting from pg_settings where name !~ '^(transaction|plpgsql)'
        union all select 'lock ' || objid from pg_locks where locktype = 'advisory' and pid = pg_backend_pid() order by 1";
    client.query(query, &[]).unwrap().iter().map(|row| row.get(0)).collect()
}

#[test]
fn a_run_leaves_its_session_as_it_was_whether_it_succeeds_or_fails() {
    let database = with_patients(3);
    let mut client = database.client();
    client
        .batch_execute("set search_path = hacs_core, public; set lock_timeout = '7s'; set timezone = 'Asia/Tokyo'")
        .unwrap();
    let before = session(&mut client);
    let memory = format!("{MARK}set maintenance_work_mem = '77MB';");
    let seen = "create unique index concurrently if not exists mine on hacs_core.patients (family)";
    let error = migrate(&mut client, &with(&[&format!("{memory}{seen}")])).unwrap_err().to_string();
    assert!(error.contains("could not create unique index"), "{error}");
    assert!(session(&mut client) == before);
    let works = format!("{memory}create index concurrently if not exists mine on hacs_core.patients (family)");
    migrate(&mut client, &with(&[&works])).unwrap();
    assert!(session(&mut client) == before);
}

#[test]
fn a_long_transaction_is_waited_for_and_nobody_waits_behind() {
    let database = with_patients(3);
    let mut long = database.client();
    long.batch_execute("begin; insert into hacs_core.patients (family) values ('Long')").unwrap();

    let mut options = with(&[&three()[0].replace("patients", "encounters"), &three()[1].replace("ward", "gender")]);
    options.lock_timeout = Duration::from_millis(700);
    let error = migrate(&mut database.client(), &options).unwrap_err();
    let Error::Partly { applied, unfinished: Some(unfinished), cause } = &error else { panic!("{error:?}") };
    assert!(matches!(**cause, Error::Blocked { .. }), "{error:?}");
    assert_eq!((applied.as_slice(), unfinished.done), (["V100".to_owned()].as_slice(), 0));
    let text = error.to_string();
    assert!(text.contains("V100 was applied and stays.") && !text.contains("Nothing was changed"), "{text}");

    let name = database.name.clone();
    thread::scope(|scope| {
        let run = scope.spawn(|| {
            options.lock_timeout = Duration::from_secs(60);
            migrate(&mut database.client(), &options)
        });
        let waits = format!(
            "select exists (select from pg_stat_activity where datname = '{name}' and wait_event_type = 'Lock')"
        );
        let deadline = Instant::now() + Duration::from_secs(30);
        while database.text(&waits) != "t" {
            assert!(Instant::now() < deadline, "the run does not come to the table");
            thread::sleep(Duration::from_millis(20));
        }
        let write = "set lock_timeout = '1s'; insert into hacs_core.patients (family) values ('Quick')";
        database.client().batch_execute(write).unwrap();
        long.batch_execute("commit").unwrap();
        assert_eq!(run.join().unwrap().unwrap().applied.len(), 1);
    });
    assert_eq!(database.text("select bool_and(indisvalid) from pg_index"), "t");
}

#[test]
fn a_run_that_is_told_to_stop_between_two_statements_says_what_it_has_done() {
    let database = with_patients(400);
    let options = with(&strs(&three()));
    let stop = options.stop.clone();
    let error = thread::scope(|scope| {
        let run = scope.spawn(|| migrate(&mut database.client(), &options));
        let deadline = Instant::now() + Duration::from_secs(30);
        while database.text("select to_regclass('hacs_core.patients_ward_idx') is not null") != "t" {
            assert!(Instant::now() < deadline, "the run does not come to the index");
            thread::sleep(Duration::from_millis(5));
        }
        stop.store(true, Ordering::Relaxed);
        run.join().unwrap().unwrap_err()
    });
    let expected = "the run was told to stop\nV100 was applied and stays. V101 runs outside a transaction: \
                    1 of its 3 statements is done. The next run starts it again.";
    assert_eq!(error.to_string(), expected);
    migrate(&mut database.client(), &with(&strs(&three()))).unwrap();
    assert_eq!((versions(&database).as_str(), indexes(&database).as_str()), ("100 101 102", BOTH));
}

#[test]
fn a_dry_run_leaves_it_out_by_name_and_rehearses_the_rest() {
    let database = with_patients(3);
    let before = database.dump();
    let found = rehearse(&mut database.client(), &with(&strs(&three()))).unwrap();
    let rehearsed: Vec<_> = found.migrations.iter().map(|m| (m.version, m.rehearsed)).collect();
    assert_eq!(rehearsed, [(100, true), (101, false), (102, true)]);
    assert_eq!(found.migrations[1].locks, []);
    let json = serde_json::to_value(&found).unwrap();
    assert_eq!(json["migrations"][1]["rehearsed"], false);
    assert_eq!(database.dump(), before);
    assert_eq!(database.text("select count(*) from hacs_admin.migrations"), NEWEST.to_string());
}

#[test]
fn a_target_stops_before_it_or_right_after_it() {
    let database = with_patients(3);
    let mut options = with(&strs(&three()));
    for (target, expected) in [(100, "100"), (101, "100 101"), (102, "100 101 102")] {
        options.target = Some(target);
        assert_eq!(migrate(&mut database.client(), &options).unwrap().version, Some(target));
        assert_eq!(versions(&database), expected);
    }
}

#[test]
fn the_script_of_plan_does_the_same_in_psql_and_can_be_run_again_after_a_failure() {
    let database = with_patients(3);
    database.client().batch_execute("update hacs_core.patients set phone = 'same'").unwrap();
    let options = with(&strs(&three()));
    let psql = |expected| {
        let pending = hacs_refinery::pending(&mut database.client(), &options).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("script.sql");
        std::fs::write(&file, hacs_refinery::script(&pending)).unwrap();
        let mut psql = std::process::Command::new(server::bindir().join("psql"));
        psql.args(["-X", "-q", "-d", &database.conninfo(), "-f"]).arg(&file);
        let end = ended(psql.output().unwrap());
        assert_eq!(end.code, Some(expected), "{end:?}");
    };
    psql(3);
    assert!(indexes(&database).contains("patients_phone_key false"));
    database.client().batch_execute("update hacs_core.patients set phone = id").unwrap();
    psql(0);
    assert_eq!((versions(&database).as_str(), indexes(&database).as_str()), ("100 101 102", BOTH));
    assert_eq!(migrate(&mut database.client(), &options).unwrap().applied, []);
}

#[test]
fn verify_names_a_left_invalid_index_also_while_migrations_are_pending() {
    let database = Database::empty();
    assert_eq!(database.run(&["migrate", "--target", "7"]).code, Some(0));
    let left = |database: &Database| {
        database.client().batch_execute("insert into hacs_core.patients (family) values ('F'), ('F')").unwrap();
        let make = "create unique index concurrently patients_mine_key on hacs_core.patients (family)";
        database.client().batch_execute(make).unwrap_err();
    };
    left(&database);
    let pending = format!("{} migrations pending; nothing else was compared", NEWEST - 7);
    for (code, last) in [(4, pending.as_str()), (7, "not as migrated: 1 difference")] {
        let end = database.run(&["verify"]);
        assert_eq!(end.code, Some(code), "{end:?}");
        assert!(end.stdout.starts_with("invalid index hacs_core.patients.patients_mine_key\n"), "{end:?}");
        assert!(end.stdout.contains("mend      drop index concurrently hacs_core.patients_mine_key;"), "{end:?}");
        assert!(end.stdout.trim_end().ends_with(last), "{end:?}");
        assert_eq!(database.run(&["migrate"]).code, Some(0));
    }
}

#[test]
fn a_leftover_of_reindex_is_dropped_and_an_invalid_index_of_somebody_else_is_not() {
    let database = with_patients(3);
    let mut client = database.client();
    client.batch_execute("update hacs_core.patients set phone = 'same'").unwrap();
    for name in ["patients_pkey_ccnew", "others"] {
        let sql = format!("create unique index concurrently {name} on hacs_core.patients (phone)");
        client.batch_execute(&sql).unwrap_err();
    }
    migrate(&mut client, &with(&[&format!("{MARK}reindex table concurrently hacs_core.patients")])).unwrap();
    let invalid = "select string_agg(indexrelid::regclass::text, ' ') from pg_index where not indisvalid";
    assert_eq!(database.text(invalid), "hacs_core.others");
}

#[test]
fn the_statements_are_ones_that_psql_runs_by_hand() {
    let database = with_patients(3);
    let files = three();
    database.client().batch_execute(&files[0]).unwrap();
    let mut psql = std::process::Command::new(server::bindir().join("psql"));
    let mut child = psql
        .args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", &database.conninfo()])
        .stdin(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), files[1].as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(indexes(&database), BOTH);
    // The command line has no such migration; it takes a database with one as newer.
    let mut options = with(&[&files[0].replace("column", "column if not exists"), &files[1], &files[2]]);
    options.allow_newer = true;
    assert_eq!(migrate(&mut database.client(), &options).unwrap().applied.len(), 3);
    let end = ended(tool(&["migrate", "-d", &database.conninfo()]).output().unwrap());
    assert_eq!(end.code, Some(6), "{end:?}");
}
