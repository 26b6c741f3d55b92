//! `adopt --follow`: the services go on, and what they write comes in.

use std::process::Stdio;
use std::thread;

use super::{adopt, adopted};
use crate::database::{Database, ended};
use crate::python::SERVICE;

const SAVE: &str = "insert into public.hacs_resources (id, resource_type, data, created_by, updated_by)
    values ($1, 'Patient', $2::text::jsonb, 'doctor/1', 'doctor/1')
    on conflict (id) do update set data = excluded.data, updated_at = now(), updated_by = excluded.updated_by";

fn patient(id: &str, gender: &str) -> String {
    format!(r#"{{"resource_type": "Patient", "id": "{id}", "full_name": "Ada", "gender": "{gender}"}}"#)
}

fn service() -> Database {
    let database = Database::empty();
    database.client().batch_execute(SERVICE).unwrap();
    database.client().execute(SAVE, &[&"bad", &patient("bad", "none")]).unwrap();
    database
}

#[test]
fn a_database_is_adopted_and_its_services_go_on() {
    let database = service();
    let (code, report) = adopted(&database, &["--follow", "note"]);
    assert_eq!(code, Some(9), "{report:#}");
    let followed = &report["followed"];
    assert_eq!(
        (&followed["table"], &followed["made"], &followed["refused"]),
        (&"public.hacs_resources".into(), &false.into(), &1.into())
    );
    assert_eq!(followed["documents"].to_string(), database.text("select count(*) from public.hacs_resources"));
    database.client().execute(SAVE, &[&"new", &patient("new", "female")]).unwrap();
    assert_eq!(database.text("select gender from hacs_core.patients where id = 'new'"), "female");
    assert_eq!(database.text("select string_agg(row_id, ',') from public.hacs_resources_refused"), "bad");
    let verified = database.run(&["verify", "--deep"]);
    assert!(
        verified.code == Some(0) && verified.stdout.contains("1 that are not, such as Patient/bad"),
        "{verified:?}"
    );
    assert!(!verified.stdout.contains("Left alone"), "{verified:?}");
    // Again, in the other mode: nothing is lost, and the next bad document is an error.
    let again = adopt(&database, &["--follow", "refuse"]);
    assert!(again.code == Some(9) && again.stdout.contains("public.hacs_resources is followed: "), "{again:?}");
    assert!(again.stdout.contains(", 1 of them refused: select * from public.hacs_resources_refused."), "{again:?}");
    assert!(!again.stdout.contains("it is not known"), "{again:?}");
    database.client().execute(SAVE, &[&"worse", &patient("worse", "none")]).unwrap_err();
    let off = adopt(&database, &["--unfollow"]);
    assert_eq!(
        (off.code, off.stdout.as_str()),
        (Some(0), "public.hacs_resources is no longer followed; its documents stay there and here.\n")
    );
    database.client().execute(SAVE, &[&"worse", &patient("worse", "none")]).unwrap();
}

#[test]
fn where_there_is_nothing_the_table_is_made_and_a_type_may_have_a_mode_of_its_own() {
    let database = Database::empty();
    let end = adopt(
        &database,
        &["--follow", "refuse", "--follow-type", "Patient=note", "--generic-table", "services.documents"],
    );
    assert!(end.code == Some(3) || end.code == Some(1), "there is no such schema: {end:?}");
    database.client().batch_execute("create schema services; create schema others").unwrap();
    let end = adopt(
        &database,
        &["--follow", "refuse", "--follow-type", "Patient=note", "--generic-table", "services.documents"],
    );
    assert!(end.code == Some(0) && end.stdout.ends_with("services.documents is followed: 0 documents.\n"), "{end:?}");
    assert_eq!(database.text("select count(*) from pg_roles where rolname = 'nobody_here'"), "0");
    let other = ["--follow", "note", "--generic-table", "others.documents", "--service-role", "nobody_here"];
    let end = adopt(&database, &other);
    assert!(end.code != Some(0) && end.stderr.contains("role \"nobody_here\" does not exist"), "{end:?}");
    assert_eq!(database.text("select to_regclass('others.documents')"), "null");
    let end = adopt(&database, &[&other[..5], &["pg_monitor"]].concat());
    assert_eq!(end.code, Some(0), "{end:?}");
    let owner = "select relowner::regrole from pg_class where oid = 'others.documents'::regclass";
    assert_eq!(database.text(owner), "pg_monitor");
    let save = SAVE.replace("public.hacs_resources", "services.documents");
    database.client().execute(&save, &[&"bad", &patient("bad", "none")]).unwrap();
    assert_eq!(database.text("select rule from services.documents_refused"), "patients_gender_valid");
    for wrong in ["Patient", "Patient=look", "=note=refuse"] {
        let end = adopt(&database, &["--follow", "refuse", "--follow-type", wrong]);
        assert_eq!(end.code, Some(2), "{wrong}: {end:?}");
        assert!(end.stderr.contains("--follow-type"), "{wrong}: {end:?}");
    }
}

#[test]
fn it_waits_for_a_writer_lets_others_write_meanwhile_and_misses_nothing() {
    let database = service();
    assert_eq!(adopt(&database, &[]).code, Some(9));
    let mut writer = database.client();
    let mut open = writer.transaction().unwrap();
    open.execute(SAVE, &[&"p1", &patient("p1", "female")]).unwrap();
    let mut command = database.tool(&["adopt", "--follow", "note"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    database.until("select exists (select from pg_locks where not granted and locktype = 'relation')");
    thread::scope(|scope| {
        for worker in 0..2 {
            let mut other = database.client();
            scope.spawn(move || {
                for turn in 0..50 {
                    let id = format!("w{worker}-{turn}");
                    other.execute(SAVE, &[&id, &patient(&id, "male")]).unwrap();
                }
            });
        }
        open.commit().unwrap();
    });
    let end = ended(child.wait_with_output().unwrap());
    assert_eq!(end.code, Some(0), "{end:?}");
    assert_eq!(
        database.text("select string_agg(row_id, ',') from hacs_core.follow_differences('public.hacs_resources')"),
        "bad"
    );
    assert_eq!(database.text("select count(*) from hacs_core.patients where id like 'w%' or id = 'p1'"), "101");
}

#[test]
fn two_at_once_both_end_well() {
    let database = service();
    let start = || {
        let mut command = database.tool(&["adopt", "--follow", "note"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let ends = [start(), start()].map(|child| ended(child.wait_with_output().unwrap()));
    // The second one finds nothing to set aside any more.
    let mut codes = ends.each_ref().map(|end| end.code);
    codes.sort();
    assert_eq!(codes, [Some(0), Some(9)], "{ends:?}");
    assert_eq!(
        database.text("select string_agg(row_id, ',') from hacs_core.follow_differences('public.hacs_resources')"),
        "bad"
    );
}

#[test]
fn the_commands_and_statements_of_the_guide_work() {
    let database = service();
    let guide = include_str!("../../../docs/for-python-users.md");
    let section = guide.split("\n## ").find(|section| section.starts_with("Services that go on as they are")).unwrap();
    let mut run = 0;
    for block in section.split("\n```").skip(1).step_by(2) {
        let (language, text) = block.split_once('\n').unwrap();
        for line in text.lines() {
            match language {
                "sh" => {
                    let words: Vec<&str> = line.split('#').next().unwrap().split_whitespace().skip(1).collect();
                    let end = database.run(&words);
                    assert!([Some(0), Some(9)].contains(&end.code), "{line}: {end:?}");
                }
                "sql" => database.client().batch_execute(line).unwrap_or_else(|error| panic!("{line}: {error:?}")),
                _ => panic!("{language}"),
            }
            run += 1;
        }
    }
    assert!(run > 6, "{run}");
    assert_eq!(database.text("select string_agg(row_id, ',') from public.hacs_resources_refused"), "bad");
}
