//! Settings that a role, a database or the client's program may have, and that would change what a message means.

use super::sql::literal;

/// Where names are looked for: what somebody else made, in `public` or as a temporary object, is never found in the
/// place of PostgreSQL's own.
const PATH: &str = "pg_catalog, pg_temp";

/// What every statement of this program is written for, how the server is to write what it answers, and timeouts that
/// would strike. What a version of PostgreSQL does not have is left out.
const ALWAYS: [(&str, &str); 14] = [
    ("array_nulls", "on"),
    ("bytea_output", "hex"),
    ("client_min_messages", "warning"),
    ("DateStyle", "ISO, MDY"),
    ("extra_float_digits", "1"),
    ("idle_in_transaction_session_timeout", "0"),
    ("IntervalStyle", "postgres"),
    ("quote_all_identifiers", "off"),
    ("restrict_nonsystem_relation_kind", ""),
    ("row_security", "on"),
    ("standard_conforming_strings", "on"),
    ("TimeZone", "UTC"),
    ("transaction_timeout", "0"),
    ("transform_null_equals", "off"),
];

/// What would change what a migration makes, or make it take hours: some ask the catalogue for hundreds of columns, and
/// a plan without nested loops, or by costs that are nonsense, never ends.
const OF_RUNS: [(&str, &str); 27] = [
    ("check_function_bodies", "on"),
    ("cpu_index_tuple_cost", "0.005"),
    ("cpu_operator_cost", "0.0025"),
    ("cpu_tuple_cost", "0.01"),
    ("default_table_access_method", "heap"),
    ("default_tablespace", ""),
    ("enable_bitmapscan", "on"),
    ("enable_hashagg", "on"),
    ("enable_hashjoin", "on"),
    ("enable_indexonlyscan", "on"),
    ("enable_indexscan", "on"),
    ("enable_material", "on"),
    ("enable_memoize", "on"),
    ("enable_mergejoin", "on"),
    ("enable_nestloop", "on"),
    ("enable_seqscan", "on"),
    ("enable_sort", "on"),
    ("enable_tidscan", "on"),
    ("from_collapse_limit", "8"),
    ("join_collapse_limit", "8"),
    ("plan_cache_mode", "auto"),
    ("plpgsql.extra_errors", "none"),
    ("plpgsql.variable_conflict", "error"),
    ("random_page_cost", "4"),
    ("seq_page_cost", "1"),
    ("session_replication_role", "origin"),
    ("xmloption", "content"),
];

/// What else a run sets, which depends on the server.
const BY_SERVER: [&str; 2] = ["client_connection_check_interval", "synchronous_commit"];

/// How long settings last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    Transaction,
    Session,
}

/// The names of all settings that a run changes, but for the two timeouts that its options have.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    ["search_path"].into_iter().chain(ALWAYS.iter().chain(&OF_RUNS).map(|(name, _)| *name)).chain(BY_SERVER)
}

/// The statements that begin a message which only reads.
pub(crate) fn of_reading() -> [String; 2] {
    [path(Scope::Transaction), set(&ALWAYS, Scope::Transaction)]
}

/// The statements that prepare what migrates. Those of the reading are among them.
pub(crate) fn of_runs(scope: Scope) -> [String; 4] {
    [path(scope), set(&ALWAYS, scope), set(&OF_RUNS, scope), by_server(scope)]
}

/// In front of everything else: until then a function could be another one than PostgreSQL's.
fn path(scope: Scope) -> String {
    let local = if scope == Scope::Transaction { "local " } else { "" };
    format!("set {local}search_path = {PATH}")
}

/// Only what is set otherwise is set: not every role may set everything.
fn set(values: &[(&str, &str)], scope: Scope) -> String {
    let values: Vec<String> =
        values.iter().map(|(name, value)| format!("({}, {})", literal(name), literal(value))).collect();
    format!(
        "select count(set_config(name, value, {})) from (values {}) as s (name, value)
         where current_setting(name, true) <> value",
        scope == Scope::Transaction,
        values.join(", ")
    )
}

/// Without the interval, a server whose client was killed finishes the running statement first, and keeps its locks
/// until then; servers on some platforms cannot look. And a success that was reported has to outlive a crash.
fn by_server(scope: Scope) -> String {
    format!(
        "select count(set_config(name, value, {})) from (values
             ('client_connection_check_interval', '1s', version() ~ 'linux'
                 or version() ~ 'darwin|bsd' and current_setting('server_version_num')::int >= 150000),
             ('synchronous_commit', 'on', current_setting('synchronous_commit') = 'off')
         ) as s (name, value, needed)
         where needed",
        scope == Scope::Transaction
    )
}
