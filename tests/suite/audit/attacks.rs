//! Nobody's code runs with the rights of the owner: what an application can put in the way of names is put there, and
//! then every audited table is written and every function called that it may call.

use postgres::Client;
use serde_json::{Map, Value};

use super::attacker::{Attacker, KINDS};
use crate::contract::minimal;
use crate::data::rules::with_parent;
use crate::database::{Database, quoted};
use crate::documents;

/// Writes, changes, re-keys and deletes a row of each table, with every name of the statement written out.
fn statements(client: &mut Client) -> Vec<(String, Vec<String>)> {
    let query = "select format('%I.%I', schema_name, table_name) from hacs_audit.coverage
        where schema_name <> 'hacs_admin' order by 1";
    let tables: Vec<String> = client.query(query, &[]).unwrap().iter().map(|row| row.get(0)).collect();
    assert_eq!(tables.len(), 27);
    tables
        .into_iter()
        .map(|table| {
            let mut document: Map<String, Value> = minimal(&table);
            document.insert("id".into(), "attack".into());
            let columns = documents::columns(client, &table);
            let list: Vec<String> =
                document.keys().filter(|key| columns.contains(*key)).map(|key| quoted(key)).collect();
            let list = list.join(", ");
            let json = Value::Object(document).to_string().replace('\'', "''");
            let change = |value: u8| match table.as_str() {
                "hacs_core.resources" => format!("data = '{{\"a\": {value}}}'"),
                "hacs_registry.templates" => format!("tags = '{{{value}}}'"),
                _ => format!("extra = '{{\"a\": {value}}}'"),
            };
            let id = "id operator(pg_catalog.=)";
            let steps = vec![
                format!(
                    "insert into {table} ({list}) select {list}
                     from pg_catalog.jsonb_populate_record(null::{table}, '{json}'::pg_catalog.jsonb)"
                ),
                format!("update {table} set {} where {id} 'attack'", change(1)),
                format!("update {table} set id = 'moved' where {id} 'attack'"),
                format!("update {table} set {} where {id} 'moved'", change(2)),
                format!("delete from {table} where {id} 'moved'"),
            ];
            (table, steps)
        })
        .collect()
}

#[test]
fn no_statement_of_an_application_runs_as_anybody_else() {
    let attacker = Attacker::new();
    let all = statements(&mut attacker.database.client());
    for path in ["\"$user\", public", "pg_temp, public, pg_catalog", "pg_catalog, pg_temp"] {
        let mut app = attacker.session(&attacker.app, path);
        for (table, steps) in &all {
            for step in steps {
                app.batch_execute(step).unwrap_or_else(|error| panic!("{path}: {table}: {step}: {error:?}"));
            }
        }
    }
    attacker.nothing_foreign_ran("plain statements");
    // All of it is written down.
    let count = "select count(*) from hacs_audit.resource_changes where session_role like 'app_%'";
    assert_eq!(attacker.database.text(count), (all.len() * 3 * 5).to_string());
}

#[test]
fn no_function_that_an_application_may_call_runs_as_anybody_else() {
    let query = "select format('select %s(%s)', p.oid::regproc, (
            select string_agg(format('null::%s', case t.typnamespace when 'pg_catalog'::regnamespace
                then 'pg_catalog.' || quote_ident(t.typname) else a.type::regtype::text end), ', ' order by a.n)
            from unnest(p.proargtypes) with ordinality as a (type, n) join pg_type as t on t.oid = a.type))
        from pg_proc as p join pg_namespace as n on n.oid = p.pronamespace
        where n.nspname like 'hacs\\_%' and p.prorettype <> 'trigger'::regtype and p.prokind = 'f'
            and has_schema_privilege($1::text::name, n.oid, 'usage') and has_function_privilege($1::text::name, p.oid, 'execute')";
    for (at, name) in KINDS.iter().enumerate() {
        let attacker = Attacker::new();
        let role = &attacker.roles[at];
        let mut admin = attacker.database.client();
        admin.batch_execute("set search_path = pg_catalog").unwrap();
        let rows = admin.query(query, &[role]).unwrap();
        let least = if at < 3 { 10 } else { 1 };
        assert!(rows.len() > least, "{role} {}", rows.len());
        for path in ["\"$user\", public", "pg_temp, public, pg_catalog"] {
            let mut session = attacker.session(role, path);
            for row in &rows {
                let call: String = row.get(0);
                if let Err(error) = session.batch_execute(&call) {
                    assert_ne!(
                        error.code().map(|code| code.code()),
                        Some("XX999"),
                        "{role}: {path}: {call}: {error:?}"
                    );
                }
            }
        }
        attacker.nothing_foreign_ran(name);
    }
}

