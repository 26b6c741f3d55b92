//! Invalid indexes: what a statement that ended in the middle leaves behind. Nobody reads them, every write keeps
//! them up, and a unique one may refuse rows.

use super::statement::Step;
use crate::server::sql::literal;
use crate::server::{Connection, Failure, Message};

/// The query for the invalid indexes that an earlier run of a statement has left, if it is one that can.
pub(in crate::run) fn query(step: &Step) -> Option<String> {
    let condition = match step {
        Step::Create { index, table, .. } => {
            let (index, table) = (literal(index), literal(table));
            format!("i.indrelid = to_regclass({table}) and c.relname = (parse_ident({index}))[1]::name")
        }
        Step::Reindex { relation } => format!(
            "(i.indrelid = to_regclass({0}) or i.indrelid = (select indrelid from pg_index where indexrelid = to_regclass({0})))
             and c.relname ~ '_cc(new|old)[0-9]*$'",
            literal(relation)
        ),
        Step::Set { .. } | Step::Other => return None,
    };
    Some(format!(
        "select i.indexrelid::regclass as leftover
         from pg_catalog.pg_index as i
         join pg_catalog.pg_class as c on c.oid = i.indexrelid
         where {condition} and c.relkind = 'i' and not i.indisvalid"
    ))
}

/// Drops what is left of a statement. What could not be dropped is named.
pub(in crate::run) fn drop_all(client: &mut dyn Connection, step: &Step) -> Result<(), (Vec<String>, Failure)> {
    let Some(query) = query(step) else { return Ok(()) };
    let mut message = Message::new();
    let at = message.ask(&query);
    let answers = message.send(client).map_err(|error| (Vec::new(), error))?;
    let mut names: Vec<String> = answers.rows(at).map(|row| row.string(0)).collect();
    while let Some(name) = names.last() {
        log::warn!("dropping the invalid index {name}: the statement that made it did not come to its end");
        if let Err(error) = Message::bare(&format!("drop index concurrently if exists {name}")).send(client) {
            return Err((names, error));
        }
        names.pop();
    }
    Ok(())
}
