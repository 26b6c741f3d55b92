//! Whether a live database still is what its migrations made.

use serde::{Serialize, Serializer};

use super::followed::{self, Followed};
use super::recorders;
use super::status::{self, Status};
use super::{deep, documents};
use crate::error::{Error, Result};
use crate::history::Line;
use crate::schema::difference::{Change, Compared, Difference, Own, compare};
use crate::schema::manifest::{self, Manifest};
use crate::schema::names::RESOURCES;
use crate::schema::roles;
use crate::server::sql::literal;
use crate::server::{Connection, Limit, Message, sqlstate};

/// The key of `hacs_admin.system_config` under which the operator registers objects of his own: a JSON list of
/// names, such as `hacs_core.my_table` or `grant * to reporting`, in which `*` stands for anything.
pub const IGNORE_KEY: &str = "verify.ignore";

/// What [`verify`] found.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Verification {
    /// How far the database is migrated.
    pub status: Status,
    /// What is not as the migrations made it. While migrations are pending, only invalid indexes are named: the rest
    /// would be noise.
    pub differences: Vec<Difference>,
    /// The same for comments, privileges and owners, and for what is registered under [`IGNORE_KEY`] of HACS's tables:
    /// own columns, indexes, triggers, value sets with more values. For you to judge, and without a mend. A role that
    /// has what `scripts/grant-app-role.sql` gives is none; any other role is one.
    pub warnings: Vec<Difference>,
    /// How many more the operator has registered under [`IGNORE_KEY`]. What takes protection away is never left out.
    pub ignored: usize,
    /// Whether what the operator has registered could not be asked for, because this role may not read it.
    pub ignore_unreadable: bool,
    /// Each of the HACS resources.
    pub resources: Vec<Supported>,
    /// Whether a document of each resource was written and read.
    pub deep: bool,
}

/// A HACS resource and its place in the database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Supported {
    /// Such as `Patient`.
    pub resource_type: &'static str,
    /// Such as `hacs_core.patients`.
    pub table: &'static str,
    /// Why a document cannot be kept there; `None` where it can.
    #[serde(rename = "supported", serialize_with = "is_none")]
    pub fault: Option<String>,
}

fn is_none<S: Serializer>(fault: &Option<String>, serializer: S) -> std::result::Result<S::Ok, S::Error> {
    serializer.serialize_bool(fault.is_none())
}

impl Verification {
    /// The overall result: a complete database without any difference, in which every resource has its place.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.status.migration_complete
            && self.status.newer.is_empty()
            && self.status.owners.iter().all(|owner| owner.unreadable || owner.migration_complete())
            && self.differences.is_empty()
            && self.resources.iter().all(|resource| resource.fault.is_none())
    }

    /// Adds what a comparison gave.
    fn add(&mut self, compared: Compared, manifest: &Manifest) {
        let (mut warnings, differences): (Vec<_>, Vec<_>) =
            compared.different.into_iter().partition(Difference::is_warning);
        warnings = roles::by_role(warnings, manifest);
        warnings.extend(compared.registered);
        for warning in &mut warnings {
            warning.mend = None;
        }
        self.warnings.extend(warnings);
        self.differences.extend(differences);
        self.ignored += compared.ignored;
    }

    /// Whether all migrations of an owner are applied.
    fn is_complete(&self, owner: &str) -> bool {
        self.status.owners.iter().any(|found| found.name == owner && found.migration_complete())
    }

    /// Whether there was nothing to compare, because migrations are pending.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        self.status.migrations.iter().any(|migration| migration.applied_on.is_none())
    }
}

/// Compares a database with what the embedded migrations make. It only reads; with `deep`, it also writes a document
/// of each resource and reads it again, in a transaction that it rolls back.
///
/// The client must not be inside a transaction.
///
/// # Errors
///
/// [`Error::Database`] where the server does not answer the questions, and, with `deep`, where it does not let us
/// write at all. Differences are no error: [`Verification::is_good`] is the answer.
pub fn verify(client: &mut impl Connection, deep: bool) -> Result<Verification> {
    client.limit(Limit::ANSWER);
    with(client, deep, &status::embedded(), &[])
}

