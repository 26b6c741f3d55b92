//! Documents in and out of a distributed database, and the rules that they keep.

use super::cluster::Cluster;
use crate::documents;

#[test]
fn documents_go_in_and_out_change_and_are_refused_as_on_one_machine() {
    let Some(cluster) = Cluster::distributed("documents of a distributed database") else { return };
    let mut client = cluster.client();
    let put =
        |document: &str| format!("select id || ' ' || version_id || ' ' || created from hacs_core.put('{document}')");
    let patient = r#"{"resource_type": "Patient", "id": "p1", "full_name": "Ada Lovelace"}"#;
    let observation = |subject: &str, value: &str| {
        format!(
            r#"{{"resource_type": "Observation", "id": "o1", "status": "final", "code": {{"text": "x"}}, "subject": "{subject}", "value_string": "{value}"}}"#
        )
    };
    for (sql, answer) in [
        (put(patient), "p1 1 true"),
        (put(patient), "p1 1 false"),
        (put(&observation("Patient/p1", "a")), "o1 1 true"),
        (put(&observation("Patient/p1", "b")), "o1 2 false"),
        ("select hacs_core.get('Observation', 'o1') ->> 'value_string'".to_owned(), "b"),
        ("select hacs_core.patch('Observation', 'o1', '{\"status\": \"amended\"}')".to_owned(), "3"),
        (put(r#"{"resource_type": "CarePlan", "id": "c1", "subject": "Patient/p1"}"#), "c1 1 true"),
        ("select hacs_core.patch('CarePlan', 'c1', '{\"x\": 1}')".to_owned(), "2"),
        (put(r#"{"resource_type": "Memory", "id": "m1", "memory_type": "episodic", "content": "x"}"#), "m1 1 true"),
        (put(r#"{"resource_type": "Organization", "id": "org", "name": "O"}"#), "org 1 true"),
        ("select count(*) from hacs_core.search('Observation', '{\"subject\": \"Patient/p1\"}')".to_owned(), "1"),
        ("select hacs_core.remove('Observation', 'o1')".to_owned(), "t"),
        ("select hacs_core.remove('Observation', 'o1')".to_owned(), "f"),
        ("select count(*) from hacs_core.document_coverage where documents <> 'complete'".to_owned(), "0"),
    ] {
        assert_eq!(cluster.text(&sql), answer, "{sql}");
    }
    client.batch_execute(&put(r#"{"resource_type": "Patient", "id": "p2", "full_name": "B C"}"#)).unwrap();
    client.batch_execute(&put(&observation("Patient/p1", "a"))).unwrap();
    for (sql, code, message) in [
        (put(&observation("Patient/p2", "a")), "0A000", "Observation/o1 is there already, with patient p1"),
        (put(&observation("Patient/p1", "").replace("final", "odd")), "23514", "Observation.status is refused by observations_status_valid"),
        (put(&observation("Patient/p9", "a").replace("o1", "o9")), "23503", "Observation.subject refers to Patient/p9, which is not here"),
        ("select hacs_core.put('{\"resource_type\": \"Patient\", \"id\": \"p1\", \"full_name\": \"X\"}', 7)".to_owned(), "40001", "Patient/p1 has version 1, not 7"),
        // Its kind, and not the value.
        ("select hacs_core.put('{\"resource_type\": \"CarePlan\", \"id\": [\"4711\"]}')".to_owned(), "22023", "CarePlan.id must be a text, not a list of texts"),
        ("select hacs_core.remove('Patient', 'p1')".to_owned(), "23503", "Patient/p1 is still referred to"),
        ("insert into hacs_core.observations (id, status, code, subject, value_string) values ('o3', 'final', '{\"text\": \"x\"}', 'Patient/p1', 'a')".to_owned(), "23514", "observations_patient_id_sent"),
    ] {
        let error = cluster.refused(&sql);
        assert!(error.code().code() == code && error.message().contains(message), "{sql}: {error:?}");
    }
}

#[test]
fn what_a_constraint_refuses_on_one_machine_is_refused_on_several() {
    let Some(cluster) = Cluster::distributed("the rules of a distributed database") else { return };
    let mut client = cluster.client();
    let mut stored = Vec::new();
    for sample in documents::invalid() {
        let mut transaction = client.transaction().unwrap();
        if documents::insert(&mut transaction, &sample).is_ok() {
            stored.push(sample.name());
        }
    }
    assert_eq!(stored, [""; 0]);
}

#[test]
fn an_export_of_one_machine_is_imported_into_several() {
    let Some(cluster) = Cluster::distributed("an import into a distributed database") else { return };
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("documents.ndjson");
    let lines: Vec<String> = (0..30)
        .flat_map(|n| {
            [
                format!(r#"{{"resource_type": "Patient", "id": "p{n}", "full_name": "A B"}}"#),
                format!(r#"{{"resource_type": "Observation", "id": "o{n}", "status": "final", "code": {{"text": "x"}}, "subject": "Patient/p{n}", "value_string": "v"}}"#),
            ]
        })
        .chain([r#"{"resource_type": "Observation", "id": "bad", "status": "final", "code": {"text": "x"}, "subject": "Patient/none", "value_string": "v"}"#.to_owned()])
        .collect();
    std::fs::write(&file, lines.join("\n")).unwrap();
    let rejects = dir.path().join("rejects.ndjson");
    let end = cluster.run(&["import", "--rejects", rejects.to_str().unwrap(), file.to_str().unwrap()]);
    assert_eq!(end.code, Some(9), "{end:?}");
    assert_eq!(cluster.text("select count(*) from hacs_core.observations"), "30");
    assert!(std::fs::read_to_string(&rejects).unwrap().contains("Patient/none, which is not here"));
    let end = cluster.run(&["export", "-q", "--patient", "p7"]);
    assert!(end.code == Some(0) && end.stdout.lines().count() == 2, "{end:?}");
}
