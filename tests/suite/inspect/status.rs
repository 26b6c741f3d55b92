use hacs_refinery::Options;

use crate::database::Database;

/// The documented object.
fn json(schemas: &[&str], tables: usize, history: bool, complete: bool) -> String {
    format!(
        r#"{{
  "schemas_found": [{}],
  "total_schemas": {},
  "total_tables": {tables},
  "migration_table_exists": {history},
  "migration_complete": {complete}
}}
"#,
        schemas.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", "),
        schemas.len(),
    )
}

const SIX: [&str; 6] = ["hacs_core", "hacs_clinical", "hacs_registry", "hacs_agents", "hacs_admin", "hacs_audit"];

#[test]
fn the_json_of_an_empty_a_half_made_and_a_complete_database_is_the_documented_one() {
    let database = Database::empty();
    let status = || database.run(&["status", "--json"]);
    assert_eq!((status().code, status().stdout), (Some(0), json(&[], 0, false, false)));
    database.run(&["migrate", "--target", "2"]);
    assert_eq!((status().code, status().stdout), (Some(0), json(&SIX, 17, true, false)));
    database.run(&["migrate"]);
    assert_eq!((status().code, status().stdout), (Some(0), json(&SIX, 31, true, true)));
}

#[test]
fn only_schemas_that_exist_are_listed_in_the_documented_order() {
    let database = Database::empty();
    database.client().batch_execute("create schema hacs_audit; create schema hacs_core; create schema other").unwrap();
    let end = database.run(&["status", "--json"]);
    assert!(end.stdout.contains(r#""schemas_found": ["hacs_core", "hacs_audit"],"#), "{end:?}");
}

#[test]
fn check_exits_with_4_until_everything_is_there() {
    let database = Database::empty();
    assert_eq!(database.run(&["status", "--check"]).code, Some(4));
    database.run(&["migrate", "--target", "7"]);
    assert_eq!(database.run(&["status", "--check"]).code, Some(4));
    database.run(&["migrate"]);
    assert_eq!(database.run(&["status", "--check"]).code, Some(0));
}

#[test]
fn a_dropped_table_makes_it_incomplete_and_is_named() {
    let database = Database::migrated();
    database.client().batch_execute("drop table hacs_registry.templates").unwrap();
    let end = database.run(&["status"]);
    assert!(end.stdout.contains("Tables           30 (31 expected)"), "{end:?}");
    assert!(end.stdout.contains("Complete         no"), "{end:?}");
    assert!(end.stdout.contains("Missing table: hacs_registry.templates"), "{end:?}");
}

#[test]
fn partitions_views_and_tables_elsewhere_do_not_count() {
    let database = Database::migrated();
    let sql = "create table public.mine (a int); create view hacs_core.v as select 1 as a;
        create table hacs_core.parted (a int) partition by list (a);
        create table hacs_core.part partition of hacs_core.parted for values in (1)";
    database.client().batch_execute(sql).unwrap();
    assert_eq!(hacs_refinery::status(&mut database.client()).unwrap().total_tables, 32);
}

#[test]
fn people_see_applied_and_pending_migrations() {
    let database = Database::empty();
    database.run(&["migrate", "--target", "1"]);
    let end = database.run(&["status"]);
    assert!(end.stdout.contains("V1   hacs_core          applied 20"), "{end:?}");
    assert!(end.stdout.contains("V2   hacs_clinical      pending"), "{end:?}");
}

#[test]
fn a_role_that_may_only_read_can_ask() {
    let database = Database::migrated();
    let role = format!("reader_of_{}", database.name);
    let sql = format!(
        "create role {role} login; alter role {role} set default_transaction_read_only = on;
         grant usage on schema hacs_admin to {role}; grant select on hacs_admin.migrations to {role}"
    );
    database.client().batch_execute(&sql).unwrap();
    let status = hacs_refinery::status(&mut database.client_as(&role)).unwrap();
    assert!(status.migration_complete);

    let forbidden = format!("revoke select on hacs_admin.migrations from {role}");
    database.client().batch_execute(&forbidden).unwrap();
    let mut client = database.client_as(&role);
    let error = hacs_refinery::status(&mut client).unwrap_err().to_string();
    assert!(error.contains("permission denied for table migrations (SQLSTATE 42501)"), "{error}");
    assert!(
        error.contains("To look is allowed to reader_role and auditor_role of scripts/grant-app-role.sql"),
        "{error}"
    );
    client.batch_execute("select 1").expect("the connection is usable again");
    drop(client);
    database.client().batch_execute(&format!("drop owned by {role}; drop role {role}")).unwrap();
}

#[test]
fn asking_changes_nothing_and_leaves_no_transaction_open() {
    let database = Database::empty();
    let before = database.dump();
    assert!(!before.contains("hacs"));
    let mut client = database.client();
    hacs_refinery::status(&mut client).unwrap();
    assert_eq!(database.dump(), before);
    let mut options = Options::default();
    options.target = Some(1);
    hacs_refinery::migrate(&mut client, &options).expect("no transaction is open");

    let half = database.dump();
    assert_ne!(half, before);
    hacs_refinery::status(&mut client).unwrap();
    assert_eq!(database.dump(), half);
    let idle = "select state = 'idle' from pg_stat_activity where query not like '%pg_stat_activity%'
        and datname = current_database() and backend_type = 'client backend' and pid <> pg_backend_pid()";
    database.until(idle);
}
