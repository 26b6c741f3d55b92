//! What scripts/grant-app-role.sql gives to whom, when it refuses, and what `verify` says of the rights of roles.

use postgres::error::SqlState;

use crate::database::{Database, Ended, ended, tool};
use crate::server;

const KINDS: [&str; 5] = ["app", "reader", "auditor", "sealer", "feed"];

/// A database that a plain role migrated, and roles to grant rights to.
struct Hospital {
    database: Database,
}

impl Hospital {
    fn new() -> Self {
        let hospital = Self { database: Database::empty() };
        let name = &hospital.database.name;
        let roles = KINDS.iter().map(|kind| format!("create role {kind}_{name} login;")).collect::<String>();
        let migrator = hospital.role("migrator");
        let sql = format!("create role {migrator} login; {roles} grant create on database {name} to {migrator}");
        hospital.database.client().batch_execute(&sql).unwrap();
        let end = hospital.tool("migrator", &["migrate"]);
        assert_eq!(end.code, Some(0), "{end:?}");
        hospital
    }

    fn role(&self, kind: &str) -> String {
        if kind == "postgres" { kind.to_owned() } else { format!("{kind}_{}", self.database.name) }
    }

    fn url(&self, kind: &str) -> String {
        self.database.conninfo().replacen("user=postgres", &format!("user={}", self.role(kind)), 1)
    }

    fn tool(&self, kind: &str, args: &[&str]) -> Ended {
        ended(tool(args).args(["-d", &self.url(kind)]).output().unwrap())
    }

    /// The script, run as somebody for some of the roles.
    fn grant(&self, by: &str, to: &[&str]) -> Ended {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/grant-app-role.sql");
        let mut psql = std::process::Command::new(server::bindir().join("psql"));
        psql.args(["-X", "-q", "-f", script]);
        for kind in to {
            psql.arg("-v").arg(format!("{kind}_role={}", self.role(kind)));
        }
        ended(psql.arg(self.url(by)).output().unwrap())
    }

    fn may(&self, kind: &str, sql: &str) {
        let mut client = self.database.client_as(&self.role(kind));
        client.batch_execute(sql).unwrap_or_else(|error| panic!("{kind}: {sql}: {error:?}"));
    }

    fn may_not(&self, kind: &str, sql: &str) {
        match self.database.client_as(&self.role(kind)).batch_execute(sql) {
            Err(error) => assert_eq!(error.code(), Some(&SqlState::INSUFFICIENT_PRIVILEGE), "{kind}: {sql}: {error:?}"),
            Ok(()) => panic!("{kind} may do this: {sql}"),
        }
    }

    /// As the superuser.
    fn sql(&self, sql: &str) {
        self.database.client().batch_execute(sql).unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    }
}

impl Drop for Hospital {
    fn drop(&mut self) {
        for kind in KINDS.into_iter().chain(["migrator"]) {
            let role = self.role(kind);
            let _ = self.database.client().batch_execute(&format!("drop owned by {role} cascade; drop role {role}"));
        }
    }
}

#[test]
fn the_grants_say_why_they_grant_nothing() {
    let hospital = Hospital::new();
    let owner = format!("Run this as {}, which owns them.", hospital.role("migrator"));
    for (by, to, reason) in [
        ("migrator", &[][..], "no role is named, so nothing was granted"),
        ("migrator", &[], "psql -v app_role=hacs_app"),
        ("app", &["app"], "may not grant rights on the HACS schemas, so nothing was granted"),
        ("reader", &["app", "reader"], &owner),
    ] {
        let end = hospital.grant(by, to);
        assert!(end.code == Some(3) && end.stderr.contains(reason), "{by} {to:?}: {end:?}");
    }
    hospital.may_not("app", "select from hacs_core.patients");
    hospital.sql("drop role if exists nobody_here");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/grant-app-role.sql");
    let empty = Database::empty();
    let mut psql = std::process::Command::new(server::bindir().join("psql"));
    let end = ended(psql.args(["-X", "-v", "app_role=postgres", "-f", script, &empty.conninfo()]).output().unwrap());
    assert!(end.code == Some(3) && end.stderr.contains("there are no HACS schemas in database"), "{end:?}");
}

