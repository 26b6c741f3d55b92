//! The question whether every resource can be kept, put to the database itself.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::error::{Error, Result};
use crate::schema::names::RESOURCES;
use crate::server::answer::rows;
use crate::server::failure::Failure;
use crate::server::{Connection, Session};

/// For each table the least that it takes.
const DOCUMENTS: &str = include_str!("minimal.json");

/// Writes and reads a document of each resource and takes it all back. The tables that refused, with their reason.
pub(super) fn try_all(client: &mut dyn Connection) -> Result<BTreeMap<&'static str, String>> {
    const DOING: &str = "writing a document of each resource";
    let documents: BTreeMap<String, Map<String, Value>> =
        serde_json::from_str(DOCUMENTS).unwrap_or_else(|error| unreachable!("minimal.json: {error}"));
    let mut transaction = client.begin().map_err(Error::during(DOING))?;
    // References of the documents lead nowhere; nothing is committed, so that nobody asks.
    // Where every write needs an actor, this is one.
    let settings = "set transaction read write; set local search_path = pg_catalog, pg_temp; set local timezone = 'UTC'; \
        set constraints all deferred; set local hacs_audit.actor_id = 'hacs-refinery'; set local hacs_audit.purpose = 'verify'";
    transaction.batch_execute(settings).map_err(Error::during(DOING))?;
    let mut faults = BTreeMap::new();
    for (_, table) in RESOURCES {
        let mut document = documents.get(table).cloned().unwrap_or_default();
        document.insert("id".into(), "hacs-refinery-verify".into());
        if let Some(fault) = try_one(&mut *transaction, table, &document).map_err(Error::during(DOING))? {
            faults.insert(table, fault);
        }
    }
    Ok(faults)
}

/// What is wrong with a table; an error means that the transaction cannot go on.
fn try_one(
    transaction: &mut dyn Session,
    table: &str,
    document: &Map<String, Value>,
) -> std::result::Result<Option<String>, Failure> {
    let columns = document.keys().map(|key| format!("\"{key}\"")).collect::<Vec<_>>().join(", ");
    let json = format!("'{}'::jsonb", Value::from(document.clone()).to_string().replace('\'', "''"));
    let script = format!(
        "savepoint document;
         insert into {table} ({columns}) select {columns} from jsonb_populate_record(null::{table}, {json});
         select to_jsonb(stored) @> {json} as same from {table} as stored where id = 'hacs-refinery-verify';
         rollback to savepoint document"
    );
    match transaction.simple_query(&script) {
        Ok(messages) => Ok(match rows(&messages).next().map(|row| row.get("same") == Some("t")) {
            Some(true) => None,
            Some(false) => Some("a document came back changed".into()),
            None => Some("a document was not found again".into()),
        }),
        Err(error) => {
            transaction.batch_execute("rollback to savepoint document")?;
            Ok(Some(error.to_string()))
        }
    }
}
