//! A history, and what it means for the migrations at hand.

use std::borrow::Cow;
use std::collections::BTreeMap;

use refinery::Migration;

use super::{HistoryError, Record};
use crate::schema::owned::OwnedMigration;
use crate::schema::owner::Owner;

/// An owner, and all of its migrations at hand.
pub(crate) type Line<'a> = (Owner, Cow<'a, [Migration]>);

/// What a run would do.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plan {
    /// Migrations to apply, oldest first.
    pub pending: Vec<OwnedMigration>,
    /// Versions in the database beyond all that this binary has.
    pub newer: Vec<Record>,
}

/// Compares the history of an owner with the migrations at hand. All that is wrong is named, not the first alone.
pub(crate) fn compare(owner: &Owner, history: &[Record], at_hand: &[Migration]) -> Result<Plan, Vec<HistoryError>> {
    let applied: BTreeMap<i64, &Record> = history.iter().map(|record| (record.version, record)).collect();
    let newest_known = at_hand.iter().map(Migration::version).max().unwrap_or(0);
    let newest_applied = applied.keys().next_back().copied().unwrap_or(0);
    let mut plan = Plan::default();
    let mut errors = Vec::new();

    let mut seen = BTreeMap::new();
    for migration in at_hand {
        let (version, checksum) = (migration.version(), owner.checksum(migration));
        if let Some(one) = seen.insert(version, migration.name()) {
            let (one, other) = (one.to_owned(), migration.name().to_owned());
            errors.push(HistoryError::Repeated { version, one, other });
        }
        match applied.get(&version) {
            Some(record) if record.checksum == checksum && record.name == migration.name() => {}
            Some(record) => errors.push(HistoryError::Diverged {
                version,
                applied: record.name.clone(),
                applied_checksum: record.checksum,
                embedded: migration.name().to_owned(),
                embedded_checksum: checksum,
            }),
            None if version < newest_applied => {
                errors.push(HistoryError::Missing { version, name: migration.name().to_owned(), later: newest_applied })
            }
            None => plan.pending.push(OwnedMigration::new(owner, migration)),
        }
    }
    for record in applied.values() {
        if record.version > newest_known {
            plan.newer.push((*record).clone());
        } else if at_hand.iter().all(|migration| migration.version() != record.version) {
            errors.push(HistoryError::Unknown { version: record.version, name: record.name.clone() });
        }
    }
    plan.pending.sort_by_key(|migration| migration.version());
    if errors.is_empty() { Ok(plan) } else { Err(errors.into_iter().map(|error| error.of(owner)).collect()) }
}

/// Before there were owners, their migrations stood in HACS's line. What is not HACS's there, and has number, name and
/// text of an owner's migration, is taken for the owner's.
pub(crate) fn sort_out(found: &mut [Vec<Record>], lines: &[Line<'_>]) -> Vec<OwnedMigration> {
    let mut moved = Vec::new();
    let (Some((hacs, theirs)), Some(((_, known), lines))) = (found.split_first_mut(), lines.split_first()) else {
        return moved;
    };
    let is = |record: &Record, m: &Migration| {
        (record.version, record.name.as_str(), record.checksum) == (m.version(), m.name(), Owner::HACS.checksum(m))
    };
    hacs.retain(|record| {
        if known.iter().any(|migration| is(record, migration)) {
            return true;
        }
        let whose = lines.iter().zip(theirs.iter_mut()).find_map(|((owner, migrations), history)| {
            Some((owner, migrations.iter().find(|migration| is(record, migration))?, history))
        });
        let Some((owner, migration, history)) = whose else { return true };
        let migration = OwnedMigration::new(owner, migration);
        history.push(Record { checksum: migration.checksum(), ..record.clone() });
        moved.push(migration);
        false
    });
    moved
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::OffsetDateTime;

    fn embedded() -> Vec<Migration> {
        ["V1__one", "V2__two", "V3__three"].map(|name| Migration::unapplied(name, "select 1").unwrap()).to_vec()
    }

    fn applied(migrations: &[Migration]) -> Vec<Record> {
        migrations
            .iter()
            .map(|m| Record {
                version: m.version(),
                name: m.name().to_owned(),
                applied_on: OffsetDateTime::UNIX_EPOCH,
                checksum: Owner::HACS.checksum(m),
            })
            .collect()
    }

    #[test]
    fn what_is_not_applied_is_pending() {
        let migrations = embedded();
        let plan = compare(&Owner::HACS, &applied(&migrations[..1]), &migrations).unwrap();
        assert_eq!(plan.pending.iter().map(|m| m.version()).collect::<Vec<_>>(), [2, 3]);
        assert!(plan.newer.is_empty());
    }

    #[test]
    fn a_newer_database_is_no_error_of_its_own() {
        let migrations = embedded();
        let plan = compare(&Owner::HACS, &applied(&migrations), &migrations[..2]).unwrap();
        assert!(plan.pending.is_empty());
        assert_eq!(plan.newer[0].version, 3);
    }

    #[test]
    fn everything_that_is_wrong_is_named() {
        let migrations = embedded();
        let mut history = applied(&migrations);
        history[2].checksum += 1;
        history.remove(0);
        history.push(Record { version: 0, name: "zero".into(), ..history[0].clone() });
        let errors = compare(&Owner::HACS, &history, &migrations).unwrap_err();
        assert!(matches!(errors[0], HistoryError::Missing { version: 1, later: 3, .. }));
        assert!(matches!(errors[1], HistoryError::Diverged { version: 3, .. }));
        assert!(matches!(errors[2], HistoryError::Unknown { version: 0, .. }));
    }
}
