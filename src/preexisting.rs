//! What stood in the six schemas before the first migration: `create … if not exists` would keep it, whatever it is.

use postgres::SimpleQueryMessage;

use crate::error::{Error, Result};
use crate::ledger::{Ledger, rows};
use crate::manifest::Manifest;
use crate::options::Options;
use crate::verify::{self, Difference, compare};

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

/// Compares the result of a run, before it is committed, with what the embedded migrations make.
///
/// Neither the middle of the way nor migrations of somebody else's have a manifest to be compared with.
pub(crate) fn check(ledger: &mut Ledger<'_>, options: &Options) -> Result<()> {
    let all = crate::migrations();
    let newest = all.last().map(refinery::Migration::version);
    if *options.migrations != all || options.target.is_some_and(|target| Some(target) < newest) {
        log::warn!("what stood here before the first migration is not checked; hacs-refinery verify does that");
        return Ok(());
    }
    let found = verify::within(ledger.transaction())?;
    let (warnings, differences): (Vec<_>, Vec<_>) =
        compare(Manifest::embedded(), &found, &[]).into_iter().partition(Difference::is_warning);
    for warning in warnings {
        log::warn!("{warning}");
    }
    if differences.is_empty() { Ok(()) } else { Err(Error::Drift(differences)) }
}
