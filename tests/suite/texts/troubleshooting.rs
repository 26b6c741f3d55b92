//! docs/troubleshooting.md: each error that it quotes is provoked here, and what the program prints is compared.

use std::collections::BTreeMap;

use hacs_refinery::{Error, Failure};
use postgres::Client;

use crate::database::{Database, Ended, ended, tool};
use crate::server::Server;

const DOCUMENT: &str = include_str!("../../../docs/troubleshooting.md");

/// For each heading, what it quotes, and the exit code.
fn sections() -> BTreeMap<&'static str, (&'static str, i32)> {
    let mut sections = BTreeMap::new();
    for section in DOCUMENT.split("\n## ").skip(1) {
        let (heading, text) = section.split_once('\n').unwrap();
        let (_, quoted) = text.split_once("```text\n").unwrap_or_else(|| panic!("{heading}: nothing is quoted"));
        let (quoted, after) = quoted.split_once("```\n").unwrap();
        let code = after.trim_start().strip_prefix("Exit code ").and_then(|rest| rest.split_once('.'));
        let code = code.unwrap_or_else(|| panic!("{heading}: no exit code")).0.parse().unwrap();
        assert!(sections.insert(heading, (quoted, code)).is_none(), "{heading} twice");
    }
    sections
}

/// Whether a text is what a pattern says, in which `…` stands for anything on the same line.
fn fits(pattern: &str, text: &str) -> bool {
    let fits_line = |pattern: &str, line: &str| {
        let mut parts = pattern.split('…');
        let Some(mut rest) = line.strip_prefix(parts.next().unwrap_or_default()) else { return false };
        let mut open = false;
        for part in parts {
            let Some(at) = (if part.is_empty() { Some(rest.len()) } else { rest.find(part) }) else { return false };
            rest = &rest[at + part.len()..];
            open = part.is_empty();
        }
        rest.is_empty() || open
    };
    pattern.lines().count() == text.lines().count()
        && pattern.lines().zip(text.lines()).all(|(pattern, line)| fits_line(pattern, line))
}

struct Workshop {
    server: Server,
    seen: BTreeMap<&'static str, Ended>,
}

impl Workshop {
    fn saw(&mut self, heading: &'static str, mut end: Ended) {
        // Warnings may come before it.
        end.stderr = end.stderr.split_once("error: ").map(|(_, error)| format!("error: {error}")).unwrap_or_default();
        assert!(self.seen.insert(heading, end).is_none(), "{heading} twice");
    }

    /// A database and a superuser in it.
    fn database(&self, migrated: bool) -> (Database, Client) {
        let database = if migrated { Database::migrated_on(&self.server) } else { Database::on(&self.server) };
        let client = database.client();
        (database, client)
    }

    fn on(&self, database: &str, user: &str, more: &str) -> String {
        format!("host={} port={} user={user} dbname={database}{more}", self.server.dir.display(), self.server.port)
    }
}

fn run(args: &[&str]) -> Ended {
    // No password of the developer's.
    ended(tool(args).env("HOME", "/nonexistent").output().unwrap())
}

fn connecting(shop: &mut Workshop) {
    shop.saw("No database is named", run(&["migrate"]));
    let nobody = "postgresql://hacs@127.0.0.1:1/hacs?sslmode=disable";
    shop.saw("Nobody listens there", run(&["migrate", "-d", nobody]));
    shop.saw("The URL is for another kind of database", run(&["migrate", "-d", "mysql://hacs@db/hacs"]));
    shop.saw("The database does not exist", run(&["migrate", "-d", &shop.on("hacs", "postgres", "")]));
    let (database, mut client) = shop.database(false);
    client.batch_execute("create role hacs login password 'right'").unwrap();
    shop.saw("The password is wrong", run(&["migrate", "-d", &shop.on(&database.name, "hacs", " password=wrong")]));
    shop.saw("No password is given", run(&["migrate", "-d", &shop.on(&database.name, "hacs", "")]));
    let tcp = format!("postgresql://postgres@127.0.0.1:{}/{}", shop.server.port, database.name);
    shop.saw("The server speaks no TLS", run(&["migrate", "-d", &format!("{tcp}?sslmode=require")]));
    shop.saw(
        "There is nothing to verify the server against",
        run(&["migrate", "-d", &format!("{tcp}?sslmode=verify-full")]),
    );
}

fn waiting(shop: &mut Workshop) {
    let (database, mut client) = shop.database(false);
    client.batch_execute("set application_name = 'billing'; begin").unwrap();
    client.execute("select pg_advisory_xact_lock($1)", &[&i64::from_be_bytes(*b"hacsmigr")]).unwrap();
    shop.saw("Another migration is running", database.run(&["migrate", "--lock-timeout", "1s"]));

    let (database, mut client) = shop.database(false);
    assert_eq!(database.run(&["migrate", "--target", "7"]).code, Some(0));
    let hold = "set application_name = 'billing'; begin; lock table hacs_core.patients in row exclusive mode";
    client.batch_execute(hold).unwrap();
    shop.saw("Another session holds a table", database.run(&["migrate", "--lock-timeout", "1s"]));
}

