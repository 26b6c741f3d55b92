//! What a transaction locks of what stood there before, as PostgreSQL tells it.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::server::Row;

/// A lock on a table, held until the run ends.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[non_exhaustive]
pub struct Lock {
    /// The table or view, with its schema.
    pub table: String,
    /// PostgreSQL's name of the mode, such as `access exclusive`.
    pub mode: String,
}

/// The names of all tables and views that a run finds, by their ids: what it drops has no name afterwards.
#[derive(Default)]
pub(super) struct Tables(BTreeMap<String, String>);

impl Tables {
    pub(super) const QUERY: &str = "select c.oid, c.oid::regclass
        from pg_class as c
        where c.oid >= 16384 and c.relkind in ('r', 'p', 'f', 'v', 'm')
            and c.relnamespace <> coalesce(pg_my_temp_schema(), 0)
            and (c.relnamespace::regnamespace::text <> 'hacs_admin' or c.relname !~ '^([a-z][a-z0-9_]*_)?migrations$')";

    pub(super) fn from_rows<'a>(rows: impl Iterator<Item = Row<'a>>) -> Self {
        Self(rows.map(|row| (row.string(0), row.string(1))).collect())
    }

    /// Those of the locks that are on one of them: object id and mode.
    pub(super) fn locks<'a>(&self, held: impl IntoIterator<Item = (&'a str, &'a str)>) -> BTreeSet<Lock> {
        let lock = |(id, mode): (&str, &str)| Some(Lock { table: self.0.get(id)?.clone(), mode: mode.to_owned() });
        held.into_iter().filter_map(lock).collect()
    }
}
