//! Which migrations run outside a transaction, and what may stand in them.

use std::ops::Range;

use refinery::Migration;

use crate::error::{Error, Result};
use crate::schema::location::Location;
use crate::schema::owned::OwnedMigration;
use crate::schema::statements;

/// The line that begins such a file.
const MARK: &str = "-- hacs-refinery: no transaction";
const MARKS: &str = "-- hacs-refinery:";

/// Whether the comment at the top of a migration says that it runs outside a transaction, each statement on its own.
///
/// The mark is the line `-- hacs-refinery: no transaction` before the first statement.
#[must_use]
pub fn outside_transaction(migration: &Migration) -> bool {
    top(migration).any(|line| line == MARK)
}

/// The lines of the comment at the top.
fn top(migration: &Migration) -> impl Iterator<Item = &str> {
    let lines = migration.sql().unwrap_or_default().lines().map(str::trim);
    lines.take_while(|line| line.is_empty() || line.starts_with("--"))
}

/// Refuses, before anything runs, what could not be run again after a crash in the middle.
pub(in crate::run) fn check(pending: &[OwnedMigration]) -> Result<()> {
    for migration in pending {
        if let Some(unknown) = top(migration).find(|line| line.starts_with(MARKS) && *line != MARK) {
            let why = format!("{unknown:?} is no mark that this tool knows; the only one is {MARK:?}");
            return Err(Error::NotRepeatable { location: Location::file(migration), why });
        }
        if !outside_transaction(migration) {
            continue;
        }
        let sql = migration.sql().unwrap_or_default();
        for statement in statements::split(sql) {
            if let Err(why) = Step::of(statement.text(sql)) {
                let location = Location::at(migration, statement.start);
                return Err(Error::NotRepeatable { location, why: why.to_owned() });
            }
        }
    }
    Ok(())
}

/// What a statement does, as far as its crash has to be cleaned up or its effect taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::run) enum Step {
    /// Makes an index: its name and table, and what follows them, as they are written.
    Create { unique: bool, index: String, table: String, columns: String },
    /// Makes the indexes of a table anew, or one index, named as it is written.
    Reindex { relation: String },
    /// Changes a setting of the session.
    Set { name: String },
    /// Leaves nothing behind when it ends in the middle.
    Other,
}

impl Step {
    /// Reads a statement, or tells why it may not stand outside a transaction.
    pub(in crate::run) fn of(statement: &str) -> std::result::Result<Self, &'static str> {
        let places = words(statement);
        let written: Vec<&str> = places.iter().filter_map(|place| statement.get(place.clone())).collect();
        let lower: Vec<String> = written.iter().map(|word| word.to_lowercase()).collect();
        let lower: Vec<&str> = lower.iter().map(String::as_str).collect();
        let word = |at: usize| written.get(at).copied().unwrap_or_default().to_owned();
        match lower.as_slice() {
            ["create", "unique", "index", "concurrently", "if", "not", "exists", _, "on", rest @ ..]
            | ["create", "index", "concurrently", "if", "not", "exists", _, "on", rest @ ..] => {
                let on = lower.len() - rest.len();
                let table = on + usize::from(rest.first() == Some(&"only"));
                let columns = match (places.get(table), lower.get(table + 1)) {
                    (Some(place), Some(&("(" | "using"))) => statement.get(place.end..).unwrap_or_default().to_owned(),
                    _ => return Err("write the table without blanks and comments, and then its columns"),
                };
                Ok(Self::Create {
                    unique: lower.get(1) == Some(&"unique"),
                    index: word(on - 2),
                    table: word(table),
                    columns,
                })
            }
            ["create", "unique", "index", "concurrently", ..] | ["create", "index", "concurrently", ..] => {
                Err("it would fail the second time: write CREATE INDEX CONCURRENTLY IF NOT EXISTS, and a name")
            }
            ["drop", "index", "concurrently", "if", "exists", ..] => Ok(Self::Other),
            ["drop", "index", "concurrently", ..] => {
                Err("it would fail the second time: write DROP INDEX CONCURRENTLY IF EXISTS")
            }
            ["reindex", rest @ ..] => reindex(&written, rest),
            ["alter", "table", rest @ ..] if validates(rest) => Ok(Self::Other),
            ["alter", "type", _, "add", "value", "if", "not", "exists", ..] => Ok(Self::Other),
            ["vacuum", rest @ ..] if rest.contains(&"full") => Err("VACUUM FULL keeps everybody from the table"),
            ["vacuum" | "analyze" | "analyse", ..] | ["comment", "on", ..] => Ok(Self::Other),
            ["set", "session", name, "to" | "=", ..] if is_setting(name) => Ok(Self::Set { name: word(2) }),
            ["set", name, "to" | "=", ..] if is_setting(name) => Ok(Self::Set { name: word(1) }),
            _ => Err("it belongs into a migration of its own, in a transaction"),
        }
    }
}

/// Not those that change who runs the migration.
fn is_setting(name: &str) -> bool {
    !["role", "session_authorization"].contains(&name)
}

