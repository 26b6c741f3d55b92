//! What a database has of HACS, without touching it.

use std::collections::BTreeSet;

use serde::Serialize;

use super::owners;
use crate::error::{Error, Result};
use crate::history::{self, HistoryError, Line, Purpose};
use crate::schema::legacy::{self, Conflict};
use crate::schema::names::{SCHEMAS, TABLES};
use crate::schema::owner::Owner;
use crate::schema::{embedded, manifest};
use crate::server::{Connection, Limit, Message, Row, sql};

/// How far a database is migrated. Serialized, it is the documented object, keys in the documented order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Status {
    /// Those of the six schemas that exist, in the documented order.
    pub schemas_found: Vec<String>,
    /// How many that are.
    pub total_schemas: usize,
    /// Tables in these schemas: ordinary and partitioned ones, not the partitions, nor quarters of the audit trail that
    /// were let go.
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
    /// Whether the tables are distributed over machines: [`distribute`](crate::distribute::distribute).
    #[serde(skip)]
    pub distributed: bool,
    /// Expected constraints that do not exist, or hold for new rows alone; asked only where nothing is pending.
    #[serde(skip)]
    pub unmet_constraints: Vec<&'static str>,
    /// What is wrong with the history.
    #[serde(skip)]
    pub problems: Vec<HistoryError>,
    /// Versions that the database has beyond all that are known here.
    #[serde(skip)]
    pub newer: Vec<i64>,
    /// Tables of the original Python system that are in the way of the first migration.
    #[serde(skip)]
    pub conflicts: Vec<Conflict>,
    /// Tables of the original Python system that are in nobody's way, with about how many rows.
    #[serde(skip)]
    pub beside: Vec<String>,
    /// How far the audit trail is sealed, in words; `None` where there is no trail, or no right to ask.
    #[serde(skip)]
    pub sealed: Option<String>,
    /// Those who have migrations of their own here, in the order of their names.
    #[serde(skip)]
    pub owners: Vec<OwnerStatus>,
}

/// The migrations of an owner beside HACS: see [`Options::owner`](crate::Options::owner).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct OwnerStatus {
    /// Its name.
    pub name: String,
    /// Each migration that is at hand and, after them, those that only the database has.
    pub migrations: Vec<MigrationState>,
    /// What is wrong with its history; asked only where its migrations are at hand.
    pub problems: Vec<HistoryError>,
    /// Versions that the database has beyond all that are at hand.
    pub newer: Vec<i64>,
    /// Whether this role may not read its history.
    pub unreadable: bool,
}

impl OwnerStatus {
    /// Whether each of its migrations at hand is recorded, with its checksum.
    #[must_use]
    pub fn migration_complete(&self) -> bool {
        !self.unreadable && self.problems.is_empty() && self.migrations.iter().all(|m| m.applied_on.is_some())
    }
}

/// A migration, as far as the database has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct MigrationState {
    /// Number of the migration.
    pub version: i64,
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
/// [`Error::Database`] where the server does not answer the questions, and [`Error::Untrusted`] where to ask them could
/// run somebody else's code. A history that does not fit is no error here: [`Status::problems`] names what is wrong.
pub fn status(client: &mut impl Connection) -> Result<Status> {
    client.limit(Limit::ANSWER);
    read(client, &embedded())
}

/// The same on any connection, for what is at hand: HACS's own migrations first.
pub(crate) fn read(client: &mut dyn Connection, lines: &[Line<'_>]) -> Result<Status> {
    let result = ask(client, lines);
    if result.is_err() {
        // The transaction is still open, and failed; a connection that is lost needs no end of it.
        let _ = Message::bare("rollback").send(client);
    }
    result
}

/// The embedded migrations alone.
pub(crate) fn embedded() -> Vec<Line<'static>> {
    vec![(Owner::HACS, embedded::known().into())]
}

/// Reads as of one moment.
pub(super) const START: &str = "start transaction isolation level repeatable read read only";