#[test]
fn no_question_to_the_trail_and_no_seal_runs_as_anybody_else() {
    for (at, statements) in [
        (3, &["select hacs_audit.seal()", "select from hacs_audit.sealing", "select hacs_audit.last_number()"][..]),
        (
            2,
            &[
                "select from hacs_audit.verify_seals()",
                "select from hacs_audit.history('Patient', 'p1')",
                "select hacs_audit.as_of('Patient', 'p1', pg_catalog.now())",
                "select from hacs_audit.changed_by('me', '2020-01-01', '2040-01-01')",
                "select from hacs_audit.changes_of_patient('p1', '2020-01-01', '2040-01-01')",
                "select from hacs_audit.coverage",
                "select resource from hacs_audit.audit_event",
                "select from hacs_audit.sealing",
                "select from hacs_audit.changes_since(null)",
            ],
        ),
        (4, &["select from hacs_audit.changes_since(null)", "select hacs_audit.last_number()"]),
    ] {
        let attacker = Attacker::new();
        for path in ["\"$user\", public", "pg_temp, public, pg_catalog", "pg_catalog, pg_temp"] {
            let change = "insert into hacs_core.patients (id, family) values ('p1', 'P') on conflict (id) do update
                set age = coalesce(hacs_core.patients.age, 0) + 1";
            attacker.database.client().batch_execute(change).unwrap();
            let mut session = attacker.session(&attacker.roles[at], path);
            for sql in statements {
                session.batch_execute(sql).unwrap_or_else(|error| panic!("{} {path}: {sql}: {error:?}", KINDS[at]));
            }
            attacker.nothing_foreign_ran(&format!("{} {path}", KINDS[at]));
        }
    }
}

#[test]
fn the_traps_of_these_tests_do_catch() {
    let attacker = Attacker::new();
    let sql = "create function hacs_core.careless() returns void language plpgsql security definer set search_path = ''
            as $$ declare t text := 'x'; begin end $$;
        create function hacs_core.careless_too() returns void language plpgsql security definer set search_path = 'public, pg_catalog'
            as $$ begin perform count(*) from pg_class where oid is null; end $$;
        create function hacs_core.careless_again() returns void language plpgsql security definer
            as $$ begin if 'a'::pg_catalog.text = 'b'::pg_catalog.text then null; end if; end $$";
    attacker.database.client().batch_execute(sql).unwrap();
    attacker.database.client().batch_execute("grant execute on all functions in schema hacs_core to public").unwrap();
    for (function, path) in
        [("careless", "pg_catalog"), ("careless_too", "pg_catalog"), ("careless_again", "public, pg_catalog")]
    {
        let error = attacker.session(&attacker.app, path).batch_execute(&format!("select hacs_core.{function}()"));
        assert_eq!(
            error.unwrap_err().code().map(|code| code.code().to_owned()).as_deref(),
            Some("XX999"),
            "{function}"
        );
    }
}

#[test]
fn whatever_runs_as_its_owner_is_called_by_nobody_else() {
    let database = Database::migrated();
    let query = "select coalesce(string_agg(p.oid::regprocedure::text, ', '), 'none') from pg_proc as p
        where p.pronamespace::regnamespace::text like 'hacs\\_%' and p.prosecdef and exists (
            select from aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) as a where a.grantee <> p.proowner)";
    assert_eq!(database.text(query), "none");
    assert_ne!(
        database.text("select count(*) from pg_proc where prosecdef and pronamespace = 'hacs_audit'::regnamespace"),
        "0"
    );
    database.client().batch_execute("grant execute on function hacs_audit.seal(integer) to public").unwrap();
    assert_ne!(database.text(query), "none");
}

