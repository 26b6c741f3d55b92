//! What `verify` says where others have migrations, and where an operator has something of his own.

use hacs_refinery::{Manifest, Options, Verification, migrate, verify};
use refinery::Migration;

use crate::database::Database;

const WARDS: &str = "create schema wards;
    create table wards.wards (id text primary key, name text not null);
    comment on table wards.wards is 'Parts of a hospital';
    select hacs_audit.attach('wards.wards', 'Ward')";

fn options() -> Options {
    Options::default().owner("wards", [Migration::unapplied("V1000__team_wards.sql", WARDS).unwrap()])
}

fn short(found: &Verification) -> Vec<String> {
    found.differences.iter().map(|d| format!("{} {} {}", d.change, d.kind, d.name)).collect()
}

fn with_wards() -> Database {
    let database = Database::empty();
    migrate(&mut database.client(), &options()).unwrap();
    database
}

const DRIFT: &str = "alter table hacs_core.patients drop constraint patients_gender_valid; drop trigger audit_update on hacs_core.patients";
const DRIFTED: [&str; 2] =
    ["missing constraint hacs_core.patients.patients_gender_valid", "missing trigger hacs_core.patients.audit_update"];

#[test]
fn the_objects_of_hacs_are_compared_whatever_else_has_run() {
    let database = with_wards();
    // The history of an owner and the audit of its table are no drift.
    let end = database.run(&["verify"]);
    assert_eq!((end.code, end.stdout.ends_with("Result      as migrated\n")), (Some(0), true), "{end:?}");

    database.client().batch_execute(DRIFT).unwrap();
    let found = verify(&mut database.client(), false).unwrap();
    assert_eq!(short(&found), DRIFTED);
    let with_owner = options().verify(&mut database.client(), false).unwrap();
    assert_eq!((short(&with_owner), with_owner.is_good(), found.is_good()), (short(&found), false, false));
    let end = database.run(&["verify"]);
    assert_eq!(end.code, Some(7), "{end:?}");
    assert!(DRIFTED.iter().all(|drifted| end.stdout.contains(drifted)), "{end:?}");

    // In a database where they still stand in HACS's line as well.
    let old = Database::empty();
    let mut in_line = Options::default();
    in_line.migrations.push(Migration::unapplied("V1000__team_wards.sql", "create table public.wards ()").unwrap());
    migrate(&mut old.client(), &in_line).unwrap();
    assert_eq!(old.run(&["verify"]).code, Some(6));
    old.client().batch_execute(DRIFT).unwrap();
    let end = old.run(&["verify"]);
    assert_eq!(end.code, Some(7), "{end:?}");
    assert!(DRIFTED.iter().all(|drifted| end.stdout.contains(drifted)), "{end:?}");
}

#[test]
fn the_history_of_an_owner_is_made_like_that_of_hacs_or_it_is_drift() {
    for (sql, expected) in [
        (
            "alter table hacs_admin.wards_migrations alter column version type text",
            "changed column hacs_admin.wards_migrations.version",
        ),
        (
            "alter table hacs_admin.wards_migrations drop constraint wards_migrations_pkey",
            "missing constraint hacs_admin.wards_migrations.wards_migrations_pkey",
        ),
        (
            "grant insert on hacs_admin.wards_migrations to public",
            "changed right table hacs_admin.wards_migrations to public",
        ),
    ] {
        let database = with_wards();
        database.client().batch_execute(sql).unwrap();
        let found = verify(&mut database.client(), false).unwrap();
        assert!(short(&found).contains(&expected.to_owned()), "{sql}: {found:?}");
    }
}

#[test]
fn an_owner_that_brings_a_manifest_has_its_schemas_compared() {
    let manifest = Manifest::of(&mut with_wards().client(), &["wards"]).unwrap();
    let text = manifest.to_string();
    assert!(
        text.contains("column | wards.wards.name | text not null\n") && !text.contains("hacs_core.patients.family"),
        "{text}"
    );
    assert_eq!(Manifest::from(text.as_str()), manifest);
    let options = options().manifest("wards", manifest);

    let database = with_wards();
    let found = options.verify(&mut database.client(), false).unwrap();
    assert!(found.is_good() && found.warnings.is_empty(), "{found:?}");
    let sql = "alter table wards.wards alter column name drop not null; create index mine on wards.wards (name);
        comment on table wards.wards is 'Others'";
    database.client().batch_execute(sql).unwrap();
    let found = options.verify(&mut database.client(), false).unwrap();
    assert_eq!(short(&found), ["changed column wards.wards.name", "extra index wards.wards.mine"]);
    assert_eq!(found.warnings.len(), 1, "{found:?}");
    // Nothing can be said of it before its migrations have run.
    let empty = Database::migrated();
    let found = options.verify(&mut empty.client(), false).unwrap();
    assert_eq!((found.differences.len(), found.is_good()), (0, false), "{found:?}");
}

