//! Whether what has the name of an index already is the index that a statement would make: `if not exists` looks at the
//! name alone.
//!
//! Only the server knows what a statement would make. So the server makes that index on an empty table with the same
//! columns, in a transaction that is rolled back, and the two definitions are compared as the server writes them.

use super::statement::Step;
use crate::server::sql::literal;
use crate::server::{Connection, Failure, Message, Transaction, sqlstate};

/// Something that has the name of an index, and is not that index.
pub(crate) struct Other {
    /// What it is.
    pub found: String,
    /// What it would have to be.
    pub expected: String,
}

/// Looks for what keeps a statement from making its index. It needs no right but those that a run needs anyway.
pub(crate) fn other(client: &mut dyn Connection, step: &Step) -> Result<Option<Other>, Failure> {
    let Step::Create { unique, index, table, columns } = step else { return Ok(None) };
    let Some([found, name]) = standing(client, index, table)? else { return Ok(None) };
    // The definition of the twin, with the names of the index in place of its own.
    let make = format!(
        "create schema hacs_refinery_twin;
         create table hacs_refinery_twin.{name} (like {table});
         create {unique} index on hacs_refinery_twin.{name} {columns};
         select format('%s%I ON %I.%I ', d.make, (parse_ident({index}))[1]::name, n.nspname, t.relname)
             || substr(d.twin, 1 + length(format('%s%I ON hacs_refinery_twin.%I ', d.make, c.relname, t.relname)))
         from pg_catalog.pg_class as t
         join pg_catalog.pg_namespace as n on n.oid = t.relnamespace
         cross join pg_catalog.pg_index as i
         join pg_catalog.pg_class as c
             on c.oid = i.indexrelid and c.relnamespace = 'hacs_refinery_twin'::regnamespace
         cross join lateral (
             select pg_get_indexdef(c.oid),
                 case when i.indisunique then 'CREATE UNIQUE INDEX ' else 'CREATE INDEX ' end
         ) as d (twin, make)
         where t.oid = to_regclass({original})",
        unique = if *unique { "unique" } else { "" },
        index = literal(index),
        original = literal(table),
    );
    // Dropped at the end of the match, the transaction is rolled back.
    let expected = match Message::bare(&make).send(&mut Transaction::begin(client)?) {
        Ok(answers) => answers.value(answers.before_last(0)).unwrap_or_default().to_owned(),
        Err(Failure::Refused(error)) if error.sqlstate.starts_with(sqlstate::SYNTAX_ERROR_OR_ACCESS_RULE_VIOLATION) => {
            format!("unknown, since an empty table with the same columns cannot have it: {}", error.message)
        }
        Err(Failure::Refused(mut error)) => {
            // It is one of another text.
            error.position = None;
            return Err(Failure::Refused(error));
        }
        Err(broken) => return Err(broken),
    };
    Ok((found != expected).then_some(Other { found, expected }))
}

/// What has the name already, and the name of the table. What belongs to a constraint is no index of its own.
fn standing(client: &mut dyn Connection, index: &str, table: &str) -> Result<Option<[String; 2]>, Failure> {
    let query = format!(
        "select coalesce(pg_get_indexdef(c.oid), pg_describe_object('pg_catalog.pg_class'::regclass, c.oid, 0))
             || coalesce(', of ' || pg_describe_object('pg_catalog.pg_constraint'::regclass, k.oid, 0), ''),
             quote_ident(t.relname)
         from pg_catalog.pg_class as t
         join pg_catalog.pg_class as c on c.relnamespace = t.relnamespace and c.relname = (parse_ident({}))[1]::name
         left join pg_catalog.pg_constraint as k on k.conindid = c.oid and k.contype in ('p', 'u', 'x')
         where t.oid = to_regclass({})",
        literal(index),
        literal(table)
    );
    let mut message = Message::new();
    let at = message.ask(&query);
    Ok(message.send(client)?.rows(at).next().map(|row| [row.string(0), row.string(1)]))
}
