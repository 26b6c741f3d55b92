//! What the rules cost: the valid samples, each inserted by a statement of its own, into the tables as they are and
//! into the same tables without CHECKs, domains and foreign keys, in turns. Audit and other triggers are off.
//!
//! An adapter sends each document's statement as text; one that prepares its statements spares the server the parsing,
//! but not the rules, which weigh more then. Both are measured.
//!
//!     cargo bench --bench constraints

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used
)]

#[allow(dead_code)]
#[path = "../../tests/suite/support/database.rs"]
mod database;
#[allow(dead_code)]
#[path = "../../tests/suite/support/documents.rs"]
mod documents;
#[allow(dead_code)]
#[path = "../../tests/suite/support/server.rs"]
mod server;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use postgres::{Client, Statement, ToStatement};
use serde_json::{Map, Value};

use database::Database;

const ROUNDS: usize = 40;

fn main() {
    let database = Database::migrated();
    let mut client = database.client();
    client.batch_execute("set timezone = 'UTC'").unwrap();
    let samples = documents::valid();
    let tables: BTreeSet<&str> = samples.iter().map(|sample| sample.table.as_str()).collect();
    for table in &tables {
        copy_without_rules(&mut client, table);
    }
    let with = statements(&mut client, &samples, str::to_owned);
    let without = statements(&mut client, &samples, bare);
    compare("as text ", samples.len(), |rules| {
        let statements = if rules { &with } else { &without };
        insert_all(&mut client, statements, |(sql, _, _)| sql.as_str())
    });
    compare("prepared", samples.len(), |rules| {
        let statements = if rules { &with } else { &without };
        insert_all(&mut client, statements, |(_, statement, _)| statement)
    });
}

fn compare(mode: &str, documents: usize, mut insert: impl FnMut(bool) -> Duration) {
    let mut ratios = Vec::new();
    let (mut sum_with, mut sum_without) = (Duration::ZERO, Duration::ZERO);
    for round in 0..=ROUNDS {
        let (a, b) = (insert(true), insert(false));
        // The first round fills the caches.
        if round > 0 {
            ratios.push(a.as_secs_f64() / b.as_secs_f64());
            (sum_with, sum_without) = (sum_with + a, sum_without + b);
        }
    }
    ratios.sort_by(f64::total_cmp);
    let micros = |sum: Duration| sum.as_secs_f64() * 1e6 / (ROUNDS * documents) as f64;
    println!(
        "{mode}: with rules {:.0} µs a document, without {:.0} µs: median ratio {:.2} of {ROUNDS} rounds ({:.2} to {:.2})",
        micros(sum_with),
        micros(sum_without),
        ratios[ROUNDS / 2],
        ratios[0],
        ratios[ROUNDS - 1],
    );
}

/// The table's name beside its twin's schema.
fn bare(table: &str) -> String {
    table.replacen('.', "_bare.", 1)
}

fn copy_without_rules(client: &mut Client, table: &str) {
    let twin = bare(table);
    let schema = twin.split('.').next().unwrap();
    let sql = format!(
        "create schema if not exists {schema};
         create table {twin} (like {table} including all excluding constraints);
         alter table {table} disable trigger user"
    );
    client.batch_execute(&sql).unwrap();
    let query =
        "select format('alter table %s alter column %I type %s', $2::text, a.attname, format_type(t.typbasetype, null))
        from pg_attribute as a join pg_type as t on t.oid = a.atttypid
        where a.attrelid = $1::text::regclass and a.attnum > 0 and t.typtype = 'd'";
    for row in client.query(query, &[&table, &twin]).unwrap() {
        client.batch_execute(row.get(0)).unwrap();
    }
}

type Insert = (String, Statement, String);

/// For each sample the statement that inserts it, as text and prepared, and its document.
fn statements(client: &mut Client, samples: &[documents::Sample], name: impl Fn(&str) -> String) -> Vec<Insert> {
    let prepare = |sample: &documents::Sample| {
        let columns = documents::columns(client, &sample.table);
        let mut document = sample.document.clone();
        document.extend(sample.context.clone());
        let (mut document, extra): (Map<_, _>, Map<_, _>) =
            document.into_iter().partition(|(k, _)| columns.contains(k));
        document.insert("extra".to_owned(), Value::Object(extra));
        let list = document.keys().map(|key| format!("\"{key}\"")).collect::<Vec<_>>().join(", ");
        let table = name(&sample.table);
        let sql = format!(
            "insert into {table} ({list}) select {list} from jsonb_populate_record(null::{table}, $1::text::jsonb)"
        );
        let statement = client.prepare(&sql).unwrap();
        (sql, statement, Value::Object(document).to_string())
    };
    samples.iter().map(prepare).collect()
}

fn insert_all<'a, T: ToStatement + ?Sized + 'a>(
    client: &mut Client,
    inserts: &'a [Insert],
    form: impl Fn(&'a Insert) -> &'a T,
) -> Duration {
    let mut transaction = client.transaction().unwrap();
    let started = Instant::now();
    for insert in inserts {
        transaction.execute(form(insert), &[&insert.2]).unwrap();
    }
    let elapsed = started.elapsed();
    transaction.rollback().unwrap();
    elapsed
}
