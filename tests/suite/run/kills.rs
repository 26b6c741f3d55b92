//! Ends of all kinds in the middle of a run: the database is empty or complete, and the next run completes it.
//!
//! HACS_TEST_ROUNDS says at how many moments (25), HACS_TEST_SEED repeats the moments of an earlier run.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use hacs_refinery::Options;
use postgres::{Client, NoTls};

use crate::database::{Database, ended, tool, until};
use crate::proxy::{Proxy, Sender};
use crate::server::{self, Server};

/// At how many moments to strike, or fewer of them where each costs more.
pub fn rounds(share: usize) -> usize {
    let rounds = std::env::var("HACS_TEST_ROUNDS").map_or(25, |rounds| rounds.parse().expect("HACS_TEST_ROUNDS"));
    (rounds / share).max(3)
}

/// Numbers between 0 and 1 that look random; the seed is printed, and shown with a failure.
pub fn moments(count: usize) -> impl Iterator<Item = f64> {
    let clock = || std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64;
    let seed = std::env::var("HACS_TEST_SEED").map_or_else(|_| clock(), |seed| seed.parse().expect("HACS_TEST_SEED"));
    println!("HACS_TEST_SEED={seed}");
    let mut state = seed | 1;
    // Spread over the whole run, each moved by chance.
    (0..count).map(move |index| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (index as f64 + (state >> 11) as f64 / (1_u64 << 53) as f64) / count as f64
    })
}

/// How long a run takes here and now, with something to spare.
fn duration_of_a_run(database: &Database) -> Duration {
    let start = Instant::now();
    assert_eq!(database.run(&["migrate"]).code, Some(0));
    start.elapsed().mul_f64(1.1)
}

/// What the six schemas hold, counted.
fn inventory(database: &Database) -> String {
    database.text(
        "with ours as (select oid from pg_namespace where nspname like 'hacs%')
         select concat_ws(' ', (select count(*) from ours),
             (select count(*) from pg_class where relnamespace in (select oid from ours)),
             (select count(*) from pg_constraint where connamespace in (select oid from ours)),
             (select count(*) from pg_proc where pronamespace in (select oid from ours)),
             (select count(*) from pg_trigger as t join pg_class as c on c.oid = t.tgrelid
                 where c.relnamespace in (select oid from ours)),
             (select count(*) from pg_type where typnamespace in (select oid from ours)))",
    )
}

/// Waits until nothing of the run is left on the server, then: empty or complete, and complete after the next run.
/// Tells whether it was complete.
pub fn holds(database: &Database, what: &str) -> bool {
    let deadline = Instant::now() + Duration::from_secs(60);
    let sessions =
        "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()";
    while database.text(sessions) != "0" {
        assert!(Instant::now() < deadline, "{what}: the session of the run does not end");
        sleep(Duration::from_millis(20));
    }
    let complete = inventory(database);
    let was_complete = !complete.starts_with("0 ");
    if was_complete {
        whole(database, what);
    }
    hacs_refinery::migrate(&mut database.client(), &Options::default()).unwrap_or_else(|e| panic!("{what}: {e}"));
    whole(database, what);
    was_complete
}

/// History and catalogue agree, and both are complete.
fn whole(database: &Database, what: &str) {
    static EXPECTED: Mutex<Option<String>> = Mutex::new(None);
    let expected = EXPECTED.lock().unwrap().get_or_insert_with(|| inventory(&Database::migrated())).clone();
    let status = hacs_refinery::status(&mut database.client()).unwrap();
    assert!(status.migration_complete, "{what}: {status:?}");
    assert_eq!(inventory(database), expected, "{what}");
}

#[test]
fn a_tool_killed_at_any_moment_leaves_the_database_empty_or_complete() {
    let time = duration_of_a_run(&Database::empty());
    for moment in moments(rounds(1)) {
        let database = Database::empty();
        let mut child = database.start(&["migrate"]);
        sleep(time.mul_f64(moment));
        child.kill().unwrap();
        child.wait().unwrap();
        holds(&database, &format!("killed after {moment:.3} of {time:?}"));
    }
}

#[test]
fn a_tool_killed_at_any_position_of_the_servers_log_leaves_the_database_empty_or_complete() {
    // On a server of its own, since every other test writes to the log as well.
    let server = Server::start(&[]);
    let mut watch = server.config().connect(postgres::NoTls).unwrap();
    let mut position = || -> i64 {
        let query = "select (pg_current_wal_insert_lsn() - '0/0')::bigint";
        watch.query_one(query, &[]).unwrap().get(0)
    };
    let first = Database::on(&server);
    let start = position();
    assert_eq!(first.run(&["migrate"]).code, Some(0));
    let bytes = position() - start;
    for moment in moments(rounds(2)) {
        let database = Database::on(&server);
        let goal = position() + (bytes as f64 * moment) as i64;
        let mut child = database.start(&["migrate"]);
        while position() < goal && child.try_wait().unwrap().is_none() {}
        child.kill().unwrap();
        child.wait().unwrap();
        holds(&database, &format!("killed after {moment:.3} of {bytes} bytes of log"));
    }
}

