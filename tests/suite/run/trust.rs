//! What somebody else made in a database, before the first run or beside it: his code never runs as the role that
//! migrates or asks.

use super::place::Place;
use crate::database::Database;

const COMMANDS: [&[&str]; 10] = [
    &["migrate"],
    &["migrate", "--dry-run"],
    &["plan"],
    &["status"],
    &["verify"],
    &["verify", "--deep"],
    &["verify", "--seals"],
    &["seal"],
    &["export"],
    &["import"],
];

const COLUMNS: &str = "version int primary key, name varchar(255), applied_on varchar(255), checksum varchar(255)";

/// What the stranger makes of `hacs_admin.migrations`, and what the refusal says.
fn variants() -> Vec<(String, &'static str)> {
    let row = "1 as version, evil.f()::varchar as name, '2026-11-25T21:38:51Z'::varchar as applied_on, \
               '1'::varchar as checksum";
    let table = format!("create table hacs_admin.migrations ({COLUMNS})");
    vec![
        (format!("create view hacs_admin.migrations as select {row}"), "a view"),
        (format!("create materialized view hacs_admin.migrations as select {row}"), "a materialized view"),
        (
            "create table hacs_admin.migrations (version int) partition by range (version)".to_owned(),
            "a partitioned table",
        ),
        (
            format!(
                "{table}; alter table hacs_admin.migrations enable row level security;
                 create policy p on hacs_admin.migrations using (evil.f() = 'x')"
            ),
            "row-level security",
        ),
        (
            format!("{table}; create trigger t before insert on hacs_admin.migrations execute function evil.t()"),
            "a trigger",
        ),
        (format!("{table}; create rule r as on insert to hacs_admin.migrations do also select evil.f()"), "a rule"),
        (format!("{table}; create table evil.child () inherits (hacs_admin.migrations)"), "an inheritance"),
        (
            format!(
                "create table evil.parent ({COLUMNS}); create table hacs_admin.migrations () inherits (evil.parent)"
            ),
            "an inheritance",
        ),
        (
            "create table hacs_admin.migrations (version int primary key, name varchar(255) default evil.f(),
                 applied_on varchar(255), checksum varchar(255))"
                .to_owned(),
            "a default of its own",
        ),
        (
            "create table hacs_admin.migrations (version int primary key, name varchar(255), applied_on varchar(255),
                 checksum varchar(255), more xml default query_to_xml('select evil.f()', false, false, ''))"
                .to_owned(),
            "a default of its own",
        ),
        (format!("{table}; alter table hacs_admin.migrations add check (evil.f() = 'x')"), "a constraint of its own"),
        (
            "create domain evil.name as varchar check (evil.f() = 'x');
             create table hacs_admin.migrations (version int, name evil.name, applied_on varchar, checksum varchar)"
                .to_owned(),
            "a type",
        ),
        (
            format!(
                "create function evil.i(varchar) returns text language sql immutable as 'select evil.f()';
                 {table}; create index i on hacs_admin.migrations (evil.i(name))"
            ),
            "an index of its own",
        ),
        (table, "belongs to the role"),
    ]
}

#[test]
fn a_history_that_a_stranger_made_before_the_first_run_is_refused_by_every_command() {
    for (sql, words) in variants() {
        let place = Place::new();
        place.by_stranger(&format!(
            "create schema hacs_admin; grant usage, create on schema hacs_admin to public; {sql};
             grant all on hacs_admin.migrations to public"
        ));
        for args in COMMANDS {
            for role in [place.migrator.as_str(), "postgres"] {
                let end = place.run_as(role, args);
                // A plain table runs no code when a superuser reads it.
                let reads = ["plan", "status", "verify"].contains(&args[0]);
                let only_read = role == "postgres" && words == "belongs to the role" && reads;
                let code = if only_read { [Some(0), Some(4)] } else { [Some(6); 2] };
                assert!(code.contains(&end.code), "{args:?} as {role}: {sql}: {end:?}");
                if !only_read {
                    assert!(end.stderr.contains(words), "{args:?} as {role}: {sql}: {end:?}");
                    assert!(end.stderr.contains("Nothing was changed."), "{end:?}");
                }
            }
        }
        place.nothing_foreign_ran(&sql);
    }
}

