//! Each named constraint accepts what it should accept, refuses what it should refuse, and is the one that refuses.

use std::collections::{BTreeMap, BTreeSet};

use postgres::{Client, GenericClient, Transaction};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::contract::{contract, minimal};
use crate::database::Database;
use crate::documents::{self, Sample};

type Changes = Map<String, Value>;

/// A line of `tests/data/rules.ndjson`: changes to the minimal row of a table, one row each.
#[derive(Clone, Deserialize)]
pub struct Case {
    pub constraint: String,
    /// Only where the constraint is that of a domain.
    #[serde(default)]
    pub table: String,
    /// The contract's rules that it stands for.
    pub rules: Vec<String>,
    pub accept: Vec<Changes>,
    pub reject: Vec<Changes>,
}

pub fn written_cases() -> Vec<Case> {
    include_str!("../../data/rules.ndjson").lines().map(|line| serde_json::from_str(line).expect("a case")).collect()
}

/// A constraint of the catalogue.
struct Constraint {
    name: String,
    kind: char,
    table: String,
    columns: Vec<String>,
    definition: String,
}

fn constraints(client: &mut Client) -> Vec<Constraint> {
    let query = "
        select c.conname::text, c.contype::text,
            coalesce(n.nspname || '.' || t.relname, '') as relation,
            array(select a.attname::text from unnest(c.conkey) as k (num)
                join pg_attribute as a on a.attrelid = c.conrelid and a.attnum = k.num) as columns,
            case when c.contype = 'f' then (
                select pg_get_expr(d.adbin, d.adrelid) from pg_attrdef as d
                where d.adrelid = c.conrelid and d.adnum = c.conkey[1]
            ) end as generation
        from pg_constraint as c
        join pg_namespace as s on s.oid = c.connamespace
        left join pg_class as t on t.oid = c.conrelid
        left join pg_namespace as n on n.oid = t.relnamespace
        where s.nspname like 'hacs\\_%' and c.contype <> 'n' and c.conparentid = 0
            and s.nspname <> 'hacs_audit' and coalesce(t.relname, '') <> 'migrations'
        order by 1";
    let rows = client.query(query, &[]).unwrap();
    let constraint = |row: &postgres::Row| Constraint {
        name: row.get(0),
        kind: row.get::<_, String>(1).chars().next().unwrap(),
        table: row.get(2),
        columns: row.get(3),
        definition: row.get::<_, Option<String>>(4).unwrap_or_default(),
    };
    rows.iter().map(constraint).collect()
}

fn changes(pairs: &[(&str, Value)]) -> Changes {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect()
}

/// The case of a constraint whose name says all: those that hold for many columns in the same way.
fn case_by_name(constraint: &Constraint) -> Option<Case> {
    let Constraint { name, table, columns, .. } = constraint;
    let column = columns.first().map_or("", String::as_str);
    let one = |value: Value| vec![changes(&[(column, value)])];
    let each = |values: &[Value]| values.iter().map(|value| changes(&[(column, value.clone())])).collect();
    let unchanged = vec![Changes::new()];
    let (accept, reject) = match name {
        _ if constraint.kind == 'p' || constraint.kind == 'u' => return None,
        _ if constraint.kind == 'f' => reference(constraint)?,
        _ if name.ends_with("_list") => {
            (one(json!([])), each(&[json!({"a": 1}), json!("x"), json!([[{}]]), json!([1])]))
        }
        _ if name.ends_with("_object") => (unchanged, each(&[json!([{"a": 1}]), json!("x"), json!(1), json!([])])),
        _ if name.ends_with("_valid") => (unchanged, each(&[json!("bogus-value"), json!(""), json!("ACTIVE ")])),
        _ if name.ends_with("_times_finite") => (
            vec![changes(&[("created_at", json!("2024-02-29T23:59:59.999999+14:00"))])],
            columns
                .iter()
                .flat_map(|column| ["infinity", "0044-03-15 BC", "10000-01-01"].map(|value| (column, value)))
                .map(|(column, value)| changes(&[(column, json!(value))]))
                .collect(),
        ),
        _ if name.ends_with("_id_form") => {
            (each(&[json!("a/b"), json!("x?y")]), each(&[json!(""), json!(" "), json!("a/"), json!("x".repeat(2049))]))
        }
        _ if name.ends_with("_per_1") => (
            each(&[
                json!({}),
                json!({"start": "1985", "end": "1984"}),
                json!({"start": "2024-01-01", "end": "2024-01-01"}),
                json!({"start": "2024-01-01T00:00:00+05:00", "end": "2023-12-31T20:00:00Z"}),
                json!({"start": "infinity", "end": "now"}),
            ]),
            each(&[
                json!({"start": "2024-01-02", "end": "2024-01-01"}),
                json!({"start": "2024-01-01T00:00:00Z", "end": "2024-01-01T00:00:00+00:01"}),
            ]),
        ),
        _ if name.ends_with("_range") => {
            let resource = contract().resources.iter().find(|resource| resource.table == *table)?;
            let field = resource.fields.iter().find(|field| field.name == column)?;
            let step = |bound: Option<f64>, by: f64| bound.map(|bound| json!((bound + by) as i64));
            let accept: Vec<Value> =
                [step(field.minimum, 0.0), step(field.maximum, 0.0)].into_iter().flatten().collect();
            let reject: Vec<Value> =
                [step(field.minimum, -1.0), step(field.maximum, 1.0)].into_iter().flatten().collect();
            (each(&accept), each(&reject))
        }
        _ => return None,
    };
    Some(Case { constraint: name.clone(), table: table.clone(), rules: Vec::new(), accept, reject })
}

