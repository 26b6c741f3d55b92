//! What docs/audit.md tells to do, done as it says.

use std::process::Command;

use crate::database::Database;
use crate::server;

const GUIDE: &str = include_str!("../../../docs/audit.md");

#[test]
fn an_erasure_in_an_archive_leaves_it_verifiable_and_every_other_change_does_not() {
    let database = Database::migrated();
    let mut client = database.client();
    let late = "insert into hacs_audit.resource_changes
            (changed_at, operation, schema_name, table_name, resource_type, resource_id, patient_id, new_values, also)
        values
            ('2020-02-29Z', 'INSERT', 'hacs_core', 'patients', 'Patient', 'p1', 'p1', '{\"family\": \"Erased\"}', null),
            ('2020-03-01Z', 'INSERT', 'hacs_core', 'resources', 'Consent', 'c', 'p2', '{\"a\": 1}', '{Patient/p1}'),
            ('2020-03-02Z', 'INSERT', 'hacs_core', 'patients', 'Patient', 'p2', 'p2', '{\"family\": \"Kept\"}', null);
        select hacs_audit.ensure_partitions()";
    client.batch_execute(late).unwrap();
    client.batch_execute("select hacs_audit.seal()").unwrap();
    client.batch_execute("select hacs_audit.detach_quarter('2020-01-01')").unwrap();
    let archive = "hacs_audit.resource_changes_2020q1";
    let problems = format!("select count(*) from hacs_audit.verify_archive('{archive}')");
    assert_eq!(database.text(&problems), "0");
    let (_, rest) = GUIDE.split_once("a quarter that was let go:\n\n```sql\n").unwrap();
    let (update, _) = rest.split_once("```").unwrap();
    let update = update.replace("hacs_audit.resource_changes_2023q4", archive);
    let erased = client.execute(update.trim().trim_end_matches(';'), &[]).unwrap();
    assert_eq!(erased, 2);
    let kept = format!("select string_agg(new_values ->> 'family', ' ') from {archive}");
    assert_eq!(database.text(&kept), "Kept");
    assert_eq!(database.text(&problems), "0");
    client.batch_execute(&format!("update {archive} set actor_id = 'somebody'")).unwrap();
    assert_ne!(database.text(&problems), "0");
}

#[test]
fn a_subscriber_whose_triggers_fire_for_local_writes_alone_is_told_as_such_and_can_be_taken_back() {
    let database = Database::migrated();
    let (_, rest) = GUIDE.split_once("local\nwrites.\n\n```sql\n").unwrap();
    let (sql, _) = rest.split_once("```").unwrap();
    let psql = |sql: &str| {
        let mut psql = Command::new(server::bindir().join("psql"));
        psql.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", &database.conninfo(), "-f", "-"]);
        let mut child = psql.stdin(std::process::Stdio::piped()).spawn().unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), sql.as_bytes()).unwrap();
        assert!(child.wait().unwrap().success());
    };
    psql(sql);
    let disabled = "select count(*) from hacs_audit.coverage where audit = 'disabled'";
    let all = database.text("select count(*) from hacs_audit.coverage");
    assert_eq!(database.text(disabled), all);
    let end = database.run(&["verify"]);
    assert!(end.code == Some(7) && end.stdout.contains("audit_row"), "{end:?}");
    let write = |id: &str, role: &str| {
        let sql = format!(
            "set session_replication_role = {role}; insert into hacs_core.patients (id, family) values ('{id}', 'P')"
        );
        database.client().batch_execute(&sql).unwrap();
        database.text(&format!("select count(*) from hacs_audit.resource_changes where resource_id = '{id}'"))
    };
    // Nobody gets past the audit by a setting.
    assert_eq!((write("local", "origin"), write("as if received", "replica")), ("1".into(), "1".into()));
    assert!(GUIDE.contains("write `enable replica` in place of `disable` in the same statement"));
    psql(&sql.replace("disable trigger", "enable replica trigger"));
    assert_eq!(database.text(disabled), "0");
    let end = database.run(&["verify"]);
    assert_eq!(ended_well(&end.stdout), Some(0), "{end:?}");
    assert_eq!((write("here", "origin"), write("again", "replica")), ("1".into(), "1".into()));
}

fn ended_well(stdout: &str) -> Option<usize> {
    stdout.contains("as migrated").then(|| stdout.matches("audit_row").count())
}