#[test]
fn a_superuser_grants_for_the_role_that_migrates() {
    let hospital = Hospital::new();
    let end = hospital.grant("postgres", &["app"]);
    assert_eq!((end.code, end.stderr.as_str()), (Some(0), ""), "{end:?}");
    hospital.may("migrator", "create table hacs_core.later (id int)");
    hospital.may("app", "insert into hacs_core.later values (1); select from hacs_core.patients");
    // It owns the database, so that it could also take this from everybody.
    hospital.may_not("reader", "create temporary table mine (a int)");
}

#[test]
fn who_does_not_own_the_database_is_told_what_its_owner_may_do() {
    let hospital = Hospital::new();
    let end = hospital.grant("migrator", &["app"]);
    let statement = format!("revoke temporary on database {} from public", hospital.database.name);
    assert!(end.code == Some(0) && end.stderr.contains(&statement), "{end:?}");
}

#[test]
fn the_auditor_reads_the_trail_and_changes_nothing() {
    let hospital = Hospital::new();
    assert_eq!(hospital.grant("migrator", &["app", "auditor"]).code, Some(0));
    hospital.may("app", "insert into hacs_core.patients (id, family) values ('p1', 'Doe')");
    for sql in [
        "select from hacs_audit.resource_changes; select from hacs_audit.seals; select from hacs_audit.coverage",
        "select from hacs_audit.audit_event; select from hacs_admin.migrations; select from hacs_admin.system_config",
        "select * from hacs_audit.history('Patient', 'p1')",
        "select * from hacs_audit.changed_by('practitioner/1', '2020-01-01', '2030-01-01')",
        "select * from hacs_audit.verify_seals(); select * from hacs_audit.sealing; select * from hacs_audit.changes_since()",
        "select * from hacs_audit.changes_of_patient('p1', '2020-01-01', '2030-01-01')",
        "select family from hacs_core.patients; select hacs_core.is_blank('x')",
    ] {
        hospital.may("auditor", sql);
    }
    let mut auditor = hospital.database.client_as(&hospital.role("auditor"));
    let row = auditor.query_one("select hacs_audit.as_of('Patient', 'p1', now()) ->> 'family'", &[]).unwrap();
    assert_eq!(row.get::<_, &str>(0), "Doe");
    for sql in [
        "insert into hacs_core.patients (family) values ('x')",
        "delete from hacs_core.patients",
        "insert into hacs_audit.resource_changes (operation) values ('INSERT')",
        "delete from hacs_audit.resource_changes",
        "update hacs_audit.seals set digest = digest",
        "select hacs_audit.seal()",
        "select hacs_audit.detach_quarter('2020-01-01')",
        "select hacs_audit.ensure_partitions()",
        "update hacs_admin.system_config set value = 'true'",
        "create table hacs_audit.mine (a int)",
    ] {
        hospital.may_not("auditor", sql);
    }
    // Quarters that come later are included.
    hospital.may("migrator", "create table hacs_audit.later (a int)");
    hospital.may("auditor", "select from hacs_audit.later");
}

#[test]
fn a_reader_of_the_feed_reads_changes_and_nothing_else() {
    let hospital = Hospital::new();
    assert_eq!(hospital.grant("migrator", &["app", "feed"]).code, Some(0));
    hospital.may("app", "insert into hacs_core.patients (id, family) values ('p1', 'Doe')");
    hospital.may("feed", "select * from hacs_audit.changes_since(null); listen hacs_audit");
    for sql in [
        "select from hacs_core.patients",
        "select from hacs_audit.seals",
        "insert into hacs_audit.resource_changes default values",
        "select nextval('hacs_audit.change_ids')",
        "select hacs_audit.seal()",
        "select hacs_audit.notify_changes(true)",
    ] {
        hospital.may_not("feed", sql);
    }
    let end = hospital.tool("migrator", &["verify"]);
    assert!(end.code == Some(0) && !end.stderr.contains("warning"), "{end:?}");
}

