//! The feed of changes: whoever goes on from his last cursor misses nothing and sees nothing twice; and the seals,
//! which reckon in the same way how far the changes are final.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use postgres::Client;

use crate::database::Database;
use crate::server::Server;

/// Reads once: numbers of changes, and the cursor to go on from.
fn read(client: &mut Client, cursor: Option<&str>, most: i32) -> (Vec<i64>, Option<String>) {
    let rows = client
        .query("select next_cursor, (change).change_id from hacs_audit.changes_since($1, $2)", &[&cursor, &most])
        .unwrap();
    let next = rows.last().map(|row| row.get(0));
    (rows.iter().filter_map(|row| row.get::<_, Option<i64>>(1)).collect(), next)
}

/// What the report of the first version had: a change was never sealed, and called added.
#[test]
fn a_younger_transaction_that_ends_later_is_neither_lost_nor_called_added() {
    let database = Database::migrated();
    let mut client = database.client();
    client
        .batch_execute("insert into hacs_core.patients (id, family) values ('a', 'A'), ('b', 'B'), ('c', 'C')")
        .unwrap();
    let mut open = database.client();
    client.batch_execute("update hacs_core.patients set age = 1 where id = 'a'").unwrap();
    open.batch_execute("begin; update hacs_core.patients set age = 1 where id = 'b'").unwrap();
    client.batch_execute("update hacs_core.patients set age = 2 where id = 'a'").unwrap();
    let (first, cursor) = read(&mut client, None, 100);
    client.batch_execute("select hacs_audit.seal()").unwrap();
    open.batch_execute("commit").unwrap();
    client.batch_execute("update hacs_core.patients set age = 1 where id = 'c'").unwrap();
    client.batch_execute("select hacs_audit.seal()").unwrap();
    assert_eq!(database.text("select count(*) from hacs_audit.verify_seals()"), "0");
    assert_eq!(database.text("select to_id from hacs_audit.seals order by seal_id desc limit 1"), "7");
    let (second, _) = read(&mut client, cursor.as_deref(), 100);
    assert_eq!([first, second].concat(), (1..=7).collect::<Vec<i64>>());
}

#[test]
fn a_transaction_of_another_database_holds_nothing_up() {
    let (database, other) = (Database::migrated(), Database::migrated());
    let mut foreign = other.client();
    foreign.batch_execute("begin; insert into hacs_core.patients (id, family) values ('x', 'X')").unwrap();
    let mut client = database.client();
    client.batch_execute("insert into hacs_core.patients (id, family) values ('a', 'A')").unwrap();
    assert_eq!(database.text("select hacs_audit.seal()"), "1");
    assert_eq!(read(&mut client, None, 10).0, [1]);
}

#[test]
fn an_open_transaction_holds_the_seals_back_and_the_view_says_so() {
    let database = Database::migrated();
    let mut client = database.client();
    client.batch_execute("insert into hacs_core.patients (id, family) values ('a', 'A')").unwrap();
    client.batch_execute("select hacs_audit.seal()").unwrap();
    let view = "select concat_ws(' ', numbers_not_sealed, waits_for_transaction_of is not null, complete_until < now() + interval '1 s') from hacs_audit.sealing";
    assert_eq!(database.text(view), "0 f t");
    let mut open = database.client();
    open.batch_execute("begin; insert into hacs_core.patients (id, family) values ('b', 'B')").unwrap();
    assert_eq!(database.text("select hacs_audit.seal()"), "0");
    assert_eq!(database.text(view), "1 t t");
    open.batch_execute("commit").unwrap();
    assert_eq!(database.text("select hacs_audit.seal()"), "1");
    assert_eq!(database.text(view), "0 f t");
    // Neither in an old snapshot, which would not see what was committed since.
    for sql in ["select hacs_audit.seal()", "select * from hacs_audit.changes_since()"] {
        let error =
            client.batch_execute(&format!("begin isolation level repeatable read; select 1; {sql}")).unwrap_err();
        assert!(error.as_db_error().unwrap().message().starts_with("this is to be asked in READ COMMITTED"), "{sql}");
        client.batch_execute("rollback").unwrap();
    }
}

#[test]
fn the_first_seal_of_many_changes_goes_in_steps() {
    let database = Database::migrated();
    let mut client = database.client();
    client.batch_execute("select setval('hacs_audit.change_ids', 2500000)").unwrap();
    client.batch_execute("insert into hacs_core.patients (id, family) values ('a', 'A')").unwrap();
    let calls: Vec<String> = (0..4).map(|_| database.text("select hacs_audit.seal()")).collect();
    assert_eq!(calls, ["10", "10", "6", "0"]);
    assert_eq!(database.text("select count(*) from hacs_audit.verify_seals()"), "0");
}

