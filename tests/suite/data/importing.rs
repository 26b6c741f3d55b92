//! `hacs-refinery import` and `export`.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::database::{Database, Ended, ended};
use crate::documents::{self, Sample};

/// The valid documents, a contact or qualification with its organization, in an order that no reference likes.
fn all() -> Vec<Value> {
    let with_parent = |sample: Sample| {
        let mut document = sample.document;
        document.extend(sample.context);
        Value::Object(document)
    };
    documents::valid().into_iter().rev().map(with_parent).collect()
}

fn lines(documents: &[Value]) -> Vec<u8> {
    documents.iter().map(|document| format!("{document}\n")).collect::<String>().into_bytes()
}

fn run(mut command: Command, input: &[u8]) -> Ended {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the tool starts");
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    let writer = std::thread::spawn(move || {
        // one that failed early does not read it all
        let _ = stdin.write_all(&input);
    });
    let end = ended(child.wait_with_output().unwrap());
    writer.join().unwrap();
    end
}

fn import(database: &Database, args: &[&str], input: &[u8]) -> Ended {
    run(database.tool(&[&["import"], args].concat()), input)
}

/// The lines of an export, sorted.
fn export(database: &Database, args: &[&str]) -> Vec<String> {
    let end = database.run(&[&["export"], args].concat());
    assert_eq!((end.code, end.stderr.as_str()), (Some(0), ""), "{args:?}");
    let mut lines: Vec<String> = end.stdout.lines().map(str::to_owned).collect();
    lines.sort_unstable();
    lines
}

#[test]
fn what_was_exported_is_imported_elsewhere_byte_by_byte() {
    let first = Database::migrated();
    let end = import(&first, &["--actor", "loader/1"], &lines(&all()));
    assert_eq!(end.code, Some(0), "{end:?}");
    assert!(end.stdout.contains("115 documents in "), "{end:?}");
    assert_eq!(first.text("select string_agg(distinct actor_id, ' ') from hacs_audit.resource_changes"), "loader/1");
    for sample in documents::valid() {
        let id = sample.document["id"].as_str().unwrap();
        let resource = sample.document["resource_type"].as_str().unwrap();
        let found: Value = documents::parse(&first.text(&format!("select hacs_core.get('{resource}', '{id}')")));
        let mut given = sample.document.clone();
        given.extend(sample.context.clone());
        assert!(documents::same(&Value::Object(given), &found), "{}", sample.name());
    }
    let exported = first.run(&["export"]);
    let second = Database::migrated();
    let end = import(&second, &["--json"], exported.stdout.as_bytes());
    assert_eq!(end.code, Some(0), "{end:?}");
    let report: Value = serde_json::from_str(&end.stdout).unwrap();
    assert_eq!((&report["documents"], &report["stored"], &report["refused"]), (&json!(111), &json!(111), &json!(0)));
    assert_eq!(export(&first, &[]), export(&second, &[]));
    assert_eq!(export(&second, &["--type", "Patient"]).len(), 14);
    assert_eq!(export(&second, &["--since", "2999-01-01Z"]).len(), 0);
}

#[test]
fn the_records_of_a_patient_are_exported_with_all_that_they_refer_to() {
    let first = Database::migrated();
    assert_eq!(import(&first, &[], &lines(&all())).code, Some(0));
    let patient = first.text("select patient_id from hacs_core.observations where patient_id is not null limit 1");
    let records = export(&first, &["--patient", &patient]);
    assert!(records.len() > 1 && records.len() < 111, "{}", records.len());
    let second = Database::migrated();
    let end = import(&second, &[], (records.join("\n") + "\n").as_bytes());
    assert_eq!(end.code, Some(0), "{end:?}");
    assert_eq!(export(&second, &[]), records);
}

#[test]
fn arrays_bundles_and_compressed_files_are_read_as_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let documents = all();
    let array = serde_json::to_string_pretty(&documents).unwrap().into_bytes();
    let entries: Vec<Value> = documents.iter().map(|document| json!({"resource": document})).collect();
    let bundle =
        serde_json::to_string_pretty(&json!({"resourceType": "Bundle", "entry": entries})).unwrap().into_bytes();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&lines(&documents)).unwrap();
    let gzip = gzip.finish().unwrap();
    let mut found = Vec::new();
    for (number, input) in [array, bundle, gzip].iter().enumerate() {
        let database = Database::migrated();
        let file = dir.path().join(format!("documents-{number}"));
        std::fs::write(&file, input).unwrap();
        let end = import(&database, &[file.to_str().unwrap()], b"");
        assert_eq!(end.code, Some(0), "{end:?}");
        found.push(export(&database, &[]));
    }
    assert!(found[0].len() == 111 && found[1] == found[0] && found[2] == found[0]);
}

