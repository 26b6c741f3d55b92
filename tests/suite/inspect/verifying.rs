use serde_json::Value;

use crate::database::Database;
use crate::newest::NEWEST;

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn a_migrated_database_is_as_migrated_and_every_resource_can_be_written_and_read() {
    let database = Database::migrated();
    let end = database.run(&["verify", "--deep"]);
    assert_eq!(end.code, Some(0), "{end:?}");
    assert!(end.stdout.contains("Resources   25 of 25 supported, each written and read\n"), "{end:?}");
    assert!(end.stdout.ends_with("Result      as migrated\n"), "{end:?}");
    assert_eq!(database.text("select count(*) from hacs_core.patients"), "0");
    assert_eq!(database.text("select count(*) from hacs_audit.resource_changes"), "0");
}

#[test]
fn the_exit_code_tells_pending_from_drift_and_from_a_foreign_history() {
    let database = Database::empty();
    let empty = database.run(&["verify"]);
    assert_eq!(empty.code, Some(4), "{empty:?}");
    assert!(empty.stdout.ends_with(&format!("{NEWEST} migrations pending; nothing was compared\n")), "{empty:?}");
    database.run(&["migrate", "--target", "4"]);
    assert_eq!(database.run(&["verify"]).code, Some(4));
    database.run(&["migrate"]);
    assert_eq!(database.run(&["verify"]).code, Some(0));
    database.client().batch_execute("drop index hacs_core.encounters_patient_id_idx").unwrap();
    assert_eq!(database.run(&["verify"]).code, Some(7));
    database.client().batch_execute("update hacs_admin.migrations set checksum = '1' where version = 3").unwrap();
    let foreign = database.run(&["verify"]);
    assert_eq!(foreign.code, Some(6), "{foreign:?}");
    assert!(foreign.stdout.contains("V3 was applied as V3__clinical_workflow with checksum 1"), "{foreign:?}");
}

#[test]
fn the_json_names_the_difference_both_definitions_and_the_statement_that_mends_it() {
    let database = Database::migrated();
    let sql = "alter table hacs_core.patients alter column age type bigint; comment on table hacs_core.patients is 'x'";
    database.client().batch_execute(sql).unwrap();
    let end = database.run(&["verify", "--json"]);
    assert_eq!(end.code, Some(7), "{end:?}");
    let found = json(&end.stdout);
    assert_eq!((&found["version"], &found["result"]), (&1.into(), &"drift".into()));
    let expected = serde_json::json!({
        "change": "changed", "kind": "column", "name": "hacs_core.patients.age", "expected": "integer",
        "found": "bigint", "mend": "alter table hacs_core.patients alter column age type integer using age::integer",
    });
    assert_eq!(found["differences"], serde_json::json!([expected]));
    assert_eq!(found["warnings"][0]["name"], "table hacs_core.patients");
    assert_eq!(found["status"]["migration_complete"], true);
    assert_eq!(found["resources"].as_array().unwrap().len(), 25);
    assert_eq!(found["resources"][3]["supported"], true);
}

#[test]
fn a_table_that_takes_no_document_any_more_is_found_by_the_deep_test_alone() {
    let database = Database::migrated();
    // A trigger in the operator's own name, so that nothing but the test itself can tell.
    let sql = "create function public.refuse() returns trigger language plpgsql as 'begin raise ''closed''; end';
        create trigger mine before insert on hacs_clinical.goals for each row execute function public.refuse();
        insert into hacs_admin.system_config (key, value) values ('verify.ignore', '[\"trigger hacs_clinical.goals.mine\"]')";
    database.client().batch_execute(sql).unwrap();
    assert_eq!(database.run(&["verify"]).code, Some(0));
    let end = database.run(&["verify", "--deep"]);
    assert_eq!(end.code, Some(7), "{end:?}");
    assert!(end.stdout.contains("Resources   24 of 25 supported"), "{end:?}");
    assert!(end.stdout.contains("  Goal: closed (SQLSTATE P0001)"), "{end:?}");
}

