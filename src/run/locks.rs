//! Which tables a migration locks, told from its text, before it runs.

use std::collections::BTreeMap;
use std::fmt;

use refinery::Migration;

use crate::error::{Error, Result};
use crate::schema::statements;
use crate::server::Session;
use crate::server::answer::rows;

/// PostgreSQL's table locks that stop somebody, from the weakest to the strongest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Mode {
    RowExclusive,
    ShareUpdateExclusive,
    Share,
    ShareRowExclusive,
    Exclusive,
    AccessExclusive,
}

impl Mode {
    const ALL: [Self; 6] = [
        Self::RowExclusive,
        Self::ShareUpdateExclusive,
        Self::Share,
        Self::ShareRowExclusive,
        Self::Exclusive,
        Self::AccessExclusive,
    ];

    /// What other sessions have to do without until the run ends, and how loud to say so.
    fn consequence(self) -> (log::Level, &'static str) {
        match self {
            Self::RowExclusive | Self::ShareUpdateExclusive => (log::Level::Info, "others read and write it as before"),
            Self::AccessExclusive => (log::Level::Warn, "nobody else can read or write it"),
            _ => (log::Level::Warn, "others can read it, not write it"),
        }
    }
}

impl fmt::Display for Mode {
    /// As the SQL command LOCK has it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RowExclusive => "row exclusive",
            Self::ShareUpdateExclusive => "share update exclusive",
            Self::Share => "share",
            Self::ShareRowExclusive => "share row exclusive",
            Self::Exclusive => "exclusive",
            Self::AccessExclusive => "access exclusive",
        })
    }
}

/// The strongest lock on each table that a script names.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Expected {
    pub tables: BTreeMap<String, Mode>,
    /// Whether it has a statement that may lock what its text does not tell.
    pub opaque: bool,
}

/// Logs which tables that exist the migrations will lock, and how.
pub(crate) fn announce(client: &mut dyn Session, pending: &[Migration]) -> Result<()> {
    let expected: Vec<Expected> = pending.iter().map(|migration| of(migration.sql().unwrap_or_default())).collect();
    let mut names: Vec<&String> = expected.iter().flat_map(|expected| expected.tables.keys()).collect();
    names.sort();
    names.dedup();
    let existing = if names.is_empty() { BTreeMap::new() } else { existing(client, &names)? };
    for (migration, expected) in pending.iter().zip(&expected) {
        for (name, mode) in &expected.tables {
            if let Some((table, size)) = existing.get(name) {
                let (level, consequence) = mode.consequence();
                log::log!(
                    level,
                    "V{} locks {table} ({size}) in mode {mode}: {consequence} meanwhile",
                    migration.version()
                );
            }
        }
        if expected.opaque {
            log::warn!("V{} has a block of code: migrate --dry-run tells what that locks", migration.version());
        }
    }
    Ok(())
}

/// For each name that exists, the table behind it, and its size. An index leads to its table.
fn existing(client: &mut dyn Session, names: &[&String]) -> Result<BTreeMap<String, (String, String)>> {
    let values: Vec<String> = names.iter().map(|name| format!("('{}')", name.replace('\'', "''"))).collect();
    let query = format!(
        "select name, relation::regclass as relation, pg_size_pretty(pg_total_relation_size(relation)) as size
         from (values {}) as n (name)
         cross join lateral coalesce(
             (select indrelid from pg_index where indexrelid = to_regclass(name)), to_regclass(name)
         ) as r (relation)
         where relation is not null",
        values.join(", ")
    );
    let messages = client.simple_query(&query).map_err(Error::during("asking which tables exist"))?;
    let text = |row: &postgres::SimpleQueryRow, column| row.get(column).unwrap_or_default().to_owned();
    Ok(rows(&messages).map(|row| (text(row, "name"), (text(row, "relation"), text(row, "size")))).collect())
}

/// The locks of a script that names its tables with their schemas.
pub(crate) fn of(script: &str) -> Expected {
    let mut expected = Expected::default();
    for statement in statements::split(script) {
        let mut lock = |name: &str, mode| {
            let name = name.trim_matches(|c| "(),;".contains(c)).to_owned();
            let held = expected.tables.entry(name).or_insert(mode);
            *held = mode.max(*held);
        };
        let text = statement.text(script);
        let spaced = text.replace('(', " ( ").replace(')', " ) ").replace(',', " , ").to_lowercase();
        let words: Vec<&str> = spaced.split_whitespace().collect();
        if ["do", "call", "select", "with"].contains(&words[0]) {
            expected.opaque |= words[0] != "select";
            continue;
        }
        for (name, mode) in locks(&words) {
            lock(name, mode);
        }
    }
    expected
}

