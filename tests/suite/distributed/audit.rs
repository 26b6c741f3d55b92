//! The trail of a distributed database: one row a change, on whatever node, with who did it; its questions, and its seals.

use super::cluster::Cluster;

const FILL: &str = "begin;
    select hacs_audit.set_actor('doctor/1', 'treatment', 'r1');
    insert into hacs_core.patients (id, family) select 'p' || n, 'A' from generate_series(1, 20) as n;
    insert into hacs_core.observations (id, status, code, subject, value_string, patient_id)
    select 'o' || n, 'final', '{\"text\": \"x\"}', 'Patient/p' || n, 'v', 'p' || n from generate_series(1, 20) as n;
    update hacs_core.patients set family = 'B';
    delete from hacs_core.observations where id = 'o1' and patient_id = 'p1';
    insert into hacs_core.organizations (id, name) values ('org', 'O');
    commit";

#[test]
fn every_change_on_every_node_is_written_down_once_with_who_did_it() {
    let Some(cluster) = Cluster::distributed("the audit of a distributed database") else { return };
    cluster.client().batch_execute(FILL).unwrap();
    let changes = "select string_agg(format('%s %s %s', table_name, lower(operation), number), ', ' order by table_name, operation) from (
        select table_name, operation, count(*) as number from hacs_audit.resource_changes
        where actor_id = 'doctor/1' and purpose = 'treatment' and request_id = 'r1' and acting_role = session_user
        group by 1, 2) as c";
    let expected =
        "observations delete 1, observations insert 20, organizations insert 1, patients insert 20, patients update 20";
    assert_eq!(cluster.text(changes), expected);
    let nodes = "select count(distinct change_id >> 48) > 1 from hacs_audit.resource_changes";
    assert_eq!(cluster.text(nodes), "t");
    let here = "select bool_and(compartment = coalesce(patient_id, '')) from hacs_audit.resource_changes
        where table_name <> 'system_config'";
    assert_eq!(cluster.text(here), "t");
    assert_eq!(cluster.text("select count(*) from hacs_audit.coverage where audit <> 'complete'"), "0");
    assert_eq!(
        cluster.text("select count(*) from hacs_audit.audit_event"),
        cluster.text("select count(*) from hacs_audit.resource_changes")
    );
}

#[test]
fn the_questions_of_the_trail_have_answers() {
    let Some(cluster) = Cluster::distributed("the questions of a distributed trail") else { return };
    cluster.client().batch_execute(FILL).unwrap();
    for (question, answer) in [
        ("select string_agg(operation, ' ') from hacs_audit.history('Patient', 'p7')", "INSERT UPDATE"),
        ("select count(*) from hacs_audit.changed_by('doctor/1', '2020-01-01', 'infinity')", "62"),
        ("select count(*) from hacs_audit.changes_of_patient('p1', '2020-01-01', 'infinity')", "4"),
        ("select hacs_audit.as_of('Patient', 'p7', now()) ->> 'family'", "B"),
        ("select hacs_audit.as_of('Observation', 'o1', now())", "null"),
    ] {
        assert_eq!(cluster.text(question), answer, "{question}");
    }
    let moment = cluster.text("select clock_timestamp()");
    cluster.client().batch_execute("update hacs_core.patients set family = 'C' where id = 'p7'").unwrap();
    assert_eq!(cluster.text(&format!("select hacs_audit.as_of('Patient', 'p7', '{moment}') ->> 'family'")), "B");
    let read = "select hacs_audit.record_access('Patient', 'p7', 'billing');
        select count(*) from hacs_audit.changes_of_patient('p7', '2020-01-01', 'infinity') where operation = 'READ'";
    cluster.client().batch_execute(read).unwrap();
}

#[test]
fn each_node_is_sealed_and_what_is_altered_on_one_is_found() {
    let Some(cluster) = Cluster::distributed("the seals of a distributed trail") else { return };
    cluster.client().batch_execute(FILL).unwrap();
    let end = cluster.run(&["seal"]);
    assert_eq!(end.code, Some(0), "{end:?}");
    assert_eq!(cluster.text("select count(distinct details -> 'node') from hacs_audit.seals"), "2");
    assert_eq!(cluster.text("select numbers_not_sealed from hacs_audit.sealing"), "0");
    assert_eq!(cluster.run(&["verify", "--seals", "-q"]).code, Some(0));
    assert_eq!(cluster.text("select hacs_audit.forget('p3', 'asked for')"), "1");
    assert_eq!(cluster.run(&["verify", "--seals", "-q"]).code, Some(0));

    let mut open = cluster.client();
    open.batch_execute("begin; update hacs_core.patients set family = 'open' where id = 'p5'").unwrap();
    cluster
        .client()
        .batch_execute("update hacs_core.patients set family = 'D' where id <> 'p5'; select hacs_audit.seal()")
        .unwrap();
    open.batch_execute("commit").unwrap();
    for _ in 0..2 {
        assert_eq!(cluster.run(&["seal", "-q"]).code, Some(0));
    }
    assert_eq!(cluster.text("select numbers_not_sealed from hacs_audit.sealing"), "0");
    assert_eq!(cluster.run(&["verify", "--seals", "-q"]).code, Some(0));

    // with the rights of a superuser, past the triggers
    let forge = "set citus.enable_ddl_propagation = on; set citus.enable_unsafe_triggers = on;
        alter table hacs_audit.resource_changes disable trigger append_only;
        set session_replication_role = replica";
    let _ = cluster.client().batch_execute(forge);
    let shards = cluster
        .client()
        .query(
            "select shard_name::text from citus_shards where table_name::text ~ 'hacs_audit.resource_changes_[0-9]'",
            &[],
        )
        .unwrap();
    let mut forged = 0;
    let mut worker = cluster.on_worker();
    worker
        .batch_execute("set session_replication_role = replica; set citus.enable_manual_changes_to_shards = on")
        .unwrap();
    for shard in shards {
        let shard: String = shard.get(0);
        let sql = format!(
            "alter table {shard} disable trigger all; update {shard} set actor_id = 'somebody' where actor_id = 'doctor/1'"
        );
        let _ = worker.simple_query(&sql);
        forged += worker
            .execute(&format!("update {shard} set purpose = 'else' where actor_id = 'somebody'"), &[])
            .unwrap_or(0);
    }
    assert!(forged > 0);
    let end = cluster.run(&["verify", "--seals"]);
    assert!(end.code == Some(7) && end.stdout.contains("were altered"), "{end:?}");
}

