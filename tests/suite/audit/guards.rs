//! Nobody changes the trail, and an application does not even see it.

use postgres::Client;

use crate::database::Database;

fn refused(client: &mut Client, sql: &str) -> String {
    let error = client.batch_execute(sql).expect_err(sql);
    error.as_db_error().unwrap().message().to_owned()
}

#[test]
fn the_trail_is_append_only_for_everybody_and_in_every_partition() {
    let database = Database::migrated();
    let mut client = database.client();
    client
        .batch_execute("insert into hacs_core.patients (id, family) values ('p', 'P'); select hacs_audit.seal()")
        .unwrap();
    let quarter = database.text("select to_char(now() at time zone 'UTC', 'YYYY\"q\"Q')");
    for role in ["origin", "replica"] {
        client.batch_execute(&format!("set session_replication_role = {role}")).unwrap();
        for table in ["resource_changes".to_owned(), format!("resource_changes_{quarter}")] {
            for sql in ["update hacs_audit.T set actor_id = 'x'", "delete from hacs_audit.T", "truncate hacs_audit.T"] {
                let message = refused(&mut client, &sql.replace('T', &table));
                assert!(message.ends_with("is refused: it is append-only"), "{role} {sql} {message}");
            }
        }
        for sql in
            ["update hacs_audit.seals set to_id = 7", "delete from hacs_audit.seals", "truncate hacs_audit.seals"]
        {
            assert!(refused(&mut client, sql).ends_with("seals is refused: it is append-only"), "{role} {sql}");
        }
        assert!(
            refused(&mut client, "truncate hacs_audit.resource_changes_default").ends_with("append-only"),
            "{role}"
        );
    }
}

#[test]
fn an_application_without_rights_on_the_trail_is_audited_and_cannot_touch_it() {
    let database = Database::migrated();
    let role = format!("app_of_{}", database.name);
    let owner = format!("owner_of_{}", database.name);
    database
        .client()
        .batch_execute(&format!(
            "create role {role} login; create role {owner};
             grant usage on schema hacs_core to {role}, {owner};
             grant execute on all functions in schema hacs_core to {role}, {owner};
             grant select, insert, update, delete on hacs_core.patients to {role}, {owner};
             grant create on schema public to {owner};
             set role {owner};
             create function public.enrol() returns void language sql security definer
                 begin atomic insert into hacs_core.patients (id, family) values ('definer', 'D'); end;
             reset role"
        ))
        .unwrap();
    let mut app = database.client_as(&role);
    app.batch_execute("insert into hacs_core.patients (id, family) values ('own', 'O'); select public.enrol()")
        .unwrap();
    for sql in [
        "select * from hacs_audit.resource_changes",
        "insert into hacs_audit.resource_changes (operation, schema_name, table_name, resource_type, resource_id)
         values ('INSERT', 'a', 'b', 'c', 'd')",
        "select hacs_audit.seal()",
        "select hacs_audit.ensure_partitions()",
        "select hacs_audit.history('Patient', 'own')",
        "alter table hacs_core.patients disable trigger audit_row",
        "drop table hacs_audit.resource_changes",
        "create trigger t before insert on hacs_core.patients for each row execute function hacs_audit.record_hacs_core_patients()",
    ] {
        let message = refused(&mut app, sql);
        assert!(message.contains("permission denied") || message.contains("must be owner"), "{sql}: {message}");
    }
    drop(app);
    // The identity is that of the login, also for what a function did with its owner's rights.
    let query = "select string_agg(format('%s %s %s', resource_id, session_role, acting_role), ', ' order by change_id)
        from hacs_audit.resource_changes";
    assert_eq!(database.text(query), format!("own {role} {role}, definer {role} {role}"));

    let mut admin = database.client();
    let sql = format!("set role {owner}; insert into hacs_core.patients (id, family) values ('as', 'A'); reset role");
    admin.batch_execute(&sql).unwrap();
    let query = "select session_role || ' ' || acting_role from hacs_audit.resource_changes where resource_id = 'as'";
    assert_eq!(database.text(query), format!("postgres {owner}"));
    let sql = format!("drop function public.enrol(); drop owned by {role}, {owner}; drop role {role}, {owner}");
    admin.batch_execute(&sql).unwrap();
}