#[test]
fn a_foreign_table_in_the_place_of_the_history_is_refused() {
    let place = Place::new();
    let sql = "create foreign data wrapper nothing; create server nowhere foreign data wrapper nothing;
        create schema hacs_admin; create foreign table hacs_admin.migrations (version int) server nowhere";
    place.by_superuser(sql);
    for args in COMMANDS {
        let end = place.run_as("postgres", args);
        assert!(end.code == Some(6) && end.stderr.contains("a foreign table"), "{args:?}: {end:?}");
    }
}

#[test]
fn a_schema_or_an_object_of_a_stranger_is_refused_before_anything_runs_there() {
    for sql in [
        "create schema hacs_audit",
        "create schema hacs_core; create function hacs_core.is_email(text) returns boolean language sql
             as $$ select evil.f() = 'x' $$",
    ] {
        let place = Place::new();
        place.by_stranger(sql);
        for args in [&["migrate"][..], &["migrate", "--dry-run"], &["verify", "--deep"], &["status"]] {
            let end = place.run_as(&place.migrator, args);
            assert_eq!(end.code, Some(6), "{args:?}: {sql}: {end:?}");
            assert!(end.stderr.contains(&format!("belongs to the role {}", place.stranger)), "{end:?}");
        }
        assert_eq!(place.run_as("postgres", &["migrate"]).code, Some(6), "{sql}");
        place.nothing_foreign_ran(sql);
    }
    // The schema is the owner's of the database, who lets others create in it.
    let place = Place::new();
    place.by_superuser("create schema hacs_core; grant usage, create on schema hacs_core to public");
    place.by_stranger(
        "create table hacs_core.patients (id text);
         create trigger t before insert on hacs_core.patients execute function evil.t()",
    );
    for role in [place.migrator.as_str(), "postgres"] {
        let end = place.run_as(role, &["migrate"]);
        assert_eq!(end.code, Some(6), "{role}: {end:?}");
        assert!(end.stderr.contains("table hacs_core.patients belongs to the role"), "{end:?}");
    }
    place.nothing_foreign_ran("a table in a schema that is open to all");
}

#[test]
fn no_function_or_view_of_a_stranger_runs_as_who_asks_for_seals_and_documents() {
    let place = Place::new();
    place.by_superuser(&format!(
        "create schema hacs_admin; create table hacs_admin.migrations ({COLUMNS});
         grant usage on schema hacs_admin to public; grant select on hacs_admin.migrations to public"
    ));
    place.by_stranger(
        "create schema hacs_audit; grant usage on schema hacs_audit to public;
         create sequence hacs_audit.change_ids; grant select on sequence hacs_audit.change_ids to public;
         create view hacs_audit.sealing as select evil.f() as sealed_at, null::timestamptz as complete_until,
             0 as numbers_not_sealed, 0 as waits_for_transactions, evil.f() as waits_for_transaction_of;
         create table hacs_audit.seals (seal_id bigint, digest bytea);
         grant select on hacs_audit.sealing, hacs_audit.seals to public;
         create function hacs_audit.last_number() returns bigint language sql as 'select evil.f(); select 1::bigint';
         create function hacs_audit.seal(integer) returns integer language sql as 'select evil.f(); select 1';
         create function hacs_audit.verify_seals() returns table (seal_id bigint, sealed_at timestamptz, problem text)
             language sql as 'select evil.f(); select 1::bigint, now(), null::text';
         create schema hacs_core; grant usage on schema hacs_core to public;
         create function hacs_core.export_statements(text[], text, timestamptz) returns table (statement text)
             language sql as 'select evil.f()';
         create function hacs_core.stage_documents() returns text language sql as 'select evil.f()'",
    );
    for role in [place.migrator.as_str(), "postgres"] {
        for args in COMMANDS {
            let end = place.run_as(role, args);
            assert!(matches!(end.code, Some(0 | 4 | 6)), "{args:?} as {role}: {end:?}");
            place.nothing_foreign_ran(&format!("{args:?} as {role}"));
        }
    }
}

