//! What stood in the six schemas before the first migration: `create … if not exists` would keep it, whatever it is.

use postgres::SimpleQueryMessage;

use crate::error::{Error, Result};
use crate::history::ledger::Ledger;
use crate::inspect::verify;
use crate::run;
use crate::run::options::Options;
use crate::schema::difference::{Difference, compare};
use crate::schema::embedded;
use crate::schema::manifest::Manifest;
use crate::server::answer::rows;

/// Whether one of the six schemas holds what this transaction has not made.
pub(crate) const QUERY: &str = "
    with schemas as (
        select oid from pg_catalog.pg_namespace
        where nspname in ('hacs_core', 'hacs_clinical', 'hacs_registry', 'hacs_agents', 'hacs_admin', 'hacs_audit')
    ),
    found (id) as (
        select xmin from pg_catalog.pg_class where relnamespace in (select oid from schemas)
        union all select xmin from pg_catalog.pg_proc where pronamespace in (select oid from schemas)
        union all select xmin from pg_catalog.pg_type where typnamespace in (select oid from schemas)
    )
    select exists (select from found where id <> pg_catalog.pg_current_xact_id()::xid) as stood_before";

/// The answer to [`QUERY`], which comes with others.
pub(crate) fn answer(messages: &[SimpleQueryMessage]) -> bool {
    rows(messages).any(|row| row.try_get("stood_before").ok().flatten() == Some("t"))
}

/// Compares what all embedded migrations would make of this database with what they make of an empty one, before the
/// first of them is applied for good. So it does not matter how far the run is to go, and what else it applies.
pub(crate) fn check(ledger: &mut Ledger<'_>, options: &Options) -> Result<()> {
    let all = crate::migrations();
    if !options.migrations.iter().any(|migration| all.contains(migration)) {
        return Ok(());
    }
    let send = |ledger: &mut Ledger<'_>, sql: &str| {
        ledger.transaction().batch_execute(sql).map_err(Error::during("checking what stood here before"))
    };
    send(ledger, "savepoint hacs_refinery_check")?;
    let ran = embedded::runner_for(&all).set_grouped(true).run(ledger);
    ran.map_err(|error| run::failed(&error, &all))?;
    let found = verify::within(ledger.transaction())?;
    send(ledger, "rollback to savepoint hacs_refinery_check; release savepoint hacs_refinery_check")?;
    ledger.forget_seconds();

    let (warnings, differences): (Vec<_>, Vec<_>) =
        compare(Manifest::embedded(), &found, &[]).0.into_iter().partition(Difference::is_warning);
    for warning in warnings {
        log::warn!("{warning}");
    }
    if differences.is_empty() { Ok(()) } else { Err(Error::Drift(differences)) }
}
