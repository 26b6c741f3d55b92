//! Invalid indexes: what a statement that ended in the middle leaves behind. Nobody reads them, every write keeps
//! them up, and a unique one may refuse rows.

use super::statement::Step;
use crate::server::Session;
use crate::server::answer::rows;
use crate::server::failure::Failure;

/// The query for the invalid indexes that an earlier run of a statement has left, if it is one that can.
pub(crate) fn query(step: &Step) -> Option<String> {
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

/// A text as SQL takes it.
pub(super) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Drops what is left of a statement. What could not be dropped is named.
pub(crate) fn drop_all(client: &mut dyn Session, step: &Step) -> Result<(), (Vec<String>, Failure)> {
    let Some(query) = query(step) else { return Ok(()) };
    let messages = client.simple_query(&query).map_err(|error| (Vec::new(), error))?;
    let mut names: Vec<String> = rows(&messages).filter_map(|row| row.get("leftover").map(str::to_owned)).collect();
    while let Some(name) = names.last() {
        log::warn!("dropping the invalid index {name}: the statement that made it did not come to its end");
        if let Err(error) = client.batch_execute(&format!("drop index concurrently if exists {name}")) {
            return Err((names, error));
        }
        names.pop();
    }
    Ok(())
}