fn ask(client: &mut dyn Connection, lines: &[Line<'_>]) -> Result<Status> {
    let mut message = Message::start(START);
    let untrusted = message.ask(&history::guard_query(Purpose::Tell, &[Owner::HACS]));
    let relations = message.ask(&relations_query());
    let constraints = message.ask(&constraints_query());
    let may_see_seals = message.ask(MAY_SEE_SEALS);
    let legacy = message.ask(&legacy::query());
    // Reading a view runs what its owner wrote.
    let no_views = message.ask(&history::guard_query(Purpose::Call, &[Owner::HACS]));
    let answers = message.send(client).map_err(Error::during(READING))?;
    let untrusted: Vec<String> = answers.rows(untrusted).map(|row| row.string(0)).collect();
    if !untrusted.is_empty() {
        return Err(Error::Untrusted(untrusted));
    }
    let found: Vec<String> = answers.rows(relations).map(|row| row.string(0)).collect();
    let (histories, tables): (Vec<Row<'_>>, Vec<Row<'_>>) =
        answers.rows(relations).filter(|row| row.text(1).is_some()).partition(|row| row.text(2) == Some("t"));
    let tables: Vec<&str> = tables.iter().filter_map(|row| row.text(1)).collect();
    let met: BTreeSet<&str> = answers.rows(constraints).filter_map(|row| row.text(0)).collect();
    let schemas_found: Vec<String> =
        SCHEMAS.into_iter().filter(|name| found.iter().any(|f| f == name)).map(str::to_owned).collect();
    let legacy = legacy::read(answers.rows(legacy));
    let seals = Some(SEALED).filter(|_| answers.is_true(may_see_seals) && answers.rows(no_views).next().is_none());
    let owners::Found { hacs: history, owners, asked: sealed } =
        owners::read(client, tables.contains(&embedded::HISTORY_TABLE), &histories, lines, seals)?;

    let missing_tables: Vec<_> = TABLES.into_iter().filter(|table| !tables.contains(table)).collect();
    let pending =
        history.problems.is_empty() && history.migrations.iter().any(|migration| migration.applied_on.is_none());
    let unmet_constraints = if pending { Vec::new() } else { unmet(&met) };
    Ok(Status {
        total_schemas: schemas_found.len(),
        total_tables: tables.len(),
        migration_table_exists: tables.contains(&embedded::HISTORY_TABLE),
        migration_complete: schemas_found.len() == SCHEMAS.len()
            && missing_tables.is_empty()
            && unmet_constraints.is_empty()
            && history.migration_complete(),
        schemas_found,
        migrations: history.migrations,
        missing_tables,
        distributed: manifest::is_distributed(&met),
        unmet_constraints,
        problems: history.problems,
        newer: history.newer,
        sealed,
        owners,
        conflicts: legacy.conflicts,
        beside: legacy.beside,
    })
}

/// The expected constraints that are not among these.
fn unmet(met: &BTreeSet<&str>) -> Vec<&'static str> {
    let expected: Vec<_> = match manifest::is_distributed(met) {
        true => manifest::constraints_of_distributed().collect(),
        false => manifest::constraints().collect(),
    };
    expected.into_iter().filter(|name| !met.contains(name)).collect()
}

pub(super) const READING: &str = "reading the catalogue";

/// Schemas and tables; a schema without tables gives a row as well. Besides, whether the table is the history of an
/// owner, and whether this role may read it.
fn relations_query() -> String {
    format!(
        "select s.name, s.name || '.' || c.relname,
             s.name = 'hacs_admin' and c.relname ~ '_migrations$' and (
                 select array_agg(a.attname::text order by a.attnum) from pg_attribute as a
                 where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
             ) = array[{}],
             has_table_privilege(c.oid, 'select')
         from (values {}) as s (name)
         join pg_namespace as n on n.nspname = s.name
         left join pg_class as c
             on c.relnamespace = n.oid and c.relkind in ('r', 'p') and not c.relispartition
                 and c.relname !~ '^resource_changes_[0-9]{{4}}q[0-9]'",
        sql::literals(COLUMNS),
        sql::rows(SCHEMAS)
    )
}

/// What makes a history table.
const COLUMNS: [&str; 8] =
    ["version", "name", "applied_on", "checksum", "applied_at", "applied_by", "duration", "tool_version"];

/// The constraints that hold for every row.
fn constraints_query() -> String {
    format!(
        "select quote_ident(n.nspname) || '.' || quote_ident(coalesce(c.relname, t.typname)) || '.'
             || quote_ident(o.conname)
         from (values {}) as s (name)
         join pg_namespace as n on n.nspname = s.name
         join pg_constraint as o on o.connamespace = n.oid
         left join pg_class as c on c.oid = o.conrelid
         left join pg_type as t on t.oid = o.contypid
         where o.convalidated and o.conparentid = 0 and c.relispartition is not true",
        sql::rows(SCHEMAS)
    )
}

/// Whether the trail is there, and this role may ask how far it is sealed.
const MAY_SEE_SEALS: &str = "select has_schema_privilege(to_regnamespace('hacs_audit'), 'usage')
     and has_table_privilege(to_regclass('hacs_audit.sealing'), 'select')
     and has_sequence_privilege(to_regclass('hacs_audit.change_ids'), 'select')
     and has_function_privilege(to_regprocedure('hacs_audit.marks()'), 'execute')";

/// How far it is, and since when nothing is. What a transaction drew and rolled back counts until the next seal.
const SEALED: &str = "select case
         when s.numbers_not_sealed = 0 then 'every change'
         when s.complete_until > '-infinity' then format('until %s, not %s since',
             to_char(s.complete_until at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), s.numbers_not_sealed)
         else format('nothing of %s', s.numbers_not_sealed)
     end || case when s.waits_for_transactions > 0 then format(', waiting for %s open transactions', s.waits_for_transactions)
         else '' end
     from hacs_audit.sealing as s";

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
            distributed: false,
            unmet_constraints: Vec::new(),
            problems: Vec::new(),
            newer: Vec::new(),
            conflicts: Vec::new(),
            beside: Vec::new(),
            sealed: None,
            owners: Vec::new(),
        };
        let parsed: serde_json::Value = serde_json::from_str(&status.to_json()).unwrap();
        assert_eq!(parsed, serde_json::to_value(&status).unwrap());
    }
}
