//! Nobody waits for the audit: while the trail is read, written and dumped, whatever is to be called regularly ends
//! within its own bounds, and a stranger's statement waits at most 200 ms for a lock.

use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;

use postgres::Client;
use postgres::error::SqlState;

use crate::database::Database;
use crate::server;

/// A quarter of 2020 that can be let go, and one of the next ones missing.
fn prepared() -> Database {
    let database = Database::migrated();
    let mut client = database.client();
    client
        .batch_execute(
            "insert into hacs_audit.resource_changes (changed_at, operation, schema_name, table_name, resource_type, resource_id)
             values ('2020-02-29', 'INSERT', 'hacs_core', 'patients', 'Patient', 'old');
             select hacs_audit.ensure_partitions()",
        )
        .unwrap();
    client.batch_execute("select hacs_audit.seal()").unwrap();
    drop_a_quarter(&mut client);
    database
}

fn drop_a_quarter(client: &mut Client) {
    let last = "select partition::text from hacs_audit.quarters() order by since desc limit 1";
    let last: String = client.query_one(last, &[]).unwrap().get(0);
    client.batch_execute(&format!("drop table {last}")).unwrap();
}

/// What others are doing with the trail: each is a transaction that stays open.
const OTHERS: [(&str, &str); 4] = [
    ("a reader", "begin; select count(*) from hacs_audit.resource_changes"),
    ("a writer", "begin; insert into hacs_core.patients (id, family) values ('open', 'O')"),
    // What pg_dump does before it copies anything, and holds until its end.
    (
        "a dump",
        "begin transaction isolation level repeatable read, read only;
         do $$ declare t regclass; begin
             for t in select oid from pg_class where relkind in ('r', 'p') and relnamespace::regnamespace::text like 'hacs%' loop
                 execute format('lock table %s in access share mode', t);
             end loop;
         end $$",
    ),
    ("a reader of one quarter", "begin; select from hacs_audit.resource_changes_default"),
];

/// Writes and reads the audit without a pause; any wait for a lock of more than 200 ms is an error.
fn stranger(mut client: Client, stop: &AtomicBool) -> u32 {
    client.batch_execute("set lock_timeout = '200ms'").unwrap();
    let mut rounds = 0;
    while !stop.load(Ordering::Relaxed) {
        client
            .batch_execute(&format!(
                "insert into hacs_core.patients (id, family) values ('s{rounds}', 'S');
                 update hacs_core.patients set age = 1 where id = 's{rounds}';
                 select count(*) from hacs_audit.history('Patient', 's{rounds}')"
            ))
            .unwrap_or_else(|error| panic!("a stranger waited: {error:?}"));
        rounds += 1;
    }
    rounds
}

#[test]
fn a_stranger_waits_at_most_two_hundred_milliseconds_whatever_runs() {
    for (who, sql) in OTHERS {
        let database = prepared();
        let mut other = database.client();
        other.batch_execute(sql).unwrap_or_else(|error| panic!("{who}: {error:?}"));
        beside_a_stranger(&database, who);
        other.batch_execute("rollback").unwrap();
        all_is_done(&database, who);
    }
}

#[test]
fn a_stranger_waits_as_little_beside_a_dump_a_reader_and_a_writer_at_once() {
    let database = prepared();
    let mut dump = Dump::start(&database);
    let [mut reader, mut writer] = [OTHERS[0], OTHERS[1]].map(|(_, sql)| {
        let mut client = database.client();
        client.batch_execute(sql).unwrap();
        client
    });
    beside_a_stranger(&database, "pg_dump");
    assert!(dump.0.try_wait().unwrap().is_none(), "the dump ended before");
    drop(dump);
    database.until(
        "select count(*) = 0 from pg_stat_activity where application_name = 'pg_dump' and datname = current_database()",
    );
    for other in [&mut reader, &mut writer] {
        other.batch_execute("rollback").unwrap();
    }
    all_is_done(&database, "pg_dump");
}

/// A `pg_dump` whose output nobody reads: it comes no further than a pipe is wide, with the locks that it takes.
struct Dump(Child);

impl Dump {
    fn start(database: &Database) -> Self {
        let child = Command::new(server::bindir().join("pg_dump"))
            .args(["--dbname", &database.conninfo()])
            .stdout(Stdio::piped())
            .spawn()
            .expect("pg_dump starts");
        database.until(
            "select count(*) filter (where l.pid is null) = 0
             from pg_class as c
             left join (pg_locks as l join pg_stat_activity as a on a.pid = l.pid and a.application_name = 'pg_dump')
                 on l.relation = c.oid and l.granted
             where c.relkind in ('r', 'p') and c.relnamespace::regnamespace::text like 'hacs%'",
        );
        Self(child)
    }
}

