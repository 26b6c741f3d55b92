//! The run as a script for psql.

use super::lock::{self, Scope};
use super::no_transaction::{self, Step};
use crate::history::{self, Purpose, ledger};
use crate::schema::owned::OwnedMigration;
use crate::schema::owner::Owner;
use crate::schema::statements;
use crate::server::Message;

/// Others queue behind a script that waits for a table.
const PATIENCE: &str = "-- Others queue behind this: it does not wait longer.\nset local lock_timeout = '5s';\n";
/// psql prints errors, warnings, and a line for each file: what hundreds of statements answer is of no interest.
const QUIET: &str = "\\set ON_ERROR_STOP on\n\\set hacs_quiet :QUIET\n\\set QUIET on\n\\o /dev/null\n";
const LOUD: &str = "\ncommit;\n\\o\n\\set QUIET :hacs_quiet\n\\echo All of it is committed.\n";

/// A script for psql that applies migrations and records them as [`migrate`](crate::migrate()) would: in one
/// transaction, or in parts where a migration runs outside one, and under the same lock.
#[must_use]
pub fn script(pending: &[OwnedMigration]) -> String {
    if pending.is_empty() {
        return "-- Nothing is pending.\n".to_owned();
    }
    let begin = format!("begin;\n{}", Message::of_run().text());
    let mut text = QUIET.to_owned();
    if no_transaction::any(pending) {
        text += &format!("{}{begin}{PATIENCE}", wait(Scope::Session));
    } else {
        text += &wait(Scope::Transaction);
        text += &format!("{begin}select pg_advisory_xact_lock({});\n{PATIENCE}", lock::KEY);
    }
    let mut owners: Vec<Owner> = pending.iter().map(|migration| migration.of().clone()).collect();
    owners.dedup();
    text += &ledger::bootstrap(&owners);
    text += &refuse_what_cannot_be_trusted(&owners);
    for migration in pending {
        text += &format!("\n\\echo {migration}.sql\n\n");
        if no_transaction::outside_transaction(migration) {
            text += &format!("commit;\n\n{}\n{begin}{PATIENCE}", alone(migration));
        } else {
            text += "select set_config('hacs_refinery.migration_started', clock_timestamp()::text, true);\n\n";
            text += migration.sql().unwrap_or_default();
            text += "\n;\n";
        }
        let now = "to_char(now() at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')";
        text += &format!("{};\n", ledger::insert(migration, now));
    }
    text + LOUD
}

/// The check that a run makes before it touches the history.
fn refuse_what_cannot_be_trusted(owners: &[Owner]) -> String {
    let locks: String = owners.iter().map(|owner| format!("\n{};", Purpose::Run.lock(owner))).collect();
    format!(
        "{locks}
do $$
declare
    found text := (select string_agg(what, '; ') from ({}) as g (what));
begin
    if found is not null then
        raise exception 'this cannot be trusted: %', found;
    end if;
end
$$;\n",
        history::guard_query(Purpose::Run, owners)
    )
}

/// Waits for the lock as `lock::acquire` does, in a transaction for each time that it asks.
fn wait(scope: Scope) -> String {
    format!(
        "do $$
begin
    while not {} loop
        perform pg_catalog.pg_sleep(0.2);
        commit;
    end loop;
end
$$;\n",
        lock::call(scope)
    )
}

/// The statements of a migration outside a transaction, each with what drops the invalid index that an earlier run of
/// it may have left.
fn alone(migration: &OwnedMigration) -> String {
    let sql = migration.sql().unwrap_or_default();
    let mut text = "set search_path = pg_catalog, pg_temp;\n".to_owned();
    for statement in statements::split(sql) {
        let statement = statement.text(sql);
        if let Some(query) = Step::of(statement).ok().and_then(|step| no_transaction::leftovers_of(&step)) {
            text += &format!(
                "select format('drop index concurrently if exists %s', leftover) from (\n{query}\n) as l \\gexec\n"
            );
        }
        text += &format!("{statement};\n");
    }
    text
}
