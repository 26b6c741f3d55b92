//! What a database has of HACS, without touching it.

use std::collections::BTreeSet;

use postgres::{Client, SimpleQueryMessage, SimpleQueryRow};
use serde::Serialize;

use crate::error::{Error, Result};
use crate::history::{self, HistoryError, Plan, Record};
use crate::run::unreadable;
use crate::schema::embedded;
use crate::schema::manifest;
use crate::schema::names::{SCHEMAS, TABLES};
use crate::server::Session;
use crate::server::answer::rows;

/// How far a database is migrated. Serialized, it is the documented object, keys in the documented order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Status {
    /// Those of the six schemas that exist, in the documented order.
    pub schemas_found: Vec<String>,
    /// How many that are.
    pub total_schemas: usize,
    /// Tables in these schemas: ordinary and partitioned ones, not the partitions, nor detached months of the audit trail.
    pub total_tables: usize,
    /// Whether the history table exists.
    pub migration_table_exists: bool,
    /// Whether all schemas, tables and constraints exist, the constraints validated, and each migration is recorded
    /// with its checksum.
    pub migration_complete: bool,
    /// Each known migration and, after them, those that only the database has.
    #[serde(skip)]
    pub migrations: Vec<MigrationState>,
    /// Expected tables that do not exist.
    #[serde(skip)]
    pub missing_tables: Vec<&'static str>,
    /// Expected constraints that do not exist, or hold for new rows alone; asked only where nothing is pending.
    #[serde(skip)]
    pub unmet_constraints: Vec<&'static str>,
    /// What is wrong with the history.
    #[serde(skip)]
    pub problems: Vec<HistoryError>,
    /// Versions that the database has beyond all that are known here.
    #[serde(skip)]
    pub newer: Vec<i32>,
}

/// A migration, as far as the database has it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MigrationState {
    /// Number of the migration.
    pub version: i32,
    /// Its name.
    pub name: String,
    /// When the run that applied it began, to the second (RFC 3339); `None` while it is pending.
    pub applied_on: Option<String>,
}

impl Status {
    /// The documented JSON: one key a line, the list of schemas on one.
    ///
    /// ```text
    /// {
    ///   "schemas_found": ["hacs_core", "hacs_clinical"],
    ///   "total_schemas": 2,
    ///   "total_tables": 23,
    ///   "migration_table_exists": false,
    ///   "migration_complete": false
    /// }
    /// ```
    #[must_use]
    pub fn to_json(&self) -> String {
        let schemas: Vec<String> = self.schemas_found.iter().map(|name| format!("\"{name}\"")).collect();
        format!(
            "{{\n  \"schemas_found\": [{}],\n  \"total_schemas\": {},\n  \"total_tables\": {},\n  \
             \"migration_table_exists\": {},\n  \"migration_complete\": {}\n}}",
            schemas.join(", "),
            self.total_schemas,
            self.total_tables,
            self.migration_table_exists,
            self.migration_complete,
        )
    }
}

/// Reads the state of a database in a read-only transaction. It needs no right but to read `hacs_admin.migrations`,
/// and works on an empty database and on a standby.
///
/// The client must not be inside a transaction.
///
/// # Errors
///
/// [`Error::Database`] where the server does not answer the questions. A history that does not fit is no error here:
/// [`Status::problems`] names what is wrong.
pub fn status(client: &mut Client) -> Result<Status> {
    read(client)
}

/// The same on any connection.
pub(crate) fn read(client: &mut dyn Session) -> Result<Status> {
    let result = ask(client);
    if result.is_err() {
        // The transaction is still open, and failed; a connection that is lost needs no end of it.
        let _ = client.batch_execute("rollback");
    }
    result
}

fn ask(client: &mut dyn Session) -> Result<Status> {
    let doing = "reading the catalogue";
    let messages = client.simple_query(&catalogue_query()).map_err(Error::during(doing))?;
    let (schemas, tables) = schemas_and_tables(&messages);
    let migration_table_exists = tables.iter().any(|table| table == crate::HISTORY_TABLE);
    let (records, mut problems) = if migration_table_exists {
        history(client)?
    } else {
        client.batch_execute("commit").map_err(Error::during(doing))?;
        Default::default()
    };

    let embedded = embedded::known();
    let mut newer = Vec::new();
    let mut pending = Vec::new();
    // A row that cannot be read would seem to be missing as well.
    let readable = if problems.is_empty() { history::compare(&records, &embedded) } else { Ok(Plan::default()) };
    match readable {
        Ok(plan) => {
            pending = plan.pending;
            newer = plan.newer.iter().map(|record| record.version).collect();
        }
        Err(errors) => problems.extend(errors),
    }
    let missing_tables: Vec<_> =
        TABLES.into_iter().filter(|table| !tables.iter().any(|found| found == table)).collect();
    let is_met: BTreeSet<&str> = rows(&messages).filter_map(|row| row.try_get("constraint_name").ok()?).collect();
    let mut unmet_constraints: Vec<_> = manifest::constraints().collect();
    unmet_constraints.retain(|name| pending.is_empty() && !is_met.contains(name));
    Ok(Status {
        total_schemas: schemas.len(),
        total_tables: tables.len(),
        migration_table_exists,
        migration_complete: schemas.len() == SCHEMAS.len()
            && missing_tables.is_empty()
            && unmet_constraints.is_empty()
            && problems.is_empty()
            && pending.is_empty(),
        schemas_found: schemas,
        migrations: states(&records, &embedded),
        missing_tables,
        unmet_constraints,
        problems,
        newer,
    })
}

