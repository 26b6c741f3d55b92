//! A role that puts its own code in the way of every name that ours could mean, and a mark that this code leaves when
//! it runs as somebody else.

use std::process::Command;

use postgres::Client;

use crate::data::rules::with_parent;
use crate::database::{Database, quoted};
use crate::server;

/// Types that our functions name, each to be shadowed by a domain whose check is the attacker's.
const TYPES: [&str; 24] = [
    "text",
    "jsonb",
    "json",
    "name",
    "date",
    "timestamptz",
    "timestamp",
    "interval",
    "regclass",
    "regproc",
    "regprocedure",
    "regtype",
    "xid8",
    "int8",
    "int4",
    "bool",
    "inet",
    "bytea",
    "numeric",
    "float8",
    "oid",
    "char",
    "varchar",
    "int8multirange",
];

/// Tables that our functions read.
const TABLES: [&str; 14] = [
    "pg_class",
    "pg_trigger",
    "pg_proc",
    "pg_attribute",
    "pg_attrdef",
    "pg_namespace",
    "pg_type",
    "pg_inherits",
    "pg_locks",
    "pg_database",
    "pg_roles",
    "system_config",
    "resource_changes",
    "seals",
];

pub struct Attacker {
    pub database: Database,
    pub app: String,
    /// Those of the script, the application among them, in the order of `KINDS`.
    pub roles: [String; 5],
}

pub const KINDS: [&str; 5] = ["app", "reader", "auditor", "sealer", "feed"];

impl Attacker {
    /// The owner is a superuser, as in many a container: what runs as him has everything.
    pub fn new() -> Self {
        let database = Database::migrated();
        let roles = KINDS.map(|kind| format!("{kind}_{}", database.name));
        let all = roles.join(", ");
        let mut client = database.client();
        with_parent(&mut client);
        client
            .batch_execute(&format!(
                "{}; grant create, usage on schema public to {all};
                 create sequence public.caught; grant all on sequence public.caught to public",
                roles.each_ref().map(|role| format!("create role {role} login")).join("; ")
            ))
            .unwrap();
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/grant-app-role.sql");
        let mut psql = Command::new(server::bindir().join("psql"));
        for (kind, role) in KINDS.iter().zip(&roles) {
            psql.args(["-v", &format!("{kind}_role={role}")]);
        }
        let end = psql.args(["-X", "-q", "-f", script]).arg(database.conninfo()).output().expect("psql runs");
        assert!(end.status.success(), "{end:?}");
        // The most that a site gives away.
        client.batch_execute(&format!("grant temporary on database {} to {all}", quoted(&database.name))).unwrap();
        Self { database, app: roles[0].clone(), roles }
    }

    /// Neither its code in somebody else's name, nor an error of it that was caught.
    pub fn nothing_foreign_ran(&self, what: &str) {
        assert_eq!(self.database.text("select is_called from public.caught"), "f", "foreign code ran: {what}");
    }

    /// A session in which everything that can be shadowed is.
    pub fn session(&self, role: &str, path: &str) -> Client {
        let mut client = self.database.client_as(role);
        client.batch_execute(&Self::traps()).unwrap();
        client.batch_execute(&format!("set search_path = {path}")).unwrap();
        client
    }

    /// Whoever's name the code runs in is told by an error that nothing of ours catches.
    fn traps() -> String {
        // A sequence remembers it, too, whatever is rolled back.
        let body = "begin if current_user <> session_user then perform pg_catalog.nextval('public.caught'::pg_catalog.regclass); raise exception 'code of % runs as %', session_user, current_user
                using errcode = 'XX999'; end if; return true; end";
        let mut sql = String::new();
        for schema in ["pg_temp", "public"] {
            for kind in TYPES {
                let quoted_kind = quoted(kind);
                let base = format!("pg_catalog.{quoted_kind}");
                sql += &format!(
                    "create or replace function pg_temp.evil(v {base}) returns pg_catalog.bool language plpgsql as $x$ {body} $x$;"
                );
                if schema == "pg_temp" {
                    sql += &format!("create domain pg_temp.{quoted_kind} as {base} check (pg_temp.evil(value));");
                }
            }
            for table in TABLES.iter().filter(|_| schema == "pg_temp") {
                sql += &format!(
                    "create temporary view {table} as select pg_temp.evil(null::pg_catalog.int4) as oid, 'x'::pg_catalog.text as relname;"
                );
            }
            if schema == "pg_temp" {
                continue;
            }
            for (name, arguments, result) in [
                ("to_jsonb", "anyelement", "jsonb"),
                ("jsonb_build_object", "text, text", "jsonb"),
                ("set_config", "text, text, bool", "text"),
                ("current_setting", "text, bool", "text"),
                ("nullif", "text, text", "text"),
                ("format", "text, text", "text"),
                ("now", "", "timestamptz"),
                ("btrim", "text", "text"),
                ("clock_timestamp", "", "timestamptz"),
                ("nextval", "regclass", "int8"),
                ("reference_id", "text, text", "text"),
                ("array_remove", "text[], text", "text[]"),
            ] {
                let catalogued: Vec<String> = arguments
                    .split(", ")
                    .filter(|a| !a.is_empty())
                    .map(|a| if a == "anyelement" { a.to_owned() } else { format!("pg_catalog.{a}") })
                    .collect();
                sql += &format!(
                    "create or replace function public.{}({}) returns pg_catalog.{result} language plpgsql as $x$ declare b pg_catalog.bool := pg_temp.evil(null::pg_catalog.int4); begin return null; end $x$;",
                    quoted(name),
                    catalogued.join(", ")
                );
            }
            for operator in ["=", "<>", "||", "~", "->", "->>", "<", "@>"] {
                let (left, right, result) = match operator {
                    "->" => ("jsonb", "text", "jsonb"),
                    "->>" => ("jsonb", "text", "text"),
                    "@>" => ("text[]", "text[]", "bool"),
                    "||" => ("text", "text", "text"),
                    _ => ("text", "text", "bool"),
                };
                let function =
                    format!("public.operator_{}", operator.bytes().map(|b| b.to_string()).collect::<String>());
                sql += &format!(
                    "create or replace function {function}(pg_catalog.{left}, pg_catalog.{right}) returns pg_catalog.{result} language plpgsql as $x$ declare b pg_catalog.bool := pg_temp.evil(null::pg_catalog.int4); begin return null; end $x$;
                     do $x$ begin create operator public.{operator} (leftarg = pg_catalog.{left}, rightarg = pg_catalog.{right}, function = {function}); exception when duplicate_function then null; end $x$;"
                );
            }
        }
        sql
    }
}

impl Drop for Attacker {
    fn drop(&mut self) {
        for role in &self.roles {
            let _ = self.database.client().batch_execute(&format!("drop owned by {role} cascade; drop role {role}"));
        }
    }
}
