//! Databases and roles with settings and objects that could change what a migration means.

use hacs_refinery::Options;

use crate::database::{Database, quoted};

/// Migrates with the tool after a change of the surroundings, and expects the catalogue of an untouched database.
fn same_catalogue(database: &Database, what: &str) {
    let first = database.run(&["migrate", "--target", "5"]);
    assert_eq!(first.code, Some(0), "{what}: {first:?}");
    let second = database.run(&["migrate"]);
    assert_eq!(second.code, Some(0), "{what}: {second:?}");
    let status = database.run(&["status", "--check"]);
    assert_eq!(status.code, Some(0), "{what}: {status:?}");
    let again = database.run(&["migrate"]);
    assert!(again.stdout.starts_with("Nothing to do"), "{what}: {again:?}");
}

#[test]
fn no_setting_of_the_database_changes_the_result() {
    let expected = Database::migrated().dump();
    let settings = [
        "standard_conforming_strings = off",
        "datestyle = 'sql, dmy'",
        "intervalstyle = 'sql_standard'",
        "timezone = 'Asia/Kathmandu'",
        "client_encoding = 'latin1'",
        "default_transaction_isolation = 'serializable'",
        "default_transaction_deferrable = on",
        "check_function_bodies = off",
        "transform_null_equals = on",
        "quote_all_identifiers = on",
        "array_nulls = off",
        "extra_float_digits = -15",
        "bytea_output = 'escape'",
        "xmloption = 'document'",
        "session_replication_role = 'replica'",
        "synchronous_commit = off",
        "row_security = off",
        "lock_timeout = '1ms'",
        "idle_in_transaction_session_timeout = '300ms'",
        "client_min_messages = debug5",
        "escape_string_warning = on",
        "backslash_quote = on",
        "default_toast_compression = 'pglz'",
        "plpgsql.variable_conflict = 'use_column'",
        "search_path = 'nowhere'",
        "jit_above_cost = 0",
    ];
    let database = Database::empty();
    for setting in settings {
        let sql = format!("alter database {} set {setting}", database.name);
        database.client().batch_execute(&sql).unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    }
    same_catalogue(&database, "all settings at once");
    for setting in settings {
        let name = setting.split_once(" =").unwrap().0;
        database.client().batch_execute(&format!("alter database {} reset {name}", database.name)).unwrap();
    }
    assert_eq!(database.dump(), expected);
}

#[test]
fn a_schema_in_front_that_shadows_ours_and_the_systems_names_is_not_looked_at() {
    let expected = Database::migrated().dump();
    let database = Database::empty();
    let trap = "create schema trap;
        create function trap.trapped() returns text language plpgsql as $$ begin raise 'trapped'; end $$;
        create function trap.now() returns timestamptz language sql as $$ select trap.trapped()::timestamptz $$;
        create function trap.clock_timestamp() returns timestamptz language sql
            as $$ select trap.trapped()::timestamptz $$;
        create function trap.jsonb_typeof(jsonb) returns text language sql as $$ select trap.trapped() $$;
        create function trap.set_config(text, text, boolean) returns text language sql as $$ select trap.trapped() $$;
        create function trap.current_setting(text, boolean) returns text language sql as $$ select trap.trapped() $$;
        create function trap.gen_random_uuid() returns uuid language sql as $$ select trap.trapped()::uuid $$;
        create function trap.pg_try_advisory_xact_lock(bigint) returns boolean language sql
            as $$ select trap.trapped()::boolean $$;
        create function trap.format(text, variadic text[]) returns text language sql as $$ select trap.trapped() $$;
        create function trap.coalesced(text) returns text language sql as $$ select trap.trapped() $$;
        create domain trap.text as pg_catalog.text check (false);
        create domain trap.jsonb as pg_catalog.jsonb check (false);
        create domain trap.timestamptz as pg_catalog.timestamptz check (false);
        create view trap.pg_class as select trap.trapped();
        create view trap.pg_namespace as select trap.trapped();
        create view trap.pg_locks as select trap.trapped();
        create table trap.migrations (version integer);
        create table trap.patients (id integer);
        create function trap.is_blank(pg_catalog.text) returns boolean language sql
            as $$ select trap.trapped()::boolean $$;
        create function trap.touch_updated_at() returns trigger language plpgsql as $$ begin raise 'trapped'; end $$";
    database.client().batch_execute(trap).unwrap();
    let set = format!("alter database {} set search_path = trap, pg_catalog, public", database.name);
    database.client().batch_execute(&set).unwrap();
    same_catalogue(&database, "a trap in front");

    let insert = "insert into hacs_core.patients (family, full_name) values ('x', 'x');
        update hacs_core.patients set family = 'y'; delete from hacs_core.patients;
        insert into hacs_registry.templates (name, template_type, body) values ('a', 'b', '{}')";
    database.client().batch_execute(insert).unwrap_or_else(|error| panic!("{error:?}"));
    let reset = format!("alter database {} reset search_path; drop schema trap cascade", database.name);
    database.client().batch_execute(&format!("set search_path = pg_catalog; {reset}")).unwrap();
    assert_eq!(database.dump(), expected);
}

#[test]
fn settings_of_the_role_do_not_change_the_result_either() {
    let expected = Database::migrated().dump();
    let database = Database::empty();
    let role = format!("odd_{}", database.name);
    let sql = format!(
        "create role {role} login; alter role {role} set standard_conforming_strings = off;
         alter role {role} set datestyle = 'german'; alter role {role} set timezone = 'America/St_Johns';
         alter role {role} set search_path = 'pg_temp'; alter role {role} set lock_timeout = '1ms';
         alter role {role} set default_transaction_isolation = 'repeatable read';
         grant create on database {database} to {role}",
        database = database.name
    );
    database.client().batch_execute(&sql).unwrap();
    hacs_refinery::migrate(&mut database.client_as(&role), &Options::default()).unwrap();
    assert_eq!(database.dump(), expected);
    database.client().batch_execute(&format!("drop owned by {role} cascade; drop role {role}")).unwrap();
}

#[test]
fn a_database_may_have_any_name() {
    let expected = Database::migrated().dump();
    for name in ["it's \"odd\"; drop", "Größe / 100% \\ =@", " hacs "] {
        let name = format!("{name} {}", std::process::id());
        let database = Database::named(&name, "template0");
        same_catalogue(&database, &quoted(&name));
        assert_eq!(database.dump(), expected, "{name}");
    }
}