#[test]
fn a_right_to_a_table_is_all_that_it_takes_to_write_there_and_it_is_audited() {
    let database = Database::migrated();
    let mut client = database.client();
    with_parent(&mut client);
    for (n, (table, steps)) in statements(&mut client).into_iter().enumerate() {
        let role = format!("plain{n}_{}", database.name);
        let schema = table.split_once('.').unwrap().0;
        client
            .batch_execute(&format!(
                "create role {role} login; grant usage on schema hacs_core, {schema} to {role};
                 grant select, insert, update, delete on {table} to {role}"
            ))
            .unwrap();
        let mut plain = database.client_as(&role);
        for step in &steps {
            plain.batch_execute(step).unwrap_or_else(|error| panic!("{table}: {step}: {error:?}"));
        }
        drop(plain);
        let count = format!("select count(*) from hacs_audit.resource_changes where session_role = '{role}'");
        assert_eq!(database.text(&count), "5", "{table}");
        client.batch_execute(&format!("drop owned by {role}; drop role {role}")).unwrap();
    }
}

#[test]
fn documents_of_any_type_do_not_take_the_type_of_an_audited_table() {
    let database = Database::migrated();
    let mut client = database.client();
    let query = "select distinct coalesce(nullif(a.list[3], ''), d.type) from hacs_audit.coverage as v
        join pg_trigger as t on t.tgrelid = format('%I.%I', v.schema_name, v.table_name)::regclass and t.tgname = 'audit_row'
        cross join lateral (select string_to_array(encode(t.tgargs, 'escape'), '\\000') as list) as a
        left join lateral (
            select (regexp_match(pg_get_expr(d.adbin, d.adrelid), '''(.*)'''))[1] as type from pg_attrdef as d
            join pg_attribute as f on f.attrelid = d.adrelid and f.attnum = d.adnum and f.attname = 'resource_type'
            where d.adrelid = t.tgrelid
        ) as d on true
        where v.table_name <> 'resources'";
    let types: Vec<String> = client.query(query, &[]).unwrap().iter().map(|row| row.get(0)).collect();
    assert_eq!(types.len(), 27, "{types:?}");
    for kind in types {
        let sql = format!("insert into hacs_core.resources (resource_type, data) values ('{kind}', '{{}}')");
        let error = client.batch_execute(&sql).expect_err(&kind);
        assert_eq!(error.as_db_error().unwrap().constraint(), Some("resources_resource_type_valid"), "{kind}");
    }
}

#[test]
fn no_setting_gets_past_the_actor_that_is_required() {
    let database = Database::migrated();
    let mut client = database.client();
    client
        .batch_execute(
            "insert into hacs_core.patients (id, family) values ('p', 'P');
             begin; select hacs_audit.set_actor('me');
             insert into hacs_admin.system_config (key, value) values ('audit.require_actor', 'true'); commit",
        )
        .unwrap();
    for setting in [
        "hacs_audit.actor_optional = 'yes'",
        "hacs_audit.actor_id = ' '",
        "hacs_audit.actor_id = ''",
        "hacs_audit.require_actor = 'off'",
        "session_replication_role = 'replica'",
        "search_path = 'pg_temp'",
        "role = 'pg_monitor'",
    ] {
        for sql in [
            "update hacs_core.patients set age = 1",
            "update hacs_core.patients set id = 'q'",
            "insert into hacs_core.patients (id, family) values ('r', 'R')",
            "delete from hacs_core.patients",
        ] {
            let mut session = database.client();
            session
                .batch_execute(
                    "grant usage on schema hacs_core to pg_monitor; grant all on hacs_core.patients to pg_monitor",
                )
                .unwrap();
            let error = session.batch_execute(&format!("set {setting}; {sql}")).expect_err(setting);
            assert!(
                error.as_db_error().unwrap().message().starts_with("this transaction has no actor"),
                "{setting} {error:?}"
            );
        }
    }
    client
        .batch_execute(
            "revoke all on hacs_core.patients from pg_monitor; revoke all on schema hacs_core from pg_monitor",
        )
        .unwrap();
}
