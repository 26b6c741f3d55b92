//! Three roles, none a superuser: one migrates, one reads and writes resources, one reads.

use std::process::Command;

use postgres::error::SqlState;

use crate::database::{Database, ended, tool};
use crate::server;

/// A database that a plain role migrated, with rights for two others.
struct Roles {
    database: Database,
    migrator: String,
    app: String,
    reader: String,
}

impl Roles {
    fn new() -> Self {
        let database = Database::empty();
        let [migrator, app, reader] = ["migrator", "app", "reader"].map(|role| format!("{role}_{}", database.name));
        let sql = format!(
            "create role {migrator} login; create role {app} login; create role {reader} login;
             alter role {migrator} set search_path = pg_catalog, pg_temp;
             revoke all on schema public from public; revoke all on database {name} from public;
             grant connect, create on database {name} to {migrator};
             grant connect on database {name} to {app}, {reader}",
            name = database.name
        );
        database.client().batch_execute(&sql).unwrap();
        let roles = Self { database, migrator, app, reader };
        let end = ended(tool(&["migrate", "-d", &roles.url(&roles.migrator)]).output().unwrap());
        assert_eq!(end.code, Some(0), "{end:?}");
        // Twice: it can be run again.
        for _ in 0..2 {
            let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/grant-app-role.sql");
            let end = Command::new(server::bindir().join("psql"))
                .args(["-X", "-q", "-v", &format!("app_role={}", roles.app)])
                .args(["-v", &format!("reader_role={}", roles.reader), "-f", script, &roles.url(&roles.migrator)])
                .output()
                .expect("psql runs");
            assert!(end.status.success(), "{end:?}");
        }
        roles
    }

    fn url(&self, role: &str) -> String {
        self.database.conninfo().replacen("user=postgres", &format!("user={role}"), 1)
    }

    fn may(&self, role: &str, sql: &str) {
        self.database.client_as(role).batch_execute(sql).unwrap_or_else(|error| panic!("{role}: {sql}: {error:?}"));
    }

    fn may_not(&self, role: &str, sql: &str) {
        match self.database.client_as(role).batch_execute(sql) {
            Err(error) => assert_eq!(error.code(), Some(&SqlState::INSUFFICIENT_PRIVILEGE), "{role}: {sql}: {error:?}"),
            Ok(()) => panic!("{role} may do this: {sql}"),
        }
    }
}

impl Drop for Roles {
    fn drop(&mut self) {
        for role in [&self.app, &self.reader, &self.migrator].into_iter().filter(|role| !role.starts_with("pg_")) {
            let _ = self.database.client().batch_execute(&format!("drop owned by {role} cascade; drop role {role}"));
        }
    }
}

const PATIENT: &str = "insert into hacs_core.patients (id, family, full_name) values ('p1', 'x', 'x')";

#[test]
fn a_plain_role_with_the_right_to_create_migrates_and_gets_the_same_schema() {
    let roles = Roles::new();
    let owners = "select string_agg(distinct pg_get_userbyid(relowner), ' ') from pg_class
        where relnamespace in (select oid from pg_namespace where nspname like 'hacs%')";
    assert_eq!(roles.database.text(owners), roles.migrator);
    let superuser =
        format!("select rolsuper or rolcreatedb or rolcreaterole from pg_roles where rolname = '{}'", roles.migrator);
    assert_eq!(roles.database.text(&superuser), "f");
    let without_rights = |dump: String| {
        let lines =
            dump.lines().filter(|l| !l.starts_with("GRANT") && !l.starts_with("REVOKE") && !l.starts_with("--"));
        let lines = lines.filter(|l| !l.starts_with("ALTER DEFAULT PRIVILEGES") && !l.is_empty());
        lines.map(|l| format!("{l}\n")).collect::<String>()
    };
    assert_eq!(without_rights(roles.database.dump()), without_rights(Database::migrated().dump()));
}