fn reindex(written: &[&str], rest: &[&str]) -> std::result::Result<Step, &'static str> {
    if !rest.contains(&"concurrently") {
        return Err("without CONCURRENTLY it keeps others from the table");
    }
    let relation = rest.iter().rposition(|word| ["index", "table"].contains(word)).and_then(|at| {
        let name = at + 1 + usize::from(rest.get(at + 1) == Some(&"concurrently"));
        written.get(1 + name)
    });
    relation.map(|name| Step::Reindex { relation: (*name).to_owned() }).ok_or("only REINDEX INDEX and REINDEX TABLE")
}

/// Whether ALTER TABLE validates constraints and does nothing else.
fn validates(rest: &[&str]) -> bool {
    let rest = rest.strip_prefix(&["if", "exists"]).unwrap_or(rest);
    let rest = rest.strip_prefix(&["only"]).unwrap_or(rest);
    let mut actions = rest.get(1..).unwrap_or_default().split(|word| *word == ",");
    actions.all(|action| matches!(action, ["validate", "constraint", _]))
}

/// Where the words of a statement stand; parentheses, commas and `=` are words of their own, and quoted names stay
/// whole.
fn words(statement: &str) -> Vec<Range<usize>> {
    let mut words = Vec::new();
    let mut start = 0;
    let mut quoted = false;
    for (at, c) in statement.char_indices() {
        quoted ^= c == '"';
        let own = matches!(c, '(' | ')' | ',' | '=');
        if !quoted && (own || c.is_whitespace()) {
            let end = at + c.len_utf8();
            words.extend([start..at, if own { at..end } else { end..end }]);
            start = end;
        }
    }
    words.push(start..statement.len());
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn migration(sql: &str) -> OwnedMigration {
        Migration::unapplied("V9__mine.sql", sql).unwrap().into()
    }

    #[test]
    fn the_mark_stands_in_the_comment_at_the_top() {
        assert!(outside_transaction(&migration("-- hacs-refinery: no transaction\nvacuum")));
        assert!(outside_transaction(&migration("\n-- An index.\n--\n  -- hacs-refinery: no transaction \n\nvacuum")));
        assert!(!outside_transaction(&migration("select 1;\n-- hacs-refinery: no transaction\n")));
        assert!(!outside_transaction(&migration("-- not -- hacs-refinery: no transaction\n")));
    }

    #[test]
    fn a_mark_with_a_typing_error_is_refused() {
        let error = check(&[migration("-- hacs-refinery: no-transaction\nvacuum")]).unwrap_err();
        assert!(error.to_string().contains("is no mark that this tool knows"), "{error}");
    }

    #[test]
    fn what_can_be_run_again_is_let_in() {
        for (statement, step) in [
            (
                "create unique index concurrently if not exists \"My, Index\" on only a.\"T\"(x)",
                Step::Create {
                    unique: true,
                    index: "\"My, Index\"".into(),
                    table: "a.\"T\"".into(),
                    columns: "(x)".into(),
                },
            ),
            (
                "CREATE INDEX CONCURRENTLY IF NOT EXISTS i\nON a.t USING gin (x) where y = 'a  (b'",
                Step::Create {
                    unique: false,
                    index: "i".into(),
                    table: "a.t".into(),
                    columns: " USING gin (x) where y = 'a  (b'".into(),
                },
            ),
            ("drop index concurrently if exists a.i", Step::Other),
            ("reindex index concurrently a.i", Step::Reindex { relation: "a.i".into() }),
            ("reindex (verbose, concurrently) table a.t", Step::Reindex { relation: "a.t".into() }),
            ("alter table a.t validate constraint c", Step::Other),
            ("alter table if exists only a.t validate constraint c, validate constraint d", Step::Other),
            ("alter type a.e add value if not exists 'x'", Step::Other),
            ("vacuum (analyze) a.t", Step::Other),
            ("analyze a.t", Step::Other),
            ("comment on index a.i is 'x'", Step::Other),
            ("set maintenance_work_mem = '1GB'", Step::Set { name: "maintenance_work_mem".into() }),
            ("set session maintenance_work_mem to '1GB'", Step::Set { name: "maintenance_work_mem".into() }),
        ] {
            assert_eq!(Step::of(statement), Ok(step), "{statement}");
        }
    }

    #[test]
    fn what_would_fail_or_do_harm_the_second_time_is_not() {
        for statement in [
            "create index concurrently i on a.t (x)",
            "create index concurrently on a.t (x)",
            "create index if not exists i on a.t (x)",
            "create index concurrently if not exists i on a . t (x)",
            "create index concurrently if not exists i on a.t",
            "create table if not exists a.t (x int)",
            "drop index concurrently a.i",
            "drop index if exists a.i",
            "reindex table a.t",
            "reindex schema concurrently a",
            "vacuum (full, analyze) a.t",
            "alter table a.t validate constraint c, add column x int",
            "alter table a.t add constraint c check (x > 0) not valid",
            "alter type a.e add value 'x'",
            "insert into a.t values (1)",
            "update a.t set x = x + 1",
            "do $$ begin end $$",
            "begin",
            "set local lock_timeout = 1",
            "set role to x",
            "set transaction read only",
        ] {
            let found = Step::of(statement);
            assert!(found.is_err(), "{statement}: {found:?}");
        }
    }
}
