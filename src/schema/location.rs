//! From an offset in a migration back to its file, line and statement.

use super::owned::OwnedMigration;
use super::owner::Owner;
use super::statements;

/// Where in the migrations something went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Location {
    /// File name, such as `V1__hacs_core.sql`.
    pub file: String,
    /// Line of the file, from 1. Unknown, as the statement is, where the server gave no position and the statement
    /// could not be found by running the file again.
    pub line: Option<usize>,
    /// The beginning of the statement.
    pub statement: Option<String>,
}

impl Location {
    fn named(file: &str) -> Self {
        Self { file: file.to_owned(), line: None, statement: None }
    }

    pub(crate) fn file(migration: &OwnedMigration) -> Self {
        Self::named(&migration.file_name())
    }

    /// The statement at a byte offset of the migration's text.
    pub(crate) fn at(migration: &OwnedMigration, offset: usize) -> Self {
        let sql = migration.sql().unwrap_or_default();
        let found = statements::split(sql).into_iter().find(|s| offset < s.end);
        let line = found.map(|s| 1 + sql[..offset.max(s.start)].matches('\n').count());
        Self { file: migration.file_name(), line, statement: found.map(|s| first_words(s.text(sql))) }
    }

    /// The statements that make the history tables.
    pub(crate) fn bootstrap(owners: &[Owner]) -> Self {
        let tables: Vec<String> = owners.iter().map(Owner::table).collect();
        Self::named(&format!("the creation of {}", tables.join(", ")))
    }

    pub(crate) fn unknown() -> Self {
        Self::named("the run")
    }
}

impl std::fmt::Display for Location {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}, line {line}", self.file),
            None => f.write_str(&self.file),
        }
    }
}

/// The beginning of a statement on one line.
fn first_words(statement: &str) -> String {
    const LONGEST: usize = 72;
    let line = statement.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{} …", line[..at].trim_end()),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_statement_is_cut_after_its_first_words() {
        let words = first_words(&format!("create table t (\n    {}", "x int,".repeat(50)));
        assert!(words.starts_with("create table t ( x int,x int,"));
        assert!(words.ends_with(" …"));
        assert!(words.chars().count() < 80);
    }
}