#[test]
fn a_part_that_was_moved_to_another_node_is_audited_and_sealed_there() {
    let Some(cluster) = Cluster::distributed("the move of a part to another node") else { return };
    cluster.client().batch_execute(FILL).unwrap();
    assert_eq!(cluster.run(&["seal", "-q"]).code, Some(0));
    let move_one = "select citus_move_shard_placement(s.shardid, s.nodename, s.nodeport, t.nodename, t.nodeport, 'block_writes')
        from (select * from citus_shards where table_name = 'hacs_core.patients'::regclass order by shardid limit 1) as s
        join pg_dist_node as t on t.groupid <> 0 and (t.nodename, t.nodeport) <> (s.nodename, s.nodeport)
        limit 1";
    cluster.client().batch_execute(move_one).unwrap();
    let before = cluster.text("select count(*) from hacs_audit.resource_changes");
    cluster.client().batch_execute("update hacs_core.patients set family = 'M'").unwrap();
    let added = format!("select count(*) - {before} from hacs_audit.resource_changes");
    assert_eq!(cluster.text(&added), "20");
    let history = "select string_agg(operation, ' ') from hacs_audit.history('Patient', 'p7')";
    assert_eq!(cluster.text(history), "INSERT UPDATE UPDATE");
    assert_eq!(cluster.run(&["seal", "-q"]).code, Some(0));
    assert_eq!(cluster.run(&["verify", "--seals", "-q"]).code, Some(0));
}

#[test]
fn the_feed_gives_each_change_once_and_what_is_append_only_stays_so() {
    let Some(cluster) = Cluster::distributed("the feed of a distributed trail") else { return };
    let mut client = cluster.client();
    client.batch_execute(FILL).unwrap();
    let (mut cursor, mut seen) = (None::<String>, Vec::<i64>::new());
    for round in 0..40 {
        if round == 5 {
            client.batch_execute("update hacs_core.patients set family = 'E'").unwrap();
        }
        let rows = client
            .query("select next_cursor, (change).change_id from hacs_audit.changes_since($1, 10)", &[&cursor])
            .unwrap();
        seen.extend(rows.iter().filter_map(|row| row.get::<_, Option<i64>>(1)));
        cursor = rows.last().map(|row| row.get(0)).or(cursor);
    }
    let all = seen.len();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!((seen.len(), all), (all, seen.len()));
    assert_eq!(cluster.text("select count(*) from hacs_audit.resource_changes"), all.to_string());
    for sql in ["delete from hacs_audit.resource_changes", "update hacs_audit.resource_changes set actor_id = 'x'"] {
        assert!(cluster.refused(sql).message().contains("append-only"), "{sql}");
    }
    assert!(cluster.refused("truncate hacs_core.observations").message().contains("the table is distributed"));
    assert_eq!(cluster.refused("select hacs_audit.notify_changes(true)").code().code(), "0A000");
    assert_eq!(cluster.text("select hacs_audit.ensure_partitions(0, '2020-01-01') > 20"), "t");
    assert_eq!(cluster.run(&["seal", "-q"]).code, Some(0));
    let gone = cluster.text("select hacs_audit.detach_quarter('2020-01-15')");
    assert_eq!(gone, "hacs_audit.resource_changes_2020q1");
    assert_eq!(cluster.text(&format!("select count(*) from hacs_audit.verify_archive('{gone}', '2020-01-15')")), "0");
    assert_eq!(cluster.run(&["verify", "--seals", "-q"]).code, Some(0));
    let ahead = "select hacs_audit.ensure_partitions(7)";
    assert_eq!(cluster.text(ahead), "3");
    assert_eq!(cluster.text(ahead), "0");
    assert_eq!(cluster.run(&["verify", "-q"]).code, Some(0));
}
