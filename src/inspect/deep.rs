//! The question whether every resource can be kept, put to the database itself.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::error::{Error, Result};
use crate::history::{self, Purpose};
use crate::schema::names::RESOURCES;
use crate::schema::owner::Owner;
use crate::server::sql::literal;
use crate::server::{Connection, Failure, Message, Transaction};

/// For each table the least that it takes.
const DOCUMENTS: &str = include_str!("minimal.json");

/// Writes and reads a document of each resource and takes it all back. The tables that refused, with their reason.
pub(super) fn try_all(client: &mut dyn Connection) -> Result<BTreeMap<&'static str, String>> {
    let doing = Error::during("writing a document of each resource");
    let documents: BTreeMap<String, Map<String, Value>> =
        serde_json::from_str(DOCUMENTS).map_err(|error| doing(Failure::Broken(format!("minimal.json: {error}"))))?;
    let mut transaction = Transaction::begin(client).map_err(&doing)?;
    // References of the documents lead nowhere; nothing is committed, so that nobody asks.
    let mut message = Message::default()
        .then("set transaction read write")
        .then("set constraints all deferred")
        // Where every write needs an actor, this is one.
        .then("set local hacs_audit.actor_id = 'hacs-refinery'")
        .then("set local hacs_audit.purpose = 'verify'");
    let untrusted = message.ask(&history::guard_query(Purpose::Run, &[Owner::HACS]));
    let answers = message.send(&mut transaction).map_err(&doing)?;
    let untrusted: Vec<String> = answers.rows(untrusted).map(|row| row.string(0)).collect();
    if !untrusted.is_empty() {
        return Err(Error::Untrusted(untrusted));
    }
    let mut faults = BTreeMap::new();
    for (_, table) in RESOURCES {
        let mut document = documents.get(table).cloned().unwrap_or_default();
        document.insert("id".into(), "hacs-refinery-verify".into());
        if let Some(fault) = try_one(&mut transaction, table, &document).map_err(&doing)? {
            faults.insert(table, fault);
        }
    }
    Ok(faults)
}

/// What is wrong with a table; an error means that the transaction cannot go on.
fn try_one(
    transaction: &mut Transaction<'_>,
    table: &str,
    document: &Map<String, Value>,
) -> std::result::Result<Option<String>, Failure> {
    let columns = document.keys().map(|key| format!("\"{key}\"")).collect::<Vec<_>>().join(", ");
    let json = format!("{}::jsonb", literal(&Value::from(document.clone()).to_string()));
    let mut message = Message::within().then("savepoint document").then(&format!(
        "insert into {table} ({columns}) select {columns} from jsonb_populate_record(null::{table}, {json})"
    ));
    let same =
        message.ask(&format!("select to_jsonb(s) @> {json} from {table} as s where id = 'hacs-refinery-verify'"));
    let message = message.then("rollback to savepoint document");
    match message.send(transaction) {
        Ok(answers) => Ok(match answers.rows(same).next().map(|row| row.text(0) == Some("t")) {
            Some(true) => None,
            Some(false) => Some("a document came back changed".into()),
            None => Some("a document was not found again".into()),
        }),
        Err(error) => {
            Message::bare("rollback to savepoint document").send(transaction)?;
            Ok(Some(error.to_string()))
        }
    }
}