#[test]
fn who_may_own_the_schemas_is_this_role_one_that_it_may_act_as_a_superuser_or_the_owner_of_the_database() {
    let place = Place::new();
    let (migrator, stranger) = (&place.migrator, &place.stranger);
    assert_eq!(place.run_as(migrator, &["migrate", "--target", "7"]).code, Some(0));
    // Whoever only reads, reads.
    place.by_superuser(&format!(
        "revoke create on database {} from {stranger};
         grant usage on schema hacs_admin to {stranger}; grant select on hacs_admin.migrations to {stranger}",
        place.database.name
    ));
    assert_eq!(place.run_as(stranger, &["status"]).code, Some(0));
    assert_eq!(place.run_as("postgres", &["status"]).code, Some(0));
    // A superuser does not run what a plain role may have prepared for him …
    let end = place.run_as("postgres", &["migrate"]);
    assert!(end.code == Some(6) && end.stderr.contains(migrator.as_str()), "{end:?}");
    assert!(end.stderr.contains("log in as it, as a superuser too; or hand over what it owns"), "{end:?}");
    // … unless the database is that role's.
    place.by_superuser(&format!("alter database {} owner to {migrator}", place.database.name));
    assert_eq!(place.run_as("postgres", &["migrate"]).code, Some(0));
    // A role that was granted the owner's is as good as the owner.
    let granted = format!("alter database {} owner to postgres; grant {migrator} to {stranger}", place.database.name);
    place.by_superuser(&granted);
    assert_eq!(place.run_as(stranger, &["verify"]).code, Some(0));
}

#[test]
fn better_matching_functions_and_operators_in_public_are_never_called() {
    let trap = "create function public.trap() returns void language plpgsql as $$
        begin
            if current_user not like 'stranger%' then perform nextval('public.ran'); end if;
        end $$;
        create function public.quote_ident(name) returns text language sql as $$ select public.trap()::text $$;
        create function public.format(text, name, name) returns text language sql as $$ select public.trap()::text $$;
        create function public.coalesced(name) returns text language sql as $$ select public.trap()::text $$;
        create function public.lower(varchar) returns text language sql as $$ select public.trap()::text $$;
        create function public.set_config(varchar, varchar, boolean) returns text language sql
            as $$ select public.trap()::text $$;
        create function public.current_setting(varchar, boolean) returns text language sql
            as $$ select public.trap()::text $$;
        create function public.pg_try_advisory_xact_lock(numeric) returns boolean language sql
            as $$ select public.trap() is null $$;
        create function public.has_schema_privilege(regnamespace, varchar) returns boolean language sql
            as $$ select public.trap() is null $$;
        create function public.same(name, varchar) returns boolean language sql as $$ select public.trap() is null $$;
        create operator public.= (leftarg = name, rightarg = varchar, function = public.same);
        create function public.joined(name, varchar) returns text language sql as $$ select public.trap()::text $$;
        create operator public.|| (leftarg = name, rightarg = varchar, function = public.joined);
        create function public.alike(name, varchar) returns boolean language sql as $$ select public.trap() is null $$;
        create operator public.~ (leftarg = name, rightarg = varchar, function = public.alike);
        create operator public.!~ (leftarg = name, rightarg = varchar, function = public.alike)";
    for path in ["\"$user\", public", "pg_temp, public, pg_catalog"] {
        let place = Place::new();
        place.by_stranger(trap);
        place.by_superuser(&format!("alter database {} set search_path = {path}", place.database.name));
        for role in [place.migrator.as_str(), "postgres"] {
            for args in COMMANDS {
                let end = place.run_as(role, args);
                assert!(matches!(end.code, Some(0 | 4 | 6 | 7)), "{args:?} as {role}, {path}: {end:?}");
                place.nothing_foreign_ran(&format!("{args:?} as {role}, {path}"));
            }
        }
    }
}

