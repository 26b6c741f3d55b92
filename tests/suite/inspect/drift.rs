//! Changes made by hand, one at a time: each is named, nothing else is, and the statement that is to mend it does.

use hacs_refinery::{Difference, verify};

use crate::database::Database;

/// What `verify` says in short: `missing index hacs_core.…`, with a `?` before a warning.
fn named(database: &Database) -> (Vec<String>, Vec<Difference>) {
    let found = verify(&mut database.client(), false).unwrap();
    let all: Vec<Difference> = found.differences.into_iter().chain(found.warnings).collect();
    let short = |d: &Difference| format!("{}{} {} {}", if d.is_warning() { "?" } else { "" }, d.change, d.kind, d.name);
    (all.iter().map(short).collect(), all)
}

/// Mends until nothing is left but warnings, which are for people to judge and have no mend. A dropped table takes
/// triggers and references with it, which show when it is back.
fn mend(database: &Database) -> Result<(), String> {
    for _ in 0..4 {
        let (warnings, differences): (Vec<_>, Vec<_>) = named(database).1.into_iter().partition(Difference::is_warning);
        if let Some(warning) = warnings.iter().find(|warning| warning.mend.is_some()) {
            return Err(format!("a warning has a mend: {warning}"));
        }
        if differences.is_empty() {
            return Ok(());
        }
        for difference in differences {
            let statement = difference.mend.clone().ok_or(format!("nothing mends {difference}"))?;
            let file = statement.strip_prefix("-- in a shell: hacs-refinery show V").map(|rest| {
                let version = rest.trim_end_matches(" | psql").parse::<i64>().unwrap();
                let migration = hacs_refinery::migrations().into_iter().find(|m| m.version() == version).unwrap();
                migration.sql().unwrap().to_owned()
            });
            let sql = file.unwrap_or(statement);
            database.client().batch_execute(&sql).map_err(|error| format!("{sql}: {error:?}"))?;
        }
    }
    Err(format!("still there: {:?}", named(database).0))
}

