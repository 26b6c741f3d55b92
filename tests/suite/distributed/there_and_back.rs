//! A filled database is distributed and taken back: it holds the same, and is what it should be, at each step.

use std::fmt::Write;
use std::path::Path;

use hacs_refinery::Manifest;

use super::cluster::Cluster;
use crate::documents;

/// The samples of the contract that keep to one patient each.
fn fill(cluster: &Cluster) {
    let mut client = cluster.client();
    for sample in documents::valid() {
        let mut transaction = client.transaction().unwrap();
        if documents::insert(&mut transaction, &sample).is_ok() {
            transaction.commit().unwrap();
        }
    }
    for (table, id) in [
        ("hacs_agents.messages", "msg-002"),
        ("hacs_clinical.medication_requests", "medrx-002"),
        ("hacs_core.observations", "obs-261"),
    ] {
        client.execute(&format!("delete from {table} where id = $1"), &[&id]).unwrap();
    }
    client.batch_execute("select hacs_audit.seal()").unwrap();
}

#[test]
fn a_filled_database_goes_there_and_back_and_holds_the_same() {
    let Some(cluster) = Cluster::migrated("there and back") else { return };
    fill(&cluster);
    let rows = "select count(*) from hacs_core.patients";
    let patients = cluster.text(rows);
    let export = cluster.run(&["export", "-q"]);
    assert!(export.code == Some(0) && export.stdout.lines().count() > 90, "{}", export.stderr);

    let end = cluster.run(&["distribute", "--dry-run", "--json"]);
    assert!(end.code == Some(0) && end.stdout.contains("\"dry_run\": true"), "{end:?}");
    assert_eq!(cluster.run(&["verify"]).code, Some(0));

    let end = cluster.run(&["distribute"]);
    assert_eq!(end.code, Some(0), "{end:?}");
    assert!(end.stdout.contains("every table holds what it held before"), "{end:?}");
    assert_eq!(cluster.text(rows), patients);
    assert_eq!(sorted(&cluster.run(&["export", "-q"]).stdout), sorted(&export.stdout));
    let again = cluster.run(&["distribute"]);
    assert_eq!((again.code, again.stderr.contains("distributed already")), (Some(2), true), "{again:?}");
    as_distributed(&cluster);

    let end = cluster.run(&["distribute", "--undo"]);
    assert_eq!(end.code, Some(0), "{end:?}");
    let end = cluster.run(&["verify", "--deep", "--seals"]);
    assert!(end.code == Some(0) && end.stdout.contains("as migrated"), "{end:?}");
    assert_eq!(cluster.text(rows), patients);
    assert_eq!(sorted(&cluster.run(&["export", "-q"]).stdout), sorted(&export.stdout));
    // numbers of changes go on after those of all nodes
    cluster.client().batch_execute("insert into hacs_core.patients (id, family) values ('after', 'A')").unwrap();
    let newest = "select max(change_id) = hacs_audit.last_number() from hacs_audit.resource_changes";
    assert_eq!(cluster.text(newest), "t");
    assert_eq!(cluster.run(&["seal", "-q"]).code, Some(0));
    assert_eq!(cluster.run(&["verify", "--seals", "-q"]).code, Some(0));
    // and there once more
    let end = cluster.run(&["distribute"]);
    assert_eq!(end.code, Some(0), "{end:?}");
    assert_eq!(cluster.run(&["verify", "-q", "--seals"]).code, Some(0));
}

fn as_distributed(cluster: &Cluster) {
    write_manifest(cluster);
    let end = cluster.run(&["verify", "--deep", "--seals"]);
    assert!(end.code == Some(0) && end.stdout.contains("as migrated"), "{end:?}");
    let end = cluster.run(&["status", "--check"]);
    assert!(end.code == Some(0) && end.stdout.contains("Complete         yes, distributed by patient"), "{end:?}");
    let end = cluster.run(&["migrate"]);
    assert_eq!(end.code, Some(0), "{end:?}");
    cluster
        .client()
        .batch_execute("alter table hacs_core.encounters drop constraint encounters_patient_id_fkey")
        .unwrap();
    let end = cluster.run(&["verify"]);
    let named = "missing constraint hacs_core.encounters.encounters_patient_id_fkey";
    assert!(end.code == Some(7) && end.stdout.contains(named) && !end.stdout.contains("mend"), "{end:?}");
    assert_eq!(cluster.run(&["status", "--check"]).code, Some(4));
    let back = "alter table hacs_core.encounters add constraint encounters_patient_id_fkey
        foreign key (patient_id, has_patient) references hacs_core.patients (id, is_patient) deferrable";
    cluster.client().batch_execute(back).unwrap();
    assert_eq!(cluster.run(&["verify"]).code, Some(0));
}

fn sorted(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines
}

/// With UPDATE_MANIFEST, what a distribution makes of the manifest is written down anew; else it has to be so.
fn write_manifest(cluster: &Cluster) {
    let (plain, found) = (Manifest::embedded(), hacs_refinery::manifest(&mut cluster.client()).unwrap());
    let mut text = String::new();
    for (object, _) in plain.objects().filter(|(object, _)| found.definition(object).is_none()) {
        let _ = writeln!(text, "- {} | {}", object.kind, object.name);
    }
    for (object, definition) in found.objects().filter(|(object, is)| plain.definition(object) != Some(*is)) {
        let separator = if definition.is_empty() { "" } else { " | " };
        let _ = writeln!(text, "+ {} | {}{separator}{definition}", object.kind, object.name);
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/schema/distributed.txt");
    if std::env::var_os("UPDATE_MANIFEST").is_some() {
        std::fs::write(file, text).unwrap();
        panic!("src/schema/distributed.txt is written: build and test again");
    }
    assert_eq!(std::fs::read_to_string(file).unwrap(), text, "UPDATE_MANIFEST=1 writes it anew");
    assert_eq!(Manifest::distributed(), &found);
}
