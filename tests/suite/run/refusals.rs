//! Databases that cannot be migrated: a clear error with a next step, its exit code, and nothing changed.

use std::process::Stdio;

use crate::database::{Database, ended, tool};
use crate::server::{self, Server};

/// Runs `migrate` as a role, expects this exit code and these words, and that nothing was changed.
fn refused(database: &Database, role: &str, code: i32, words: &[&str]) {
    let before = database.dump();
    let url = database.conninfo().replacen("user=postgres", &format!("user={role}"), 1);
    let end = ended(tool(&["migrate", "-d", &url]).output().unwrap());
    assert_eq!(end.code, Some(code), "{end:?}");
    for words in words.iter().chain(&["Nothing was changed"]) {
        assert!(end.stderr.contains(words), "{words}: {end:?}");
    }
    assert_eq!(database.dump(), before);
    let url = database.conninfo();
    assert_eq!(ended(tool(&["status", "-d", &url]).output().unwrap()).code, Some(0));
}

/// A role that may log in, with this done to it, and undone by dropping it.
struct Role<'a>(&'a Database, String);

impl<'a> Role<'a> {
    fn new(database: &'a Database, sql: &str) -> Self {
        let name = format!("role_of_{}", database.name);
        let sql = format!("create role ROLE login; {sql}").replace("ROLE", &name).replace("DATABASE", &database.name);
        database.client().batch_execute(&sql).unwrap();
        Self(database, name)
    }
}

impl Drop for Role<'_> {
    fn drop(&mut self) {
        let _ = self.0.client().batch_execute(&format!("drop owned by {0} cascade; drop role {0}", self.1));
    }
}

#[test]
fn a_role_that_only_reads_by_default() {
    let database = Database::empty();
    let role =
        Role::new(&database, "alter role ROLE superuser; alter role ROLE set default_transaction_read_only = on");
    let words = ["read-only transaction (SQLSTATE 25006)", "NEXT: This is a standby, or default_transaction_read_only"];
    refused(&database, &role.1, 8, &words);
}

#[test]
fn a_database_that_is_read_only_by_default() {
    let database = Database::empty();
    let set = format!("alter database {} set default_transaction_read_only = on", database.name);
    database.client().batch_execute(&set).unwrap();
    refused(&database, "postgres", 8, &["read-only transaction (SQLSTATE 25006)", "NEXT: This is a standby, or"]);
}

#[test]
fn a_role_that_may_not_create() {
    let database = Database::empty();
    let role = Role::new(&database, "");
    refused(
        &database,
        &role.1,
        8,
        &["permission denied for database", "(SQLSTATE 42501)", "NEXT: Use the role that owns"],
    );
}

#[test]
fn a_schema_that_somebody_else_owns() {
    let database = Database::empty();
    let role = Role::new(&database, "grant create on database DATABASE to ROLE; create schema hacs_clinical");
    refused(&database, &role.1, 8, &["(SQLSTATE 42501)", "NEXT: Use the role that owns the schemas"]);

    let database = Database::migrated();
    let role = Role::new(&database, "delete from hacs_admin.migrations where version = 8");
    refused(&database, &role.1, 1, &[]);
}

#[test]
fn objects_of_another_shape() {
    for (sql, code, words) in [
        ("create schema hacs_core; create sequence hacs_core.patients", 8, "(SQLSTATE 42809)"),
        ("create schema hacs_core; create view hacs_core.resources as select 1 as id", 8, "(SQLSTATE 42809)"),
        ("create schema hacs_core; create type hacs_core.texts as enum ('a')", 8, "V1__hacs_core.sql, line "),
        (
            "create schema hacs_core; create function hacs_core.is_list(jsonb) returns text language sql
            as 'select null'",
            8,
            "(SQLSTATE 42P13)",
        ),
        (
            "create schema hacs_core; create table hacs_core.patients (id integer, \"Name\" text)",
            6,
            "hacs_core.patients: columns not ours: Name; missing: resource_type, created_at",
        ),
    ] {
        let database = Database::empty();
        database.client().batch_execute(sql).unwrap();
        refused(&database, "postgres", code, &[words]);
    }
}

