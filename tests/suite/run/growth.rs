//! What the program asks of a database must not grow with what is in it.

use std::thread::sleep;
use std::time::Duration;

use postgres::{Client, NoTls};

use crate::database::Database;
use crate::server::Server;

/// Pages of tables and indexes that the server looks at for a command; only with a server that does nothing else.
fn pages(watch: &mut Client, database: &Database, command: &str) -> i64 {
    let mut settled = || -> i64 {
        let query = "select blks_hit + blks_read from pg_stat_database where datname = $1";
        let mut last = -1;
        loop {
            // A session tells what it did when it ends, or some time later.
            sleep(Duration::from_millis(700));
            let now = watch.query_one(query, &[&database.name]).unwrap().get(0);
            if now == last {
                return now;
            }
            last = now;
        }
    };
    // The first run finds no statistics and no hints.
    assert_eq!(database.run(&[command]).code, Some(0), "{command}");
    let before = settled();
    assert_eq!(database.run(&[command]).code, Some(0), "{command}");
    settled() - before
}

#[test]
fn five_years_of_audit_cost_no_command_a_fifth_more_pages() {
    let server = Server::start(&["autovacuum = off"]);
    let mut watch = server.config().connect(NoTls).unwrap();
    let (young, old) = (Database::migrated_on(&server), Database::migrated_on(&server));
    for quarters in 1..=20 {
        let sql = format!(
            "insert into hacs_audit.resource_changes (changed_at, operation, schema_name, table_name, resource_type, resource_id)
             values (now() - {quarters} * interval '3 months', 'INSERT', 'hacs_core', 'patients', 'Patient', 'p');
             select hacs_audit.ensure_partitions()"
        );
        old.client().batch_execute(&sql).unwrap();
    }
    for database in [&young, &old] {
        database.client().batch_execute("vacuum analyze").unwrap();
    }
    let partitions = "select count(*) from pg_inherits where inhparent = 'hacs_audit.resource_changes'::regclass";
    assert_eq!(old.text(partitions), "26");
    for command in ["migrate", "status", "verify"] {
        let (young, old) = (pages(&mut watch, &young, command), pages(&mut watch, &old, command));
        println!("{command}: {young} pages, {old} after five years");
        assert!(old * 5 <= young * 6, "{command}: {young} pages, {old} after five years");
    }
}