#[test]
fn a_backend_terminated_at_any_moment_leaves_the_database_empty_or_complete() {
    let time = duration_of_a_run(&Database::empty());
    for moment in moments(rounds(4)) {
        let database = Database::empty();
        let child = database.start(&["migrate"]);
        sleep(time.mul_f64(moment));
        let query = "select pg_terminate_backend(pid) from pg_stat_activity
            where datname = current_database() and pid <> pg_backend_pid()";
        database.client().batch_execute(query).unwrap();
        let end = ended(child.wait_with_output().unwrap());
        assert!([Some(0), Some(3), Some(8)].contains(&end.code), "{end:?}");
        let complete = holds(&database, &format!("terminated after {moment:.3} of {time:?}"));
        assert!(complete || end.code != Some(0), "{end:?}");
        assert!(
            end.code == Some(0) || end.stderr.contains("\nNEXT: ") || end.stderr.contains("tells which"),
            "{end:?}"
        );
    }
}

#[test]
fn a_backend_killed_at_any_moment_takes_its_server_down_but_nothing_is_half_done() {
    let server = Server::start(&[]);
    let time = duration_of_a_run(&Database::on(&server));
    for moment in moments(rounds(8)) {
        let database = Database::on(&server);
        let child = database.start(&["migrate"]);
        sleep(time.mul_f64(moment));
        let begun = "select backend_start from pg_stat_activity where backend_type = 'checkpointer'";
        let begun_before = database.text(begun);
        let pids = "select coalesce(string_agg(pid::text, ' '), '') from pg_stat_activity
            where datname = current_database() and pid <> pg_backend_pid()";
        let pids = database.text(pids);
        pids.split_whitespace().for_each(|pid| server::signal(pid.parse().unwrap(), "KILL"));
        let end = ended(child.wait_with_output().unwrap());
        assert!([Some(0), Some(3), Some(8)].contains(&end.code), "{end:?}");
        // All sessions are ended, new ones too, until the server has recovered, with new processes of its own.
        until("the server does not recover", || {
            let mut lets_in = server.config().dbname(&database.name).connect(NoTls).into_iter();
            let ask = |mut client: Client| client.query_one(&format!("select ({begun})::text"), &[]).ok();
            let now = lets_in.next().and_then(|client| ask(client)?.get::<_, Option<String>>(0));
            pids.is_empty() || now.is_some_and(|now| now != begun_before)
        });
        let complete = holds(&database, &format!("backend killed after {moment:.3} of {time:?}"));
        assert!(complete || end.code != Some(0), "{end:?}");
    }
}

#[test]
fn a_server_killed_at_any_moment_has_after_its_restart_all_or_nothing() {
    let mut server = Server::start(&[]);
    let time = duration_of_a_run(&Database::on(&server));
    for moment in moments(rounds(8)) {
        let database = Database::on(&server);
        let child = database.start(&["migrate"]);
        sleep(time.mul_f64(moment));
        server.signal("QUIT");
        server.kill();
        let end = ended(child.wait_with_output().unwrap());
        server.start_again();
        let complete = holds(&database, &format!("server killed after {moment:.3} of {time:?}"));
        assert!([Some(0), Some(3), Some(8)].contains(&end.code), "{end:?}");
        assert!(complete || end.code != Some(0), "{end:?}");
    }
}

/// Runs the tool through a proxy.
fn run_through(proxy: &Proxy, database: &Database) -> crate::database::Ended {
    let url = format!("postgresql://postgres@127.0.0.1:{}/{}?sslmode=disable", proxy.port, database.name);
    ended(tool(&["migrate", "-d", &url]).output().unwrap())
}

#[test]
fn a_connection_cut_after_any_message_leaves_the_database_empty_or_complete() {
    if std::env::var("TEST_DATABASE_URL").is_ok_and(|url| !url.is_empty()) {
        return cut_everywhere(&Server::start(&[]));
    }
    cut_everywhere(server::shared());
}

fn cut_everywhere(server: &Server) {
    let database = Database::on(server);
    let proxy = Proxy::start(server, None);
    let end = run_through(&proxy, &database);
    assert_eq!(end.code, Some(0), "{end:?}");
    let mut cuts = Vec::new();
    for sender in [Sender::Client, Sender::Server] {
        let total = proxy.count(sender);
        println!("{sender:?}: {total} messages");
        assert!(total > 5, "{sender:?} sent {total} messages");
        cuts.extend(numbers(total).into_iter().map(|number| (sender, number)));
    }
    // The most of each run is waiting until the server notices that its client is gone: several at a time.
    let (cuts, empty, complete) = (Mutex::new(cuts), AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some((sender, number)) = { cuts.lock().unwrap().pop() } {
                    let outcome = if cut_once(server, sender, number) { &complete } else { &empty };
                    outcome.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    println!("{empty:?} empty, {complete:?} complete");
    assert!(empty.into_inner() > 0 && complete.into_inner() > 0, "both ends are met");
}

/// Tells whether the database was complete after the cut.
fn cut_once(server: &Server, sender: Sender, number: usize) -> bool {
    let what = format!("cut after message {number} of the {sender:?}");
    let database = Database::on(server);
    let end = run_through(&Proxy::start(server, Some((sender, number))), &database);
    let complete = holds(&database, &what);
    assert!(complete || end.code != Some(0), "{what}: {end:?}");
    assert!([Some(0), Some(3), Some(8)].contains(&end.code), "{what}: {end:?}");
    complete
}

/// Every message of a short conversation; of a long one the first and the last ones, and some between. With as many
/// rounds as there are messages, every message.
fn numbers(total: usize) -> Vec<usize> {
    let step = (total / rounds(2)).max(1);
    (0..=total).filter(|number| *number < 8 || *number + 6 > total || number % step == 0).collect()
}
