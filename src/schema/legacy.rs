//! Databases of the original Python system: the same names, other columns. (What else may stand in the way of the first
//! migration is found by comparing its result with the manifest.)

use std::collections::BTreeMap;
use std::fmt;

use super::embedded;
use super::names::{SCHEMAS, TABLES};
use super::statements;
use crate::server::safe_text::safe_line;
use crate::server::{Row, sql};

/// Tables that only the Python migrations make: where one of them is, they have been at work.
const PYTHON_TABLES: [&str; 7] = [
    "hacs_admin.system_configuration",
    "hacs_agents.actor_sessions",
    "hacs_agents.agent_messages",
    "hacs_agents.memory_blocks",
    "hacs_audit.system_audit_log",
    "hacs_registry.model_versions",
    "public.hacs_resources",
];

/// A table that stands in the way.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Conflict {
    /// The table, with its schema.
    pub table: String,
    /// Columns that it should have and has not.
    pub missing: Vec<String>,
    /// Columns that it has and should not have.
    pub unexpected: Vec<String>,
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", safe_line(&self.table))?;
        if !TABLES.contains(&self.table.as_str()) {
            return f.write_str(": a table of the Python migrations");
        }
        let lists = [("not ours", &self.unexpected), ("missing", &self.missing)];
        let parts = lists.iter().filter(|(_, columns)| !columns.is_empty());
        let parts: Vec<String> =
            parts.map(|(what, columns)| format!("{what}: {}", safe_line(&shortened(columns)))).collect();
        write!(f, ": columns {}", parts.join("; "))
    }
}

fn shortened(columns: &[String]) -> String {
    const SHOWN: usize = 4;
    let more = columns.len().saturating_sub(SHOWN);
    let shown = columns.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    if more == 0 { shown } else { format!("{shown} and {more} more") }
}

/// Asks for tables of these names and their columns, where there is no history: two facts of one moment.
pub(crate) fn query() -> String {
    let schemas = sql::literals(SCHEMAS);
    format!(
        "select n.nspname || '.' || c.relname,
             (
                 select string_agg(a.attname, ',' order by a.attnum)
                 from pg_catalog.pg_attribute as a
                 where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
             )
         from pg_catalog.pg_class as c
         join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
         where n.nspname in ({schemas}, 'public')
             and c.relkind in ('r', 'p')
             and n.nspname || '.' || c.relname in ({tables})
             and not exists (
                 select
                 from pg_catalog.pg_class as h
                 join pg_catalog.pg_namespace as s on s.oid = h.relnamespace
                 where s.nspname = 'hacs_admin' and h.relname = 'migrations'
             )
         order by 1",
        tables = sql::literals(TABLES.into_iter().chain(PYTHON_TABLES)),
    )
}

/// Refuses a database in which the answer to [`query`] names a table of the Python migrations.
pub(crate) fn check<'a>(rows: impl Iterator<Item = Row<'a>>) -> Result<(), Vec<Conflict>> {
    let found: Vec<(String, String)> = rows.map(|row| (row.string(0), row.string(1))).collect();
    if !found.iter().any(|(table, _)| PYTHON_TABLES.contains(&table.as_str())) {
        return Ok(());
    }
    let expected = expected_columns();
    Err(found.iter().filter_map(|(table, columns)| compare(table, columns, &expected)).collect())
}

fn compare(table: &str, columns: &str, expected: &BTreeMap<String, Vec<String>>) -> Option<Conflict> {
    let found: Vec<String> = columns.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect();
    let without = |from: &[String], those: &[String]| -> Vec<String> {
        from.iter().filter(|name| !those.contains(name)).cloned().collect()
    };
    let Some(expected) = expected.get(table) else {
        return Some(Conflict { table: table.to_owned(), missing: Vec::new(), unexpected: found });
    };
    let (missing, unexpected) = (without(expected, &found), without(&found, expected));
    (!missing.is_empty() || !unexpected.is_empty()).then(|| Conflict { table: table.to_owned(), missing, unexpected })
}

/// The columns of each table, from the text of the embedded migrations: there each column begins a line, four spaces
/// in, and so does each rule of the table.
fn expected_columns() -> BTreeMap<String, Vec<String>> {
    let mut tables = BTreeMap::new();
    for migration in embedded::migrations() {
        let script = migration.sql().unwrap_or_default();
        for statement in statements::split(script) {
            let Some(rest) = statement.text(script).strip_prefix("create table if not exists ") else { continue };
            let (name, body) = rest.split_once(" (").unwrap_or((rest, ""));
            let column = |line: &str| {
                let word = line.strip_prefix("    ")?.split(' ').next()?.trim_matches('"');
                (word.starts_with(|c: char| c.is_ascii_lowercase() || c == '_') && word != "constraint")
                    .then(|| word.to_owned())
            };
            tables.insert(name.to_owned(), body.lines().filter_map(column).collect());
        }
    }
    tables
}
