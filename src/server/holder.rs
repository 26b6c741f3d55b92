//! The session that is in the way.

use std::fmt;

use super::answer::Row;
use super::safe_text::safe_line;

/// Who holds a lock.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Holder {
    /// Process id of the session on the server.
    pub pid: String,
    /// The role that logged in.
    pub role: String,
    /// Its `application_name`.
    pub application: String,
    /// Since when its transaction runs, or else the session.
    pub since: String,
    /// Whether its role may write the history, or make it: a migration of another role there is none.
    pub may_migrate: bool,
}

impl From<Row<'_>> for Holder {
    /// A row of the answer to [`query`].
    fn from(row: Row<'_>) -> Self {
        Self {
            pid: row.string(0),
            role: row.string(1),
            application: row.string(2),
            since: row.string(3),
            may_migrate: row.text(4) != Some("f"),
        }
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [role, application, since] = [&self.role, &self.application, &self.since].map(|text| safe_line(text));
        write!(f, "held by process {} of role {role} ({application}) since {since}", self.pid)
    }
}

/// The session that has been at it longest, of those that hold a lock which fits a condition on `l` in `pg_locks` and
/// `c` in `pg_class`.
pub(crate) fn query(condition: &str) -> String {
    format!(
        "select coalesce(l.pid::text, 'unknown'), coalesce(a.usename::text, 'unknown'),
             coalesce(nullif(a.application_name, ''), 'unnamed'),
             coalesce(date_trunc('second', coalesce(a.xact_start, a.backend_start))::text, 'unknown'),
             case when h.oid is null then has_database_privilege(a.usesysid, l.database, 'create')
                 else has_table_privilege(a.usesysid, h.oid, 'insert') or pg_has_role(a.usesysid, h.relowner, 'member')
             end
         from pg_locks as l
         left join pg_class as c on c.oid = l.relation
         left join pg_stat_activity as a on a.pid = l.pid
         left join pg_namespace as n on n.nspname = 'hacs_admin'
         left join pg_class as h on h.relnamespace = n.oid and h.relname = 'migrations'
         where l.granted
             and l.database = (select oid from pg_database where datname = current_database())
             and l.pid is distinct from pg_backend_pid()
             and {condition}
         order by coalesce(a.xact_start, a.backend_start)
         limit 1"
    )
}