#[test]
fn the_application_reads_and_writes_resources_and_nothing_else() {
    let roles = Roles::new();
    for sql in [
        PATIENT,
        "update hacs_core.patients set family = 'y' where id = 'p1'",
        "insert into hacs_registry.templates (name, template_type, body) values ('a', 'b', '{}')",
        "select from hacs_clinical.tasks; select from hacs_agents.messages; delete from hacs_agents.memories",
        "select hacs_core.is_blank('x')",
        "delete from hacs_core.patients",
    ] {
        roles.may(&roles.app, sql);
    }
    for sql in [
        "create table hacs_core.mine (a int)",
        "create function hacs_core.mine() returns int language sql as 'select 1'",
        "create schema mine",
        "create table public.mine (a int)",
        "create temporary table mine (a int)",
        "alter table hacs_core.patients add column mine int",
        "alter table hacs_core.patients disable trigger all",
        "drop table hacs_core.patients",
        "truncate hacs_core.patients cascade",
        "create index on hacs_core.patients (family)",
        "create trigger mine before insert on hacs_core.patients for each row execute function hacs_core.touch_updated_at()",
        "comment on table hacs_core.patients is 'mine'",
        "set session_replication_role = replica",
        "select from hacs_admin.migrations",
        "delete from hacs_admin.migrations",
        "insert into hacs_admin.migrations (version) values (9)",
        "update hacs_admin.system_config set value = '1'",
        "select from hacs_audit.resource_changes",
        "delete from hacs_audit.resource_changes",
        "insert into hacs_audit.resource_changes (operation, table_name, resource_id) values ('DELETE', 'a', 'b')",
        "select hacs_audit.record_truncate()",
    ] {
        roles.may_not(&roles.app, sql);
    }
    // PostgreSQL warns and grants nothing.
    let _ = roles.database.client_as(&roles.app).batch_execute("grant select on hacs_core.patients to public");
    assert_eq!(roles.database.text("select has_table_privilege('public', 'hacs_core.patients', 'select')"), "f");
    // What it did is written down, although it may not write there.
    let audit = format!(
        "select string_agg(operation, ' ' order by change_id) from hacs_audit.resource_changes
         where table_name = 'patients' and session_role = '{}'",
        roles.app
    );
    assert_eq!(roles.database.text(&audit), "INSERT UPDATE DELETE");
    let end = ended(tool(&["migrate", "-d", &roles.url(&roles.app)]).output().unwrap());
    assert_eq!(end.code, Some(1), "{end:?}");
    assert!(end.stderr.contains("(SQLSTATE 42501)\nNEXT: Use the role that owns"), "{end:?}");
}

#[test]
fn the_reader_reads_resources_and_asks_for_the_status() {
    let roles = Roles::new();
    roles.may(&roles.app, PATIENT);
    roles.may(&roles.reader, "select from hacs_core.patients; select from hacs_clinical.goals");
    let end = ended(tool(&["status", "--check", "-d", &roles.url(&roles.reader)]).output().unwrap());
    assert_eq!(end.code, Some(0), "{end:?}");
    let end = ended(tool(&["migrate", "-d", &roles.url(&roles.reader)]).output().unwrap());
    assert!(end.code == Some(0) && end.stdout.starts_with("Nothing to do"), "{end:?}");
    for sql in [
        PATIENT,
        "update hacs_core.patients set family = 'y'",
        "delete from hacs_core.patients",
        "truncate hacs_core.patients cascade",
        "create table hacs_core.mine (a int)",
        "create table public.mine (a int)",
        "delete from hacs_admin.migrations",
        "select from hacs_admin.system_config",
        "select from hacs_audit.resource_changes",
        "select hacs_audit.record_truncate()",
    ] {
        roles.may_not(&roles.reader, sql);
    }
}

