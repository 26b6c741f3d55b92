//! A database that other means have made of exactly these files: compared, then recorded.

use std::time::Duration;

use super::options::Options;
use super::patience::{self, Patience};
use super::report::{Applied, Report};
use super::{pending, stage};
use crate::error::{Error, Result};
use crate::schema::difference::{Difference, Own, compare};
use crate::schema::manifest::{self, Manifest};
use crate::schema::owned::OwnedMigration;
use crate::server::{Connection, Limit, Message};

/// Records all of HACS's migrations as applied, without running one, where the database is what they make: one that
/// psql or another tool has made of the same files. Owners are left alone. [`Options::target`] is not looked at.
///
/// The client must not be inside a transaction.
///
/// # Errors
///
/// [`Error::Unlike`] with the differences, [`Error::Recorded`] where the history has rows already and some are missing,
/// and those of [`migrate`](crate::migrate()). Nothing was changed then.
pub fn baseline(client: &mut impl Connection, options: &Options) -> Result<Report> {
    pending::check(options)?;
    client.limit(Limit::Statement(options.statement_timeout));
    patience::retry(client, options, |client, patience| attempt(client, options, patience))
}

fn attempt(client: &mut dyn Connection, options: &Options, patience: &Patience) -> Result<Report> {
    let mut options = options.clone();
    options.target = None;
    let mut ledger = stage::begin(client, &options, patience)?;
    let opened = stage::open(&mut ledger, &options)?;
    let plan = pending::plan(&opened.histories, &options)?;
    let mut report = Report::of(&plan);
    let of_hacs: Vec<OwnedMigration> = plan.pending.into_iter().filter(|m| m.owner().is_none()).collect();
    match plan.version {
        _ if of_hacs.is_empty() => return Ok(report),
        Some(version) => return Err(Error::Recorded(version)),
        None => {}
    }
    let mut message = Message::of_run();
    let at = message.ask(manifest::QUERY);
    let answers = message.send(ledger.transaction()).map_err(Error::during("reading the catalogue"))?;
    let found = Manifest::from_rows(answers.rows(at));
    let expected = Manifest::embedded().with_histories_of(&found);
    let (warnings, differences): (Vec<_>, Vec<_>) =
        compare(&expected, &found, &Own::default()).different.into_iter().partition(Difference::is_warning);
    if !differences.is_empty() {
        return Err(Error::Unlike(differences));
    }
    for warning in warnings {
        log::warn!("{warning}");
    }
    for migration in &of_hacs {
        let alone = std::slice::from_ref(migration);
        ledger.record(migration).map_err(|error| stage::failed(error, alone))?;
    }
    options.check_stop()?;
    stage::commit(ledger, &options)?;
    report.add(of_hacs.iter().map(|migration| Applied::new(migration, Duration::ZERO)).collect());
    Ok(report)
}