#[test]
fn the_status_says_how_far_the_trail_is_sealed_to_whoever_may_ask() {
    let hospital = Hospital::new();
    assert_eq!(hospital.grant("migrator", &["app", "reader", "auditor"]).code, Some(0));
    let line = |kind: &str| {
        let end = hospital.tool(kind, &["status"]);
        assert_eq!(end.code, Some(0), "{end:?}");
        end.stdout.lines().find_map(|line| line.strip_prefix("Audit sealed     ").map(str::to_owned))
    };
    assert_eq!(line("auditor").as_deref(), Some("every change"));
    hospital.may("app", "insert into hacs_core.patients (id, family) values ('p1', 'Doe')");
    assert_eq!(line("auditor").as_deref(), Some("nothing of 1"));
    let mut open = hospital.database.client_as(&hospital.role("app"));
    open.batch_execute("begin; insert into hacs_core.patients (id, family) values ('p2', 'Doe')").unwrap();
    hospital.may("migrator", "select hacs_audit.seal()");
    let waiting = line("migrator").unwrap();
    assert_eq!(waiting, "nothing of 2, waiting for 1 open transactions");
    open.batch_execute("commit").unwrap();
    hospital.may("migrator", "select hacs_audit.seal()");
    assert_eq!(line("auditor").as_deref(), Some("every change"));
    hospital.may("app", "update hacs_core.patients set family = 'Roe'");
    let since = line("auditor").unwrap();
    assert!(since.starts_with("until 20") && since.ends_with("Z, not 2 since"), "{since}");
    // Without a right to the seals there is no such line, and no error.
    assert_eq!(line("reader"), None);
}

#[test]
fn the_sealer_seals_and_sees_how_far_and_nothing_else() {
    let hospital = Hospital::new();
    assert_eq!(hospital.grant("migrator", &["app", "sealer"]).code, Some(0));
    hospital.may("app", "insert into hacs_core.patients (id, family) values ('p1', 'Doe')");
    hospital.may("sealer", "select hacs_audit.seal()");
    hospital.may("sealer", "select * from hacs_audit.sealing; select seal_id, digest from hacs_audit.seals");
    for sql in [
        "select from hacs_audit.resource_changes",
        "select details from hacs_audit.seals",
        "select from hacs_core.patients",
        "select from hacs_admin.migrations",
        "delete from hacs_audit.seals",
        "select hacs_audit.detach_quarter('2020-01-01')",
        "select * from hacs_audit.verify_seals()",
    ] {
        hospital.may_not("sealer", sql);
    }
}

#[test]
fn a_role_that_has_what_the_script_gives_is_no_warning() {
    let hospital = Hospital::new();
    for to in [&["app"][..], &["reader"], &["auditor"], &["sealer"], &["feed"], &KINDS] {
        assert_eq!(hospital.grant("migrator", to).code, Some(0));
        let end = hospital.tool("migrator", &["verify"]);
        assert_eq!(end.code, Some(0), "{end:?}");
        assert!(!end.stdout.contains("warning") && end.stdout.ends_with("as migrated\n"), "{end:?}");
    }
    let quiet = hospital.tool("migrator", &["verify", "-q"]);
    assert_eq!((quiet.code, quiet.stdout.as_str(), quiet.stderr.as_str()), (Some(0), "", ""));
    // One login that has the rights of two.
    let reader = hospital.role("reader");
    let script = hospital.grant("migrator", &["reader"]);
    assert_eq!(script.code, Some(0));
    let app_too = format!("grant usage on schema hacs_core to {reader}");
    hospital.sql(&app_too);
    assert_eq!(hospital.tool("migrator", &["verify"]).code, Some(0));
}

#[test]
fn other_rights_of_a_role_are_one_line_without_a_mend() {
    let hospital = Hospital::new();
    assert_eq!(hospital.grant("migrator", &["app"]).code, Some(0));
    let (app, reader, auditor) = (hospital.role("app"), hospital.role("reader"), hospital.role("auditor"));
    hospital.sql(&format!(
        "grant truncate on hacs_core.patients to {app}; revoke delete on hacs_core.encounters from {app};
         grant usage on schema hacs_clinical to {reader}; grant select on all tables in schema hacs_clinical to {reader};
         alter default privileges for role {migrator} in schema hacs_clinical
             grant select on tables to {reader}, {auditor}",
        migrator = hospital.role("migrator")
    ));
    let end = hospital.tool("migrator", &["verify"]);
    assert_eq!(end.code, Some(0), "{end:?}");
    let lines: Vec<&str> = end.stdout.lines().filter(|line| line.contains("warning")).collect();
    let expected = [app, auditor, reader].map(|role| format!("warning: changed grant role {role}"));
    assert_eq!(lines[..3], expected, "{end:?}");
    let found = "  found     truncate on table hacs_core.patients; lacks delete on table hacs_core.encounters\n";
    assert!(end.stdout.contains(found) && !end.stdout.contains("mend"), "{end:?}");
    // Default privileges have words of their own, and never an empty line.
    assert!(end.stdout.contains("select on what comes in schema hacs_clinical on tables"), "{end:?}");
    let founds = end.stdout.lines().filter_map(|line| line.trim_start().strip_prefix("found"));
    assert!(founds.clone().count() == 3 && founds.clone().all(|found| !found.trim().is_empty()), "{end:?}");
    assert!(end.stdout.lines().count() < 20, "{end:?}");
    let quiet = hospital.tool("migrator", &["verify", "-q"]);
    assert_eq!(quiet.stdout, "");
}