/// A foreign key behind a generated column: `hacs_core.reference_id(subject, 'Patient'::text)`.
fn reference(constraint: &Constraint) -> Option<(Vec<Changes>, Vec<Changes>)> {
    let arguments = constraint.definition.split_once('(')?.1;
    let (field, rest) = arguments.split_once(", '")?;
    let target = rest.split('\'').next()?;
    let field = field.trim_start_matches('(').split("::").next()?.trim_matches([')', '"']);
    let resource = contract().resources.iter().find(|resource| resource.table == constraint.table)?;
    let is_object = resource.fields.iter().find(|f| f.name == field)?.json_type == "object";
    let written = |text: &str| {
        let value = if is_object { json!({"reference": text}) } else { json!(text) };
        changes(&[(field, value)])
    };
    let typed = constraint.definition.contains("bare => false");
    let foreign =
        ["https://example.org/fhir/Patient/1", "urn:uuid:00000000-0000-4000-8000-000000000000", "Nothing/1", "#p1"];
    let mut accept: Vec<Changes> = foreign.iter().map(|text| written(text)).collect();
    accept.push(changes(&[(field, if is_object { json!({}) } else { Value::Null })]));
    let mut reject = vec![written(&format!("{target}/nobody")), written(&format!("{target}/nobody/_history/3"))];
    // A bare id is of the only type that there can be, but says nothing where there are several.
    if typed { &mut accept } else { &mut reject }.push(written("nobody"));
    // Columns that may not be null have no absent reference.
    accept.retain(|row| {
        resource.fields.iter().any(|f| f.name == field && f.nullable) || row.values().all(|v| !v.is_null())
    });
    Some((accept, reject))
}

/// Stores the minimal row of a table with changes, and takes it back. The error is the constraint's name.
fn verdict(transaction: &mut Transaction<'_>, table: &str, changes: &Changes) -> Result<(), String> {
    let mut document = minimal(table);
    document.extend(changes.clone());
    let sample =
        Sample { table: table.to_owned(), document, context: Map::new(), rule: String::new(), field: String::new() };
    let mut savepoint = transaction.transaction().unwrap();
    let result = documents::insert(&mut savepoint, &sample);
    savepoint.rollback().unwrap();
    result.map(|_| ()).map_err(|error| {
        let db = error.as_db_error().unwrap_or_else(|| panic!("{table} {changes:?}: {error}"));
        db.constraint().map_or_else(|| format!("{} {}", db.code().code(), db.message()), str::to_owned)
    })
}

/// The organization to which the minimal contacts and qualifications belong.
pub fn with_parent(client: &mut impl GenericClient) {
    client.batch_execute("insert into hacs_core.organizations (id, name) values ('parent', 'Clinic')").unwrap();
}

