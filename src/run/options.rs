//! How a run is to go.

use std::borrow::Cow;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use refinery::Migration;

use crate::error::standing::Standing;
use crate::error::{Error, Result};
use crate::history::Line;
use crate::schema::embedded;
use crate::schema::manifest::Manifest;
use crate::schema::owner::Owner;

/// How long to wait for another run to finish, unless told otherwise.
pub const DEFAULT_LOCK_TIMEOUT: Duration = Duration::from_secs(600);

/// Settings of [`migrate`](crate::migrate).
///
/// ```
/// let mut options = hacs_refinery::Options::default();
/// options.target = Some(4);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// Stop after this version of HACS; `None` applies everything. Owners come after HACS's newest version: a run that
    /// stops before it leaves them alone.
    pub target: Option<i64>,
    /// Take a database with migrations beyond those at hand as a success that does nothing.
    pub allow_newer: bool,
    /// How long to wait for another run to finish, and for sessions that hold tables which are to be changed. In a
    /// migration outside a transaction, each statement may wait that long.
    pub lock_timeout: Duration,
    /// How long one statement may take; zero sets no limit.
    pub statement_timeout: Duration,
    /// Set by another thread, this ends the run before its next step, with nothing changed. A statement that is
    /// running ends when it is cancelled: see [`Canceller`](crate::Canceller).
    pub stop: Arc<AtomicBool>,
    /// Tells other threads how far the run is.
    pub standing: Standing,
    /// The migrations to run instead of the embedded ones, in HACS's own line of numbers. For migrations of your own
    /// there is [`Options::owner`].
    pub migrations: Migrations,
    /// What [`Options::manifest`] has added.
    pub(crate) manifests: Vec<(String, Manifest)>,
    /// What [`Options::owner`] has added.
    owners: Vec<(String, Vec<Migration>)>,
}

/// The migrations of a run: a `Vec` of the embedded ones, made when somebody asks for it. A run that finds nothing to
/// do never asks.
#[derive(Clone, Debug, Default)]
pub struct Migrations {
    changed: Option<Vec<Migration>>,
    embedded: OnceLock<Vec<Migration>>,
}

impl Migrations {
    /// Version, name and checksum of each, with or without its SQL.
    pub(crate) fn known(&self) -> Cow<'_, [Migration]> {
        let made = self.changed.as_ref().or(self.embedded.get());
        made.map_or_else(|| Cow::Owned(embedded::known()), |migrations| Cow::Borrowed(migrations.as_slice()))
    }
}

impl Deref for Migrations {
    type Target = Vec<Migration>;

    fn deref(&self) -> &Vec<Migration> {
        self.changed.as_ref().unwrap_or_else(|| self.embedded.get_or_init(embedded::migrations))
    }
}

impl DerefMut for Migrations {
    fn deref_mut(&mut self) -> &mut Vec<Migration> {
        let made = self.embedded.take();
        self.changed.get_or_insert_with(|| made.unwrap_or_else(embedded::migrations))
    }
}

impl From<Vec<Migration>> for Migrations {
    fn from(migrations: Vec<Migration>) -> Self {
        Self { changed: Some(migrations), embedded: OnceLock::new() }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            target: None,
            allow_newer: false,
            lock_timeout: DEFAULT_LOCK_TIMEOUT,
            statement_timeout: Duration::ZERO,
            stop: Arc::default(),
            standing: Standing::default(),
            migrations: Migrations::default(),
            manifests: Vec::new(),
            owners: Vec::new(),
        }
    }
}

impl Options {
    /// Adds the migrations of a service, which run after HACS's and after those of the owners that were added before.
    /// They have a history table of their own, `hacs_admin.<name>_migrations`, and with it numbers of their own, which
    /// may be times: `V20261125093000__wards.sql`. All of it is one run, in one transaction, under one lock.
    ///
    /// A name is a small letter, then up to 39 of `a-z`, `0-9` and `_`; `hacs` is taken. Others are refused by the run.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use refinery::Migration;
    ///
    /// let wards = Migration::unapplied("V20261125093000__wards.sql", "create schema wards")?;
    /// let options = hacs_refinery::Options::default().owner("wards", [wards]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// A database in which they stand in HACS's own history, from a time when there was no other, is changed by the
    /// next run: what has the same number, name and text there becomes the owner's.
    #[must_use]
    pub fn owner(mut self, name: impl Into<String>, migrations: impl IntoIterator<Item = Migration>) -> Self {
        self.owners.push((name.into(), migrations.into_iter().collect()));
        self
    }

    /// What the migrations of an owner make, for [`Options::verify`]: made by
    /// [`Manifest::of`] in a database that they have just made, and kept with them as text.
    #[must_use]
    pub fn manifest(mut self, owner: impl Into<String>, manifest: Manifest) -> Self {
        self.manifests.push((owner.into(), manifest));
        self
    }

    /// HACS and the owners, in the order in which they run.
    pub(crate) fn lines(&self) -> Result<Vec<Line<'_>>> {
        let mut lines = vec![(Owner::HACS, self.migrations.known())];
        for (name, migrations) in &self.owners {
            let owner = Owner::named(name).filter(|owner| lines.iter().all(|(other, _)| other != owner));
            lines.push((owner.ok_or_else(|| Error::Owner(name.clone()))?, Cow::Borrowed(migrations)));
        }
        Ok(lines)
    }

    /// The statement that sets the time for each statement of a transaction.
    pub(super) fn statement_setting(&self) -> String {
        format!("set local statement_timeout = {}", millis(self.statement_timeout))
    }

    pub(crate) fn check_stop(&self) -> Result<()> {
        if self.stop.load(Ordering::Relaxed) { Err(Error::Stopped) } else { Ok(()) }
    }
}

/// Whole milliseconds as PostgreSQL takes them, rounded up: zero would mean to wait without end.
pub(super) fn millis(duration: Duration) -> u128 {
    duration.as_nanos().div_ceil(1_000_000).min(i32::MAX.unsigned_abs().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_timeout_is_one_that_postgresql_takes() {
        assert_eq!(millis(Duration::ZERO), 0);
        assert_eq!(millis(Duration::from_micros(500)), 1);
        assert_eq!(millis(Duration::from_millis(1500)), 1500);
        assert_eq!(millis(Duration::from_secs(30 * 24 * 60 * 60)), 2_147_483_647);
    }
}
