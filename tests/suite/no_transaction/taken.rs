//! Migrations outside a transaction whose index cannot have its name, since something else has it.

use hacs_refinery::{Error, migrate};

use crate::database::Database;
use crate::newest::EMBEDDED;
use crate::stages::{MARK, versions, with};

/// A migrated database with a table of all kinds of columns, and what else the statements below need.
fn workshop() -> Database {
    let database = Database::migrated();
    database
        .client()
        .batch_execute(
            r#"
            create schema "My Schema";
            create collation "My Schema"."c" (provider = libc, locale = 'C');
            create function "My Schema".f(text) returns text immutable return $1 || '-';
            create operator class "My Schema".backwards for type int4 using btree as
                operator 1 >, operator 2 >=, operator 3 =, operator 4 <=, operator 5 <, function 1 btint4cmp(int4, int4);
            create table "My Schema"."T" (
                gone int,
                id int primary key,
                "Name" text collate "C" not null default 'x',
                half int generated always as (id / 2) stored,
                tags text[], body jsonb, box box, span int4range, ip inet, at timestamptz
            );
            alter table "My Schema"."T" drop column gone;
            create materialized view "My Schema".view as select id, "Name" from "My Schema"."T";
            create table "My Schema".months (at date, x int) partition by range (at);
            create table "My Schema".january partition of "My Schema".months for values from ('2026-01-01') to ('2026-02-01');
            "#,
        )
        .unwrap();
    database
}

/// What may follow the name of an index: on a table, its columns, and more.
const INDEXES: [&str; 22] = [
    r#""My Schema"."T" ("Name")"#,
    r#"only "My Schema"."T"("Name" desc nulls last, id)"#,
    r#""My Schema"."T" ("Name" collate "My Schema"."c" text_pattern_ops)"#,
    r#""My Schema"."T" ("Name" collate "C")"#,
    r#""My Schema"."T" (half)"#,
    r#""My Schema"."T" ((half + id), (lower("Name")))"#,
    r#""My Schema"."T" ("My Schema".f("Name"))"#,
    r#""My Schema"."T" (id "My Schema".backwards)"#,
    r#""My Schema"."T" (id) include ("Name", half)"#,
    r#""My Schema"."T" (id) where half > 3 and "Name" <> 'a  (b; "c'"#,
    r#""My Schema"."T" (id) with (fillfactor = 70, deduplicate_items = off)"#,
    r#""My Schema"."T" (id) with (fillfactor = 70) tablespace pg_default where id in (1, 2)"#,
    r#""My Schema"."T" using hash ("Name")"#,
    r#""My Schema"."T" USING gin (tags, body jsonb_path_ops) WITH (fastupdate = off)"#,
    r#""My Schema"."T" using gin ((body -> 'code') jsonb_path_ops)"#,
    r#""My Schema"."T" using gist (box, span)"#,
    r#""My Schema"."T" using spgist (ip)"#,
    r#""My Schema"."T" using brin (at timestamptz_minmax_multi_ops (values_per_range = 8)) with (pages_per_range = 4)"#,
    r#""My Schema"."T" (((at at time zone 'UTC')::date))"#,
    r#""My Schema".view ("Name")"#,
    r#""My Schema".january (x)"#,
    "hacs_core.observations (issued desc) where observations.status = 'final'",
];

fn index(unique: &str, name: &str, rest: &str) -> String {
    format!("create {unique} index concurrently if not exists {name} on {rest};\n")
}