#[test]
fn verify_says_how_much_it_was_told_to_ignore_and_that_it_may_not_know() {
    let hospital = Hospital::new();
    assert_eq!(hospital.grant("migrator", &["reader", "auditor"]).code, Some(0));
    let register = "create table hacs_core.mine (a int);
        insert into hacs_admin.system_config (key, value) values ('verify.ignore', '[\"hacs_core.mine\"]')";
    hospital.may("migrator", register);
    let end = hospital.tool("auditor", &["verify"]);
    assert!(end.code == Some(0) && end.stdout.contains(" that verify.ignore names\n"), "{end:?}");
    let end = hospital.tool("reader", &["verify"]);
    assert!(end.code == Some(7) && end.stdout.contains("extra table hacs_core.mine\n"), "{end:?}");
    let told = "Ignored     nothing: this role may not read verify.ignore in hacs_admin.system_config\n";
    assert!(end.stdout.contains(told), "{end:?}");
}

#[test]
fn the_deep_test_works_under_every_setting_of_the_database() {
    let mut keys: Vec<String> = Vec::new();
    for migration in hacs_refinery::migrations() {
        let parts = migration.sql().unwrap_or_default().split("key = '").skip(1);
        keys.extend(parts.filter_map(|rest| Some(rest.split_once('\'')?.0.to_owned())));
    }
    keys.sort();
    keys.dedup();
    assert!(keys.contains(&"audit.require_actor".to_owned()), "{keys:?}");
    let database = Database::migrated();
    for key in keys.iter().filter(|key| key.as_str() != "verify.ignore") {
        let set = format!(
            "begin; select hacs_audit.set_actor('admin/1');
             insert into hacs_admin.system_config (key, value) values ('{key}', 'true'); commit"
        );
        database.client().batch_execute(&set).unwrap();
        let end = database.run(&["verify", "--deep"]);
        assert_eq!(end.code, Some(0), "{key}: {end:?}");
        assert!(end.stdout.contains("Resources   25 of 25 supported, each written and read"), "{key}: {end:?}");
    }
    let trail = "select count(*) from hacs_audit.resource_changes where actor_id = 'hacs-refinery'";
    assert_eq!(database.text(trail), "0", "it takes everything back");
}

#[test]
fn a_resource_that_cannot_be_kept_counts_in_the_result() {
    let database = Database::migrated();
    let sql = "create function public.refuse() returns trigger language plpgsql as 'begin raise ''closed''; end';
        create trigger mine before insert on hacs_clinical.goals for each row execute function public.refuse();
        insert into hacs_admin.system_config (key, value) values ('verify.ignore', '[\"trigger hacs_clinical.goals.mine\"]')";
    database.client().batch_execute(sql).unwrap();
    let end = database.run(&["verify", "--deep"]);
    assert_eq!(end.code, Some(7), "{end:?}");
    assert!(end.stdout.ends_with("Result      not as migrated: 1 unsupported resource\n"), "{end:?}");
}

#[test]
fn the_script_for_psql_waits_for_a_table_no_longer_than_others_can_bear() {
    let database = Database::migrated();
    let mut options = hacs_refinery::Options::default();
    let later = "alter table hacs_core.patients add column shoe_size int";
    options.migrations.push(refinery::Migration::unapplied("V1000__shoes.sql", later).unwrap());
    let pending = hacs_refinery::pending(&mut database.client(), &options).unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), hacs_refinery::script(&pending)).unwrap();
    let psql = || {
        let mut psql = std::process::Command::new(server::bindir().join("psql"));
        ended(psql.args(["-X", "-q", "-f"]).arg(file.path()).arg(database.conninfo()).output().unwrap())
    };
    let mut other = database.client();
    let mut holder = other.transaction().unwrap();
    holder.batch_execute("lock table hacs_core.patients in access share mode").unwrap();
    let end = psql();
    assert!(end.code == Some(3) && end.stderr.contains("canceling statement due to lock timeout"), "{end:?}");
    drop(holder);
    assert_eq!(psql().code, Some(0));
    assert_eq!(database.text("select count(*) from hacs_admin.migrations where version = 1000"), "1");
}