fn check(cases: &[(&str, &[&str])]) {
    let faults: Vec<String> = cases
        .iter()
        .filter_map(|(sql, expected)| {
            let database = Database::migrated();
            database.client().batch_execute(sql).unwrap_or_else(|error| panic!("{sql}: {error:?}"));
            let (found, _) = named(&database);
            if found != *expected {
                return Some(format!("{sql}\n  found    {found:?}\n  expected {expected:?}"));
            }
            mend(&database).err().map(|fault| format!("{sql}\n  {fault}"))
        })
        .collect();
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn changes_of_tables_and_columns_are_named_and_mended() {
    check(&[
        ("alter table hacs_registry.templates set unlogged", &["changed table hacs_registry.templates"]),
        (
            "alter table hacs_core.patients enable row level security, force row level security",
            &["changed table hacs_core.patients"],
        ),
        ("alter table hacs_core.patients set (fillfactor = 50)", &["changed table hacs_core.patients"]),
        ("drop table hacs_registry.templates", &["missing table hacs_registry.templates"]),
        ("create table hacs_core.mine (id serial primary key, a text)", &["extra table hacs_core.mine"]),
        ("create view hacs_core.mine as select id from hacs_core.patients", &["extra view hacs_core.mine"]),
        (
            "create materialized view hacs_core.mine as select id from hacs_core.patients",
            &["extra materialized view hacs_core.mine"],
        ),
        ("create sequence hacs_agents.mine", &["extra sequence hacs_agents.mine"]),
        ("alter table hacs_core.patients add column shoe_size integer", &["extra column hacs_core.patients.shoe_size"]),
        ("alter table hacs_core.patients drop column phone", &["missing column hacs_core.patients.phone"]),
        (
            "alter table hacs_core.patients rename column phone to telephone",
            &["missing column hacs_core.patients.phone", "extra column hacs_core.patients.telephone"],
        ),
        ("alter table hacs_core.patients alter column age type bigint", &["changed column hacs_core.patients.age"]),
        (
            "alter table hacs_core.patients alter column phone type varchar(20)",
            &["changed column hacs_core.patients.phone"],
        ),
        (
            "alter table hacs_core.patients alter column phone type text collate \"C\"",
            &["changed column hacs_core.patients.phone"],
        ),
        (
            "alter table hacs_core.patients alter column active set default false",
            &["changed column hacs_core.patients.active"],
        ),
        (
            "alter table hacs_core.patients alter column active drop default",
            &["changed column hacs_core.patients.active"],
        ),
        (
            "alter table hacs_core.patients alter column active drop not null",
            &["changed column hacs_core.patients.active"],
        ),
        (
            "alter table hacs_core.patients alter column phone set not null",
            &["changed column hacs_core.patients.phone"],
        ),
        (
            "alter table hacs_core.encounters alter column patient_id drop expression",
            &["changed column hacs_core.encounters.patient_id"],
        ),
    ]);
}

#[test]
fn changes_of_constraints_and_indexes_are_named_and_mended() {
    check(&[
        (
            "alter table hacs_core.patients drop constraint patients_gender_valid",
            &["missing constraint hacs_core.patients.patients_gender_valid"],
        ),
        (
            "alter table hacs_core.patients drop constraint patients_age_range;
             alter table hacs_core.patients add constraint patients_age_range check (age >= 0 and age <= 150) not valid",
            &["not validated constraint hacs_core.patients.patients_age_range"],
        ),
        (
            "alter table hacs_core.patients drop constraint patients_age_range;
             alter table hacs_core.patients add constraint patients_age_range check (age >= 0)",
            &["changed constraint hacs_core.patients.patients_age_range"],
        ),
        (
            "alter table hacs_core.patients rename constraint patients_age_range to old",
            &["extra constraint hacs_core.patients.old", "missing constraint hacs_core.patients.patients_age_range"],
        ),
        (
            "alter table hacs_core.patients add constraint mine unique (family)",
            &["extra constraint hacs_core.patients.mine"],
        ),
        (
            "alter table hacs_core.encounters alter constraint encounters_patient_id_fkey not deferrable",
            &["changed constraint hacs_core.encounters.encounters_patient_id_fkey"],
        ),
        (
            "alter table hacs_registry.templates drop constraint templates_name_version_key",
            &["missing constraint hacs_registry.templates.templates_name_version_key"],
        ),
        (
            "alter domain hacs_core.email drop constraint email_rfc_5322",
            &["missing constraint hacs_core.email.email_rfc_5322"],
        ),
        (
            "alter domain hacs_core.email add constraint short check (length(value) < 99) not valid",
            &["extra constraint hacs_core.email.short"],
        ),
        (
            "drop index hacs_core.encounters_patient_id_idx",
            &["missing index hacs_core.encounters.encounters_patient_id_idx"],
        ),
        (
            "create index mine on hacs_core.patients (family)",
            &["extra index hacs_core.patients.mine"],
        ),
        (
            "drop index hacs_core.encounters_patient_id_idx;
             create index encounters_patient_id_idx on hacs_core.encounters (patient_id) where patient_id > 'a'",
            &["changed index hacs_core.encounters.encounters_patient_id_idx"],
        ),
        (
            "update pg_index set indisvalid = false where indexrelid = 'hacs_core.encounters_patient_id_idx'::regclass",
            &["invalid index hacs_core.encounters.encounters_patient_id_idx"],
        ),
        (
            "update pg_index set indisvalid = false where indexrelid = 'hacs_core.patients_pkey'::regclass",
            &["invalid index hacs_core.patients.patients_pkey"],
        ),
        ("create statistics hacs_core.mine on family, phone from hacs_core.patients", &["extra statistics hacs_core.mine"]),
    ]);
}

#[test]
fn changes_of_triggers_functions_and_rules_are_named_and_mended() {
    check(&[
        (
            "alter table hacs_core.patients disable trigger patients_touch_updated_at",
            &["disabled trigger hacs_core.patients.patients_touch_updated_at"],
        ),
        (
            "alter table hacs_core.patients enable replica trigger patients_touch_updated_at",
            &["disabled trigger hacs_core.patients.patients_touch_updated_at"],
        ),
        (
            "drop trigger patients_touch_updated_at on hacs_core.patients",
            &["missing trigger hacs_core.patients.patients_touch_updated_at"],
        ),
        (
            "create or replace trigger patients_touch_updated_at before update on hacs_core.patients
             for each row execute function hacs_core.touch_updated_at()",
            &["changed trigger hacs_core.patients.patients_touch_updated_at"],
        ),
        (
            "create function public.spy() returns trigger language plpgsql as 'begin return new; end';
             create trigger spy before insert on hacs_core.patients for each row execute function public.spy()",
            &["extra trigger hacs_core.patients.spy"],
        ),
        (
            // What fires always is set to fire now and then by this, and named for it.
            "alter table hacs_core.organization_contacts disable trigger all;
             alter table hacs_core.organization_contacts enable trigger user",
            &[
                "disabled foreign keys hacs_core.organization_contacts",
                "disabled trigger hacs_core.organization_contacts.audit_delete",
                "disabled trigger hacs_core.organization_contacts.audit_insert",
                "disabled trigger hacs_core.organization_contacts.audit_row",
                "disabled trigger hacs_core.organization_contacts.audit_truncate",
                "disabled trigger hacs_core.organization_contacts.audit_update",
            ],
        ),
        (
            "create or replace function hacs_core.touch_updated_at() returns trigger language plpgsql
             set search_path = pg_catalog, pg_temp as 'begin return new; end'",
            &["changed function hacs_core.touch_updated_at()"],
        ),
        (
            "create or replace function hacs_core.is_blank(value text) returns boolean
             language sql immutable parallel safe return value = ''",
            &["changed function hacs_core.is_blank(text)"],
        ),
        (
            "alter function hacs_core.touch_updated_at() security definer",
            &["changed function hacs_core.touch_updated_at()"],
        ),
        (
            "alter function hacs_core.touch_updated_at() reset search_path",
            &["changed function hacs_core.touch_updated_at()"],
        ),
        ("alter function hacs_core.instant(text) volatile", &["changed function hacs_core.instant(text)"]),
        ("create function hacs_core.mine() returns int language sql return 1", &["extra function hacs_core.mine()"]),
        (
            "create procedure hacs_core.mine(a int, b text) language sql begin atomic; select 1; end",
            &["extra procedure hacs_core.mine(integer, text)"],
        ),
        (
            "create rule mine as on delete to hacs_core.patients do instead nothing",
            &["extra rule hacs_core.patients.mine"],
        ),
        ("alter domain hacs_core.email set default ''", &["changed domain hacs_core.email"]),
        ("create domain hacs_core.mine as text", &["extra domain hacs_core.mine"]),
        ("create type hacs_core.mine as enum ('a', 'b')", &["extra type hacs_core.mine"]),
        ("create collation hacs_core.mine from \"C\"", &["extra collation hacs_core.mine"]),
        ("create policy mine on hacs_core.patients using (true)", &["extra policy hacs_core.patients.mine"]),
    ]);
}

#[test]
fn changed_comments_and_privileges_are_warnings() {
    check(&[
        ("comment on table hacs_core.patients is 'X'", &["?changed comment table hacs_core.patients"]),
        ("comment on column hacs_core.patients.phone is null", &["?missing comment column hacs_core.patients.phone"]),
        (
            "comment on constraint patients_name_present on hacs_core.patients is 'it''s'",
            &["?changed comment constraint hacs_core.patients.patients_name_present"],
        ),
        ("comment on schema hacs_core is 'X'", &["?changed comment schema hacs_core"]),
        ("comment on domain hacs_core.email is 'X'", &["?changed comment domain hacs_core.email"]),
        (
            "comment on function hacs_core.is_blank(text) is 'X'",
            &["?changed comment function hacs_core.is_blank(text)"],
        ),
        (
            "grant select, update on hacs_core.patients to public",
            &["?changed grant table hacs_core.patients to public"],
        ),
        (
            "revoke execute on function hacs_core.is_blank(text) from public",
            &["?changed grant function hacs_core.is_blank(text) to public"],
        ),
        (
            "revoke insert on hacs_core.patients from current_user",
            &["?changed grant table hacs_core.patients to its owner"],
        ),
        (
            "grant select (family) on hacs_core.patients to public",
            &["?changed grant column hacs_core.patients.family to public"],
        ),
        ("alter view hacs_audit.coverage owner to pg_monitor", &["?extra owner view hacs_audit.coverage"]),
        (
            "alter function hacs_core.is_blank(text) owner to pg_monitor",
            &["?extra owner function hacs_core.is_blank(text)"],
        ),
        ("grant usage on schema hacs_core to public", &["?changed grant schema hacs_core to public"]),
    ]);
}

#[test]
fn what_has_no_statement_to_mend_it_is_named_all_the_same() {
    let database = Database::migrated();
    let sql = "create table hacs_core.parent (); alter table hacs_core.patients inherit hacs_core.parent";
    database.client().batch_execute(sql).unwrap();
    let (found, differences) = named(&database);
    assert_eq!(found, ["extra table hacs_core.parent", "changed table hacs_core.patients"]);
    assert_eq!(differences[1].mend, None);
}

#[test]
fn a_partition_of_the_trail_without_its_guards_is_named_and_mended() {
    check(&[
        (
            "alter table hacs_audit.resource_changes_default disable trigger append_only",
            &["disabled partition guards hacs_audit.resource_changes_default"],
        ),
        (
            "drop trigger append_only_truncate on hacs_audit.resource_changes_default",
            &["disabled partition guards hacs_audit.resource_changes_default"],
        ),
        (
            "create table hacs_audit.old partition of hacs_audit.resource_changes
             for values from ('2000-01-01') to ('2000-02-01')",
            &["disabled partition guards hacs_audit.old"],
        ),
    ]);
}

#[test]
fn the_audit_cannot_be_taken_off_one_table_unseen() {
    let database = Database::migrated();
    let query = "select t.tgname from pg_trigger as t join pg_proc as p on p.oid = t.tgfoid
        where t.tgrelid = 'hacs_core.patients'::regclass and p.pronamespace = 'hacs_audit'::regnamespace limit 1";
    let audit = database.text(query);
    let sql = format!("drop trigger {audit} on hacs_core.patients");
    check(&[(&sql, &[&format!("missing trigger hacs_core.patients.{audit}")])]);
    let sql = format!("alter table hacs_core.patients disable trigger {audit}");
    check(&[(&sql, &[&format!("disabled trigger hacs_core.patients.{audit}")])]);
}

/// Who changes a generated function may write its hash anew as well.
const BY_HAND: &str = "do $do$ declare f record; begin
    select pg_get_functiondef(p.oid) as written, p.prosrc into f from pg_proc as p where p.oid = to_regprocedure('FUNCTION');
    execute replace(f.written, f.prosrc, hacs_core.generated_body(replace(substr(f.prosrc, 62), 'begin', e'begin\n-- by hand')));
    end $do$";

#[test]
fn a_table_whose_functions_for_documents_are_out_of_date_is_named_and_mended() {
    let by_hand = |function: &str| BY_HAND.replace("FUNCTION", function);
    let put = by_hand("hacs_core.put_patients(jsonb, jsonb, bigint, text, integer)");
    let add = by_hand("hacs_core.add_patients(text, jsonb, jsonb)");
    let check_goals = by_hand("hacs_core.check_goals(jsonb)");
    let chooses = by_hand("hacs_core.get(text, text, text)");
    check(&[
        (&put, &["changed documents hacs_core.patients"]),
        (&add, &["changed documents hacs_core.patients"]),
        (&check_goals, &["changed documents hacs_clinical.goals"]),
        (&chooses, &["changed function hacs_core.get(text, text, text)"]),
    ]);
    // For his own column the operator answers, but not for what put makes of it.
    let database = Database::migrated();
    let column =
        "insert into hacs_admin.system_config (key, value) values ('verify.ignore', '[\"hacs_core.patients.ward\"]');
        alter table hacs_core.patients add column ward text";
    database.client().batch_execute(column).unwrap();
    let (found, all) = named(&database);
    assert_eq!(found, ["changed documents hacs_core.patients", "extra column hacs_core.patients.ward"]);
    assert_eq!(all[0].mend.as_deref(), Some("select hacs_core.attach_documents('hacs_core.patients');"));
    database.client().batch_execute(all[0].mend.as_ref().unwrap()).unwrap();
    assert_eq!(named(&database).0, ["extra column hacs_core.patients.ward"]);
}
