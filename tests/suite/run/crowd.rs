//! Many at once.

use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use hacs_refinery::Options;

use crate::database::{Database, Ended, ended, tool};
use crate::newest::{EMBEDDED, NEWEST};
use crate::pgbouncer::PgBouncer;
use crate::server::{self, Server};

const CROWD: usize = 32;

/// All succeed, one of them applies.
fn one_applied(ends: &[Ended]) {
    assert!(ends.iter().all(|end| end.code == Some(0)), "{ends:#?}");
    assert_eq!(
        ends.iter().filter(|end| end.stdout.contains(&format!("{NEWEST} migrations applied"))).count(),
        1,
        "{ends:#?}"
    );
    let idle = ends
        .iter()
        .filter(|end| end.stdout.starts_with(&format!("Nothing to do: the database is at V{NEWEST}.")))
        .count();
    assert_eq!(idle, CROWD - 1, "{ends:#?}");
}

fn run_all(url: &str) -> Vec<Ended> {
    let start = || tool(&["migrate", "-d", url]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let children: Vec<Child> = (0..CROWD).map(|_| start()).collect();
    children.into_iter().map(|child| ended(child.wait_with_output().unwrap())).collect()
}

#[test]
fn thirty_two_processes_at_once_all_succeed_and_one_of_them_applies() {
    let database = Database::empty();
    one_applied(&run_all(&database.conninfo()));
    assert_eq!(database.dump(), Database::migrated().dump());
}

#[test]
fn the_same_through_pgbouncer_in_transaction_mode() {
    let server = Server::start(&[]);
    let bouncer = PgBouncer::start(&server, 4);
    let database = Database::on(&server);
    let url = bouncer.url(&database.name);
    one_applied(&run_all(&url));
    let status = ended(tool(&["status", "--check", "-d", &url]).output().unwrap());
    assert_eq!(status.code, Some(0), "{status:?}");
    // Nothing of a run stays in a pooled session.
    let mut pooled = Command::new(server::bindir().join("psql"));
    pooled.env("LD_LIBRARY_PATH", server::bindir().join("../lib"));
    let show = "select current_setting('search_path'), current_setting('lock_timeout'),
        current_setting('statement_timeout'), current_setting('synchronous_commit'), count(*)
        from pg_locks where locktype = 'advisory'";
    for _ in 0..8 {
        let end = ended(pooled.args(["-XAtc", show, &url]).output().unwrap());
        assert_eq!(end.stdout.lines().last(), Some("\"$user\", public|0|0|on|0"), "{end:?}");
    }
}

#[test]
fn sixteen_threads_of_one_program_share_the_work_as_well() {
    let database = Database::empty();
    let run = || hacs_refinery::migrate(&mut database.client(), &Options::default()).unwrap().applied.len();
    let applied: Vec<usize> = thread::scope(|scope| {
        let threads: Vec<_> = (0..16).map(|_| scope.spawn(run)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(applied.iter().filter(|count| **count == EMBEDDED).count(), 1, "{applied:?}");
    assert_eq!(applied.iter().sum::<usize>(), EMBEDDED, "{applied:?}");
}

#[test]
fn migrate_status_and_writers_get_along_on_a_live_database() {
    let database = Database::empty();
    assert_eq!(database.run(&["migrate", "--target", "7"]).code, Some(0));
    let deadline = Instant::now() + Duration::from_secs(3);
    let written: usize = thread::scope(|scope| {
        let writers: Vec<_> = (0..4)
            .map(|writer| {
                let database = &database;
                scope.spawn(move || {
                    let mut client = database.client();
                    let mut rows = 0;
                    while Instant::now() < deadline {
                        let id = format!("p{writer}-{rows}");
                        let mut transaction = client.transaction().unwrap();
                        let insert = "insert into hacs_core.patients (id, family, full_name) values ($1, 'x', 'x')";
                        transaction.execute(insert, &[&id]).unwrap();
                        let update = "update hacs_core.patients set family = 'y' where id = $1";
                        transaction.execute(update, &[&id]).unwrap();
                        transaction.commit().unwrap();
                        rows += 1;
                    }
                    rows
                })
            })
            .collect();
        for (index, check) in (0..3).flat_map(|_| [false, true]).enumerate() {
            let status = database.run(if check { &["status", "--check"] } else { &["status", "--json"] });
            assert!([Some(0), Some(4)].contains(&status.code), "{status:?}");
            if index == 1 {
                let ends: Vec<Ended> = (0..4)
                    .map(|_| database.start(&["migrate"]))
                    .collect::<Vec<_>>()
                    .into_iter()
                    .map(|child| ended(child.wait_with_output().unwrap()))
                    .collect();
                assert!(ends.iter().all(|end| end.code == Some(0)), "{ends:#?}");
                assert_eq!(ends.iter().filter(|end| end.stdout.starts_with("Applied V8")).count(), 1, "{ends:#?}");
            }
        }
        writers.into_iter().map(|writer| writer.join().unwrap()).sum()
    });
    assert_eq!(database.text("select count(*) from hacs_core.patients"), written.to_string());
    assert_eq!(database.run(&["status", "--check"]).code, Some(0));
}
