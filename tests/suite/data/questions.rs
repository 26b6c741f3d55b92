//! The questions of benches/questions, asked in a hospital of 100 000 observations: each finds something, and an index
//! leads to it; and each index serves a question or a foreign key.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use postgres::{Client, SimpleQueryMessage};
use serde_json::Value;

use crate::database::Database;
use crate::server;

/// A table with more pages than this is not to be read through. The smallest that 100 000 observations leave above it
/// has 10 000 rows.
const MANY_PAGES: i64 = 100;

struct Question {
    name: String,
    sql: String,
    /// The values of its parameters, as SQL; `()` around them, where there are any.
    values: String,
}

fn questions() -> Vec<Question> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/questions");
    let mut paths: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "sql"));
    paths.sort();
    let read = |path: &std::path::PathBuf| {
        let sql = fs::read_to_string(path).unwrap();
        let values = sql.lines().find_map(|line| line.strip_prefix("-- with: "));
        let values = values.unwrap_or_else(|| panic!("{}: no line with values", path.display()));
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        Question { name, values: format!("({values})"), sql }
    };
    paths.iter().map(read).collect()
}

/// The hospital, made once.
fn hospital() -> &'static Database {
    static HOSPITAL: OnceLock<Database> = OnceLock::new();
    HOSPITAL.get_or_init(|| {
        let database = Database::migrated();
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/data/hospital.sql");
        let psql = Command::new(server::bindir().join("psql"))
            .args(["-X", "-q", "-v", "observations=100000", "-d", &database.conninfo(), "-f"])
            .arg(data)
            .output()
            .expect("psql runs");
        assert!(psql.status.success(), "{}", String::from_utf8_lossy(&psql.stderr));
        database.client().batch_execute("vacuum analyze").unwrap();
        database
    })
}

/// The rows of a statement, each as its first column.
fn rows(client: &mut Client, sql: &str) -> Vec<String> {
    let messages = client.simple_query(sql).unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    let first = |message: &SimpleQueryMessage| match message {
        SimpleQueryMessage::Row(row) => Some(row.get(0).unwrap_or_default().to_owned()),
        _ => None,
    };
    messages.iter().filter_map(first).collect()
}

/// What a plan reads without being led there, and the indexes that lead it.
#[derive(Default)]
struct Reads {
    through: BTreeSet<String>,
    indexes: BTreeSet<String>,
}

impl Reads {
    fn add(&mut self, node: &Value) {
        let kind = node["Node Type"].as_str().unwrap_or_default();
        if let Some(index) = node["Index Name"].as_str() {
            self.indexes.insert(index.to_owned());
        }
        if kind == "Seq Scan" || kind.ends_with("Index Scan") && node.get("Index Cond").is_none() {
            let relation = node["Relation Name"].as_str().or(node["Index Name"].as_str());
            self.through.insert(relation.expect("a relation").to_owned());
        }
        node["Plans"].as_array().into_iter().flatten().for_each(|child| self.add(child));
    }
}

fn plan(client: &mut Client, question: &Question) -> Reads {
    let json = rows(client, &format!("explain (format json) execute question {}", question.values)).concat();
    let plans: Value = serde_json::from_str(&json).unwrap();
    let mut reads = Reads::default();
    reads.add(&plans[0]["Plan"]);
    reads
}

/// What the server does with a question when it is new, and when a connection has asked it often.
fn first_and_later(client: &mut Client, question: &Question) -> Reads {
    client.batch_execute(&format!("prepare question as {}", question.sql)).unwrap();
    let mut reads = plan(client, question);
    for _ in 0..6 {
        rows(client, &format!("execute question {}", question.values));
    }
    let later = plan(client, question);
    client.batch_execute("deallocate question").unwrap();
    reads.through.extend(later.through);
    reads.indexes.extend(later.indexes);
    reads
}

/// Tables and indexes of many pages.
fn big(client: &mut Client) -> BTreeSet<String> {
    let query = "select c.relname from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
        where n.nspname like 'hacs\\_%' and c.relpages > ";
    rows(client, &format!("{query}{MANY_PAGES}")).into_iter().collect()
}