/// Opens the transaction and asks for schemas and tables in one message; a schema without tables gives a row as well.
fn catalogue_query() -> String {
    let names = SCHEMAS.map(|name| format!("('{name}')")).join(", ");
    format!(
        "start transaction isolation level repeatable read read only;
         set local lock_timeout = '10s';
         set local quote_all_identifiers = off;
         select s.name, n.oid is not null as found, s.name || '.' || c.relname as relation
         from (values {names}) as s (name)
         join pg_catalog.pg_namespace as n on n.nspname = s.name
         left join pg_catalog.pg_class as c
             on c.relnamespace = n.oid and c.relkind in ('r', 'p') and not c.relispartition
                 and c.relname !~ '^resource_changes_[0-9]{{4}}_[0-9]{{2}}$';
         select quote_ident(n.nspname) || '.' || quote_ident(coalesce(c.relname, t.typname)) || '.'
             || quote_ident(o.conname) as constraint_name
         from (values {names}) as s (name)
         join pg_catalog.pg_namespace as n on n.nspname = s.name
         join pg_catalog.pg_constraint as o on o.connamespace = n.oid
         left join pg_catalog.pg_class as c on c.oid = o.conrelid
         left join pg_catalog.pg_type as t on t.oid = o.contypid
         where o.convalidated and o.conparentid = 0 and c.relispartition is not true"
    )
}

fn schemas_and_tables(messages: &[SimpleQueryMessage]) -> (Vec<String>, Vec<String>) {
    let text = |row: &SimpleQueryRow, name: &str| Some(row.try_get(name).ok()??.to_owned());
    let column = |name: &'static str| rows(messages).filter_map(move |row| text(row, name));
    let found: Vec<String> = column("name").collect();
    let schemas = SCHEMAS.into_iter().filter(|name| found.iter().any(|f| f == name)).map(str::to_owned).collect();
    (schemas, column("relation").collect())
}

fn history(client: &mut dyn Session) -> Result<(Vec<Record>, Vec<HistoryError>)> {
    let query = format!("{}; commit", history::QUERY);
    let messages = match client.simple_query(&query) {
        Ok(messages) => messages,
        Err(error) => match unreadable(&error) {
            Some(Error::History(problems)) => {
                client.batch_execute("rollback").map_err(Error::during("reading the migration history"))?;
                return Ok((Vec::new(), problems));
            }
            _ => return Err(Error::during("reading the migration history")(error)),
        },
    };
    let (records, problems): (Vec<_>, Vec<_>) =
        rows(&messages).map(history::parse).partition(std::result::Result::is_ok);
    Ok((records.into_iter().flatten().collect(), problems.into_iter().filter_map(std::result::Result::err).collect()))
}

fn states(records: &[Record], embedded: &[refinery::Migration]) -> Vec<MigrationState> {
    let applied_on = |version| {
        let record = records.iter().find(|record| record.version == version)?;
        let seconds = record.applied_on.replace_nanosecond(0).ok()?;
        seconds.format(&time::format_description::well_known::Rfc3339).ok()
    };
    let known = embedded.iter().map(|m| (m.version(), m.name().to_owned()));
    let is_known = |record: &&Record| embedded.iter().any(|m| m.version() == record.version);
    let others = records.iter().filter(|record| !is_known(record)).map(|r| (r.version, r.name.clone()));
    known
        .chain(others)
        .map(|(version, name)| MigrationState { version, name, applied_on: applied_on(version) })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hand_made_json_and_serde_agree() {
        let status = Status {
            schemas_found: vec!["hacs_core".into(), "hacs_admin".into()],
            total_schemas: 2,
            total_tables: 8,
            migration_table_exists: true,
            migration_complete: false,
            migrations: Vec::new(),
            missing_tables: Vec::new(),
            unmet_constraints: Vec::new(),
            problems: Vec::new(),
            newer: Vec::new(),
        };
        let parsed: serde_json::Value = serde_json::from_str(&status.to_json()).unwrap();
        assert_eq!(parsed, serde_json::to_value(&status).unwrap());
    }
}