#[test]
fn an_event_trigger_that_fails() {
    let database = Database::empty();
    let sql = "create function public.no_ddl() returns event_trigger language plpgsql as
            $$ begin if tg_tag = 'CREATE TRIGGER' then raise 'no triggers on Fridays' using hint = 'wait'; end if; end $$;
        create event trigger no_ddl on ddl_command_start execute function public.no_ddl()";
    database.client().batch_execute(sql).unwrap();
    refused(
        &database,
        "postgres",
        8,
        &["V1__hacs_core.sql, line ", "no triggers on Fridays (SQLSTATE P0001)", "HINT: wait"],
    );
}

#[test]
fn an_event_trigger_that_relies_on_a_search_path_is_named_with_what_to_alter() {
    let database = Database::empty();
    let sql = "create table ddl_history (id bigserial primary key, tag text);
        create function log_ddl() returns event_trigger language plpgsql as
            $$ begin insert into ddl_history (tag) values (tg_tag); end $$;
        create event trigger log_ddl on ddl_command_end execute function log_ddl()";
    database.client().batch_execute(sql).unwrap();
    let alter = "alter function public.log_ddl() set search_path = public, pg_catalog, pg_temp;";
    let words =
        ["(SQLSTATE 42P01)", "\nNEXT: public.log_ddl() is not HACS's. It was called as an event trigger", alter];
    refused(&database, "postgres", 8, &words);
    // What it says to do helps.
    database.client().batch_execute(alter).unwrap();
    assert_eq!(database.run(&["migrate"]).code, Some(0));
}

#[test]
fn a_hot_standby_tells_its_status_and_refuses_to_migrate() {
    let primary = Server::start(&[]);
    let (complete, empty) = (Database::on(&primary), Database::on(&primary));
    assert_eq!(complete.run(&["migrate"]).code, Some(0));

    let dir = tempfile::Builder::new().prefix("hacs-test-").tempdir().unwrap().keep();
    server::hand_over(&dir);
    let copied = server::as_server(&server::bindir().join("pg_basebackup"))
        .args(["--write-recovery-conf", "--checkpoint=fast", "--username=postgres", "--host"])
        .arg(&primary.dir)
        .arg("--port")
        .arg(primary.port.to_string())
        .arg("--pgdata")
        .arg(dir.join("data"))
        .stdin(Stdio::null())
        .output()
        .expect("pg_basebackup runs");
    assert!(copied.status.success(), "{}", String::from_utf8_lossy(&copied.stderr));
    let conf = dir.join("data/postgresql.conf");
    let text = std::fs::read_to_string(&conf).unwrap() + &format!("\nunix_socket_directories = '{}'\n", dir.display());
    std::fs::write(&conf, text).unwrap();
    let standby = Server::launch(dir, primary.port);

    let on_standby = |database: &Database, args: &[&str]| {
        let url = database.conninfo().replace(&*primary.dir.to_string_lossy(), &standby.dir.to_string_lossy());
        ended(tool(args).env("DATABASE_URL", url).output().unwrap())
    };
    let status = on_standby(&complete, &["status", "--check"]);
    assert_eq!(status.code, Some(0), "{status:?}");
    let nothing = on_standby(&complete, &["migrate"]);
    assert_eq!(nothing.code, Some(0), "{nothing:?}");
    let status = on_standby(&empty, &["status", "--check"]);
    assert_eq!(status.code, Some(4), "{status:?}");
    let refused = on_standby(&empty, &["migrate"]);
    assert_eq!(refused.code, Some(8), "{refused:?}");
    assert!(refused.stderr.contains("NEXT: This is a standby, or"), "{refused:?}");
}
