use postgres::Client;

use crate::data::rules::Case;
use crate::database::Database;
use crate::documents::{self, Sample, same};

fn in_utc(database: &Database) -> Client {
    let mut client = database.client();
    client.batch_execute("set timezone = 'UTC'").unwrap();
    client
}

#[test]
fn every_valid_document_goes_in_and_out_unchanged() {
    let database = Database::migrated();
    let mut client = in_utc(&database);
    let samples = documents::valid();
    assert_eq!(samples.len(), 115);
    let mut faults = Vec::new();
    for sample in &samples {
        match documents::insert(&mut client, sample) {
            Err(error) => faults.push(format!("{}: {error:?}", sample.name())),
            Ok(stored) => faults.extend(losses(sample, &stored)),
        }
    }
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

fn losses(sample: &Sample, stored: &serde_json::Value) -> Vec<String> {
    let lost = sample.document.iter().filter(|(key, given)| {
        let found = stored.get(key).or_else(|| stored["extra"].get(key));
        !found.is_some_and(|found| same(given, found))
    });
    lost.map(|(key, given)| format!("{} lost {key}: {given} became {:?}", sample.name(), stored.get(key))).collect()
}

#[test]
fn every_invalid_document_is_refused_for_the_fault_that_it_has() {
    let database = Database::migrated();
    let mut client = in_utc(&database);
    for sample in documents::valid() {
        documents::insert(&mut client, &sample).unwrap();
    }
    let samples = documents::invalid();
    assert_eq!(samples.len(), 100);
    let mut faults = Vec::new();
    for mut sample in samples {
        if sample.table.starts_with("hacs_core.organization_") {
            sample.context.insert("organization_id".into(), "org-system".into());
        }
        let mut transaction = client.transaction().unwrap();
        match documents::insert(&mut transaction, &sample) {
            Ok(_) => faults.push(format!("{} was accepted", sample.name())),
            Err(error) if !is_for(&mut transaction, &sample, &error) => {
                faults.push(format!("{}: {error:?}", sample.name()))
            }
            Err(_) => {}
        }
    }
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

/// Whether an error is about the field at fault: a null in it, a value that its type does not take, or a constraint
/// that is the rule's own, or at least stands on the field.
fn is_for(transaction: &mut postgres::Transaction<'_>, sample: &Sample, error: &postgres::Error) -> bool {
    let db = error.as_db_error().expect("an answer of the server");
    let rule = sample.rule.split_once("validator:").map(|(_, rule)| rule);
    let constraint = db.constraint().unwrap_or_default();
    match db.code().code() {
        "23502" => db.column() == Some(&sample.field),
        "23514" if rule.is_some() => {
            let of_rule =
                |case: &Case| case.constraint == constraint && case.rules.iter().any(|r| Some(r.as_str()) == rule);
            crate::data::rules::written_cases().iter().any(of_rule)
        }
        "23514" => {
            transaction.batch_execute("rollback; begin").unwrap();
            let query = "
                select exists (
                    select from pg_attribute as a
                    where a.attrelid = $1::text::regclass and a.attname = $2 and (
                        exists (select from pg_constraint as c where c.conname = $3 and c.conrelid = a.attrelid
                            and a.attnum = any (c.conkey))
                        or exists (select from pg_constraint as c where c.conname = $3 and c.contypid = a.atttypid)
                    )
                )";
            transaction.query_one(query, &[&sample.table, &sample.field, &constraint]).unwrap().get(0)
        }
        code => code.starts_with("22") && sample.rule.starts_with("type:"),
    }
}