/// Good ones and bad ones, each bad one with what is said of it.
fn mixed() -> Vec<(Value, Option<&'static str>)> {
    let patient = |id: &str, field: &str, value: Value| json!({"resource_type": "Patient", "id": id, "full_name": "X", field: value});
    let message = |id: &str, reply: &str| json!({"resource_type": "AgentMessage", "id": id, "role": "agent", "content": "x", "in_reply_to": reply});
    let finding = |id: &str, subject: &str| json!({"resource_type": "Observation", "id": id, "subject": subject, "value_integer": 0});
    vec![
        (finding("o1", "Patient/p1"), None),
        (patient("p1", "age", json!("12")), None),
        (patient("p2", "gender", json!("x")), Some("Patient.gender is refused by patients_gender_valid")),
        (
            patient("p3", "birth_date", json!("today")),
            Some("Patient.birth_date must be a day, YYYY-MM-DD, not a text like \"aaaaa\""),
        ),
        (patient("p1", "age", json!(1)), Some("Patient/p1 is there already")),
        (finding("o2", "Patient/p2"), Some("Observation.subject refers to Patient/p2, which was refused")),
        (finding("o3", "Patient/nobody"), Some("Observation.subject refers to Patient/nobody, which is not here")),
        (message("m1", "m2"), None),
        (message("m2", "m1"), None),
        (message("m4", "m3"), Some("AgentMessage.in_reply_to refers to AgentMessage/m3, which was refused")),
        (message("m3", "m9"), Some("AgentMessage.in_reply_to refers to AgentMessage/m9, which is not here")),
        (json!({"no": "type"}), Some("a document is a JSON object with a resource_type")),
        (
            json!({"resource_type": "Organization", "id": "o", "name": "O", "contacts": [{"id": "c", "email": "nope"}]}),
            Some("OrganizationContact.email is refused by email_rfc_5322: a text like \"aaaa\""),
        ),
        (
            json!({"resourceType": "Encounter", "id": "e", "class": "AMB", "status": "planned", "period": {"start": "2024"}, "subject": "Patient/p1"}),
            None,
        ),
        (json!({"resource_type": "CarePlan", "id": "c"}), None),
    ]
}

#[test]
fn refused_documents_are_set_aside_with_their_reason_and_go_in_once_they_are_mended() {
    let database = Database::migrated();
    let dir = tempfile::tempdir().unwrap();
    let rejects = dir.path().join("rejects.ndjson");
    let documents = mixed();
    let mut input = lines(&documents.iter().map(|(document, _)| document.clone()).collect::<Vec<_>>());
    input.extend_from_slice(b"{\"resource_type\": \n{\"text\": \"\\u0000\"}\n");
    let end = import(&database, &["--rejects", rejects.to_str().unwrap(), "--json"], &input);
    assert_eq!(end.code, Some(9), "{end:?}");
    let report: Value = serde_json::from_str(&end.stdout).unwrap();
    assert_eq!((&report["documents"], &report["stored"], &report["refused"]), (&json!(17), &json!(6), &json!(11)));
    let text = std::fs::read_to_string(&rejects).unwrap();
    let aside: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for (number, (document, said)) in documents.iter().enumerate() {
        let found = aside.iter().find(|reject| reject["line"] == json!(number + 1));
        assert_eq!(found.map(|reject| reject["message"].as_str().unwrap()), *said, "{document}");
        assert!(found.is_none_or(|reject| &reject["document"] == document), "{document}: {found:?}");
    }
    assert_eq!(aside.iter().filter(|reject| reject["code"].as_str().unwrap().starts_with("22P")).count(), 2, "{text}");
    let mended = text
        .lines()
        .filter(|line| !line.contains("\"22P") && !line.contains("\"no\"") && !line.contains("is there already"))
        .map(|line| {
            line.replace("\"gender\": \"x\"", "\"gender\": \"other\"")
                .replace("today", "1985-04-03")
                .replace("nobody", "p1")
                .replace("m9", "m1")
                .replace("nope", "a@b")
                + "\n"
        })
        .collect::<String>();
    let end = import(&database, &[], mended.as_bytes());
    assert_eq!(end.code, Some(0), "{end:?} {mended}");
    assert_eq!(database.text("select count(*) from hacs_core.patients"), "3");
}

#[test]
fn a_text_that_is_no_document_is_set_aside_with_what_is_wrong_with_it() {
    let database = Database::migrated();
    let dir = tempfile::tempdir().unwrap();
    let rejects = dir.path().join("rejects.ndjson");
    let deep = format!("{}1{}", "[".repeat(20_000), "]".repeat(20_000));
    let large = format!("1{}", "0".repeat(140_000));
    for (value, code, message) in [
        (&b"tru"[..], "22P02", "it is no JSON that PostgreSQL takes"),
        (b"\"\\ud800\"", "22P02", "it is no JSON that PostgreSQL takes"),
        (b"\"\\u0000\"", "22P05", r"it has \u0000 in a text, which PostgreSQL cannot store"),
        (b"\"\xff\"", "22021", "it is not in UTF-8"),
        (deep.as_bytes(), "54001", "it is nested more deeply than the server takes (max_stack_depth)"),
        (large.as_bytes(), "22003", "a number in it is larger than PostgreSQL stores"),
    ] {
        let mut input = br#"{"resource_type": "Patient", "id": "p", "family": "F", "other": "#.to_vec();
        input.extend_from_slice(value);
        input.extend_from_slice(b"}\n");
        let end = import(&database, &["--rejects", rejects.to_str().unwrap()], &input);
        assert_eq!(end.code, Some(9), "{message}: {end:?}");
        let text = std::fs::read_to_string(&rejects).unwrap();
        assert!(text.contains(&format!("\"code\" : \"{code}\"")), "{message}: {:.300}", text);
        let message = message.replace('\\', r"\\");
        assert!(text.contains(&format!("\"message\" : \"{message}\"")), "{message}: {:.300}", text);
    }
}