fn refused(shop: &mut Workshop) {
    let (database, mut client) = shop.database(true);
    client.batch_execute("update hacs_admin.migrations set checksum = '1' where version = 3").unwrap();
    shop.saw("The history does not fit", database.run(&["migrate"]));

    let (database, mut client) = shop.database(true);
    let newer = "insert into hacs_admin.migrations (version, name, applied_on, checksum)
        values (100, 'wards', '2026-01-01T00:00:00Z', '1')";
    client.batch_execute(newer).unwrap();
    shop.saw("The database is newer", database.run(&["migrate"]));

    let (database, mut client) = shop.database(false);
    let python = "create schema hacs_core; create table hacs_core.patients (id text, full_name text, active boolean);
        create schema hacs_agents; create table hacs_agents.memory_blocks (id text)";
    client.batch_execute(python).unwrap();
    shop.saw("Tables of the Python system are in the way", database.run(&["migrate"]));

    let (database, mut client) = shop.database(false);
    client.batch_execute("create role visitor login").unwrap();
    shop.saw("The role may not create", run(&["migrate", "-d", &shop.on(&database.name, "visitor", "")]));

    let (database, _) = shop.database(true);
    shop.saw("The role may not read", run(&["status", "-d", &shop.on(&database.name, "visitor", "")]));

    let (database, mut client) = shop.database(false);
    client.batch_execute(&format!("alter database {} set default_transaction_read_only = on", database.name)).unwrap();
    shop.saw("The database is read-only", database.run(&["migrate"]));

    let (database, mut client) = shop.database(false);
    client.batch_execute("create schema hacs_clinical; create view hacs_clinical.tasks as select 1").unwrap();
    shop.saw("Something of the same name is there", database.run(&["migrate"]));

    let (database, mut client) = shop.database(false);
    client.batch_execute("create schema hacs_agents; create sequence hacs_agents.tickets").unwrap();
    shop.saw("Something else is in the six schemas", database.run(&["migrate"]));

    let (database, mut client) = shop.database(false);
    let slow =
        "create function public.dawdle() returns event_trigger language plpgsql as 'begin perform pg_sleep(60); end';
        create event trigger dawdle on ddl_command_end execute function public.dawdle()";
    client.batch_execute(slow).unwrap();
    shop.saw("A statement takes too long", database.run(&["migrate", "--statement-timeout", "500ms"]));
}

/// What no test can bring about at will: the error itself is printed.
fn unknown(shop: &mut Workshop) {
    let error = Error::CommitUnknown(Failure::Broken("connection closed".into()));
    let end = Ended { code: Some(3), stdout: String::new(), stderr: format!("error: {error}\n") };
    shop.saw("The connection broke during the commit", end);
}

#[test]
fn every_quoted_error_is_what_the_program_prints() {
    let server = Server::start_with_tcp(&[]);
    server.write("data/pg_hba.conf", "local all hacs scram-sha-256\nlocal all all trust\nhost all all all reject\n");
    server.signal("HUP");
    let mut shop = Workshop { server, seen: BTreeMap::new() };
    for part in [connecting, waiting, refused, unknown] {
        part(&mut shop);
    }
    let sections = sections();
    let mut wrong = String::new();
    for (heading, end) in &shop.seen {
        let told =
            sections.get(heading).is_some_and(|(quoted, code)| fits(quoted, &end.stderr) && end.code == Some(*code));
        if !told {
            wrong +=
                &format!("\n## {heading}\n\n```text\n{}```\n\nExit code {}.\n", end.stderr, end.code.unwrap_or(-1));
        }
    }
    for heading in sections.keys().filter(|heading| !shop.seen.contains_key(*heading)) {
        wrong += &format!("\n## {heading}: nothing here provokes it\n");
    }
    assert!(wrong.is_empty(), "docs/troubleshooting.md says something else:{wrong}");
}

#[test]
fn the_readme_names_errors_that_the_troubleshooting_quotes() {
    let readme = include_str!("../../../README.md");
    let (_, table) = readme.split_once("| the error begins with |").expect("the table of errors");
    let (table, _) = table.split_once("\n\n").unwrap();
    let mut rows = 0;
    for line in table.lines().skip(2) {
        let begin = line.split('`').nth(1).unwrap();
        let found = sections().values().any(|(quoted, _)| {
            let first = quoted.lines().next().unwrap().trim_start_matches("error: ");
            let mut from = first;
            begin.split('…').all(|part| match from.find(part) {
                Some(at) => {
                    from = &from[at + part.len()..];
                    true
                }
                None => false,
            })
        });
        assert!(found, "docs/troubleshooting.md has no error that begins with {begin:?}");
        rows += 1;
    }
    assert!(rows >= 6, "{rows}");
}
