//! The run: everything that is pending, in one transaction.

pub mod adopt;
pub(crate) mod baseline;
pub(crate) mod before;
pub mod distribute;
pub(crate) mod lock;
pub(crate) mod no_transaction;
pub(crate) mod options;
pub(crate) mod patience;
pub(crate) mod pending;
pub(crate) mod psql;
pub(crate) mod rehearsal;
pub(crate) mod report;
mod stage;
pub(crate) mod tables;

use crate::error::Result;
use crate::server::{Connection, Limit, Message};
use options::Options;
use patience::Patience;
use pending::Plan;
use report::{Applied, Report};

/// Brings a database to the newest version, or to [`Options::target`].
///
/// Everything happens in one transaction: it takes a lock that admits one run at a time, makes the history table,
/// applies what is pending, records it, and commits. Whatever ends the run before that leaves the database as it was.
/// With nothing to do, it only reads.
///
/// A migration for which [`outside_transaction`](crate::outside_transaction) holds parts the run: what stands before
/// it is committed first, its statements commit one by one, and the rest follows in another transaction.
///
/// The client must not be inside a transaction.
///
/// # Errors
///
/// Of [`Error`](crate::Error): `Locked`, `Blocked`, `Stopped`, `Legacy`, `Untrusted`, `History`, `Newer`, `Migration`,
/// `NoSuchTarget`, and `Database` for everything else that the server may say. Nothing was changed then, except that
/// `CommitUnknown` cannot tell. A run that goes in parts has `NotRepeatable`, `NameTaken` and `Pooled` besides, and
/// `Partly` tells what it has done.
pub fn migrate(client: &mut impl Connection, options: &Options) -> Result<Report> {
    pending::check(options)?;
    client.limit(Limit::Statement(options.statement_timeout));
    patience::retry(client, options, |client, patience| attempt(client, options, patience))
}

/// The whole run, once.
fn attempt(client: &mut dyn Connection, options: &Options, patience: &Patience) -> Result<Report> {
    let (found, quarters_due) = pending::read_histories(client, options, patience)?;
    let plan = pending::plan(&found, options)?;
    if plan.is_empty() {
        if quarters_due {
            make_quarters(client, &plan);
        }
        return Ok(Report::of(&plan));
    }
    no_transaction::check(&plan.pending)?;
    if no_transaction::any(&plan.pending) {
        return no_transaction::run(client, options, patience);
    }
    apply(client, options, patience, usize::MAX)
}

/// Under the lock: what is pending now, since another run may have finished while this one waited. No more than that
/// many migrations.
fn apply(client: &mut dyn Connection, options: &Options, patience: &Patience, most: usize) -> Result<Report> {
    let mut ledger = stage::begin(client, options, patience)?;
    let opened = stage::open(&mut ledger, options)?;
    let mut plan = pending::plan(&opened.histories, options)?;
    plan.pending.truncate(most);
    let mut report = Report::of(&plan);
    if plan.is_empty() {
        return Ok(report);
    }
    if opened.stood_before {
        before::check(&mut ledger, options, before::Strange::Refused)?;
    }
    stage::give_back(&mut ledger, &plan.moved)?;
    ledger.apply(&plan.pending).map_err(|error| stage::failed(error, &plan.pending))?;
    report.locks = opened.tables.locks(ledger.locks());
    options.check_stop()?;
    let applied = Applied::all(&plan.pending, ledger.seconds());
    stage::commit(ledger, options)?;
    report.add(applied);
    Ok(report)
}

/// Makes the quarters of the audit trail that are not there yet. Without them nothing is lost: their rows go to the
/// default partition. So a role that may not make them, a standby, or somebody who holds the trail is no reason to
/// fail; and nobody waits long behind this, because it does not wait.
fn make_quarters(client: &mut dyn Connection, plan: &Plan) {
    const SINCE: i64 = 7;
    if plan.version < Some(SINCE) {
        return;
    }
    let mut message = Message::new().then("set local lock_timeout = '100ms'");
    let made = message.ask("select hacs_audit.ensure_partitions()");
    match message.send(client) {
        Ok(answers) if answers.value(made) == Some("-1") => log::warn!(
            "quarters of the audit trail are due and were not made; nothing is lost, and the next run tries again; \
             select hacs_audit.ensure_partitions() tells why"
        ),
        Ok(_) => {}
        Err(failure) => log::warn!("the partitions of the audit trail could not be checked: {failure}"),
    }
}