#[test]
fn tables_of_later_migrations_are_included() {
    let roles = Roles::new();
    let later = "create table hacs_core.later (id int check (hacs_core.later_rule(id)))";
    let rule = "create function hacs_core.later_rule(int) returns boolean language sql as 'select true';
        revoke execute on function hacs_core.later_rule(int) from public";
    roles.may(&roles.migrator, &format!("{rule}; {later}"));
    roles.may(&roles.app, "insert into hacs_core.later values (1); select from hacs_core.later");
    roles.may(&roles.reader, "select from hacs_core.later");
    roles.may_not(&roles.reader, "insert into hacs_core.later values (1)");
}

#[test]
fn default_privileges_open_nothing_that_protects() {
    let database = Database::empty();
    let [migrator, app] = ["migrator", "app"].map(|role| format!("{role}_{}", database.name));
    let sql = format!(
        "create role {migrator} login; create role {app} login; grant connect, create on database {name} to {migrator};
         grant connect on database {name} to {app};
         alter default privileges for role {migrator} grant all on tables to {app}, public;
         alter default privileges for role {migrator} grant all on sequences to {app}, public;
         alter default privileges for role {migrator} grant all on functions to {app};
         alter default privileges for role {migrator} grant all on schemas to {app}, public",
        name = database.name
    );
    database.client().batch_execute(&sql).unwrap();
    // Dropped after the migrator, which owns everything.
    let roles = Roles { database, migrator, app, reader: "pg_monitor".into() };
    let url = roles.url(&roles.migrator);
    let end = ended(tool(&["migrate", "-d", &url]).output().unwrap());
    assert_eq!(end.code, Some(0), "{end:?}");
    roles.may(
        &roles.migrator,
        "select hacs_audit.ensure_partitions(9); grant usage on schema hacs_audit, hacs_admin to public",
    );
    roles.may(&roles.app, PATIENT);
    let partitions =
        "select inhrelid::regclass from pg_inherits where inhparent = 'hacs_audit.resource_changes'::regclass";
    let tables =
        roles.database.client().query(&format!("select inhrelid::regclass::text from ({partitions}) as p"), &[]);
    let mut tables: Vec<String> = tables.unwrap().iter().map(|row| row.get(0)).collect();
    assert!(tables.len() > 3, "{tables:?}");
    tables.extend(["resource_changes", "seals"].map(|name| format!("hacs_audit.{name}")));
    tables.extend(["hacs_admin.migrations", "hacs_admin.system_config"].map(str::to_owned));
    for table in tables {
        for sql in ["select from T", "insert into T default values", "delete from T", "truncate T"] {
            roles.may_not(&roles.app, &sql.replace('T', &table));
        }
    }
    let functions = "select format('select %s(%s)', oid::regproc, (
            select string_agg('null::' || t::regtype, ', ') from unnest(proargtypes) as a (t)
        )) from pg_proc where pronamespace in ('hacs_audit'::regnamespace, 'hacs_admin'::regnamespace)
            and prorettype <> 'trigger'::regtype";
    for row in roles.database.client().query(functions, &[]).unwrap() {
        roles.may_not(&roles.app, row.get(0));
    }
    for sql in [
        "create table hacs_audit.mine ()",
        "create table hacs_admin.mine ()",
        "select nextval('hacs_audit.change_ids')",
    ] {
        roles.may_not(&roles.app, sql);
    }
    let end = ended(tool(&["verify", "-d", &url]).output().unwrap());
    assert_eq!(end.code, Some(0), "{end:?}");
}

