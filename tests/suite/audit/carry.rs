//! Data and trail are carried into a database that a newer program has migrated.

use std::process::Command;

use crate::database::Database;
use crate::server;

fn carry_over(old: &Database, new: &Database) -> (bool, String) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/carry-over.sh");
    let end = Command::new(script)
        .args([old.conninfo(), new.conninfo()])
        .env("PG_BINDIR", server::bindir())
        .output()
        .expect("the script runs");
    (end.status.success(), String::from_utf8_lossy(&end.stderr).into_owned())
}

#[test]
fn data_trail_and_seals_are_carried_over_and_nothing_is_written_twice() {
    let (old, new) = (Database::migrated(), Database::migrated());
    let mut client = old.client();
    for sql in [
        "insert into hacs_core.patients (id, family) select 'p' || n, 'P' from generate_series(1, 50) as s (n)",
        "insert into hacs_core.resources (resource_type, data)
         select 'CarePlan', jsonb_build_object('subject', jsonb_build_object('reference', 'Patient/' || id)) from hacs_core.patients",
        "insert into hacs_audit.resource_changes (changed_at, operation, schema_name, table_name, resource_type, resource_id)
         values ('2024-05-05', 'INSERT', 'hacs_core', 'patients', 'Patient', 'early')",
        "select hacs_audit.seal()",
        "update hacs_core.patients set age = 3",
        "insert into hacs_admin.system_config (key, value) values ('a.b', '1')",
        "select hacs_audit.seal()",
        "update hacs_core.patients set age = 4 where id = 'p1'",
    ] {
        client.batch_execute(sql).unwrap();
    }
    assert_eq!(old.text("select count(*) from hacs_audit.verify_seals()"), "0");
    let (good, said) = carry_over(&old, &new);
    assert!(good && said.contains("==> carried over: ") && said.contains(" 153 changes; the seals verify"), "{said}");
    for query in [
        "select md5(string_agg(t::text, '' order by change_id)) from hacs_audit.resource_changes as t",
        "select md5(string_agg(t::text, '' order by seal_id)) from hacs_audit.seals as t",
        "select md5(string_agg(t::text, '' order by id)) from hacs_core.patients as t",
        "select count(patient_id) from hacs_core.resources",
        "select hacs_audit.last_number()",
    ] {
        assert_eq!(old.text(query), new.text(query), "{query}");
    }
    // It goes on there: audited, numbered, sealed, in quarters.
    let mut client = new.client();
    client.batch_execute("update hacs_core.patients set age = 5 where id = 'p1'").unwrap();
    assert_eq!(new.text("select max(change_id) from hacs_audit.resource_changes"), "154");
    assert_eq!(new.text("select hacs_audit.seal()"), "1");
    assert_eq!(new.text("select count(*) from hacs_audit.verify_seals()"), "0");
    assert_eq!(new.text("select count(*) from hacs_audit.resource_changes_default"), "0");
    assert_eq!(new.text("select string_agg(distinct audit, ' ') from hacs_audit.coverage"), "complete");
    assert_eq!(new.run(&["verify"]).code, Some(0));
    // Not twice, and not over what is there.
    let (good, said) = carry_over(&old, &new);
    assert!(!good && said.contains("the new database is not empty"), "{said}");
}

#[test]
fn a_restore_of_data_alone_is_refused_before_it_gives_numbers_twice() {
    let (old, new) = (Database::migrated(), Database::migrated());
    old.client().batch_execute("insert into hacs_core.patients (id, family) values ('p', 'P'), ('q', 'Q')").unwrap();
    let dump = Command::new(server::bindir().join("pg_dump"))
        .args(["--data-only", "--table=hacs_audit.resource_changes*", "--dbname", &old.conninfo()])
        .output()
        .unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &dump.stdout).unwrap();
    let restore = Command::new(server::bindir().join("psql"))
        .args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-f"])
        .arg(file.path())
        .arg(new.conninfo())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&restore.stderr);
    assert!(!restore.status.success() && said.contains("has given no number after 0"), "{said}");
    assert!(said.contains("scripts/carry-over.sh"), "{said}");
}
