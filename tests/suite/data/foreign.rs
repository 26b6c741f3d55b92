//! Documents in and out where somebody has put functions, types, operators and tables in the way of every name: what is
//! not ours runs in nobody's name but its maker's.

use postgres::Client;
use serde_json::Value;

use super::put::document;
use crate::audit::attacker::Attacker;
use crate::documents;

/// Every valid document, in an order in which each comes after what it refers to, with type and id.
fn samples() -> Vec<(Value, String, String)> {
    let with_names = |document: Value| {
        let text = |key: &str| document[key].as_str().map(str::to_owned);
        let names = text("resource_type").zip(text("id"));
        names.map(|(resource_type, id)| (document, resource_type, id))
    };
    documents::valid().iter().map(document).filter_map(with_names).collect()
}

fn literal(text: &str) -> String {
    format!("'{}'::pg_catalog.text", text.replace('\'', "''"))
}

fn json(document: &Value) -> String {
    format!("'{}'::pg_catalog.jsonb", document.to_string().replace('\'', "''"))
}

/// All that an application does with documents; the statements themselves write out every name.
fn everything(client: &mut Client, who: &str) {
    let mut run = |sql: String| {
        if let Err(error) = client.batch_execute(&sql) {
            let refused = error.as_db_error().unwrap_or_else(|| panic!("{who}: {sql}: {error:?}"));
            // A document that is referred to stays.
            assert_eq!(refused.code().code(), "23503", "{who}: {sql}: {error:?}");
        }
    };
    let all = samples();
    assert!(all.len() > 80, "{}", all.len());
    let list = Value::Array(all.iter().map(|(document, ..)| document.clone()).collect());
    run(format!("select from hacs_core.put_all({})", json(&list)));
    for (document, resource_type, id) in &all {
        let named = format!("{}, {}", literal(resource_type), literal(id));
        run(format!("select from hacs_core.put({})", json(document)));
        run(format!("select hacs_core.get({named})"));
        run(format!("select from hacs_core.patch({named}, '{{\"a_mark\": 1}}'::pg_catalog.jsonb)"));
        run(format!("select hacs_core.lock_version({named})"));
        let by_id = json(&serde_json::json!({ "id": id }));
        run(format!("select from hacs_core.search({}, {by_id})", literal(resource_type)));
    }
    run("begin; select hacs_core.stage_documents()".to_owned());
    for (at, (document, ..)) in all.iter().enumerate() {
        let line = format!("{}::pg_catalog.int8, {}", (at + 1) * 1_000_000, json(document));
        run(format!("insert into pg_temp.hacs_staged (line, document) values ({line})"));
    }
    // What is refused goes another way.
    for (at, text) in
        [r#"{"resource_type": "Patient"}"#, r#"{"resource_type": "Task", "status": 7}"#, "{}"].iter().enumerate()
    {
        let line = format!("{}::pg_catalog.int8, '{text}'::pg_catalog.jsonb", (at + 1000) * 1_000_000);
        run(format!("insert into pg_temp.hacs_staged (line, document) values ({line})"));
    }
    run("select from hacs_core.put_staged('replace'::pg_catalog.text, false); commit".to_owned());
    for (_, resource_type, id) in all.iter().rev() {
        run(format!("select hacs_core.remove({}, {})", literal(resource_type), literal(id)));
    }
    run("select from hacs_core.export_statements()".to_owned());
}

#[test]
fn no_document_of_an_application_lets_its_code_run_as_anybody_else() {
    let attacker = Attacker::new();
    for path in ["\"$user\", public", "pg_temp, public, pg_catalog", "pg_catalog, pg_temp"] {
        everything(&mut attacker.session(&attacker.app, path), path);
        attacker.nothing_foreign_ran(path);
    }
    let stored = "select count(*) > 200 from hacs_audit.resource_changes where session_role like 'app_%'";
    assert_eq!(attacker.database.text(stored), "t");
}

#[test]
fn no_function_of_an_application_runs_when_its_owner_or_a_superuser_puts_documents() {
    let attacker = Attacker::new();
    // What stands in public stays there; it raises an error for whoever has no pg_temp.evil.
    drop(attacker.session(&attacker.app, "pg_catalog"));
    for path in ["public, pg_catalog", "\"$user\", public"] {
        let mut owner = attacker.database.client();
        owner.batch_execute(&format!("set search_path = {path}")).unwrap();
        everything(&mut owner, path);
        let trapped = owner.batch_execute("select public.btrim('x'::pg_catalog.text)").unwrap_err();
        assert_eq!(trapped.code().map(|code| code.code()), Some("42883"), "{trapped:?}");
    }
}
