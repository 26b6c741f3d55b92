//! Functions that rules stand on are not replaced by a later migration.

use hacs_refinery::{Error, Options, migrate, rehearse};
use refinery::Migration;

use crate::database::Database;

const MINE: &str = "create schema mine;
    create function mine.small(n integer) returns boolean language sql immutable as 'select n < 10';
    create function mine.twice(n integer) returns integer language sql immutable return n * 2;
    create function mine.deep(n integer) returns boolean language sql immutable return mine.twice(n) < 10;
    create function mine.free(n integer) returns integer language sql immutable return n;
    create table mine.t (a integer constraint a_small check (mine.small(a)), b integer,
        c integer generated always as (mine.twice(b)) stored, constraint b_deep check (mine.deep(b)));
    create index t_twice on mine.t (mine.twice(a));
    create domain mine.d as integer constraint d_small check (mine.small(value));";

/// The first migration of an owner.
fn first() -> Options {
    Options::default().owner("mine", [Migration::unapplied("V1__mine.sql", MINE).unwrap()])
}

/// The same, and then this one.
fn then(sql: &str) -> Options {
    let files = [("V1__mine.sql", MINE), ("V2__other.sql", "-- nothing\nselect 1"), ("V3__next.sql", sql)];
    Options::default().owner("mine", files.map(|(name, sql)| Migration::unapplied(name, sql).unwrap()))
}

#[test]
fn a_function_under_a_check_a_domain_a_generated_column_or_an_index_is_not_replaced() {
    let database = Database::empty();
    migrate(&mut database.client(), &first()).unwrap();
    let before = database.dump();

    let small = "select 3;\ncreate or replace function mine.small(n integer) returns boolean language sql immutable as 'select n < 5'";
    let error = migrate(&mut database.client(), &then(small)).unwrap_err();
    let text = error.to_string();
    assert!(
        text.starts_with("mine: V3__next.sql, line 2: mine.small(integer) is replaced, although this stands on it:\n"),
        "{text}"
    );
    let Error::Replaced { mut rules, .. } = error else { panic!("{error:?}") };
    rules.sort();
    assert_eq!(rules, ["constraint a_small on table mine.t", "constraint d_small"]);

    // In the depth: a check that calls what calls it, a column and an index.
    let twice = "create or replace function mine.twice(n integer) returns integer language sql immutable return n * 3";
    let Error::Replaced { function, mut rules, .. } = migrate(&mut database.client(), &then(twice)).unwrap_err() else {
        panic!()
    };
    rules.sort();
    assert_eq!(function, "mine.twice(integer)");
    assert_eq!(rules, ["column c of table mine.t", "constraint b_deep on table mine.t", "index mine.t_twice"]);
    assert!(matches!(rehearse(&mut database.client(), &then(twice)), Err(Error::Replaced { .. })));
    assert_eq!(database.dump(), before);

    // One of HACS's own.
    let blank = "create or replace function hacs_core.is_blank(value text) returns boolean language sql immutable
        parallel safe return value = 'x'";
    let error = migrate(&mut database.client(), &then(blank)).unwrap_err().to_string();
    assert!(error.contains("hacs_core.is_blank(text) is replaced") && error.contains("Nothing was changed"), "{error}");
}

#[test]
fn what_no_rule_stands_on_and_what_stays_the_same_may_be_replaced() {
    let database = Database::empty();
    let sql = "create or replace function mine.free(n integer) returns integer language sql immutable return n + 1;
        create or replace function mine.small(n integer) returns boolean language sql immutable as 'select n < 10';
        -- the way of docs/evolving.md: another name, a new rule, and the old one dropped
        create function mine.smaller(n integer) returns boolean language sql immutable as 'select n < 5';
        alter table mine.t add constraint a_smaller check (mine.smaller(a)) not valid;
        alter table mine.t validate constraint a_smaller;
        alter table mine.t drop constraint a_small;
        alter domain mine.d add constraint d_smaller check (mine.smaller(value));
        alter domain mine.d drop constraint d_small;
        drop function mine.small(integer)";
    migrate(&mut database.client(), &first()).unwrap();
    assert_eq!(migrate(&mut database.client(), &then(sql)).unwrap().applied.len(), 2);
    assert_eq!(database.text("select count(*) from pg_constraint where conname in ('a_smaller', 'd_smaller')"), "2");
}
