//! What stood in the six schemas before the first migration: `create … if not exists` would keep it, whatever it is.

use super::options::Options;
use super::stage;
use crate::error::{Error, Result};
use crate::history::ledger::Ledger;
use crate::schema::difference::{Own, compare};
use crate::schema::embedded;
use crate::schema::manifest::{self, Manifest};
use crate::schema::owned::OwnedMigration;
use crate::server::Message;

/// Whether one of the six schemas holds what this transaction has not made.
pub(crate) const QUERY: &str = "
    with schemas as (
        select oid from pg_namespace
        where nspname in ('hacs_core', 'hacs_clinical', 'hacs_registry', 'hacs_agents', 'hacs_admin', 'hacs_audit')
    ),
    found (id) as (
        select xmin from pg_class where relnamespace in (select oid from schemas)
        union all select xmin from pg_proc where pronamespace in (select oid from schemas)
        union all select xmin from pg_type where typnamespace in (select oid from schemas)
    )
    select exists (select 1 from found where id <> pg_current_xact_id()::xid)";

/// What is done about objects that no migration makes, beside those that they make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Strange {
    Refused,
    /// They stay, and the log names them.
    Told,
}

/// Compares what all embedded migrations would make of this database with what they make of an empty one, before the
/// first of them is applied for good. So it does not matter how far the run is to go, and what else it applies.
pub(crate) fn check(ledger: &mut Ledger<'_>, options: &Options, strange: Strange) -> Result<()> {
    let all = embedded::migrations();
    if !options.migrations.iter().any(|migration| all.contains(migration)) {
        return Ok(());
    }
    let doing = "checking what stood here before";
    let savepoint = Message::bare("savepoint hacs_refinery_check");
    savepoint.send(ledger.transaction()).map_err(Error::during(doing))?;
    let all: Vec<OwnedMigration> = all.into_iter().map(OwnedMigration::from).collect();
    ledger.apply(&all).map_err(|error| stage::failed(error, &all))?;
    let mut message = Message::of_run();
    let at = message.ask(manifest::QUERY);
    let answers = message
        .then("rollback to savepoint hacs_refinery_check")
        .then("release savepoint hacs_refinery_check")
        .send(ledger.transaction())
        .map_err(Error::during(doing))?;
    let found = Manifest::from_rows(answers.rows(at));

    let (warnings, differences): (Vec<_>, Vec<_>) =
        compare(&Manifest::embedded().with_histories_of(&found), &found, &Own::default())
            .different
            .into_iter()
            .partition(|d| d.is_warning() || strange == Strange::Told && d.is_a_stranger());
    for warning in warnings {
        log::warn!("{warning}");
    }
    if differences.is_empty() { Ok(()) } else { Err(Error::Drift(differences)) }
}
