//! How many migrations are embedded: all that a new one changes in these tests.

/// Their number, and since the numbers have no gap, the version of the newest one.
pub const EMBEDDED: usize = 11;
pub const NEWEST: i64 = 11;

#[test]
fn the_newest_embedded_migration_is_known_to_the_tests() {
    let embedded: Vec<i64> = hacs_refinery::migrations().iter().map(refinery::Migration::version).collect();
    assert_eq!(embedded, (1..=NEWEST).collect::<Vec<_>>());
    assert_eq!(embedded.len(), EMBEDDED);
}