#[test]
fn no_question_reads_a_big_table_through() {
    let mut client = hospital().client();
    let big = big(&mut client);
    assert!(big.contains("patients") && big.contains("observations") && big.contains("knowledge_items"), "{big:?}");
    let mut faults = Vec::new();
    for question in questions() {
        let reads = first_and_later(&mut client, &question);
        let through: Vec<_> = reads.through.intersection(&big).collect();
        if !through.is_empty() {
            faults.push(format!("{} reads {through:?}", question.name));
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn without_its_index_a_question_reads_a_big_table_through() {
    let mut client = hospital().client();
    let question = questions().into_iter().find(|question| question.name == "patient_by_identifier").unwrap();
    client.batch_execute("begin; drop index hacs_core.patients_identifiers_idx").unwrap();
    let reads = first_and_later(&mut client, &question);
    client.batch_execute("rollback").unwrap();
    assert_eq!(reads.through, BTreeSet::from(["patients".to_owned()]));
}

#[test]
fn of_all_that_an_actor_did_the_last_changes_are_read_alone() {
    let mut client = hospital().client();
    let read = "select sum(pg_stat_get_xact_tuples_returned(indexrelid)) from pg_index as i
        join pg_class as c on c.oid = i.indexrelid where c.relname ~ '^resource_changes_.*_actor_id_changed_at_idx$'";
    let span = "now() - interval '30 days', now() + interval '1 day'";
    client.batch_execute("begin").unwrap();
    let mut before = 0;
    let mut asked = |most: &str| {
        let sql = format!("select count(*) from hacs_audit.changed_by('practitioner/dr7', {span}, most => {most})");
        let given: u32 = rows(&mut client, &sql)[0].parse().unwrap();
        let all: u32 = rows(&mut client, read)[0].parse().unwrap();
        let fresh = all - before;
        before = all;
        (given, fresh)
    };
    let (all, _) = asked("null");
    assert!(all > 200, "{all}");
    for _ in 0..8 {
        let (given, looked_at) = asked("50");
        assert!(given == 50 && looked_at < 100, "{given} of {looked_at}");
    }
}

#[test]
fn every_question_finds_something() {
    let mut client = hospital().client();
    let questions = questions();
    assert!(questions.len() >= 20, "{}", questions.len());
    let mut silent = Vec::new();
    for question in questions {
        client.batch_execute(&format!("prepare question as {}", question.sql)).unwrap();
        if rows(&mut client, &format!("execute question {}", question.values)).is_empty() {
            silent.push(question.name);
        }
        client.batch_execute("deallocate question").unwrap();
    }
    assert!(silent.is_empty(), "{silent:?}");
}

/// Indexes that keep no key and find no referring row; that of a partition under the name of its parent's.
const WITHOUT_CONSTRAINT: &str = "
    select ic.relname
    from pg_index as i
    join pg_class as ic on ic.oid = i.indexrelid
    join pg_namespace as n on n.oid = ic.relnamespace
    where n.nspname like 'hacs\\_%' and not ic.relispartition
        and not exists (select from pg_constraint as k where k.conindid = i.indexrelid and k.contype in ('p', 'u', 'x'))
        and not exists (
            select from pg_constraint as k
            where k.contype = 'f' and k.conrelid = i.indrelid
                and (i.indkey::int2[])[0:cardinality(k.conkey) - 1] = k.conkey
                and (i.indpred is null or pg_get_expr(i.indpred, i.indrelid) = (
                    select format('(%I IS NOT NULL)', a.attname) from pg_attribute as a
                    where a.attrelid = k.conrelid and a.attnum = k.conkey[1]
                ))
        )";

#[test]
fn every_index_serves_a_question_or_a_foreign_key() {
    let mut client = hospital().client();
    let mut idle: BTreeSet<String> = rows(&mut client, WITHOUT_CONSTRAINT).into_iter().collect();
    assert!(idle.contains("patients_identifiers_idx") && !idle.contains("observations_encounter_id_idx"), "{idle:?}");
    for question in questions() {
        for index in first_and_later(&mut client, &question).indexes {
            // The index of a partition belongs to that of its parent.
            let parents = format!(
                "select ic.relname from pg_inherits as i join pg_class as ic on ic.oid = i.inhparent
                 join pg_class as c on c.oid = i.inhrelid where c.relkind = 'i' and c.relname = '{index}'"
            );
            idle.remove(&index);
            idle = &idle - &rows(&mut client, &parents).into_iter().collect();
        }
    }
    assert!(idle.is_empty(), "{idle:?}");
}