#[test]
fn the_grammar_of_a_row_is_checked() {
    let database = Database::migrated();
    let columns = "operation, resource_id, previous_id, changed_fields, old_values, new_values";
    let verdict = |values: &str| {
        database.text(&format!(
            "select hacs_audit.is_sentence(jsonb_populate_record(null::hacs_audit.resource_changes, to_jsonb(v)))
             from (select {values}) as v ({columns})"
        ))
    };
    let good = [
        "'INSERT', 'i', null, null, null, null",
        "'READ', 'i', null, null, null, null",
        "'UPDATE', 'i', null, array['a'], jsonb '{}', jsonb '{}'",
        "'UPDATE', 'i', 'h', array['id'], jsonb '{}', jsonb '{}'",
        "'DELETE', 'i', null, null, jsonb '{}', null",
        "'TRUNCATE', null, null, null, null, null",
    ];
    for values in good {
        assert_eq!(verdict(values), "t", "{values}");
    }
    let bad = [
        "'INSERT', null, null, null, null, null",
        "'INSERT', 'i', null, null, null, jsonb '{}'",
        "'INSERT', 'i', 'h', null, null, null",
        "'READ', null, null, null, null, null",
        "'UPDATE', 'i', null, null, jsonb '{}', jsonb '{}'",
        "'UPDATE', 'i', null, array['a'], null, jsonb '{}'",
        "'UPDATE', 'i', null, array['a'], jsonb '{}', null",
        "'DELETE', 'i', null, null, null, null",
        "'DELETE', 'i', null, array['a'], jsonb '{}', null",
        "'TRUNCATE', 'i', null, null, null, null",
        "'MERGE', 'i', null, null, null, null",
    ];
    for values in bad {
        assert_eq!(verdict(values), "f", "{values}");
    }
}

#[test]
fn coverage_names_what_is_not_fully_audited() {
    let cases = [
        ("alter table hacs_core.patients disable trigger audit_row", "patients disabled"),
        ("alter table hacs_core.patients enable trigger audit_insert", "patients disabled"),
        ("alter table hacs_core.patients enable trigger audit_truncate", "patients disabled"),
        ("drop trigger audit_row on hacs_core.patients", "patients missing"),
        ("drop trigger audit_update on hacs_core.patients", "patients missing"),
        ("drop trigger audit_truncate on hacs_core.patients", "patients missing"),
        ("alter table hacs_core.patients add column nickname text", "patients altered"),
        (
            "create or replace trigger audit_delete after delete on hacs_core.patients referencing old table as old_rows
             for each statement when (false)
             execute function hacs_audit.record_hacs_core_patients('hacs_core', 'patients', '', 'id', 'id', 'statements');
             alter table hacs_core.patients enable always trigger audit_delete",
            "patients altered",
        ),
        (
            "create or replace function hacs_audit.record_hacs_core_patients() returns trigger language plpgsql
            security definer set search_path = pg_catalog, pg_temp as 'begin return null; end'",
            "patients altered",
        ),
        ("alter function hacs_audit.record_hacs_core_patients() set search_path = ''", "patients altered"),
        ("alter function hacs_audit.record_hacs_core_patients() reset search_path", "patients altered"),
        ("create table hacs_clinical.wards (id text primary key)", "wards missing"),
    ];
    let query =
        "select string_agg(table_name || ' ' || audit, ', ') from hacs_audit.coverage where audit <> 'complete'";
    for (sql, expected) in cases {
        let database = Database::migrated();
        assert_eq!(database.text(query), "null");
        database.client().batch_execute(sql).unwrap();
        assert_eq!(database.text(query), expected, "{sql}");
    }
}

#[test]
fn a_new_table_is_audited_with_one_line_and_a_changed_one_again() {
    let database = Database::migrated();
    let mut client = database.client();
    client
        .batch_execute(
            "create table hacs_clinical.wards (code text primary key, shape point, note json);
             select hacs_audit.attach('hacs_clinical.wards', 'Ward', key_column => 'code');
             insert into hacs_clinical.wards values ('w', '(1,2)', '{}');
             update hacs_clinical.wards set shape = '(1,3)', note = '{\"a\": 1}';
             alter table hacs_clinical.wards add column beds integer;
             select hacs_audit.attach('hacs_clinical.wards', 'Ward', key_column => 'code');
             update hacs_clinical.wards set beds = 3",
        )
        .unwrap();
    let lines = crate::audit::recording::trail(&mut client);
    assert_eq!(lines, ["INSERT Ward/w", "UPDATE Ward/w {shape,note}", "UPDATE Ward/w {beds}"]);
    assert_eq!(database.text("select count(*) from hacs_audit.coverage where audit <> 'complete'"), "0");
    let error =
        client.batch_execute("create table hacs_clinical.x (id text); select hacs_audit.attach('hacs_clinical.x')");
    assert!(error.unwrap_err().as_db_error().unwrap().message().contains("has no column resource_type"));
}
