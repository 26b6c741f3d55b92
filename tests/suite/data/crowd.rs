//! Documents of many at once, and many documents at once.

use std::io::Write;
use std::process::Stdio;
use std::sync::Barrier;

use serde_json::json;

use crate::connect::fake_server::watched;
use crate::data::put::{get, put};
use crate::database::Database;

/// Who is quicker makes it; the other one, who looked before it was there, replaces it.
#[test]
fn of_two_sessions_that_put_the_same_id_at_once_one_makes_it_and_the_other_replaces_it() {
    let database = Database::migrated();
    let start = Barrier::new(2);
    let of = |session: usize| {
        let mut client = database.client();
        client.batch_execute("set synchronous_commit = off").unwrap();
        (0..500)
            .map(|number| {
                let document =
                    json!({"resource_type": "Patient", "id": format!("p{number}"), "full_name": "X", "by": session});
                start.wait();
                put(&mut client, &document, None).unwrap()
            })
            .collect::<Vec<_>>()
    };
    let [first, second] = std::thread::scope(|scope| {
        [0, 1].map(|session| scope.spawn(move || of(session))).map(|session| session.join().unwrap())
    });
    for (number, (first, second)) in first.iter().zip(&second).enumerate() {
        assert_ne!(first.created, second.created, "{number}");
        let (makes, replaces) = if first.created { (first, second) } else { (second, first) };
        assert_eq!((makes.version, replaces.version), (1, 2), "{number}");
        let last = usize::from(first.created);
        assert_eq!(get(&mut database.client(), "Patient", &format!("p{number}"))["by"], last, "{number}");
    }
}

/// Documents are sent in chunks as they are read, and none is kept: ten times as many take no more memory.
#[test]
#[cfg(target_os = "linux")]
fn an_import_takes_the_same_memory_for_ten_times_as_many_documents() {
    let note = "a".repeat(1900);
    let most = [2_000, 20_000].map(|documents| {
        let database = Database::migrated();
        let mut tool = database.tool(&["import", "--quiet"]);
        let mut child = tool.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let note = note.clone();
        let writer = std::thread::spawn(move || {
            for number in 0..documents {
                let document =
                    json!({"resource_type": "Patient", "id": format!("p{number}"), "full_name": "X", "note": note});
                writeln!(stdin, "{document}").unwrap();
            }
        });
        let (end, most) = watched(child);
        writer.join().unwrap();
        assert_eq!(end.code, Some(0), "{end:?}");
        assert_eq!(database.text("select count(*) from hacs_core.patients"), documents.to_string());
        most
    });
    assert!(most[1] < most[0] + 8 * 1024 && most[1] < 100 * 1024, "{most:?} kB");
}