/// Eight writers, slow and fast, with savepoints and roll-backs; readers that are killed and go on from the last cursor
/// that they had kept; a sealer beside them.
#[test]
fn nothing_is_missed_or_seen_twice_whatever_was_open_meanwhile() {
    const WRITERS: usize = 8;
    let database = Database::migrated();
    let left = AtomicUsize::new(WRITERS);
    let seen = thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (mut client, left) = (database.client(), &left);
            scope.spawn(move || {
                for round in 0..120 {
                    let id = format!("{writer}-{round}");
                    // Slow ones stay open over many statements of the fast ones.
                    let rows = if writer % 2 == 0 { 400 } else { 5 };
                    let sql = format!(
                        "begin; insert into hacs_core.patients (id, family) values ('{id}', 'F');
                         savepoint s; update hacs_core.patients set age = 1 where id = '{id}'; rollback to s;
                         insert into hacs_core.organizations (id, name) select '{id}-' || n, 'O' from generate_series(1, {rows}) as s (n); {}",
                        if round % 5 == 0 { "rollback" } else { "commit" }
                    );
                    client.batch_execute(&sql).unwrap();
                }
                left.fetch_sub(1, Ordering::SeqCst);
            });
        }
        let (mut client, left_too) = (database.client(), &left);
        scope.spawn(move || {
            while left_too.load(Ordering::SeqCst) > 0 {
                client.batch_execute("select hacs_audit.seal()").unwrap();
            }
        });
        let mut seen: Vec<i64> = Vec::new();
        let mut cursor: Option<String> = None;
        let mut kills = 0;
        loop {
            let done = left.load(Ordering::SeqCst) == 0;
            let mut reader = database.client();
            let (numbers, next) = read(&mut reader, cursor.as_deref(), 700);
            if !done && kills < 40 && seen.len() % 3 == 1 {
                // He dies before he has kept what he read, and reads it again.
                let pid: i32 = reader.query_one("select pg_backend_pid()", &[]).unwrap().get(0);
                database.client().execute("select pg_terminate_backend($1)", &[&pid]).unwrap();
                kills += 1;
                continue;
            }
            let end = numbers.is_empty();
            seen.extend(numbers);
            cursor = next.or(cursor);
            if done && end {
                break seen;
            }
        }
    });
    let distinct: BTreeSet<i64> = seen.iter().copied().collect();
    assert_eq!(distinct.len(), seen.len(), "seen twice");
    assert!(seen.is_sorted(), "out of order");
    assert_eq!(database.text("select count(*) from hacs_audit.resource_changes"), seen.len().to_string(), "missed");
    assert!(seen.len() > 100_000, "{}", seen.len());
    let mut client = database.client();
    client.batch_execute("select hacs_audit.seal(100)").unwrap();
    assert_eq!(database.text("select count(*) from hacs_audit.verify_seals()"), "0");
    assert_eq!(database.text("select sum(c) from hacs_audit.seals, unnest(counts) as c"), seen.len().to_string());
}

#[test]
fn listeners_are_told_of_changes_once_the_owner_wants_it() {
    use postgres::fallible_iterator::FallibleIterator;
    use std::time::Duration;
    let database = Database::migrated();
    let mut listener = database.client();
    listener.batch_execute("listen hacs_audit").unwrap();
    let mut client = database.client();
    let told = |listener: &mut Client, wait: Duration| {
        let found = listener.notifications().timeout_iter(wait).next().unwrap();
        found.map(|notification| (notification.channel().to_owned(), notification.payload().to_owned()))
    };
    let write = |client: &mut Client, id: &str| {
        // Of one transaction, one notification.
        let sql = format!(
            "begin; insert into hacs_core.patients (id, family) values ('{id}', 'A');
             update hacs_core.patients set family = 'B'; commit"
        );
        client.batch_execute(&sql).unwrap();
    };
    write(&mut client, "before");
    client.batch_execute("select hacs_audit.notify_changes(true)").unwrap();
    write(&mut client, "wanted");
    client.batch_execute("select hacs_audit.notify_changes(false)").unwrap();
    write(&mut client, "after");
    client.batch_execute("notify hacs_audit, 'end'").unwrap();
    let channel = || "hacs_audit".to_owned();
    assert_eq!(told(&mut listener, Duration::from_secs(20)), Some((channel(), String::new())));
    assert_eq!(told(&mut listener, Duration::from_secs(20)), Some((channel(), "end".to_owned())));
    // The owner's choice is no difference.
    client.batch_execute("select hacs_audit.notify_changes(true)").unwrap();
    let found = hacs_refinery::verify(&mut client, false).unwrap();
    assert!(found.is_good() && found.warnings.is_empty(), "{:?} {:?}", found.differences, found.warnings);
}

/// Prepared for a commit in two phases, a transaction has another name, and is not over.
#[test]
fn a_prepared_transaction_holds_the_seals_and_the_feed_back_as_an_open_one_does() {
    let server = Server::start(&["max_prepared_transactions = 5"]);
    let database = Database::migrated_on(&server);
    let (mut client, mut open) = (database.client(), database.client());
    client.batch_execute("insert into hacs_core.patients (id, family) values ('a', 'A')").unwrap();
    open.batch_execute("begin; insert into hacs_core.patients (id, family) values ('b', 'B')").unwrap();
    client.batch_execute("insert into hacs_core.patients (id, family) values ('c', 'C')").unwrap();
    client.batch_execute("select hacs_audit.seal()").unwrap();
    let (first, cursor) = read(&mut client, None, 100);
    open.batch_execute("prepare transaction 'b'").unwrap();
    client.batch_execute("select hacs_audit.seal()").unwrap();
    let (second, cursor) = read(&mut client, cursor.as_deref(), 100);
    open.batch_execute("commit prepared 'b'").unwrap();
    client.batch_execute("select hacs_audit.seal(); select hacs_audit.seal()").unwrap();
    assert_eq!(database.text("select coalesce(min(problem), 'none') from hacs_audit.verify_seals()"), "none");
    let (third, _) = read(&mut client, cursor.as_deref(), 100);
    assert_eq!([first, second, third].concat(), [1, 2, 3]);
}
