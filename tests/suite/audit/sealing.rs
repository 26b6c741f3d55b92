//! `seal` and `verify --seals`.

use crate::database::{Database, ended, tool};

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn seal_says_what_it_made_the_newest_digest_and_since_when_nothing_is_sealed() {
    let database = Database::migrated();
    let end = database.run(&["seal"]);
    assert_eq!((end.code, end.stdout.as_str()), (Some(0), "Made         0 seals\nNot sealed   nothing\n"), "{end:?}");
    database.client().batch_execute("insert into hacs_core.patients (id, family) values ('p', 'P')").unwrap();
    let end = database.run(&["seal", "--json"]);
    let said = json(&end.stdout);
    let digest = database.text("select encode(digest, 'hex') from hacs_audit.seals");
    assert_eq!(said["version"], 1);
    assert_eq!((&said["seals"], &said["newest"], &said["not_sealed"]), (&1.into(), &1.into(), &0.into()), "{said}");
    assert_eq!(said["digest"], digest.as_str());
    // A transaction that has written and stays open holds the seals back.
    let mut open = database.client();
    open.batch_execute("begin; update hacs_core.patients set age = 1 where id = 'p'").unwrap();
    database.client().batch_execute("insert into hacs_core.patients (id, family) values ('q', 'Q')").unwrap();
    let end = database.run(&["seal"]);
    assert!(end.code == Some(0) && end.stdout.contains("Not sealed   2 numbers, since 20"), "{end:?}");
    assert!(end.stdout.contains("Waits for    1 open transactions with changes, the oldest since 20"), "{end:?}");
    open.batch_execute("commit").unwrap();
    let end = database.run(&["seal"]);
    assert!(
        end.stdout.starts_with("Made         1 seal\n") && end.stdout.ends_with("Not sealed   nothing\n"),
        "{end:?}"
    );
}

#[test]
fn verify_names_seals_that_do_not_hold_and_exits_with_7() {
    let database = Database::migrated();
    database.client().batch_execute("insert into hacs_core.patients (id, family) values ('p', 'P')").unwrap();
    assert_eq!(database.run(&["seal"]).code, Some(0));
    let end = database.run(&["verify", "--seals"]);
    assert!(end.code == Some(0) && end.stdout.contains("\nSeals       intact\n"), "{end:?}");
    let partition = database.text("select tableoid::regclass from hacs_audit.resource_changes");
    database
        .client()
        .batch_execute(&format!(
            "alter table {partition} disable trigger append_only;
             update {partition} set session_role = 'nobody';
             alter table {partition} enable always trigger append_only"
        ))
        .unwrap();
    // The schema is as it was, and so verify alone finds nothing.
    assert_eq!(database.run(&["verify", "-q"]).code, Some(0));
    let end = database.run(&["verify", "--seals"]);
    assert!(end.code == Some(7) && end.stdout.contains("broken seal 1 of 20"), "{end:?}");
    assert!(end.stdout.contains("as migrated, but the seals of the audit trail do not hold"), "{end:?}");
    let said = json(&database.run(&["verify", "--seals", "--json"]).stdout);
    assert_eq!((&said["result"], &said["seals"][0]["seal"]), (&"seals".into(), &1.into()), "{said}");
    assert_eq!(json(&database.run(&["verify", "--json"]).stdout)["seals"], serde_json::Value::Null);
}

#[test]
fn a_line_of_the_json_log_has_what_a_program_decides_by_in_keys_of_its_own() {
    let database = Database::empty();
    let end = database.run(&["seal", "--log-format", "json"]);
    let said = json(&end.stderr);
    assert_eq!(
        (&said["level"], &said["exit_code"], &said["sqlstate"]),
        (&"ERROR".into(), &1.into(), &"3F000".into()),
        "{said}"
    );
    let end = database.run(&["migrate", "--target", "99", "--log-format", "json"]);
    let said = json(&end.stderr);
    assert_eq!((&said["exit_code"], &said["sqlstate"]), (&2.into(), &serde_json::Value::Null), "{said}");
}

#[test]
fn before_there_is_a_trail_both_say_so() {
    let database = Database::empty();
    assert_eq!(database.run(&["verify", "--seals"]).code, Some(4));
    let end = database.run(&["seal"]);
    assert!(end.code == Some(1) && end.stderr.contains("sealing the audit trail failed"), "{end:?}");
}

#[test]
fn the_sealer_and_the_auditor_do_it_with_the_rights_of_the_script() {
    let database = Database::migrated();
    let roles = ["sealer", "auditor"].map(|kind| format!("{kind}_{}", database.name));
    let mut command = std::process::Command::new(crate::server::bindir().join("psql"));
    command.args(["-X", "-q", "-d", &database.conninfo(), "-f", "scripts/grant-app-role.sql"]);
    for (role, kind) in roles.iter().zip(["sealer", "auditor"]) {
        database.client().batch_execute(&format!("create role {role} login")).unwrap();
        command.args(["-v", &format!("{kind}_role={role}")]);
    }
    let end = ended(command.current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap());
    assert_eq!(end.code, Some(0), "{end:?}");
    database.client().batch_execute("insert into hacs_core.patients (id, family) values ('p', 'P')").unwrap();
    let run_as = |role: &str, args: &[&str]| {
        let url = database.conninfo().replacen("user=postgres", &format!("user={role}"), 1);
        ended(tool(args).env("DATABASE_URL", url).output().unwrap())
    };
    let end = run_as(&roles[0], &["seal"]);
    assert!(end.code == Some(0) && end.stdout.contains("Made         1 seal\nNewest       1 of 20"), "{end:?}");
    let end = run_as(&roles[1], &["verify", "--seals"]);
    assert!(end.code == Some(0) && end.stdout.contains("Seals       intact"), "{end:?}");
    assert_eq!(run_as(&roles[1], &["seal"]).code, Some(1));
    assert_eq!(database.run(&["verify"]).stdout.matches("warning").count(), 0);
    for role in roles {
        database.client().batch_execute(&format!("drop owned by {role}; drop role {role}")).unwrap();
    }
}