#[test]
fn settings_that_strike_or_write_otherwise_reach_no_command() {
    let place = Place::new();
    let role = &place.migrator;
    let mut settings = vec![
        "statement_timeout = '1ms'",
        "lock_timeout = '1ms'",
        "idle_in_transaction_session_timeout = '1ms'",
        "idle_session_timeout = '1ms'",
        "standard_conforming_strings = off",
        "bytea_output = escape",
        "quote_all_identifiers = on",
        "datestyle = 'german'",
        "intervalstyle = sql_standard",
        "timezone = 'Asia/Kathmandu'",
        "extra_float_digits = -15",
        "xmloption = document",
        "plpgsql.extra_errors = 'all'",
        "default_transaction_isolation = serializable",
    ];
    if place.database.text("select count(*) from pg_settings where name = 'transaction_timeout'") == "1" {
        settings.push("transaction_timeout = '1ms'");
    }
    for setting in settings {
        place.by_superuser(&format!("alter role {role} set {setting}"));
    }
    for args in [
        &["migrate", "--target", "6"][..],
        &["migrate", "--dry-run"],
        &["migrate"],
        &["migrate"],
        &["status", "--check"],
        &["verify"],
        &["verify", "--deep"],
        &["plan"],
    ] {
        let end = place.run_as(role, args);
        assert_eq!(end.code, Some(0), "{args:?}: {end:?}");
    }
    // What the stranger of this place made is not ours to compare.
    place.by_superuser(&format!(
        "drop schema evil cascade; drop sequence public.ran; revoke all on schema public from {}",
        place.stranger
    ));
    let [here, usual] = [&place.database, &Database::migrated()].map(Database::dump);
    let only = |one: &str, other: &str| one.lines().filter(|line| !other.contains(line)).collect::<Vec<_>>().join("\n");
    assert!(here == usual, "only here:\n{}\nonly without:\n{}", only(&here, &usual), only(&usual, &here));
}

#[test]
fn a_trigger_or_a_function_that_a_right_on_the_schemas_lets_a_stranger_make_runs_as_nobody_else() {
    let place = Place::new();
    let (stranger, migrator) = (&place.stranger, &place.migrator);
    place.by_superuser(&format!(
        "alter default privileges for role {migrator} grant all on tables to {stranger};
         alter default privileges for role {migrator} grant all on functions to {stranger};
         alter default privileges for role {migrator} grant all on schemas to {stranger};
         alter database {} owner to {migrator}",
        place.database.name
    ));
    assert_eq!(place.run_as(migrator, &["migrate"]).code, Some(0));
    let trigger = "create trigger t before insert on hacs_core.patients for each row execute function evil.t()";
    let better = "create function hacs_core.put_patients(document jsonb, kept text, if_version bigint, owner text, place integer,
            out stored_id text, out stored_version bigint, out is_new boolean, out is_changed boolean)
            language plpgsql as $$ begin perform evil.f(); end $$;
        grant execute on function hacs_core.put_patients(jsonb, text, bigint, text, integer) to public";
    let refused = |sql: &str| {
        let error = place.database.client_as(stranger).batch_execute(sql).unwrap_err();
        assert_eq!(error.code(), Some(&postgres::error::SqlState::INSUFFICIENT_PRIVILEGE), "{sql}: {error:?}");
    };
    // What default privileges gave was taken back.
    for sql in [trigger, better, "truncate hacs_core.patients cascade"] {
        refused(sql);
    }
    let end = place.run_as(migrator, &["verify"]);
    assert_eq!(end.code, Some(0), "{end:?}");
    let document = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(document.path(), "{\"resource_type\": \"Patient\", \"family\": \"x\"}\n").unwrap();
    let import = ["import", document.path().to_str().unwrap()];
    for (grant, sql, gone) in [
        ("trigger on hacs_core.patients", trigger, "drop trigger t on hacs_core.patients".to_owned()),
        ("create on schema hacs_core", better, format!("drop owned by {stranger}")),
    ] {
        place.by_superuser(&format!("grant {grant} to {stranger}"));
        // The right alone is a difference, with what mends it.
        let end = place.run_as(migrator, &["verify", "--json"]);
        let found: serde_json::Value = serde_json::from_str(&end.stdout).unwrap();
        assert_eq!((end.code, &found["differences"][0]["kind"]), (Some(7), &"right".into()), "{end:?}");
        let mend = found["differences"][0]["mend"].as_str().unwrap().to_owned();
        place.by_stranger(sql);
        for role in [migrator.as_str(), "postgres"] {
            for args in
                [&import[..], &["verify", "--deep"], &["export"], &["seal"], &["migrate", "--dry-run"], &["migrate"]]
            {
                let end = place.run_as(role, args);
                place.nothing_foreign_ran(&format!("{args:?} as {role}: {sql}"));
                let expected = if args[0] == "migrate" { Some(0) } else { Some(6) };
                assert_eq!(end.code, expected, "{args:?} as {role}: {sql}: {end:?}");
            }
        }
        place.by_superuser(&gone);
        if gone.starts_with("drop trigger") {
            place.by_superuser(&mend);
        }
        if place.run_as(migrator, &["verify"]).code != Some(0) {
            panic!("{mend}: {:?}", place.run_as(migrator, &["verify"]));
        }
    }
}
