//! How often a run waits for the wire, which is what it costs where the server is far away.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use hacs_refinery::Options;
use refinery::Migration;

use crate::database::{Database, ended, tool};
use crate::newest::EMBEDDED;
use crate::server::{self, Server};
use crate::wire::Wire;

fn socket(server: &Server) -> PathBuf {
    server.dir.join(format!(".s.PGSQL.{}", server.port))
}

fn url(wire: &Wire, database: &Database) -> String {
    format!("postgresql://postgres@127.0.0.1:{}/{}", wire.port, database.name)
}

/// Round trips of the program, from the question for TLS, which this server declines, to the last answer.
fn of_program(database: &Database, args: &[&str]) -> usize {
    let wire = Wire::start(&socket(server::shared()), Duration::ZERO);
    let end = ended(tool(args).env("DATABASE_URL", url(&wire, database)).output().unwrap());
    assert_eq!(end.code, Some(0), "{end:?}");
    assert_eq!(wire.connections(), 1);
    wire.round_trips()
}

#[test]
fn a_fresh_run_takes_few_round_trips_and_one_with_nothing_to_do_takes_three() {
    let database = Database::on(server::shared());
    let fresh = of_program(&database, &["migrate"]);
    // TLS?, log in, the history that is not there, begin, prepare and lock, make the history, read it, run, commit
    assert_eq!(fresh, 9);
    // TLS?, log in, and the history
    assert_eq!(of_program(&database, &["migrate"]), 3);
    assert_eq!(of_program(&database, &["status"]), 4);
}

#[test]
fn forty_migrations_take_as_many_round_trips_as_ten() {
    let round_trips_with = |more: i32| {
        let database = Database::on(server::shared());
        let mut options = Options::default();
        for version in 100..100 + more {
            let sql = format!(
                "create table hacs_core.more_{version} (id int);\ninsert into hacs_core.more_{version} values (1)"
            );
            options.migrations.push(Migration::unapplied(&format!("V{version}__more.sql"), &sql).unwrap());
        }
        let wire = Wire::start(&socket(server::shared()), Duration::ZERO);
        let mut client = hacs_refinery::Database::find(Some(&url(&wire, &database))).unwrap().connect().unwrap();
        let report = hacs_refinery::migrate(&mut client, &options).unwrap();
        assert_eq!(report.applied.len(), EMBEDDED + usize::try_from(more).unwrap());
        let fresh = wire.round_trips();
        hacs_refinery::migrate(&mut client, &options).unwrap();
        (fresh, wire.round_trips() - fresh)
    };
    assert_eq!(round_trips_with(0), round_trips_with(32));
}

#[test]
fn a_slow_wire_makes_a_run_longer_by_its_round_trips() {
    let database = Database::migrated_on(server::shared());
    let time_with = |round_trip| {
        let wire = Wire::start(&socket(server::shared()), round_trip);
        let started = Instant::now();
        let end = ended(tool(&["migrate"]).env("DATABASE_URL", url(&wire, &database)).output().unwrap());
        assert_eq!(end.code, Some(0), "{end:?}");
        started.elapsed()
    };
    // One for the TCP connection, and the three of above.
    assert!(time_with(Duration::from_millis(200)) >= Duration::from_millis(800));
}
