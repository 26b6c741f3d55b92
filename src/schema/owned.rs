//! A migration with its owner.

use std::fmt;
use std::ops::Deref;

use refinery::Migration;

use super::owner::Owner;

/// A migration, and whose it is.
#[derive(Clone, Debug)]
pub struct OwnedMigration {
    owner: Owner,
    migration: Migration,
}

impl OwnedMigration {
    pub(crate) fn new(owner: &Owner, migration: &Migration) -> Self {
        Self { owner: owner.clone(), migration: migration.clone() }
    }

    pub(crate) fn of(&self) -> &Owner {
        &self.owner
    }

    /// The name with which [`Options::owner`](crate::Options::owner) brought it; `None` for HACS's own.
    #[must_use]
    pub fn owner(&self) -> Option<&str> {
        self.owner.name()
    }

    /// The checksum that the history table has for it.
    #[must_use]
    pub fn checksum(&self) -> u64 {
        self.owner.checksum(&self.migration)
    }

    /// Its file, such as `V1__hacs_core.sql`, and `wards: V1__wards.sql` for an owner's.
    pub(crate) fn file_name(&self) -> String {
        format!("{self}.sql")
    }
}

impl From<Migration> for OwnedMigration {
    /// HACS's own.
    fn from(migration: Migration) -> Self {
        Self { owner: Owner::HACS, migration }
    }
}

impl Deref for OwnedMigration {
    type Target = Migration;

    fn deref(&self) -> &Migration {
        &self.migration
    }
}

impl fmt::Display for OwnedMigration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(owner) = self.owner() {
            write!(f, "{owner}: ")?;
        }
        self.migration.fmt(f)
    }
}
