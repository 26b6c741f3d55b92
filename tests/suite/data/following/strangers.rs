//! Rights of the service, and tables in which somebody has prepared something.

use serde_json::json;

use super::{Adapter, SAVE, at_connection, changes, followed, message, patient, refused};
use crate::database::{Database, quoted};

#[test]
fn a_service_needs_the_table_and_the_rights_of_the_application_and_no_more() {
    let database = Database::migrated();
    let role = format!("{}_service", database.name);
    let quoted = quoted(&role);
    let mut owner = database.client();
    owner.batch_execute(&format!("create role {quoted} login")).unwrap();
    owner.batch_execute(&format!("
        select hacs_core.make_generic_table();
        alter table public.hacs_resources owner to {quoted};
        grant create on schema public to {quoted};
        grant usage on schema hacs_core, hacs_clinical, hacs_registry, hacs_agents, hacs_audit to {quoted};
        grant select, insert, update, delete on all tables in schema hacs_core, hacs_clinical, hacs_registry, hacs_agents to {quoted};
        grant execute on all functions in schema hacs_core, hacs_clinical, hacs_registry, hacs_agents to {quoted};
        select hacs_core.follow('public.hacs_resources', 'note');
    ")).unwrap();
    let mut service = database.client_as(&role);
    service.batch_execute(at_connection()).unwrap();
    service.save(&patient("p1", "Byron"), "doctor/1").unwrap();
    service.save(&json!({"resource_type": "Patient", "id": "p2"}), "doctor/1").unwrap();
    assert_eq!(
        (refused(&database), changes(&database)),
        ("p2 patients_name_present".into(), "INSERT Patient p1 doctor/1".into())
    );
    // It cannot end it, nor see the trail; what it can do to its own table, verify tells.
    assert_eq!(
        service.batch_execute("select hacs_core.unfollow('public.hacs_resources')").unwrap_err().code().unwrap().code(),
        "42501"
    );
    assert_eq!(
        service.batch_execute("select from hacs_audit.resource_changes").unwrap_err().code().unwrap().code(),
        "42501"
    );
    let verify = |args: &[&str]| database.run(&[&["verify"], args].concat());
    assert_eq!(verify(&[]).code, Some(0), "{:?}", verify(&[]));
    let deep = verify(&["--deep"]);
    assert_eq!(deep.code, Some(0), "{deep:?}");
    assert!(deep.stdout.contains("refused documents public.hacs_resources"), "{deep:?}");
    service.batch_execute("alter table public.hacs_resources disable trigger hacs_follow").unwrap();
    service.save(&patient("p3", "Byron"), "doctor/1").unwrap();
    let disabled = verify(&[]);
    assert_eq!(disabled.code, Some(7), "{disabled:?}");
    assert!(disabled.stdout.contains("disabled trigger public.hacs_resources.hacs_follow"), "{disabled:?}");
    service.batch_execute("alter table public.hacs_resources enable trigger hacs_follow").unwrap();
    assert_eq!(verify(&[]).code, Some(0));
    let deep = verify(&["--deep"]);
    assert_eq!(deep.code, Some(7), "{deep:?}");
    assert!(deep.stdout.contains("1 that are not, such as Patient/p3"), "{deep:?}");
    drop(service);
    owner.batch_execute(&format!("drop owned by {quoted} cascade; drop role {quoted}")).unwrap();
}

#[test]
fn a_table_that_could_run_code_of_its_owner_is_not_read() {
    let database = followed("note");
    for prepared in [
        "alter table public.hacs_resources enable row level security",
        "create table public.heir () inherits (public.hacs_resources)",
    ] {
        let mut client = database.client();
        let mut transaction = client.transaction().unwrap();
        transaction.batch_execute(prepared).unwrap();
        for asked in [
            "follow_again('public.hacs_resources')",
            "follow_differences('public.hacs_resources')",
            "follow('public.hacs_resources')",
        ] {
            let mut savepoint = transaction.transaction().unwrap();
            let error = savepoint.batch_execute(&format!("select hacs_core.{asked}")).unwrap_err();
            assert!(message(&error).contains("is no plain table"), "{prepared}: {asked}: {error:?}");
        }
    }
    for (other, words) in [
        ("create view public.other as select * from public.hacs_resources", "is no plain table"),
        ("create table public.other (id text, data jsonb)", "is no table of the original adapter"),
    ] {
        let mut client = database.client();
        let mut transaction = client.transaction().unwrap();
        transaction.batch_execute(other).unwrap();
        let error = transaction.batch_execute("select hacs_core.follow('public.other')").unwrap_err();
        assert!(message(&error).contains(words), "{other}: {error:?}");
    }
}

#[test]
fn a_table_of_refusals_that_somebody_else_has_made_is_not_written_to() {
    let trap = "create function public.trap() returns trigger language plpgsql as
            $$ begin raise exception 'run as %', current_user; end $$;
        create table public.hacs_resources_refusals (row_id text primary key, resource_type text, id text, sqlstate text,
            field text, rule text, message text, hint text, refused_at timestamptz default now());
        create trigger trap before insert on public.hacs_resources_refusals for each row execute function public.trap();";
    // Before it is followed, and in the place of ours afterwards.
    let before = Database::migrated();
    let mut client = before.client();
    client.batch_execute(&format!("select hacs_core.make_generic_table(); {trap}")).unwrap();
    let error = client.batch_execute("select hacs_core.follow('public.hacs_resources', 'note')").unwrap_err();
    assert!(message(&error).contains("is not the table that hacs_core.follow makes"), "{error:?}");
    assert_eq!(before.text("select count(*) from pg_trigger where tgname = 'hacs_follow'"), "0");
    let after = followed("note");
    let mut client = after.client();
    client.save(&json!({"resource_type": "Patient", "id": "p1"}), "doctor/1").unwrap();
    client.batch_execute(&format!("drop table public.hacs_resources_refusals cascade; {trap}")).unwrap();
    for asked in ["follow_again('public.hacs_resources')", "follow_differences('public.hacs_resources')"] {
        let error = client.batch_execute(&format!("select hacs_core.{asked}")).unwrap_err();
        assert!(message(&error).contains("is not the table that hacs_core.follow makes"), "{asked}: {error:?}");
    }
    // Of another role, without any trigger.
    client.batch_execute("drop trigger trap on public.hacs_resources_refusals; alter table public.hacs_resources_refusals owner to pg_monitor").unwrap();
    let error = client.batch_execute("select hacs_core.follow_again('public.hacs_resources')").unwrap_err();
    assert!(message(&error).contains("is not the table that hacs_core.follow makes"), "{error:?}");
}

#[test]
fn a_table_with_an_odd_name_is_followed_like_any_other() {
    let database = Database::migrated();
    let mut client = database.client();
    client
        .batch_execute(
            r#"create schema "Odd 'Schema'"; select hacs_core.make_generic_table($$Odd 'Schema'$$, 'My "Docs"');
            select hacs_core.follow($$"Odd 'Schema'"."My ""Docs"""$$, 'note')"#,
        )
        .unwrap();
    let save = SAVE.replace("public.hacs_resources", r#""Odd 'Schema'"."My ""Docs""""#);
    client.execute(&save, &[&"p1", &"Patient", &patient("p1", "Byron").to_string(), &"doctor/1"]).unwrap();
    client.execute(&save, &[&"p2", &"Patient", &"{}", &"doctor/1"]).unwrap();
    assert_eq!(database.text(r#"select row_id from "Odd 'Schema'"."My ""Docs""_refused""#), "p2");
    let end = database.run(&["verify", "--deep"]);
    assert!(end.code == Some(0) && end.stdout.contains("1 that are not, such as Patient/p2"), "{end:?}");
    client.batch_execute(r#"drop trigger hacs_follow on "Odd 'Schema'"."My ""Docs""""#).unwrap();
    assert_eq!(database.run(&["verify"]).code, Some(7));
    client.batch_execute(r#"select hacs_core.unfollow($$"Odd 'Schema'"."My ""Docs"""$$)"#).unwrap();
    assert_eq!(database.run(&["verify"]).code, Some(0));
}

#[test]
fn a_view_of_refusals_that_somebody_else_has_made_is_not_taken_for_ours() {
    let database = Database::migrated();
    let mut client = database.client();
    let prepared = "select hacs_core.make_generic_table();
        create view public.hacs_resources_refused as select 'x'::text as row_id";
    client.batch_execute(prepared).unwrap();
    client.batch_execute("alter view public.hacs_resources_refused owner to pg_monitor").unwrap();
    let error = client.batch_execute("select hacs_core.follow('public.hacs_resources', 'note')").unwrap_err();
    assert!(message(&error).contains("is not the view that hacs_core.follow makes"), "{error:?}");
    assert_eq!(database.text("select count(*) from pg_trigger where tgname = 'hacs_follow'"), "0");
    client.batch_execute("drop view public.hacs_resources_refused").unwrap();
    client.batch_execute("select hacs_core.follow('public.hacs_resources', 'note')").unwrap();
}
