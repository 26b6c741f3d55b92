//! What the six schemas hold, object by object: of a complete database, and of a live one.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::OnceLock;

use super::embedded::HISTORY_TABLE;
use super::names::SCHEMAS;
use super::owner::Owner;
use crate::server::Row;
use crate::server::sql::literals;

/// The question for all objects: kind, name and definition.
pub(crate) const QUERY: &str = include_str!("catalogue.sql");

/// The same question for other schemas.
pub(crate) fn query(schemas: &[&str]) -> String {
    QUERY.replacen(&literals(SCHEMAS), &literals(schemas.iter().copied()), 1)
}

/// What the embedded migrations make; scripts/update-manifest.sh writes it.
const SCHEMA: &str = include_str!("manifest.txt");

/// What a distribution over machines makes of it: lines that go, and lines that come or take the place of others. The tests
/// of a distributed database write it.
const DISTRIBUTED: &str = include_str!("distributed.txt");

/// The constraint by which it is known.
const DISTRIBUTED_BY: &str = "hacs_core.patients.patients_is_patient_key";

/// The names of all constraints that the embedded migrations make, without the work for all other objects.
pub(crate) fn constraints() -> impl Iterator<Item = &'static str> {
    SCHEMA.lines().filter_map(constraint)
}

/// Whether a database that has these constraints is distributed.
pub(crate) fn is_distributed(constraints: &BTreeSet<&str>) -> bool {
    constraints.contains(DISTRIBUTED_BY)
}

/// The names of all constraints of a distributed database.
pub(crate) fn constraints_of_distributed() -> impl Iterator<Item = &'static str> {
    let changed = |sign: &'static str| DISTRIBUTED.lines().filter_map(move |line| constraint(line.strip_prefix(sign)?));
    let gone: BTreeSet<&str> = changed("- ").chain(changed("+ ")).collect();
    constraints().filter(move |name| !gone.contains(name)).chain(changed("+ "))
}

fn constraint(line: &str) -> Option<&str> {
    line.strip_prefix("constraint | ")?.split(" | ").next()
}

/// The objects of the six schemas with their definitions, in words that are the same on PostgreSQL 14 to 18.
///
/// As text it is one object a line: `kind | name | definition`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    objects: BTreeMap<Object, String>,
}

/// An object of the database: what it is, and its name with schema and, for a part of a table, that table.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Object {
    /// Such as `column`; also `comment` and `grant`, which are about another object.
    pub kind: String,
    /// Such as `hacs_core.patients.family`.
    pub name: String,
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.name)
    }
}

impl Manifest {
    /// What the embedded migrations make.
    #[must_use]
    pub fn embedded() -> &'static Self {
        static EMBEDDED: OnceLock<Manifest> = OnceLock::new();
        EMBEDDED.get_or_init(|| Self::from(SCHEMA))
    }

    /// What they are in a database that is distributed over machines.
    #[must_use]
    pub fn distributed() -> &'static Self {
        static DISTRIBUTED_ONES: OnceLock<Manifest> = OnceLock::new();
        DISTRIBUTED_ONES.get_or_init(|| {
            let mut all = Self::embedded().clone();
            let changed = |sign| DISTRIBUTED.lines().filter_map(move |line: &str| line.strip_prefix(sign));
            for object in Self::from(changed("- ").collect::<Vec<_>>().join("\n").as_str()).objects.keys() {
                all.objects.remove(object);
            }
            all.objects.extend(Self::from(changed("+ ").collect::<Vec<_>>().join("\n").as_str()).objects);
            all
        })
    }

    /// The same, with the histories of all owners that a database has: made like HACS's, with longer numbers.
    pub(crate) fn with_histories_of(&self, found: &Self) -> Self {
        let mut all = self.clone();
        let owners = found.names("table").filter_map(Owner::of_table);
        for table in owners.map(|owner| owner.table()).filter(|table| found.has("column", &format!("{table}.checksum")))
        {
            let bare = table.rsplit('.').next().unwrap_or_default();
            let of_history = |(object, definition): (&Object, &String)| {
                let rest = object.name.strip_prefix(HISTORY_TABLE).filter(|_| object.kind != "comment")?;
                let name = format!("{table}{}", rest.replace(".migrations_", &format!(".{bare}_")));
                let definition = definition.replace("integer", "bigint");
                Some((Object { kind: object.kind.clone(), name }, definition))
            };
            all.objects.extend(self.objects.iter().filter_map(of_history));
            let remark = Object { kind: "comment".to_owned(), name: format!("table {table}") };
            let told = found.definition(&remark).map(str::to_owned);
            all.objects.extend(told.map(|told| (remark, told)));
        }
        all
    }

    /// The answer to [`QUERY`].
    pub(crate) fn from_rows<'a>(rows: impl Iterator<Item = Row<'a>>) -> Self {
        let objects = rows.map(|row| {
            // One object is to stay on one line.
            let definition = row.string(2).split_whitespace().collect::<Vec<_>>().join(" ");
            (Object { kind: row.string(0), name: row.string(1) }, definition)
        });
        Self { objects: objects.collect() }
    }

    /// All objects with their definitions, in order.
    pub fn objects(&self) -> impl Iterator<Item = (&Object, &str)> {
        self.objects.iter().map(|(object, definition)| (object, definition.as_str()))
    }

    /// The definition of an object.
    #[must_use]
    pub fn definition(&self, object: &Object) -> Option<&str> {
        self.objects.get(object).map(String::as_str)
    }

    /// Whether there is an object of a kind and name.
    #[must_use]
    pub fn has(&self, kind: &str, name: &str) -> bool {
        self.objects.contains_key(&Object { kind: kind.to_owned(), name: name.to_owned() })
    }

    /// Names of the objects of a kind.
    pub(crate) fn names(&self, kind: &str) -> impl Iterator<Item = &str> {
        self.objects.keys().filter(move |object| object.kind == kind).map(|object| object.name.as_str())
    }
}

impl From<&str> for Manifest {
    /// Reads what `Display` writes.
    fn from(text: &str) -> Self {
        let lines = text.lines().map(|line| {
            let mut parts = line.splitn(3, " | ");
            let mut next = || parts.next().unwrap_or_default().to_owned();
            (Object { kind: next(), name: next() }, next())
        });
        Self { objects: lines.collect() }
    }
}

impl fmt::Display for Manifest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (Object { kind, name }, definition) in &self.objects {
            let separator = if definition.is_empty() { "" } else { " | " };
            writeln!(f, "{kind} | {name}{separator}{definition}")?;
        }
        Ok(())
    }
}
