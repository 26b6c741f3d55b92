//! Nothing is changed without a row, nothing is written twice, each row has the values of its own pair, and nothing
//! depends on the settings of the session.

use postgres::{Client, NoTls};

use crate::contract::minimal;
use crate::data::rules::with_parent;
use crate::database::Database;
use crate::documents::{self, Sample};
use crate::server::Server;

/// A table with a payload that tells which row is which: `was` holds the key before, wherever the key is changed.
const PAIRS: &str = "
    create table hacs_clinical.pairs (id text primary key, was text, n int, note jsonb not null default '{}');
    create table hacs_clinical.children (id text primary key, pair_id text references hacs_clinical.pairs on update cascade on delete cascade, was text);
    select hacs_audit.attach('hacs_clinical.pairs', 'Pair'), hacs_audit.attach('hacs_clinical.children', 'Child');
    insert into hacs_clinical.pairs (id, n) select 'k' || n, n from generate_series(1, 2000) as s (n);
    insert into hacs_clinical.children (id, pair_id) select 'c' || n, 'k' || n from generate_series(1, 2000) as s (n)";

/// Ways to change keys of many rows; each sets `was` to the key before. How many rows it changes.
fn ways(version: i32) -> Vec<(&'static str, i64)> {
    let mut ways = vec![
        ("update hacs_clinical.pairs set id = 'x' || id, was = id", 2000),
        ("update hacs_clinical.pairs as p set id = 'x' || p.id, was = p.id from (select id from hacs_clinical.pairs order by n desc) as o where o.id = p.id", 2000),
        ("insert into hacs_clinical.pairs (id, n) select 'k' || n, n from generate_series(2000, 1, -1) as s (n)
            on conflict (id) do update set id = 'x' || pairs.id, was = pairs.id", 2000),
        ("with a as (update hacs_clinical.pairs set id = 'a' || id, was = id where n % 2 = 0 returning 1),
            b as (update hacs_clinical.pairs set id = 'b' || id, was = id where n % 2 = 1 returning 1)
            select count(*) from a, b", 2000),
        ("do $$ begin for k in 1..20 loop update hacs_clinical.pairs set id = 'x' || id, was = id where n % 20 = k - 1; end loop; end $$", 2000),
        // A trigger that writes the same table while a statement is under way.
        ("create function pg_temp.nested() returns trigger language plpgsql as $$ begin
                if pg_trigger_depth() = 1 then
                    update hacs_clinical.pairs set id = 'n' || id, was = id where n between new.n + 1000 and new.n + 1000;
                end if;
                return null; end $$;
            create trigger nested after update on hacs_clinical.pairs for each row execute function pg_temp.nested();
            update hacs_clinical.pairs set id = 'x' || id, was = id where n <= 1000;
            drop trigger nested on hacs_clinical.pairs", 2000),
        // A trigger that changes and leaves out rows on the way in.
        ("create function pg_temp.before() returns trigger language plpgsql as $$ begin
                if new.n % 3 = 0 then return null; end if; new.note := '{\"seen\": true}'; return new; end $$;
            create trigger a before update on hacs_clinical.pairs for each row execute function pg_temp.before();
            update hacs_clinical.pairs set id = 'x' || id, was = id;
            drop trigger a on hacs_clinical.pairs", 1334),
        // Rows that spill to the disk, in both tables.
        ("set work_mem = '64kB'; update hacs_clinical.pairs set note = jsonb_build_object('long', repeat(md5(id), 100));
            update hacs_clinical.pairs set id = 'x' || id, was = id; reset work_mem", 2000),
        ("begin; savepoint s; update hacs_clinical.pairs set id = 'y' || id, was = id; rollback to s;
            update hacs_clinical.pairs set id = 'x' || id, was = id; commit", 2000),
        ("set session_replication_role = replica; update hacs_clinical.pairs set id = 'x' || id, was = id; reset session_replication_role", 2000),
        // One that changes while the statement is under way how triggers fire.
        ("update hacs_clinical.pairs set id = 'x' || id, was = id
            where n < 3 and set_config('session_replication_role', 'replica', false) is not null; reset session_replication_role", 2),
    ];
    if version >= 150_000 {
        ways.push((
            "merge into hacs_clinical.pairs as p using (select 'k' || n as id from generate_series(2000, 1, -1) as s (n)) as s on s.id = p.id
                when matched then update set id = 'x' || p.id, was = p.id",
            2000,
        ));
    }
    ways
}

#[test]
fn each_row_of_an_update_is_written_with_its_own_values() {
    let version: i32 = Database::empty().text("show server_version_num").parse().unwrap();
    for (way, changed) in ways(version) {
        let database = Database::migrated();
        let mut client = database.client();
        client.batch_execute(PAIRS).unwrap();
        let before: i64 =
            client.query_one("select max(change_id) from hacs_audit.resource_changes", &[]).unwrap().get(0);
        client.batch_execute(way).unwrap_or_else(|error| panic!("{way}: {error:?}"));
        let row = client
            .query_one(
                "select count(*) filter (where changed_fields @> '{id}'),
                    count(*) filter (where previous_id is distinct from new_values ->> 'was' or previous_id is distinct from old_values ->> 'id'
                        or resource_id is distinct from new_values ->> 'id' or not also @> array['Pair/' || previous_id])
                        filter (where true) - count(*) filter (where not changed_fields @> '{id}' and previous_id is null)
                 from hacs_audit.resource_changes where table_name = 'pairs' and operation = 'UPDATE' and change_id > $1".replace(" filter (where true)", "").as_str(),
                &[&before],
            )
            .unwrap();
        assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1)), (changed, 0), "{way}");
        // Their children moved with them, one row each: written once, and rightly.
        let children = "select count(*) from hacs_audit.resource_changes as c where table_name = 'children' and operation = 'UPDATE'
            and substr(old_values ->> 'pair_id', 1) = right(new_values ->> 'pair_id', length(old_values ->> 'pair_id'))";
        if !way.contains("replica") {
            assert_eq!(database.text(children), changed.to_string(), "{way}");
        }
    }
}

#[test]
fn a_cascade_is_written_once_for_each_row() {
    let database = Database::migrated();
    let mut client = database.client();
    client.batch_execute(PAIRS).unwrap();
    client.batch_execute("delete from hacs_clinical.pairs where n <= 1500").unwrap();
    let count = "select string_agg(n::text, ' ' order by t) from (
        select table_name as t, count(*) as n from hacs_audit.resource_changes where operation = 'DELETE' group by 1) as c";
    assert_eq!(database.text(count), "1500 1500");
}

/// A column of a type, and two values that are not the same, although many of them are equal.
const VALUES: [(&str, &str, &str); 26] = [
    ("jsonb", "'{\"value\": 6.0}'", "'{\"value\": 6.00}'"),
    ("jsonb", "'[1]'", "null"),
    ("json", "'{\"a\": 1}'", "'{\"a\":1}'"),
    ("xml", "'<a/>'", "'<a></a>'"),
    ("numeric", "1.0", "1.00"),
    ("numeric(8,3)", "1.5", "1.25"),
    ("numeric[]", "'{1.0}'", "'{1.00}'"),
    ("numrange", "'[1.0,2.0]'", "'[1.00,2.00]'"),
    ("float8", "0", "'-0'"),
    ("float4", "'NaN'", "1"),
    ("interval", "'1 day'", "'24 hours'"),
    ("interval[]", "'{1 mon}'", "'{30 days}'"),
    ("text", "'a'", "'a '"),
    ("text", "''", "null"),
    ("text[]", "'{a,NULL}'", "'{a,\"NULL\"}'"),
    ("varchar(10)", "'a'", "'A'"),
    ("char(3)", "'a'", "'b'"),
    ("timestamptz", "'2026-01-01Z'", "'2026-01-01 00:00:00.000001Z'"),
    ("timestamp", "'infinity'", "'2026-01-01'"),
    ("date", "'2026-01-01'", "'2026-01-02'"),
    ("time with time zone", "'12:00+00'", "'13:00+01'"),
    ("inet", "'10.0.0.1'", "'10.0.0.1/24'"),
    ("bytea", "decode('00', 'hex')", "decode('0000', 'hex')"),
    ("boolean", "true", "null"),
    ("point", "'(1,2)'", "'(1,2.0000001)'"),
    ("money", "1", "2"),
];

/// Settings that change how values are written.
const SETTINGS: [&str; 6] = [
    "set extra_float_digits = -15",
    "set timezone = 'Asia/Kolkata'; set datestyle = 'SQL, DMY'",
    "set intervalstyle = 'sql_standard'; set bytea_output = 'escape'",
    "set quote_all_identifiers = on; set search_path = 'pg_temp'",
    "set standard_conforming_strings = off; set transform_null_equals = on",
    "set jit = on; set jit_above_cost = 0; set enable_hashjoin = off; set enable_mergejoin = off",
];

#[test]
fn no_value_is_changed_without_a_row_and_its_image_is_the_same_in_every_session() {
    let database = Database::migrated();
    let mut client = database.client();
    for (n, (kind, one, other)) in VALUES.into_iter().enumerate() {
        for rows in [1, 3] {
            let table = format!("anything_{n}_{rows}");
            client
                .batch_execute(&format!(
                    "create table hacs_clinical.{table} (id text primary key, v {kind}, d float8 default 123.456789);
                     select hacs_audit.attach('hacs_clinical.{table}', 'Anything');
                     insert into hacs_clinical.{table} (id, v) select n, {one} from generate_series(1, {rows}) as s (n)"
                ))
                .unwrap_or_else(|error| panic!("{kind}: {error:?}"));
            for setting in SETTINGS {
                let sql =
                    format!("update hacs_clinical.{table} set v = {other}; update hacs_clinical.{table} set v = {one}");
                let mut session = database.client();
                session.batch_execute(setting).unwrap();
                session.batch_execute(&sql).unwrap_or_else(|error| panic!("{kind} {setting}: {error:?}"));
            }
            let mut session = database.client();
            session.batch_execute(SETTINGS[0]).unwrap();
            session.batch_execute(&format!("delete from hacs_clinical.{table}")).unwrap();
            let of = |operation: &str| {
                format!("from hacs_audit.resource_changes where table_name = '{table}' and operation = '{operation}'")
            };
            let found = format!(
                "select string_agg(format('%s %s', n, f), ', ') from (select changed_fields::text as f, count(*) as n {} group by 1) as c",
                of("UPDATE")
            );
            assert_eq!(database.text(&found), format!("{} {{v}}", rows * 2 * SETTINGS.len()), "{kind} {rows}");
            let images = format!("select count(distinct format('%s %s', old_values, new_values)) {}", of("UPDATE"));
            // As JSON, white space and the sign of zero are lost: that they changed is told all the same.
            let expected = if ["json", "float8"].contains(&kind) { "1" } else { "2" };
            assert_eq!(database.text(&images), expected, "{kind} {rows}");
            let exact = format!("select count(*) {} and old_values ->> 'd' = '123.456789'", of("DELETE"));
            assert_eq!(database.text(&exact), rows.to_string(), "{kind}");
        }
    }
}

/// What a column of a type might take, until one is taken.
fn candidates(kind: &str) -> Vec<&'static str> {
    match kind {
        "boolean" => vec!["true", "false", "null"],
        "integer" | "bigint" | "smallint" => vec!["3", "4", "null"],
        "numeric" | "double precision" => vec!["3", "4.5", "null"],
        "jsonb" => {
            vec!["'{\"a\": 1.0}'", "'{\"a\": 1.00}'", "'[{\"a\": 1}]'", "'[]'", "'[\"x\"]'", "'{}'", "null", "'\"x\"'"]
        }
        "date" => vec!["'2020-02-02'", "'2021-02-02'", "null"],
        kind if kind.starts_with("timestamp") => vec!["'2020-02-02Z'", "'2031-02-02Z'", "null"],
        kind if kind.ends_with("[]") => vec!["'{}'", "'{x}'", "'{1,2,3}'", "null"],
        _ => vec![
            "'x'",
            "'urn:x'",
            "'2020-01-01'",
            "'active'",
            "'completed'",
            "'final'",
            "'low'",
            "'a@b.example'",
            "null",
        ],
    }
}

#[test]
fn every_column_of_every_table_is_written_down_when_it_changes() {
    let database = Database::migrated();
    let mut client = database.client();
    with_parent(&mut client);
    let query = "select format('%I.%I', schema_name, table_name) from hacs_audit.coverage where schema_name <> 'hacs_admin' order by 1";
    let tables: Vec<String> = client.query(query, &[]).unwrap().iter().map(|row| row.get(0)).collect();
    let (mut tried, mut found) = (0, 0);
    for table in tables {
        let sample = Sample {
            table: table.clone(),
            document: minimal(&table),
            context: Default::default(),
            rule: String::new(),
            field: String::new(),
        };
        let stored = documents::insert(&mut client, &sample).unwrap();
        let id = stored["id"].as_str().unwrap();
        let columns = "select a.attname::text, format_type(coalesce(nullif(t.typbasetype, 0), t.oid), null)
            from pg_attribute as a join pg_type as t on t.oid = a.atttypid
            where a.attrelid = $1::text::regclass and a.attname = any (hacs_audit.fields($1::text::regclass)) and a.attname <> all ('{id,resource_type}')";
        for row in client.query(columns, &[&table]).unwrap() {
            let (column, kind): (String, String) = (row.get(0), row.get(1));
            tried += 1;
            for value in candidates(&kind) {
                let mut transaction = client.transaction().unwrap();
                let change = format!(
                    "update {table} set {column} = {value} where id = '{id}' and {column}::text is distinct from ({value})::text"
                );
                if let Ok(1) = transaction.execute(&change, &[]) {
                    let last = "select changed_fields, resource_id from hacs_audit.resource_changes order by change_id desc limit 1";
                    let last = transaction.query_one(last, &[]).unwrap();
                    let fields: Option<Vec<String>> = last.get(0);
                    assert!(
                        fields.as_ref().is_some_and(|fields| fields.contains(&column)),
                        "{table}.{column} {value}: {fields:?}"
                    );
                    found += 1;
                    transaction.rollback().unwrap();
                    break;
                }
                transaction.rollback().unwrap();
            }
        }
    }
    assert!(tried > 880 && found * 100 >= tried * 90, "{found} of {tried}");
}

#[test]
fn the_touch_of_an_update_that_changes_nothing_is_the_only_thing_left_out() {
    let database = Database::migrated();
    let mut client = database.client();
    client
        .batch_execute(
            "insert into hacs_core.patients (id, family) values ('p', 'P'), ('q', 'Q');
             insert into hacs_core.observations (id, subject, value_quantity) values ('o', 'Patient/p', '{\"value\": 6.0}')",
        )
        .unwrap();
    let count = || database.text("select count(*) from hacs_audit.resource_changes where operation = 'UPDATE'");
    for (sql, after) in [
        ("update hacs_core.patients set family = family", "0"),
        ("update hacs_core.patients set family = family where id = 'p'", "0"),
        ("update hacs_core.patients set family = family where false", "0"),
        ("update hacs_core.patients set updated_at = now()", "0"),
        ("update hacs_core.patients set updated_at = '2026-01-01Z' where id = 'p'", "1"),
        ("update hacs_core.patients set updated_at = '2026-01-02Z'", "3"),
        ("update hacs_core.observations set value_quantity = '{\"value\": 6.00}'", "4"),
    ] {
        client.batch_execute(sql).unwrap();
        assert_eq!(count(), after, "{sql}");
    }
}

#[test]
fn a_row_whose_deletion_could_not_be_written_down_is_refused_on_the_way_in() {
    let database = Database::migrated();
    let mut client = database.client();
    client
        .batch_execute(
            "create table public.large (v text); insert into public.large select repeat('x', 210000000);
             insert into hacs_core.patients (id, family) values ('p', 'P'), ('q', 'Q')",
        )
        .unwrap();
    for sql in [
        "insert into hacs_core.patients (id, family, full_name) select 'l', 'L', v from public.large",
        "update hacs_core.patients set full_name = v from public.large where id = 'p'",
        "update hacs_core.patients set full_name = v from public.large",
    ] {
        let error = client.batch_execute(sql).unwrap_err();
        let message = error.as_db_error().unwrap().message();
        assert!(message.ends_with("MB is refused: its deletion could not be written down"), "{sql}: {message}");
    }
    // What is let in goes out again, and is sealed.
    client.batch_execute("update hacs_core.patients set full_name = repeat('x', 100000000) where id = 'p'; delete from hacs_core.patients where id = 'p'").unwrap();
    assert_eq!(database.text("select hacs_audit.seal()"), "1");
}

#[test]
fn what_a_subscriber_receives_is_written_once_and_by_row() {
    let server =
        Server::start(&["wal_level = logical", "max_logical_replication_workers = 8", "max_worker_processes = 16"]);
    let (publisher, subscriber) = (Database::migrated_on(&server), Database::migrated_on(&server));
    let mut client = publisher.client();
    client
        .batch_execute(
            "insert into hacs_core.patients (id, family) select 'before' || n, 'B' from generate_series(1, 3) as s (n);
             create publication p for table hacs_core.patients",
        )
        .unwrap();
    client.query("select pg_create_logical_replication_slot('s', 'pgoutput')", &[]).unwrap();
    let connection = publisher.conninfo().replace('\'', "''");
    subscriber
        .client()
        .batch_execute(&format!(
            "create subscription s connection '{connection}' publication p with (create_slot = false, slot_name = 's')"
        ))
        .unwrap();
    let until = |query: &str, expected: &str| {
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
        while subscriber.text(query) != expected {
            assert!(std::time::Instant::now() < deadline, "{query}: {} is not {expected}", subscriber.text(query));
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
    };
    let trail = "select coalesce(string_agg(n || ' ' || o, ', ' order by o), '') from (
        select operation as o, count(*) as n from hacs_audit.resource_changes group by 1) as c";
    until(trail, "3 INSERT");
    client
        .batch_execute(
            "insert into hacs_core.patients (id, family) select 'p' || n, 'P' from generate_series(1, 5) as s (n);
             update hacs_core.patients set age = 1; update hacs_core.patients set id = 'moved' where id = 'p1';
             delete from hacs_core.patients where id like 'before%'",
        )
        .unwrap();
    until("select count(*) from hacs_core.patients", "5");
    until(trail, "3 DELETE, 8 INSERT, 9 UPDATE");
    let moved = "select previous_id || ' ' || patient_id from hacs_audit.resource_changes where resource_id = 'moved'";
    assert_eq!(subscriber.text(moved), "p1 moved");
    // A session of the subscriber itself is written by statement, in whatever role it replays.
    let mut session: Client = server.config().dbname(&subscriber.name).connect(NoTls).unwrap();
    session.batch_execute("set session_replication_role = replica; update hacs_core.patients set age = 2").unwrap();
    until(trail, "3 DELETE, 8 INSERT, 14 UPDATE");
    subscriber
        .client()
        .batch_execute("alter subscription s disable; alter subscription s set (slot_name = none); drop subscription s")
        .unwrap();
    let dropped = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while client.query("select pg_drop_replication_slot('s')", &[]).is_err() {
        assert!(std::time::Instant::now() < dropped, "the slot stays in use");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}

#[test]
fn a_partitioned_table_is_written_by_row_wherever_its_rows_move() {
    let database = Database::migrated();
    let mut client = database.client();
    client
        .batch_execute(
            "create table hacs_clinical.parts (id text, n int, v text, primary key (id, n)) partition by list (n);
             create table hacs_clinical.parts_1 partition of hacs_clinical.parts for values in (1);
             create table hacs_clinical.parts_2 partition of hacs_clinical.parts for values in (2);
             select hacs_audit.attach('hacs_clinical.parts', 'Part');
             insert into hacs_clinical.parts values ('a', 1, 'x'), ('b', 1, 'x'), ('c', 2, 'x');
             update hacs_clinical.parts set v = 'y';
             update hacs_clinical.parts set n = 2 where id = 'a';
             delete from hacs_clinical.parts",
        )
        .unwrap();
    let trail = "select string_agg(n || ' ' || o, ', ' order by o) from (
        select operation as o, count(*) as n from hacs_audit.resource_changes group by 1) as c";
    // A row that moves to another partition goes here and comes there.
    assert_eq!(database.text(trail), "4 DELETE, 4 INSERT, 3 UPDATE");
    assert_eq!(database.text("select audit from hacs_audit.coverage where table_name = 'parts'"), "complete");
}
