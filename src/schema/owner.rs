//! Whose migrations: HACS's own, or those of a service that links the runner and brings some of its own.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use refinery::Migration;
use siphasher::sip::SipHasher13;

use super::embedded::HISTORY_TABLE;

/// Whoever has a line of numbers, and a history table of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Owner(Option<Arc<str>>);

impl Owner {
    /// HACS itself.
    pub(crate) const HACS: Self = Self(None);

    /// What a name has to be: it becomes part of the name of a table.
    pub(crate) const RULE: &'static str = "a name is a small letter, then up to 39 of a-z, 0-9 and _; hacs is taken";

    /// A service, unless its name breaks [`Self::RULE`].
    pub(crate) fn named(name: &str) -> Option<Self> {
        let fits = name.len() <= 40
            && name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        (fits && name != "hacs").then(|| Self(Some(name.into())))
    }

    /// Whose history a table would be, by its name alone.
    pub(crate) fn of_table(table: &str) -> Option<Self> {
        Self::named(table.strip_prefix("hacs_admin.")?.strip_suffix("_migrations")?)
    }

    /// `None` for HACS.
    pub(crate) fn name(&self) -> Option<&str> {
        self.0.as_deref()
    }

    /// The same for a report.
    pub(crate) fn to_name(&self) -> Option<String> {
        self.name().map(str::to_owned)
    }

    /// Its history table.
    pub(crate) fn table(&self) -> String {
        self.name().map_or_else(|| HISTORY_TABLE.to_owned(), |name| format!("hacs_admin.{name}_migrations"))
    }

    /// The checksum that its history has for a migration: refinery's. HACS's numbers have four bytes in it, as where
    /// refinery was built without `int8-versions`; those of others have eight.
    pub(crate) fn checksum(&self, migration: &Migration) -> u64 {
        match (self.name(), migration.sql(), i32::try_from(migration.version())) {
            (None, Some(sql), Ok(version)) => {
                let mut hasher = SipHasher13::new();
                migration.name().hash(&mut hasher);
                version.hash(&mut hasher);
                sql.hash(&mut hasher);
                hasher.finish()
            }
            _ => migration.checksum(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_that_a_table_can_have() {
        for name in ["wards", "w", "ward_2", &"a".repeat(40)] {
            let owner = Owner::named(name).unwrap();
            assert_eq!(Owner::of_table(&owner.table()), Some(owner));
        }
        for name in ["", "hacs", "Wards", "2wards", "wards-2", "w;drop", "wärds", "_w", &"a".repeat(41)] {
            assert_eq!(Owner::named(name), None, "{name}");
        }
        assert_eq!(Owner::HACS.table(), "hacs_admin.migrations");
        assert_eq!(Owner::of_table("hacs_admin.migrations"), None);
    }

    #[test]
    fn the_checksum_of_hacs_is_that_of_a_stock_refinery_and_that_of_others_the_one_of_this_refinery() {
        // refinery 0.10 without int8-versions: Migration::unapplied("V1__one", "select 1").checksum()
        const STOCK: u64 = 11_968_483_302_837_704_344;
        let migration = Migration::unapplied("V1__one", "select 1").unwrap();
        assert_eq!(Owner::HACS.checksum(&migration), STOCK);
        assert_eq!(Owner::named("wards").unwrap().checksum(&migration), migration.checksum());
        assert_ne!(migration.checksum(), STOCK);
    }
}