#[test]
fn without_a_file_for_them_the_first_refused_document_ends_the_import_and_nothing_is_changed() {
    let database = Database::migrated();
    let input =
        lines(&mixed().into_iter().map(|(document, _)| document).filter(|d| d.get("no").is_none()).collect::<Vec<_>>());
    let end = import(&database, &[], &input);
    assert_eq!((end.code, end.stdout.as_str()), (Some(9), ""), "{end:?}");
    assert!(
        end.stderr.contains("a document was refused: line ") && end.stderr.contains("Nothing was changed."),
        "{end:?}"
    );
    assert!(!end.stderr.to_lowercase().contains("insert into"), "{end:?}");
    let end = import(&database, &["--dry-run"], &lines(&all()));
    assert!(end.code == Some(0) && end.stdout.ends_with("Rolled back: nothing was changed.\n"), "{end:?}");
    assert_eq!(database.text("select count(*) from hacs_audit.resource_changes"), "0");
    let end = import(&database, &["/nowhere/at/all"], b"");
    assert!(end.code == Some(1) && end.stderr.contains("reading failed: file 1: "), "{end:?}");
}

#[test]
fn a_document_that_is_there_already_is_refused_left_or_replaced_as_asked() {
    let database = Database::migrated();
    assert_eq!(import(&database, &[], &lines(&all())).code, Some(0));
    let before = export(&database, &[]);
    let changes = || database.text("select count(*) from hacs_audit.resource_changes");
    let count = changes();
    for mode in ["keep", "replace"] {
        let end = import(&database, &["--on-conflict", mode, "--json"], &lines(&all()));
        let report: Value = serde_json::from_str(&end.stdout).unwrap_or_else(|_| panic!("{end:?}"));
        assert_eq!((&report["stored"], &report["kept"]), (&json!(0), &json!(115)), "{mode}");
        assert_eq!((changes(), export(&database, &[])), (count.clone(), before.clone()), "{mode}");
    }
    let patient = |id: &str, name: &str| json!({"resource_type": "Patient", "id": id, "full_name": name});
    // the last of several in a file is what stays, or the first
    let twice = [patient("p", "A"), patient("p", "B"), patient("p", "C")];
    for (mode, expected) in [("keep", "A"), ("replace", "C")] {
        let end = import(&database, &["--on-conflict", mode], &lines(&twice));
        assert_eq!(end.code, Some(0), "{end:?}");
        assert_eq!(database.text("select full_name from hacs_core.patients where id = 'p'"), expected);
    }
    let end = import(&database, &[], &lines(&twice));
    assert!(end.code == Some(9) && end.stderr.contains("line 1: Patient/p is there already"), "{end:?}");
}

#[test]
fn every_invalid_document_is_refused_for_the_reason_that_put_gives() {
    let database = Database::migrated();
    assert_eq!(import(&database, &[], &lines(&all())).code, Some(0));
    let dir = tempfile::tempdir().unwrap();
    let rejects = dir.path().join("rejects.ndjson");
    let mut given = Vec::new();
    for sample in documents::invalid() {
        if sample.document.get("resource_type") != Some(&json!("BogusType")) {
            let mut document = sample.document.clone();
            if sample.table.starts_with("hacs_core.organization_") {
                document.insert("organization_id".into(), json!("org-system"));
            }
            given.push(Value::Object(document));
        }
    }
    let end = import(&database, &["--rejects", rejects.to_str().unwrap()], &lines(&given));
    assert_eq!(end.code, Some(9), "{end:?}");
    let text = std::fs::read_to_string(&rejects).unwrap();
    assert_eq!(text.lines().count(), given.len());
    let mut client = database.client();
    for line in text.lines() {
        let reject: Value = documents::parse(line);
        let put = "select hacs_core.put($1::text::jsonb)";
        let error = client.query(put, &[&reject["document"].to_string()]).err().unwrap_or_else(|| panic!("{line}"));
        let db = error.as_db_error().unwrap();
        let said = (reject["code"].as_str(), reject["message"].as_str(), reject["constraint"].as_str());
        assert_eq!(said, (Some(db.code().code()), Some(db.message()), db.constraint()), "{line}");
    }
}