#[test]
fn a_right_to_write_what_protects_is_a_difference_that_nothing_hides() {
    let database = Database::migrated();
    let hide = "insert into hacs_admin.system_config (key, value) values ('verify.ignore', '[\"*\"]');
        create table hacs_core.mine ()";
    database.client().batch_execute(hide).unwrap();
    let end = database.run(&["verify"]);
    assert_eq!(end.code, Some(0), "{end:?}");
    assert!(end.stdout.contains("\nIgnored     1 that verify.ignore names\n"), "{end:?}");
    for (grant, name) in [
        ("insert on hacs_audit.resource_changes to public", "table hacs_audit.resource_changes to public"),
        (
            "update (actor_id) on hacs_audit.resource_changes to pg_monitor",
            "column hacs_audit.resource_changes.actor_id to pg_monitor",
        ),
        ("delete on hacs_audit.seals to pg_monitor", "table hacs_audit.seals to pg_monitor"),
        ("trigger on hacs_audit.seals to pg_monitor", "table hacs_audit.seals to pg_monitor"),
        ("truncate on hacs_admin.migrations to public", "table hacs_admin.migrations to public"),
        ("update on hacs_admin.system_config to public", "table hacs_admin.system_config to public"),
        ("usage on sequence hacs_audit.change_ids to public", "sequence hacs_audit.change_ids to public"),
        ("create on schema hacs_audit to public", "schema hacs_audit to public"),
        ("execute on function hacs_audit.seal(integer) to public", "function hacs_audit.seal(integer) to public"),
        (
            "execute on function hacs_audit.record_truncate() to pg_monitor",
            "function hacs_audit.record_truncate() to pg_monitor",
        ),
    ] {
        database.client().batch_execute(&format!("grant {grant}")).unwrap();
        let end = database.run(&["verify", "--json"]);
        assert_eq!(end.code, Some(7), "{grant}: {end:?}");
        let found: serde_json::Value = serde_json::from_str(&end.stdout).unwrap();
        assert_eq!(found["differences"].as_array().unwrap().len(), 1, "{grant}: {found}");
        assert_eq!(
            (&found["differences"][0]["kind"], &found["differences"][0]["name"]),
            (&"right".into(), &name.into()),
            "{grant}"
        );
        let mend = found["differences"][0]["mend"].as_str().unwrap();
        database.client().batch_execute(mend).unwrap_or_else(|error| panic!("{mend}: {error:?}"));
        assert_eq!(database.run(&["verify"]).code, Some(0), "{grant}: {mend}");
    }
    // Neither are the partitions, nor what fires on the trail.
    let spy = "create function public.spy() returns trigger language plpgsql as 'begin return null; end'";
    database.client().batch_execute(spy).unwrap();
    for sql in [
        "grant insert on hacs_audit.resource_changes_default to public",
        "create trigger spy before insert on hacs_audit.resource_changes_default for each row execute function public.spy()",
        "create trigger spy before insert on hacs_audit.resource_changes for each row execute function public.spy()",
        "create rule spy as on insert to hacs_audit.seals do instead nothing",
    ] {
        database.client().batch_execute(sql).unwrap();
        let found = hacs_refinery::verify(&mut database.client(), false).unwrap();
        assert!(!found.is_good(), "{sql}");
        for difference in found.differences {
            database.client().batch_execute(&difference.mend.unwrap()).unwrap();
        }
        let found = hacs_refinery::verify(&mut database.client(), false).unwrap();
        assert!(found.is_good(), "{sql}: {:?}", found.differences);
    }
}

#[test]
fn everybody_has_no_right_to_any_schema_table_or_sequence() {
    let database = Database::migrated();
    let rights = "with ours as (select oid, nspacl from pg_namespace where nspname like 'hacs%'),
            acls as (
                select nspacl as acl from ours
                union all
                select relacl from pg_class where relnamespace in (select oid from ours)
                union all
                select attacl from pg_attribute as a join pg_class as c on c.oid = a.attrelid
                where c.relnamespace in (select oid from ours)
            )
        select count(*) from acls, aclexplode(acl) as a where a.grantee = 0";
    assert_eq!(database.text(rights), "0");
    // The check can fail.
    database.client().batch_execute("grant select on hacs_core.patients to public").unwrap();
    assert_eq!(database.text(rights), "1");
}