#[test]
fn what_the_operator_registered_is_not_drift_but_what_the_migrations_made_stays_so() {
    let database = Database::migrated();
    let role = format!("app_of_{}", database.name);
    let sql = format!(
        "create table hacs_core.my_notes (id serial primary key, a text);
         create index my_notes_idx on hacs_core.my_notes (a);
         create index my_family on hacs_core.patients (family);
         create role {role}; grant select on all tables in schema hacs_core to {role};
         alter table hacs_core.patients disable trigger patients_touch_updated_at"
    );
    database.client().batch_execute(&sql).unwrap();
    let register = format!(
        "insert into hacs_admin.system_config (key, value)
         values ('verify.ignore', '[\"hacs_core.my_*\", \"hacs_core.patients.my_*\", \"grant * to {role}\",
             \"hacs_core.patients.patients_touch_updated_at\"]')"
    );
    let before = hacs_refinery::verify(&mut database.client(), false).unwrap();
    let short: Vec<_> = before.differences.iter().map(|d| format!("{} {}", d.kind, d.name)).collect();
    let trigger = "trigger hacs_core.patients.patients_touch_updated_at";
    assert_eq!(short, ["index hacs_core.patients.my_family", "table hacs_core.my_notes", trigger]);
    assert_eq!(before.warnings.len(), 1, "one line for the role: {:?}", before.warnings);
    database.client().batch_execute(&register).unwrap();
    let after = hacs_refinery::verify(&mut database.client(), false).unwrap();
    let short: Vec<_> = after.differences.iter().map(|d| format!("{} {}", d.kind, d.name)).collect();
    assert_eq!(short, [trigger]);
    let warned: Vec<_> = after.warnings.iter().map(|d| format!("{} {}", d.kind, d.name)).collect();
    assert_eq!(warned, ["index hacs_core.patients.my_family"], "what is in a table of HACS stays in sight");
    database.client().batch_execute(&format!("drop owned by {role}; drop role {role}")).unwrap();
}

#[test]
fn partitions_and_what_belongs_to_an_extension_are_not_drift() {
    let database = Database::migrated();
    let sql = "insert into hacs_admin.system_config (key, value) values ('verify.ignore', '[\"hacs_core.log\", \"extension *\"]');
        create table hacs_core.log (a int primary key, b text check (b <> '')) partition by list (a);
        create index on hacs_core.log (b);
        create table hacs_core.log_1 partition of hacs_core.log for values in (1);
        create index mine on hacs_core.log_1 (b, a)";
    database.client().batch_execute(sql).unwrap();
    let _ = database.client().batch_execute("create extension btree_gist schema hacs_core");
    let found = hacs_refinery::verify(&mut database.client(), false).unwrap();
    assert_eq!(found.differences, []);
}

#[test]
fn a_role_that_may_only_read_the_history_can_verify() {
    let database = Database::migrated();
    let role = format!("verifier_of_{}", database.name);
    let sql = format!(
        "create role {role} login; grant usage on schema hacs_admin to {role}; grant select on hacs_admin.migrations to {role}"
    );
    database.client().batch_execute(&sql).unwrap();
    let found = hacs_refinery::verify(&mut database.client_as(&role), false).unwrap();
    assert!(found.is_good(), "{found:?}");
    assert_eq!((found.warnings.len(), found.ignore_unreadable), (1, true), "{found:?}");
    database.client().batch_execute(&format!("drop owned by {role}; drop role {role}")).unwrap();
}

#[test]
fn a_missing_or_unvalidated_constraint_makes_the_status_incomplete() {
    for (sql, name) in [
        ("alter table hacs_core.patients drop constraint patients_age_range", "hacs_core.patients.patients_age_range"),
        (
            "alter table hacs_core.patients drop constraint patients_age_range;
             alter table hacs_core.patients add constraint patients_age_range check (age >= 0) not valid",
            "hacs_core.patients.patients_age_range",
        ),
        ("alter domain hacs_core.email drop constraint email_rfc_5322", "hacs_core.email.email_rfc_5322"),
    ] {
        let database = Database::migrated();
        database.client().batch_execute(sql).unwrap();
        let status = hacs_refinery::status(&mut database.client()).unwrap();
        assert!(!status.migration_complete, "{sql}");
        assert_eq!(status.unmet_constraints, [name], "{sql}");
        let end = database.run(&["status"]);
        assert!(end.stdout.contains(&format!("Constraint missing or not validated: {name}\n")), "{end:?}");
    }
}