#[test]
fn every_constraint_accepts_and_refuses_what_its_name_says() {
    let database = Database::migrated();
    let mut client = database.client();
    let written: BTreeMap<String, Case> = written_cases().into_iter().map(|c| (c.constraint.clone(), c)).collect();
    let all = constraints(&mut client);
    let mut transaction = client.transaction().unwrap();
    with_parent(&mut transaction);

    let mut faults = Vec::new();
    let mut tried = BTreeSet::new();
    for constraint in all.iter().filter(|constraint| !matches!(constraint.kind, 'p' | 'u' | 't')) {
        let Some(case) = written.get(&constraint.name).cloned().or_else(|| case_by_name(constraint)) else {
            faults.push(format!("{} has no case", constraint.name));
            continue;
        };
        let table = if case.table.is_empty() { &constraint.table } else { &case.table };
        if case.accept.is_empty() || case.reject.is_empty() {
            faults.push(format!("{} lacks a row to accept or to refuse", constraint.name));
        }
        for row in &case.accept {
            if let Err(refused_by) = verdict(&mut transaction, table, row) {
                faults.push(format!("{}: {row:?} was refused by {refused_by}", constraint.name));
            }
        }
        for row in &case.reject {
            let verdict = verdict(&mut transaction, table, row);
            if verdict.as_ref().err() != Some(&constraint.name) {
                faults.push(format!("{}: {row:?} led to {verdict:?}", constraint.name));
            }
        }
        tried.insert(constraint.name.clone());
    }
    faults.extend(written.keys().filter(|name| !tried.contains(*name)).map(|name| format!("{name} does not exist")));
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn keys_refuse_a_second_row() {
    let database = Database::migrated();
    let mut client = database.client();
    let all = constraints(&mut client);
    let mut transaction = client.transaction().unwrap();
    with_parent(&mut transaction);
    for constraint in all.iter().filter(|constraint| matches!(constraint.kind, 'p' | 'u')) {
        let mut row = minimal(&constraint.table);
        row.entry("id").or_insert(json!("twice"));
        if row.contains_key("key") {
            row.remove("id");
        }
        // Another id, where it is another key that is tried.
        let second = if constraint.kind == 'u' { changes(&[("id", json!("other"))]) } else { Changes::new() };
        let mut savepoint = transaction.transaction().unwrap();
        let sample = |extra: &Changes| {
            let mut document = row.clone();
            document.extend(extra.clone());
            Sample {
                table: constraint.table.clone(),
                document,
                context: Map::new(),
                rule: String::new(),
                field: String::new(),
            }
        };
        documents::insert(&mut savepoint, &sample(&Changes::new())).unwrap();
        let error = documents::insert(&mut savepoint, &sample(&second)).unwrap_err();
        assert_eq!(error.as_db_error().unwrap().constraint(), Some(constraint.name.as_str()), "{error:?}");
        savepoint.rollback().unwrap();
    }
}

#[test]
fn every_rule_that_must_hold_has_a_constraint() {
    #[derive(Deserialize)]
    struct Rule {
        id: String,
        decision: String,
    }
    // Rules that many columns share are tried by the constraints' names, and against the contract, for each column.
    let shared = [
        "BASE-type",
        "BASE-notnull",
        "BASE-enum",
        "PROC-satisfaction",
        "GOAL-percent",
        "GOAL-importance",
        "GOAL-confidence",
        "TASK-percent",
        "APPT-minutes",
        "KNOW-content",
        "MEM-content",
        "MEM-type",
        "MSG-status",
        "MSG-provenance",
    ];
    let rules: Vec<Rule> = serde_json::from_str(include_str!("../../data/rules.json")).unwrap();
    let mut named: BTreeSet<String> = written_cases().into_iter().flat_map(|case| case.rules).collect();
    named.extend(shared.map(str::to_owned));
    let must: BTreeSet<String> = rules.iter().filter(|r| r.decision == "must").map(|r| r.id.clone()).collect();
    let missing: Vec<_> = must.difference(&named).collect();
    assert!(missing.is_empty(), "{missing:?}");
    let known: BTreeSet<String> = rules.into_iter().map(|rule| rule.id).collect();
    assert!(named.is_subset(&known), "{:?}", named.difference(&known));
}

#[test]
fn rules_that_its_models_do_not_keep_are_not_enforced() {
    let database = Database::migrated();
    let mut client = database.client();
    let mut transaction = client.transaction().unwrap();
    let cases = [
        ("con-5", "hacs_clinical.conditions", json!({"verification_status": "entered-in-error"})),
        ("ait-2", "hacs_clinical.allergy_intolerances", json!({"verification_status": "entered-in-error"})),
        ("obs-6", "hacs_core.observations", json!({"data_absent_reason": "unknown", "value_boolean": false})),
        (
            "enc-2",
            "hacs_core.encounters",
            json!({"participants": [{"type": "patient", "individual": "Patient/https"}]}),
        ),
        (
            "medication[x]",
            "hacs_clinical.medication_requests",
            json!({"medication_reference": "urn:x", "medication_codeable_concept": {}}),
        ),
        ("pdf-0", "hacs_clinical.plan_definitions", json!({"name": "not an identifier", "url": "a|b#c d"})),
    ];
    for (rule, table, row) in cases {
        assert_eq!(verdict(&mut transaction, table, row.as_object().unwrap()), Ok(()), "{rule}");
    }
}

/// Checks whose name does not say it all, and that have no comment.
pub fn silent_constraints(database: &Database) -> Vec<String> {
    let query = "select c.conname::text from pg_constraint as c join pg_namespace as n on n.oid = c.connamespace
        where n.nspname like 'hacs\\_%' and contype = 'c' and conrelid <> 0 and c.coninhcount = 0
            and conname !~ '_(valid|range|list|object|text_map|text_map_list|period_list|concept|conforms)$'
            and obj_description(c.oid, 'pg_constraint') is null";
    database.client().query(query, &[]).unwrap().iter().map(|row| row.get(0)).collect()
}

#[test]
fn every_constraint_says_in_a_comment_what_its_name_does_not() {
    let silent = silent_constraints(&Database::migrated());
    assert!(silent.is_empty(), "{silent:?}");
}
