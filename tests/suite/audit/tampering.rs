//! What an owner or a superuser can do to the trail and its seals, each followed by putting everything back so that
//! `verify` is content: `verify_seals` names it, or the digest kept elsewhere does, or docs/audit.md says that it
//! cannot be shown.

use crate::database::Database;

/// How an attack comes to light.
enum Shown {
    /// `verify_seals()` says this.
    By(&'static str),
    /// `verify_archive()` of the quarter that was let go says this.
    InTheArchive(&'static str),
    /// The newest digest, which was kept elsewhere, is in the chain no more.
    ByTheDigest,
    /// Not at all, as docs/audit.md says.
    Not,
}
use Shown::{By, ByTheDigest, InTheArchive, Not};

const ALTERED: &str = "were altered";

/// Patients p0 to p4 of 2020, sealed by the first seal; then three seals over ten patients each, with a number between
/// that was rolled back. `QUARTER` is the present one.
fn sealed() -> Database {
    let database = Database::migrated();
    let mut client = database.client();
    client
        .batch_execute(
            "insert into hacs_audit.resource_changes (changed_at, operation, schema_name, table_name, resource_type, resource_id)
             select '2020-02-29'::timestamptz + n * interval '1 minute', 'INSERT', 'hacs_core', 'patients', 'Patient', 'p' || n
             from generate_series(0, 4) as s (n);
             select hacs_audit.ensure_partitions()",
        )
        .unwrap();
    client.batch_execute("select hacs_audit.seal()").unwrap();
    for round in 1..4 {
        let sql = format!(
            "insert into hacs_core.patients (id, family) select 'p' || n, 'P' from generate_series({round}0, {round}9) as s (n)"
        );
        client.batch_execute(&format!("begin; {sql}; rollback")).unwrap();
        client.batch_execute(&sql).unwrap();
        client.batch_execute("update hacs_core.patients set age = 1 where id like '%5'").unwrap();
        client.batch_execute("select hacs_audit.seal()").unwrap();
    }
    assert_eq!(verdict(&database), "");
    database
}

fn verdict(database: &Database) -> String {
    database.text("select coalesce(string_agg(seal_id || ': ' || problem, '; '), '') from hacs_audit.verify_seals()")
}

const UNGUARD: &str = "alter table hacs_audit.resource_changes disable trigger user; alter table hacs_audit.seals disable trigger user;
    do $$ declare p regclass; begin
        for p in select inhrelid::regclass from pg_inherits where inhparent = 'hacs_audit.resource_changes'::regclass loop
            execute format('alter table %s disable trigger user', p);
        end loop;
    end $$;";

const GUARD: &str = "alter table hacs_audit.resource_changes enable trigger number_was_drawn;
    select hacs_audit.guard('hacs_audit.resource_changes', 'resource_changes'), hacs_audit.guard('hacs_audit.seals', 'seals');
    select hacs_audit.guard(inhrelid::regclass, 'resource_changes') from pg_inherits where inhparent = 'hacs_audit.resource_changes'::regclass;";

/// A row as the triggers write it.
const FORGED: &str = "operation, schema_name, table_name, resource_type, resource_id) values ";
const AS: &str = "'INSERT', 'hacs_core', 'patients', 'Patient', 'forged')";

fn attacks() -> Vec<(String, Shown)> {
    let t = "hacs_audit.resource_changes";
    let s = "hacs_audit.seals";
    let forge = |columns: &str, values: &str| format!("insert into {t} ({columns}, {FORGED} ({values}, {AS}");
    let weak = "create or replace function hacs_audit.row_digest(change hacs_audit.resource_changes) returns bytea
        language sql immutable parallel safe return sha256('x')";
    vec![
        // rows altered
        (format!("update {t} set actor_id = 'somebody else' where resource_id = 'p13'"), By(ALTERED)),
        (format!("update {t} set resource_id = 'x' where resource_id = 'p12'"), By(ALTERED)),
        (format!("update {t} set new_values = '{{}}' where resource_id = 'p15' and operation = 'UPDATE'"), By(ALTERED)),
        (format!("update {t} set also = '{{Patient/x}}' where resource_id = 'p22'"), By(ALTERED)),
        (format!("update {t} set session_role = 'x', purpose = 'y' where resource_id = 'p33'"), By(ALTERED)),
        (format!("update {t} set changed_at = changed_at - interval '1 second' where resource_id = 'p13'"), By(ALTERED)),
        (format!("update {t} set changed_at = changed_at - interval '4 months' where resource_id = 'p13'"), By("removed or moved")),
        (format!("update {t} set change_id = change_id + 1000 where resource_id = 'p13'"), By("removed or moved")),
        (format!("update {t} set operation = 'READ' where resource_id = 'p3'"), By(ALTERED)),
        // rows removed
        (format!("delete from {t} where resource_id = 'p13'"), By("removed or moved")),
        (format!("delete from {t} where change_id in (select to_id from {s})"), By("removed or moved")),
        (format!("delete from {t}"), By("removed or moved")),
        ("truncate hacs_audit.resource_changes".into(), By("removed or moved")),
        // rows added
        (forge("change_id, changed_at", "(select min(change_id) from hacs_audit.resource_changes where resource_id = 'p13'), now()"), By("were added to it")),
        (forge("change_id, changed_at", "(select max(change_id) - 12 from hacs_audit.resource_changes), now()"), By("were added to it")),
        (forge("change_id, changed_at", "(select from_id + 1 from hacs_audit.seals where seal_id = 3), now() - interval '1 second'"), By("were added to it")),
        (forge("changed_at", "now() - interval '1 hour'"), By("changes after it are dated before it")),
        (forge("changed_at", "'2020-02-29'"), By("changes after it are dated before it")),
        (forge("changed_at", "now() + interval '1 hour'"), By("are dated in the future")),
        (forge("change_id, changed_at", "1000000, now()"), By("numbers that were never drawn")),
        (forge("change_id, changed_at", "-5, now()"), By("numbers that were never drawn")),
        (format!("insert into {t} ({FORGED}('UPDATE', 'hacs_core', 'patients', 'Patient', 'x')"), By("none that the triggers write")),
        (format!("insert into {t} ({FORGED}('MERGE', 'hacs_core', 'patients', 'Patient', 'x')"), By("none that the triggers write")),
        (forge("changed_at", "now()"), Not),
        (forge("transaction_id", "'999999999'"), Not),
        // seals
        (format!("delete from {s} where seal_id = 2"), By("a seal before it was removed")),
        (format!("delete from {s} where seal_id = 1"), By("a seal before it was removed")),
        (format!("delete from {s} where seal_id = 4"), ByTheDigest),
        (format!("truncate {s}"), ByTheDigest),
        (format!("update {s} set sealed_at = now() where seal_id = 2"), By("the seal itself was altered")),
        (format!("update {s} set digest = sha256('x') where seal_id = 1"), By("the seal itself was altered")),
        (format!("update {s} set previous_digest = sha256('x') where seal_id = 3"), By("it does not continue the seal before it")),
        (format!("update {s} set counts = '{{1}}' where seal_id = 2"), By("the seal itself was altered")),
        (format!("update {s} set details = '{{\"reason\": \"x\"}}', kind = 'erased' where seal_id = 2"), By("the seal itself was altered")),
        (format!("update {s} as u set kind = 'erased', digest = hacs_audit.seal_digest(u) where seal_id = 2"), By("the seal itself was altered")),
        (format!("update {t} set actor_id = 'x' where resource_id = 'p33'; delete from {s} where seal_id = 4 ;; select hacs_audit.seal()"), ByTheDigest),
        (
            format!("insert into {s} select (f).* from (select jsonb_populate_record(l, jsonb_build_object('seal_id', 5, 'from_id', l.to_id + 5,
                'to_id', l.to_id + 9, 'previous_digest', l.digest, 'quarters', '{{}}', 'counts', '{{}}', 'digests', '{{}}')) as f from {s} as l where seal_id = 4) as f;
                update {s} as u set digest = hacs_audit.seal_digest(u) where seal_id = 5"),
            By("numbers were left out"),
        ),
        (
            format!("insert into {s} select (f).* from (select jsonb_populate_record(l, jsonb_build_object('seal_id', 5, 'from_id', l.to_id,
                'sealed_at', now() - interval '1 day', 'previous_digest', l.digest, 'quarters', '{{}}', 'counts', '{{}}', 'digests', '{{}}')) as f from {s} as l where seal_id = 4) as f;
                update {s} as u set digest = hacs_audit.seal_digest(u) where seal_id = 5"),
            By("it is older than the seal before it"),
        ),
        (
            "do $$ declare seal hacs_audit.seals; begin seal.kind := 'detached';
                seal.details := jsonb_build_object('quarters', jsonb_build_array(hacs_audit.quarter_of(now())), 'until', now() + interval '1 month');
                perform hacs_audit.append_seal(seal); end $$".into(),
            By("it lets a quarter go that was not over"),
        ),
        // quarters
        (format!("alter table {t} detach partition {t}_2020q1"), By("5 of its changes of 2020Q1 were removed or moved to another time")),
        (format!("alter table {t} detach partition {t}_2020q1; update {t}_2020q1 set actor_id = 'x';
            alter table {t} attach partition {t}_2020q1 for values from ('2020-01-01Z') to ('2020-04-01Z')"), By(ALTERED)),
        (format!("select hacs_audit.detach_quarter('2020-01-01'); update {t}_2020q1 set actor_id = 'x';
            alter table {t} attach partition {t}_2020q1 for values from ('2020-01-01Z') to ('2020-04-01Z')"), By("2020Q1, which was let go")),
        (format!("select hacs_audit.detach_quarter('2020-01-01');
            insert into {t} (change_id, changed_at, {FORGED} (2, '2020-02-29', {AS}"), By("2020Q1, which was let go")),
        (format!("select hacs_audit.detach_quarter('2020-01-01'); insert into {t} (changed_at, {FORGED} ('2020-02-29', {AS}"), By("lie in a quarter that was let go")),
        (format!("select hacs_audit.detach_quarter('2020-01-01'); update {t}_2020q1 set actor_id = 'x'"), InTheArchive("its changes of 2020Q1 were altered")),
        (format!("select hacs_audit.detach_quarter('2020-01-01'); delete from {t}_2020q1 where resource_id = 'p2'"), InTheArchive("4 changes of 2020Q1 in place of 5")),
        (format!("select hacs_audit.detach_quarter('2020-01-01'); update {t}_2020q1 set changed_at = '2021-01-01' where resource_id = 'p2'"), InTheArchive("4 changes of 2020Q1 in place of 5")),
        // the sequence, and functions replaced for a moment
        ("select setval('hacs_audit.change_ids', 10)".into(), By("the sequence of the numbers was set back by")),
        (format!("{weak}; update hacs_core.patients set age = 2 ;; select hacs_audit.seal() ;; update {t} set actor_id = 'x' where operation = 'UPDATE' and new_values ->> 'age' = '2'; ORIGINAL"), By(ALTERED)),
        (format!("create or replace function hacs_audit.refuse_change() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as 'begin return new; end';
            update {t} set actor_id = 'x' where resource_id = 'p13'; ORIGINAL"), By(ALTERED)),
        // erasure
        (format!("update {t} as c set erased = hacs_audit.value_digests(c), old_values = null, new_values = null where operation = 'UPDATE' and resource_id = 'p15'"), By("were taken away, and no erasure tells of it")),
        (format!("update {t} as c set old_values = null, new_values = null where operation = 'UPDATE' and resource_id = 'p15'"), By(ALTERED)),
        (format!("select hacs_audit.forget('p15', 'asked for'); update {t} set erased = '{{}}' where resource_id = 'p15' and operation = 'UPDATE'"), By(ALTERED)),
        (format!("select hacs_audit.forget('p15', 'asked for'); update {t} set erased = null, old_values = '{{\"age\": 7}}', new_values = '{{\"age\": 8}}' where resource_id = 'p15' and operation = 'UPDATE'"), By("that an erasure took away")),
        (format!("select hacs_audit.forget('p15', 'asked for'); delete from {s} where kind = 'erased'"), By("no erasure tells of it")),
    ]
}

#[test]
fn tampering_comes_to_light_although_verify_is_content() {
    let attacks = attacks();
    assert!(attacks.len() > 45);
    let mut faults = Vec::new();
    let template = sealed();
    for (n, (sql, shown)) in attacks.into_iter().enumerate() {
        let database = Database::named(&format!("{}_{n}", template.name), &template.name);
        let mut client = database.client();
        let originals = "select string_agg(pg_get_functiondef(oid), '; ') from pg_proc
            where oid in ('hacs_audit.refuse_change()'::regprocedure, 'hacs_audit.row_digest(hacs_audit.resource_changes)'::regprocedure)";
        let original = database.text(originals);
        let kept = database.text("select encode(digest, 'hex') from hacs_audit.seals order by seal_id desc limit 1");
        // In transactions of their own, where a seal is to see what was done before it.
        for step in format!("{UNGUARD} ;; {sql}").replace("; ORIGINAL", &format!("; {original}")).split(" ;; ") {
            client.batch_execute(step).unwrap_or_else(|error| panic!("{step}: {error:?}"));
        }
        client.batch_execute(GUARD).unwrap();
        let verified = hacs_refinery::verify(&mut client, false).unwrap();
        if !verified.is_good() {
            faults.push(format!("{sql}\n    verify: {:?}", verified.differences));
        }
        let verdict = verdict(&database);
        let digest = format!("select count(*) from hacs_audit.seals where digest = '\\x{kept}'");
        let is_there = database.text(&digest) == "1";
        let good = match shown {
            By(text) => verdict.contains(text),
            InTheArchive(text) => {
                let archive = "select coalesce(string_agg(problem, '; '), '') from hacs_audit.verify_archive('hacs_audit.resource_changes_2020q1')";
                verdict.is_empty() && database.text(archive).contains(text)
            }
            ByTheDigest => !is_there,
            Not => verdict.is_empty() && is_there,
        };
        if !good {
            faults.push(format!("{sql}\n    {verdict}"));
        }
    }
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn what_is_tampered_with_after_a_lawful_erasure_is_named_and_the_erasure_is_not() {
    let database = sealed();
    let mut client = database.client();
    client.batch_execute("delete from hacs_core.patients where id = 'p15'").unwrap();
    client.batch_execute("select hacs_audit.seal()").unwrap();
    assert_eq!(database.text("select hacs_audit.forget('p15', 'art. 17 GDPR')"), "2");
    assert_eq!(verdict(&database), "");
    let left = "select count(*) from hacs_audit.resource_changes where patient_id = 'p15' and num_nonnulls(old_values, new_values) > 0";
    assert_eq!(database.text(left), "0");
    let told = "select details - 'changes' from hacs_audit.seals where kind = 'erased'";
    assert_eq!(database.text(told), "{\"by\": \"postgres\", \"count\": 2, \"reason\": \"art. 17 GDPR\"}");
    client.batch_execute("update hacs_core.patients set age = 3").unwrap();
    client.batch_execute("select hacs_audit.seal()").unwrap();
    assert_eq!(verdict(&database), "");
    for (sql, problems) in [
        ("update TRAIL set actor_id = 'x' where resource_id = 'p14' and operation = 'UPDATE'", 1),
        ("delete from TRAIL where resource_id = 'p31'", 2),
    ] {
        client
            .batch_execute(&format!("{UNGUARD}{};{GUARD}", sql.replace("TRAIL", "hacs_audit.resource_changes")))
            .unwrap();
        assert_eq!(
            database.text("select count(distinct seal_id) from hacs_audit.verify_seals()"),
            problems.to_string(),
            "{}",
            verdict(&database)
        );
    }
    // The owner alone may erase, and says why.
    let error = client.batch_execute("select hacs_audit.forget('p14', ' ')").unwrap_err();
    assert_eq!(error.as_db_error().unwrap().message(), "an erasure has to say why");
    client.batch_execute("select hacs_audit.forget('nobody', 'none')").unwrap();
    let error = client.batch_execute(
        "update hacs_audit.resource_changes set old_values = '{}' where resource_id = 'p14' and operation = 'UPDATE'",
    );
    assert!(error.unwrap_err().as_db_error().unwrap().message().ends_with("append-only"));
}

#[test]
fn a_quarter_that_was_let_go_is_verified_in_another_database_too() {
    let database = sealed();
    let mut client = database.client();
    client.batch_execute("update hacs_core.patients set age = 9").unwrap();
    client.batch_execute("select hacs_audit.seal()").unwrap();
    for (quarter, message) in [("now()::date", "is attached and over"), ("'2019-05-05'", "is attached and over")] {
        let error = client.batch_execute(&format!("select hacs_audit.detach_quarter({quarter})")).unwrap_err();
        assert!(error.as_db_error().unwrap().message().ends_with(message), "{error:?}");
    }
    client.batch_execute("select hacs_audit.detach_quarter('2020-03-31')").unwrap();
    // Carried away by dump and restore, with the chain.
    let elsewhere = Database::empty();
    let pipe = format!(
        "'{0}/pg_dump' -d \"{1}\" | '{0}/psql' -X -q -v ON_ERROR_STOP=1 -d \"{2}\"",
        crate::server::bindir().display(),
        database.conninfo(),
        elsewhere.conninfo()
    );
    let end = std::process::Command::new("bash").args(["-c", &format!("set -o pipefail; {pipe}")]).output().unwrap();
    assert!(end.status.success(), "{end:?}");
    let check = "select count(*) from hacs_audit.verify_archive('hacs_audit.resource_changes_2020q1')";
    assert_eq!((elsewhere.text(check).as_str(), verdict(&elsewhere).as_str()), ("0", ""));
    elsewhere
        .client()
        .batch_execute("update hacs_audit.resource_changes_2020q1 set purpose = 'x' where resource_id = 'p1'")
        .unwrap();
    assert_eq!(elsewhere.text(check), "1");
    client.batch_execute("drop table hacs_audit.resource_changes_2020q1; select hacs_audit.seal()").unwrap();
    assert_eq!(verdict(&database), "");
}