#[test]
fn an_index_of_any_kind_that_the_statement_has_made_is_taken_for_its_own() {
    let database = workshop();
    let long = format!("{:x<70}", "long_");
    let mut sql = MARK.to_owned();
    for (at, rest) in INDEXES.iter().enumerate() {
        sql += &index("", &format!("\"Mine, {at}\""), rest);
    }
    sql += &index("unique", "Mine", r#""My Schema"."T" (id, "Name")"#);
    sql += &index("unique", &long, r#""My Schema"."T" (id, at)"#);
    let all = "select string_agg(c.oid::text, ' ' order by c.oid) from pg_class as c where relname ~* '^(mine|long_)'";
    let options = with(&[&sql]);
    migrate(&mut database.client(), &options).unwrap();
    let made = database.text(all);
    assert_eq!(made.split(' ').count(), INDEXES.len() + 2);
    // As if the run had ended before its history row.
    let mut client = database.client();
    client.batch_execute("delete from hacs_admin.migrations where version = 100").unwrap();
    let catalogue = "select count(*) from pg_class";
    let before = database.text(catalogue);
    migrate(&mut client, &options).unwrap();
    assert_eq!((versions(&database).as_str(), database.text(all)), ("100", made));
    assert_eq!(database.text(catalogue), before, "nothing of the comparison stays");
    assert!(!database.is_locked());
}

#[test]
fn no_two_of_them_are_taken_for_each_other() {
    let database = workshop();
    let mut client = database.client();
    let [in_one_schema @ .., _] = &INDEXES;
    for pair in in_one_schema.windows(2) {
        client.batch_execute(&index("", "mine", pair[0])).unwrap();
        let error = migrate(&mut client, &with(&[&format!("{MARK}{}", index("", "mine", pair[1]))])).unwrap_err();
        let Error::Partly { cause, .. } = &error else { panic!("{pair:?}: {error:?}") };
        assert!(matches!(**cause, Error::NameTaken { .. }), "{pair:?}: {error}");
        client.batch_execute("drop index \"My Schema\".mine").unwrap();
    }
}

#[test]
fn an_invalid_index_is_dropped_also_where_the_server_has_cut_its_name() {
    let database = Database::migrated();
    let mut client = database.client();
    client.batch_execute("insert into hacs_core.patients (family) values ('F'), ('F')").unwrap();
    let name = "x".repeat(70);
    client.batch_execute(&index("unique", &name, "hacs_core.patients (family)")).unwrap_err();
    let sql = format!("{MARK}{}", index("", &name, "hacs_core.patients (family)"));
    migrate(&mut client, &with(&[&sql])).unwrap();
    let found = "select string_agg(indisvalid || ' ' || indisunique, ', ') from pg_index
        where indexrelid::regclass::text like 'hacs_core.xxx%'";
    assert_eq!(database.text(found), "true false");
}

#[test]
fn what_has_the_name_and_is_not_the_index_is_refused_with_both_definitions() {
    let statement = format!("{MARK}{}", index("", "mine", "hacs_core.patients (family) where active"));
    let made = "CREATE INDEX mine ON hacs_core.patients USING btree (family) WHERE active";
    let mut quoted = include_str!("../../../docs/evolving.md").matches("\nFOUND: CREATE INDEX mine ").count();
    for (standing, found) in [
        (
            "create index mine on hacs_core.patients (family)",
            "CREATE INDEX mine ON hacs_core.patients USING btree (family)",
        ),
        (
            "create index mine on hacs_core.patients (family) where not active",
            "CREATE INDEX mine ON hacs_core.patients USING btree (family) WHERE (NOT active)",
        ),
        (
            "create index mine on hacs_core.patients (full_name) where active",
            "CREATE INDEX mine ON hacs_core.patients USING btree (full_name) WHERE active",
        ),
        (
            "create unique index mine on hacs_core.patients (family) where active",
            "CREATE UNIQUE INDEX mine ON hacs_core.patients USING btree (family) WHERE active",
        ),
        (
            "create index mine on hacs_core.patients using hash (family) where active",
            "CREATE INDEX mine ON hacs_core.patients USING hash (family) WHERE active",
        ),
        (
            "create index mine on hacs_core.patients (family text_pattern_ops) where active",
            "CREATE INDEX mine ON hacs_core.patients USING btree (family text_pattern_ops) WHERE active",
        ),
        (
            "create index mine on hacs_core.organizations (name)",
            "CREATE INDEX mine ON hacs_core.organizations USING btree (name)",
        ),
        (
            "alter table hacs_core.patients add constraint mine unique (family)",
            "CREATE UNIQUE INDEX mine ON hacs_core.patients USING btree (family), \
             of constraint mine on table hacs_core.patients",
        ),
        ("create table hacs_core.mine ()", "table hacs_core.mine"),
        ("create view hacs_core.mine as select", "view hacs_core.mine"),
    ] {
        let database = Database::migrated();
        let mut client = database.client();
        client.batch_execute(standing).unwrap();
        let error = migrate(&mut client, &with(&["create schema mine", &statement])).unwrap_err();
        let text = error.to_string();
        let lines: Vec<&str> = text.lines().collect();
        let (found, expected) = (format!("FOUND: {found}"), format!("EXPECTED: {made}"));
        assert_eq!(
            lines,
            [
                "V101__mine.sql, line 2: something else has the name of this index",
                "STATEMENT: create index concurrently if not exists mine on hacs_core.patients (fami …",
                &found,
                &expected,
                "NEXT: Drop or rename what is there, or give the index another name, then run this again.",
                "V100 was applied and stays. V101 runs outside a transaction: 0 of its 1 statements are done. \
                 The next run starts it again.",
            ]
        );
        quoted -= usize::from(include_str!("../../../docs/evolving.md").contains(&text));
        let Error::Partly { cause, .. } = error else { panic!("{error:?}") };
        assert!(matches!(*cause, Error::NameTaken { .. }), "{cause:?}");
        assert_eq!(versions(&database), "100");
        assert_eq!(database.text("select to_regnamespace('hacs_refinery_twin')"), "null");
    }
    assert_eq!(quoted, 0, "docs/evolving.md quotes another error");
}

#[test]
fn an_index_that_cannot_be_compared_is_refused_and_one_that_is_new_is_made() {
    let database = Database::migrated();
    let mut client = database.client();
    client
        .batch_execute(
            "create function public.rows_family(hacs_core.patients) returns text immutable return ($1).family",
        )
        .unwrap();
    let sql = format!("{MARK}{}", index("", "mine", "hacs_core.patients (public.rows_family(patients))"));
    migrate(&mut client, &with(&[&sql])).unwrap();
    client.batch_execute("delete from hacs_admin.migrations where version = 100").unwrap();
    let error = migrate(&mut client, &with(&[&sql])).unwrap_err().to_string();
    let expected = "\nEXPECTED: unknown, since an empty table with the same columns cannot have it: \
                    function public.rows_family(hacs_refinery_twin.patients) does not exist\n";
    assert!(error.contains(expected), "{error}");
    client.batch_execute("drop index hacs_core.mine").unwrap();
    migrate(&mut client, &with(&[&sql])).unwrap();
}

#[test]
fn a_role_that_may_migrate_may_compare() {
    let database = Database::empty();
    let role = format!("migrator_{}", database.name);
    let mut client = database.client();
    let rights = format!(
        "create role {role} login; revoke all on database {0} from public; grant connect, create on database {0} to {role}",
        database.name
    );
    client.batch_execute(&rights).unwrap();
    let mut migrator = database.client_as(&role);
    let options = with(&[&format!("{MARK}{}", index("", "mine", "hacs_core.patients (family)"))]);
    for applied in [EMBEDDED + 1, 1] {
        assert_eq!(migrate(&mut migrator, &options).unwrap().applied.len(), applied);
        migrator.batch_execute("delete from hacs_admin.migrations where version = 100").unwrap();
    }
    drop(migrator);
    client.batch_execute(&format!("drop owned by {role} cascade; drop role {role}")).unwrap();
}