fn locks<'a>(words: &[&'a str]) -> Vec<(&'a str, Mode)> {
    let after = |word: &str| words.iter().position(|w| *w == word).and_then(|at| first_name(&words[at + 1..]));
    let one = |name: Option<&'a str>, mode| name.map(|name| (name, mode)).into_iter().collect();
    if let Some(tables) = weak(words) {
        return tables.into_iter().map(|name| (name, Mode::ShareUpdateExclusive)).collect();
    }
    let references =
        words.windows(2).filter(|pair| pair[0] == "references").map(|pair| (pair[1], Mode::ShareRowExclusive));
    let create: Vec<&str> =
        words.iter().skip(1).filter(|w| !["or", "replace", "unique", "constraint"].contains(w)).copied().collect();
    match (words[0], create.first().copied().unwrap_or_default()) {
        ("alter", "table") => {
            let rest = &words[2..];
            let table: Vec<_> = one(first_name(rest), altered(rest));
            table.into_iter().chain(references).collect()
        }
        ("create", "table") => {
            let parent = words.windows(3).find(|three| three[..2] == ["partition", "of"]);
            references.chain(parent.map(|three| (three[2], Mode::AccessExclusive))).collect()
        }
        ("create", "index") => one(after("on"), Mode::Share),
        ("create", "trigger") => one(after("on"), Mode::ShareRowExclusive),
        ("create", "policy") | ("drop", "policy" | "trigger" | "rule") => one(after("on"), Mode::AccessExclusive),
        ("create", "rule") => one(after("to"), Mode::AccessExclusive),
        ("create", "statistics") => one(after("from"), Mode::ShareUpdateExclusive),
        ("drop", "table" | "index" | "view" | "materialized") => {
            let names = words[2..].iter().filter(|word| word.contains('.'));
            names.map(|name| (*name, Mode::AccessExclusive)).collect()
        }
        ("comment", _) if words.get(2) == Some(&"table") => one(words.get(3).copied(), Mode::ShareUpdateExclusive),
        ("comment", _) if words.get(2) == Some(&"column") => one(
            words.get(3).and_then(|column| column.rsplit_once('.')).map(|(table, _)| table),
            Mode::ShareUpdateExclusive,
        ),
        ("insert" | "update" | "delete" | "copy" | "merge", _) => one(first_name(&words[1..]), Mode::RowExclusive),
        ("truncate", _) => {
            let names = words[1..].iter().filter(|word| word.contains('.'));
            names.map(|name| (*name, Mode::AccessExclusive)).collect()
        }
        ("lock", _) => {
            let text = words.join(" ");
            let named = Mode::ALL.into_iter().find(|mode| text.contains(&format!(" in {mode} mode")));
            one(first_name(&words[1..]), named.unwrap_or(Mode::AccessExclusive))
        }
        _ => Vec::new(),
    }
}

/// The tables or indexes of a statement that lets others read and write them.
fn weak<'a>(words: &[&'a str]) -> Option<Vec<&'a str>> {
    let concurrent = words.contains(&"concurrently");
    let named = words.iter().filter(|word| word.contains('.')).copied();
    match words[0] {
        "create" if concurrent => {
            let on = words.iter().position(|word| *word == "on")?;
            Some(first_name(&words[on..]).into_iter().collect())
        }
        "drop" | "reindex" if concurrent => Some(named.collect()),
        "analyze" | "analyse" => Some(named.collect()),
        "vacuum" if !words.contains(&"full") => Some(named.collect()),
        _ => None,
    }
}

/// The first word that is a name with its schema, after words such as IF EXISTS and ONLY.
fn first_name<'a>(words: &[&'a str]) -> Option<&'a str> {
    words.iter().find(|word| word.contains('.')).copied()
}

/// The lock of ALTER TABLE: the strongest that one of its actions needs.
fn altered(words: &[&str]) -> Mode {
    let name = words.iter().position(|word| word.contains('.')).unwrap_or(0);
    let mut depth = 0_usize;
    let actions = words[name + 1..].split(|word| {
        match *word {
            "(" => depth += 1,
            ")" => depth = depth.saturating_sub(1),
            _ => {}
        }
        *word == "," && depth == 0
    });
    let mode = |action: &[&str]| match action {
        ["validate", ..] | ["cluster", ..] | ["alter", _, "set", "statistics", ..] => Mode::ShareUpdateExclusive,
        ["alter", "column", _, "set", "statistics", ..] => Mode::ShareUpdateExclusive,
        ["attach", "partition", ..] => Mode::ShareUpdateExclusive,
        ["enable" | "disable", what, ..] if *what != "row" && *what != "rule" => Mode::ShareRowExclusive,
        ["enable", "always" | "replica", "trigger", ..] => Mode::ShareRowExclusive,
        ["add", "constraint", _, "foreign", ..] | ["add", "foreign", ..] => Mode::ShareRowExclusive,
        _ => Mode::AccessExclusive,
    };
    actions.map(mode).max().unwrap_or(Mode::AccessExclusive)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_actions_need_the_strongest_lock_of_them() {
        let weak = of("alter table a.t validate constraint c");
        assert_eq!(weak.tables["a.t"], Mode::ShareUpdateExclusive);
        let both = of("alter table only a.t validate constraint c, add column x numeric(3, 1)");
        assert_eq!(both.tables["a.t"], Mode::AccessExclusive);
    }

    #[test]
    fn what_runs_beside_others_locks_nobody_out() {
        for statement in [
            "create unique index concurrently if not exists i on a.t (x)",
            "drop index concurrently if exists a.t",
            "reindex table concurrently a.t",
            "vacuum (analyze) a.t",
            "analyze a.t",
            "alter table a.t validate constraint c",
        ] {
            let told = of(statement).tables;
            assert_eq!(told, BTreeMap::from([("a.t".to_owned(), Mode::ShareUpdateExclusive)]), "{statement}");
        }
    }

    #[test]
    fn a_block_of_code_is_opaque() {
        assert!(of("do $$ begin end $$").opaque);
        assert!(!of("select 1; comment on schema a is 'x'").opaque);
    }
}