/// The same with owners: their migrations, and the manifests of those who brought one.
pub(crate) fn with(
    client: &mut dyn Connection,
    deep: bool,
    lines: &[Line<'_>],
    manifests: &[(String, Manifest)],
) -> Result<Verification> {
    let status = status::read(client, lines)?;
    let mut found = Verification {
        status,
        differences: Vec::new(),
        warnings: Vec::new(),
        ignored: 0,
        ignore_unreadable: false,
        resources: Vec::new(),
        deep,
    };
    if found.status.schemas_found.is_empty() {
        return Ok(found);
    }
    let registered = !found.status.missing_tables.contains(&"hacs_admin.system_config");
    let (manifest, own, followed) = read(client, manifest::QUERY, registered)?;
    found.ignore_unreadable = own.is_none();
    let own = Own {
        patterns: own.unwrap_or_default(),
        recorders: recorders::as_attached(client, expected(&found.status), &manifest),
    };
    let compared = compare(&expected(&found.status).with_histories_of(&manifest), &manifest, &own);
    found.add(compared, &manifest);
    if found.status.distributed {
        // What mends one machine does not mend several.
        found.differences.iter_mut().for_each(|difference| difference.mend = None);
    }
    if found.is_pending() {
        // What a migration outside a transaction left when it ended in the middle.
        found.differences.retain(|difference| difference.change == Change::Invalid);
        found.warnings.clear();
        found.ignored = 0;
        return Ok(found);
    }
    let documents = documents::compared(client, &manifest, &found.differences);
    found.differences.extend(documents);
    let (differences, warnings) = followed.compared(client, deep)?;
    found.differences.extend(differences);
    found.warnings.extend(warnings);
    for (owner, expected) in manifests {
        if !found.is_complete(owner) {
            continue;
        }
        let schemas: Vec<&str> = expected.names("schema").collect();
        let (manifest, ..) = read(client, &manifest::query(&schemas), false)?;
        found.add(compare(expected, &manifest, &own), &manifest);
    }
    let mut faults = if deep { deep::try_all(client)? } else { Default::default() };
    found.resources = RESOURCES
        .into_iter()
        .map(|(resource_type, table)| {
            let fault = without_column(&manifest, table).or_else(|| faults.remove(table));
            Supported { resource_type, table, fault }
        })
        .collect();
    Ok(found)
}

/// What the migrations make, or a distribution of it.
fn expected(status: &Status) -> &'static Manifest {
    if status.distributed { Manifest::distributed() } else { Manifest::embedded() }
}

/// The first column of a table that is expected and not there.
fn without_column(found: &Manifest, table: &str) -> Option<String> {
    let of_table = format!("{table}.");
    let mut expected = Manifest::embedded().names("column").filter(|name| name.starts_with(&of_table));
    expected.find(|name| !found.has("column", name)).map(|name| format!("{name} is missing"))
}

/// The catalogue and, where it can be asked for, what the operator has registered; all in one message.
fn read(
    client: &mut dyn Connection,
    query: &str,
    registered: bool,
) -> Result<(Manifest, Option<Vec<String>>, Followed)> {
    let mut message = Message::start(status::START);
    let objects = message.ask(query);
    let own = registered.then(|| {
        // Nobody else's code runs for it: a plain table of the role that has the history.
        message.ask(
            "select 1 / count(*)
             from pg_class as c
             join pg_class as h on h.relnamespace = c.relnamespace and h.relowner = c.relowner
             join pg_namespace as n on n.oid = c.relnamespace
             where n.nspname = 'hacs_admin' and c.relname = 'system_config' and h.relname = 'migrations'
                 and c.relkind = 'r' and not c.relrowsecurity",
        );
        // The row as a whole, so that a table with other columns is a difference and no error.
        let own = message.ask(&format!(
            "select to_jsonb(c) -> 'value' from only hacs_admin.system_config as c where to_jsonb(c) ->> 'key' = {}",
            literal(IGNORE_KEY)
        ));
        (own, message.ask(followed::QUERY))
    });
    match message.then("commit").send(client) {
        Ok(answers) => {
            let written = own.and_then(|(own, _)| answers.value(own)).unwrap_or("[]");
            let followed = own.map(|(_, followed)| Followed::of(answers.rows(followed))).unwrap_or_default();
            Ok((Manifest::from_rows(answers.rows(objects)), Some(patterns(written)), followed))
        }
        Err(error) => {
            let _ = Message::bare("rollback").send(client);
            let unreadable = [sqlstate::INSUFFICIENT_PRIVILEGE, sqlstate::DIVISION_BY_ZERO];
            if registered && error.sqlstate().is_some_and(|code| unreadable.contains(&code)) {
                return Ok((read(client, query, false)?.0, None, Followed::default()));
            }
            Err(Error::during("reading the catalogue")(error))
        }
    }
}

fn patterns(json: &str) -> Vec<String> {
    serde_json::from_str(json).unwrap_or_else(|error| {
        log::warn!("{IGNORE_KEY} in hacs_admin.system_config is no list of texts: {error}");
        Vec::new()
    })
}

/// Reads the six schemas of a database, object by object.
///
/// The client must not be inside a transaction.
///
/// # Errors
///
/// [`Error::Database`] where the server does not answer.
pub fn manifest(client: &mut impl Connection) -> Result<Manifest> {
    client.limit(Limit::ANSWER);
    Ok(read(client, manifest::QUERY, false)?.0)
}

impl Manifest {
    /// What these schemas hold: what an owner of migrations brings with
    /// [`Options::manifest`](crate::Options::manifest). As text, it can be kept in a file and read again.
    ///
    /// # Errors
    ///
    /// [`Error::Database`] where the server does not answer.
    pub fn of(client: &mut impl Connection, schemas: &[&str]) -> Result<Self> {
        client.limit(Limit::ANSWER);
        Ok(read(client, &manifest::query(schemas), false)?.0)
    }
}
