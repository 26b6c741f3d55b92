use postgres::Client;

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
