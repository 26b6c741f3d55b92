//! Tables of the original Python system: the same names as here with other columns, which are in the way, and others
//! beside them, which are not. (What else may stand in the way of the first migration is found by comparing its result
//! with the manifest.)

use std::collections::BTreeMap;
use std::fmt;

use super::embedded;
use super::names::{SCHEMAS, TABLES};
use super::statements;
use crate::server::safe_text::safe_line;
use crate::server::{Row, sql};

/// Tables that only the Python system makes; the last ones are where its services store their documents.
const PYTHON_TABLES: [&str; 15] = [
    "hacs_admin.system_configuration",
    "hacs_agents.actor_sessions",
    "hacs_agents.agent_messages",
    "hacs_agents.memory_blocks",
    "hacs_audit.system_audit_log",
    "hacs_registry.model_versions",
    "public.agent_messages",
    "public.context_summaries",
    "public.encounters",
    "public.hacs_resources",
    "public.knowledge_items",
    "public.memories",
    "public.observations",
    "public.patients",
    "public.scratchpad_entries",
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

/// What there is of the Python system.
#[derive(Debug, Default)]
pub(crate) struct Legacy {
    /// What keeps the migrations from being applied.
    pub conflicts: Vec<Conflict>,
    /// What does not, in words, with about how many rows.
    pub beside: Vec<String>,
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lists = [("not ours", &self.unexpected), ("missing", &self.missing)];
        let parts = lists.iter().filter(|(_, columns)| !columns.is_empty());
        let parts: Vec<String> =
            parts.map(|(what, columns)| format!("{what}: {}", safe_line(&shortened(columns)))).collect();
        write!(f, "{}: columns {}", safe_line(&self.table), parts.join("; "))
    }
}

fn shortened(columns: &[String]) -> String {
    const SHOWN: usize = 4;
    let more = columns.len().saturating_sub(SHOWN);
    let shown = columns.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    if more == 0 { shown } else { format!("{shown} and {more} more") }
}

/// Asks for tables of these names: their columns, their rows as the server thinks, and whether there is a history, so
/// that the migrations have made their own: facts of one moment.
pub(crate) fn query() -> String {
    format!(
        "select n.nspname || '.' || c.relname,
             (
                 select string_agg(a.attname, ',' order by a.attnum)
                 from pg_catalog.pg_attribute as a
                 where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
             ),
             greatest(c.reltuples::bigint, pg_catalog.pg_stat_get_live_tuples(c.oid), 0),
             exists (
                 select 1
                 from pg_catalog.pg_class as h
                 join pg_catalog.pg_namespace as s on s.oid = h.relnamespace
                 where s.nspname = 'hacs_admin' and h.relname = 'migrations'
             )
         from pg_catalog.pg_class as c
         join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
         where n.nspname in ({schemas}, 'public')
             and c.relkind in ('r', 'p')
             and n.nspname || '.' || c.relname in ({tables})
             -- One that is followed is not left alone.
             and not exists (
                 select 1
                 from pg_catalog.pg_trigger as t
                 join pg_catalog.pg_proc as f on f.oid = t.tgfoid
                 join pg_catalog.pg_namespace as s on s.oid = f.pronamespace
                 where t.tgrelid = c.oid and s.nspname = 'hacs_core' and f.proname = 'follow_document'
             )
         order by 1",
        schemas = sql::literals(SCHEMAS),
        tables = sql::literals(TABLES.into_iter().chain(PYTHON_TABLES)),
    )
}

/// What the answer to [`query`] names. In the way is what has one of our names and lacks columns of ours: a table that
/// has them all is taken for one of these migrations.
pub(crate) fn read<'a>(rows: impl Iterator<Item = Row<'a>>) -> Legacy {
    let mut expected = BTreeMap::new();
    let mut legacy = Legacy::default();
    for row in rows {
        let (table, columns) = (row.string(0), row.string(1));
        if !TABLES.contains(&table.as_str()) {
            // The names in public are common: the documents tell.
            if !table.starts_with("public.") || columns.split(',').any(|name| ["data", "full_resource"].contains(&name))
            {
                let rows = row.text(2).unwrap_or("0");
                legacy.beside.push(format!("{table}: a table of the original Python system, about {rows} rows"));
            }
        } else if row.text(3) == Some("f") {
            if expected.is_empty() {
                expected = expected_columns();
            }
            legacy.conflicts.extend(compare(&table, &columns, &expected));
        }
    }
    legacy
}

fn compare(table: &str, columns: &str, expected: &BTreeMap<String, Vec<String>>) -> Option<Conflict> {
    let found: Vec<String> = columns.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect();
    let without = |from: &[String], those: &[String]| -> Vec<String> {
        from.iter().filter(|name| !those.contains(name)).cloned().collect()
    };
    let expected = expected.get(table)?;
    let (missing, unexpected) = (without(expected, &found), without(&found, expected));
    (!missing.is_empty()).then(|| Conflict { table: table.to_owned(), missing, unexpected })
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