impl Drop for Dump {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Does everything that is to be called regularly while somebody writes and reads.
fn beside_a_stranger(database: &Database, who: &str) {
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let (client, stop) = (database.client(), &stop);
        let stranger = scope.spawn(move || stranger(client, stop));
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| work(database, who)));
        stop.store(true, Ordering::Relaxed);
        assert!(stranger.join().unwrap() > 0, "{who}");
        result.unwrap();
    });
}

/// Once nobody is in the way, all of it is done.
fn all_is_done(database: &Database, who: &str) {
    let mut client = database.client();
    client.batch_execute("select hacs_audit.seal(100)").unwrap();
    assert_eq!(database.text("select count(*) from hacs_audit.quarters() where until > now()"), "5", "{who}");
    if database.text("select count(*) from hacs_audit.quarters() where since < '2021-01-01'") == "1" {
        client.batch_execute("select hacs_audit.detach_quarter('2020-01-01')").unwrap();
    }
    assert_eq!(database.text("select count(*) from hacs_audit.verify_seals()"), "0", "{who}");
}

/// Everything that is to be called regularly. None of it waits for the other session: each would wait for ever.
fn work(database: &Database, who: &str) {
    for (command, code) in [("migrate", 0), ("status", 0), ("verify", 0), ("migrate", 0)] {
        let end = database.run(&[command]);
        assert_eq!(end.code, Some(code), "{who}: {command}: {end:?}");
    }
    let mut client = database.client();
    for (sql, bound) in [
        ("select hacs_audit.ensure_partitions()", None),
        ("select hacs_audit.seal()", None),
        ("select * from hacs_audit.verify_seals()", None),
        ("select * from hacs_audit.sealing", None),
        ("select hacs_audit.detach_quarter('2020-01-01')", Some(SqlState::LOCK_NOT_AVAILABLE)),
    ] {
        // The other session never ends: with a wait for it, this would not end either.
        let (sender, receiver) = mpsc::channel();
        let token = client.cancel_token();
        let watch = thread::spawn(move || {
            if receiver.recv_timeout(std::time::Duration::from_secs(60)).is_err() {
                let _ = token.cancel_query(postgres::NoTls);
            }
        });
        let end = client.batch_execute(sql);
        let _ = sender.send(());
        watch.join().unwrap();
        match end {
            Ok(()) => {}
            Err(error) => assert_eq!(error.code(), bound.as_ref(), "{who}: {sql}: {error:?}"),
        }
    }
}

#[test]
fn two_seals_at_once_do_not_wait_for_each_other() {
    let database = prepared();
    let mut one = database.client();
    one.batch_execute("begin; select hacs_audit.seal()").unwrap();
    assert_eq!(database.text("select hacs_audit.seal()"), "0");
    one.batch_execute("commit").unwrap();
}

#[test]
fn fifty_sessions_ask_at_once_over_ten_years_of_trail() {
    // A server as it comes: 64 locks a transaction, here for 100 connections.
    let server = crate::server::Server::start(&["max_connections = 100"]);
    let database = Database::migrated_on(&server);
    let mut client = database.client();
    for year in 2016..2026 {
        for month in ["01", "04", "07", "10"] {
            client
                .batch_execute(&format!(
                    "insert into hacs_audit.resource_changes (changed_at, operation, schema_name, table_name, resource_type, resource_id)
                     values ('{year}-{month}-02', 'INSERT', 'hacs_core', 'patients', 'Patient', 'p');
                     select hacs_audit.ensure_partitions()"
                ))
                .unwrap();
        }
    }
    assert_eq!(database.text("select count(*) from hacs_audit.quarters()"), "45");
    let sessions: Vec<_> = (0..50)
        .map(|_| {
            let mut client = database.client();
            client.batch_execute("begin; select count(*) from hacs_audit.history('Patient', 'p')").unwrap();
            client.batch_execute("select * from hacs_audit.changed_by('x', '2016-01-01', '2027-01-01')").unwrap();
            client
        })
        .collect();
    assert_eq!(sessions.len(), 50);
    assert_eq!(database.text("select count(*) from hacs_audit.history('Patient', 'p')"), "40");
}