#[test]
fn what_an_operator_adds_and_registers_is_a_warning_also_after_the_audit_was_attached_again() {
    let database = Database::migrated();
    let gender =
        database.text("select pg_get_constraintdef(oid) from pg_constraint where conname = 'patients_gender_valid'");
    let wider = gender.replacen("'{", "'{nonbinary,", 1);
    assert_ne!(gender, wider);
    let sql = format!(
        "alter table hacs_core.patients add column ward text, drop constraint patients_gender_valid,
             add constraint patients_gender_valid {wider};
         create index my_ward on hacs_core.patients (ward);
         create function public.mine() returns trigger language plpgsql as 'begin return new; end';
         create trigger mine before insert on hacs_core.patients for each row execute function public.mine();
         select hacs_audit.attach('hacs_core.patients', patient_column => 'id');
         select hacs_core.attach_documents('hacs_core.patients')"
    );
    database.client().batch_execute(&sql).unwrap();
    let found = verify(&mut database.client(), false).unwrap();
    assert_eq!(
        short(&found),
        [
            "extra column hacs_core.patients.ward",
            "changed constraint hacs_core.patients.patients_gender_valid",
            "extra index hacs_core.patients.my_ward",
            "extra trigger hacs_core.patients.mine",
        ]
    );
    let register = "insert into hacs_admin.system_config (key, value) values ('verify.ignore',
        '[\"hacs_core.patients.ward\", \"hacs_core.patients.patients_gender_valid\", \"index hacs_core.patients.my_*\",
          \"trigger hacs_core.patients.mine\"]')";
    database.client().batch_execute(register).unwrap();
    let found = verify(&mut database.client(), false).unwrap();
    assert!(found.is_good(), "{:?}", found.differences);
    assert_eq!(found.warnings.len(), 4, "{:?}", found.warnings);
    let end = database.run(&["verify"]);
    assert_eq!((end.code, end.stdout.contains("as migrated, with 4 warnings")), (Some(0), true), "{end:?}");

    // A narrower set is another rule.
    let narrower = gender.replacen("male,", "", 1);
    let sql = format!(
        "alter table hacs_core.patients drop constraint patients_gender_valid, add constraint patients_gender_valid {narrower}"
    );
    database.client().batch_execute(&sql).unwrap();
    assert_eq!(
        short(&verify(&mut database.client(), false).unwrap()),
        ["changed constraint hacs_core.patients.patients_gender_valid"]
    );
}

#[test]
fn what_protects_cannot_be_registered_away() {
    let database = Database::migrated();
    let register = "insert into hacs_admin.system_config (key, value) values ('verify.ignore', '[\"*\"]')";
    database.client().batch_execute(register).unwrap();
    let body = "begin return null; end";
    for (sql, mend) in [
        ("drop trigger audit_update on hacs_core.patients", "trigger hacs_core.patients.audit_update"),
        (
            "alter table hacs_audit.resource_changes disable trigger append_only",
            "trigger hacs_audit.resource_changes.append_only",
        ),
        ("grant insert on hacs_audit.resource_changes to public", "right table hacs_audit.resource_changes to public"),
        (
            "alter table hacs_core.patients drop constraint patients_gender_valid",
            "constraint hacs_core.patients.patients_gender_valid",
        ),
        (
            &format!(
                "create or replace function hacs_audit.record_hacs_core_patients() returns trigger language plpgsql
            security definer set search_path = pg_catalog, pg_temp as '{body}'"
            ),
            "function hacs_audit.record_hacs_core_patients()",
        ),
        (
            &format!(
                "create function hacs_audit.record_mine() returns trigger language plpgsql
            security definer set search_path = pg_catalog, pg_temp as '{body}'"
            ),
            "function hacs_audit.record_mine()",
        ),
    ] {
        let mut client = database.client();
        client.batch_execute(sql).unwrap();
        let found = verify(&mut database.client(), false).unwrap();
        assert!(found.differences.iter().any(|d| format!("{} {}", d.kind, d.name) == mend), "{sql}: {found:?}");
    }
}
