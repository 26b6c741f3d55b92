//! The tables against the contract: every field a column of its type, nullability, default and values.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::contract::{Field, contract};
use crate::data::references;
use crate::data::rules;
use crate::database::Database;

struct Column {
    /// The type, or what lies below a domain.
    base_type: String,
    not_null: bool,
    default: Option<String>,
}

fn columns(database: &Database, table: &str) -> BTreeMap<String, Column> {
    let query = "
        select a.attname::text, format_type(coalesce(nullif(t.typbasetype, 0), t.oid), null), a.attnotnull,
            case when a.attgenerated = '' then pg_get_expr(d.adbin, d.adrelid) end
        from pg_attribute as a
        join pg_type as t on t.oid = a.atttypid
        left join pg_attrdef as d on d.adrelid = a.attrelid and d.adnum = a.attnum
        where a.attrelid = $1::text::regclass and a.attnum > 0 and not a.attisdropped";
    let rows = database.client().query(query, &[&table]).unwrap();
    rows.iter()
        .map(|row| (row.get(0), Column { base_type: row.get(1), not_null: row.get(2), default: row.get(3) }))
        .collect()
}

/// PostgreSQL's names for the contract's types.
fn type_name(pg_type: &str) -> &str {
    match pg_type {
        "timestamptz" => "timestamp with time zone",
        other => other,
    }
}

/// A default of the catalogue as the JSON value that it gives.
fn default_value(expression: &str) -> Value {
    let text = expression.split("::").next().unwrap().trim_matches('\'');
    match (text, expression) {
        ("{}", _) if expression.ends_with("jsonb") => json!({}),
        ("{}" | "[]", _) => json!([]),
        ("true", _) => json!(true),
        ("false", _) => json!(false),
        _ => text.parse::<f64>().map_or_else(|_| json!(text), |number| json!(number)),
    }
}

/// Fields that HACS fills with the present time when they are absent, without a default in the contract's sense.
const FILLED_WITH_NOW: [(&str, &str); 5] = [
    ("hacs_clinical.service_requests", "authored_on"),
    ("hacs_clinical.family_member_history", "date"),
    ("hacs_clinical.tasks", "authored_on"),
    ("hacs_clinical.tasks", "last_modified"),
    ("hacs_clinical.appointments", "created"),
];

fn default_fault(table: &str, field: &Field, column: &Column) -> Option<String> {
    let expected = match &field.default {
        _ if field.name == "id" => {
            return (column.default.as_deref() != Some("(gen_random_uuid())::text")).then(|| "id".into());
        }
        _ if field.auto_filled || FILLED_WITH_NOW.contains(&(table, field.name.as_str())) => {
            return (column.default.as_deref() != Some("now()")).then(|| format!("{:?} is not now()", column.default));
        }
        None | Some(Value::Null) => None,
        Some(value) => Some(value.clone()),
    };
    let found = column.default.as_deref().map(default_value);
    let same = match (&expected, &found) {
        (Some(a), Some(b)) => a == b || a.is_number() && a.as_f64() == b.as_f64(),
        (a, b) => a == b,
    };
    (!same).then(|| format!("default {found:?}, not {expected:?}"))
}

#[test]
fn every_field_is_a_column_of_its_type_nullability_and_default() {
    let database = Database::migrated();
    let mut faults = Vec::new();
    let mut fields = 0;
    for resource in &contract().resources {
        let columns = columns(&database, &resource.table);
        for field in &resource.fields {
            fields += 1;
            let place = format!("{}.{}", resource.table, field.name);
            let Some(column) = columns.get(&field.name) else {
                faults.push(format!("{place} is missing"));
                continue;
            };
            if column.base_type != type_name(&field.pg_type) {
                faults.push(format!("{place} is {}, not {}", column.base_type, field.pg_type));
            }
            if column.not_null == field.may_be_null() {
                faults.push(format!("{place}: not null is {}", column.not_null));
            }
            faults.extend(default_fault(&resource.table, field, column).map(|fault| format!("{place}: {fault}")));
        }
        let extra = columns.get("extra").unwrap_or_else(|| panic!("{} has no extra", resource.table));
        assert_eq!(
            (extra.base_type.as_str(), extra.not_null, extra.default.as_deref()),
            ("jsonb", true, Some("'{}'::jsonb"))
        );
    }
    assert_eq!((contract().resources.len(), fields), (25, 904));
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

/// What later models have added to a set.
const LATER_VALUES: [(&str, &str); 2] =
    [("memories_memory_type_valid", "executive"), ("memories_memory_type_valid", "working")];

#[test]
fn every_value_set_is_the_one_of_the_models() {
    let database = Database::migrated();
    let query = "select conname::text, pg_get_constraintdef(oid) from pg_constraint
        where contype = 'c' and conname ~ '_valid$'";
    let rows = database.client().query(query, &[]).unwrap();
    let found: BTreeMap<String, String> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    let mut checked = 0;
    for resource in &contract().resources {
        let (_, table) = resource.table.split_once('.').unwrap();
        for field in &resource.fields {
            let values = field.values.as_ref().or(field.items.as_ref().and_then(|items| items.values.as_ref()));
            let Some(values) = values else { continue };
            let name = format!("{table}_{}_valid", field.name);
            let definition = found.get(&name).unwrap_or_else(|| panic!("{name} is missing"));
            // = 'one' or = ANY ('{one,another}')
            let quoted = definition.split('\'').nth(1).unwrap_or_else(|| panic!("{name} is {definition}"));
            let listed: BTreeSet<&str> = quoted.trim_matches(['{', '}']).split(',').collect();
            let later = LATER_VALUES.iter().filter(|(rule, _)| *rule == name).map(|(_, value)| *value);
            assert_eq!(listed, values.iter().map(String::as_str).chain(later).collect(), "{name}");
            checked += 1;
        }
    }
    assert_eq!(checked, 83);
}

/// Tables and columns without a comment.
pub fn without_comment(database: &Database) -> Vec<String> {
    let query = "
        select c.oid::regclass || coalesce('.' || a.attname, '')
        from pg_class as c
        join pg_namespace as n on n.oid = c.relnamespace
        left join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
        where n.nspname like 'hacs\\_%' and c.relkind in ('r', 'p', 'v') and not c.relispartition
            and (col_description(c.oid, a.attnum) is null or obj_description(c.oid, 'pg_class') is null)";
    database.client().query(query, &[]).unwrap().iter().map(|row| row.get(0)).collect()
}

#[test]
fn every_table_and_column_has_a_comment() {
    let silent = without_comment(&Database::migrated());
    assert!(silent.is_empty(), "{silent:?}");
}

/// Functions that somebody's search path could redirect.
pub fn open_functions(database: &Database) -> Vec<String> {
    // A standard body is bound when it is created; every other function must set its own path.
    let query = "
        select p.oid::regprocedure::text
        from pg_proc as p
        join pg_namespace as n on n.oid = p.pronamespace
        where n.nspname like 'hacs\\_%' and p.prosqlbody is null
            and 'search_path=pg_catalog, pg_temp' <> all (coalesce(p.proconfig, '{}'))";
    database.client().query(query, &[]).unwrap().iter().map(|row| row.get(0)).collect()
}

#[test]
fn functions_are_deaf_to_the_search_path() {
    let open = open_functions(&Database::migrated());
    assert!(open.is_empty(), "{open:?}");
}

/// Tables whose `updated_at` nobody keeps.
pub fn without_touch_trigger(database: &Database) -> Vec<String> {
    let query = "select c.oid::regclass::text from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
        join pg_attribute as a on a.attrelid = c.oid and a.attname = 'updated_at'
        where n.nspname like 'hacs\\_%' and c.relkind = 'r' and not exists (
            select from pg_trigger as t where t.tgrelid = c.oid and t.tgname = c.relname || '_touch_updated_at')";
    database.client().query(query, &[]).unwrap().iter().map(|row| row.get(0)).collect()
}

#[test]
fn an_update_gets_a_new_time_unless_it_brings_its_own() {
    let database = Database::migrated();
    let mut client = database.client();
    let given = "2020-01-01 00:00:00+00";
    client
        .batch_execute(&format!(
            "set timezone = 'UTC';
             insert into hacs_core.patients (id, family, updated_at) values ('p', 'P', '{given}')"
        ))
        .unwrap();
    let updated_at = || database.text("select updated_at at time zone 'UTC' || '+00' from hacs_core.patients");
    assert_eq!(updated_at(), given);
    client.batch_execute("update hacs_core.patients set updated_at = '2021-01-01Z', family = 'Q'").unwrap();
    assert_eq!(updated_at(), "2021-01-01 00:00:00+00");
    client.batch_execute("update hacs_core.patients set family = 'R'").unwrap();
    assert_eq!(database.text("select updated_at > now() - interval '1 minute' from hacs_core.patients"), "t");

    assert_eq!(without_touch_trigger(&database), [] as [&str; 0]);
}

/// Tables of resources whose rows are not counted.
pub fn without_version(database: &Database) -> Vec<String> {
    let query = "select c.oid::regclass::text from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
        join pg_attribute as r on r.attrelid = c.oid and r.attname = 'resource_type'
        left join pg_attribute as a on a.attrelid = c.oid and a.attname = 'version_id'
        left join pg_attrdef as d on d.adrelid = a.attrelid and d.adnum = a.attnum
        where n.nspname like 'hacs\\_%' and n.nspname <> 'hacs_audit' and c.relkind in ('r', 'p') and (
            a.atttypid is distinct from 'bigint'::regtype or not a.attnotnull
            or pg_get_expr(d.adbin, d.adrelid) is distinct from '1' or not exists (
                select from pg_trigger as t
                where t.tgrelid = c.oid and t.tgfoid = 'hacs_core.touch_resource'::regproc and t.tgqual is null))";
    database.client().query(query, &[]).unwrap().iter().map(|row| row.get(0)).collect()
}

#[test]
fn every_change_of_a_resource_is_counted_whatever_it_says_of_the_count() {
    let database = Database::migrated();
    let mut client = database.client();
    assert_eq!(without_version(&database), [] as [&str; 0]);
    let mut check = |table: &str, insert: &str, updates: [&str; 4]| {
        client.batch_execute(insert).unwrap();
        let version = || database.text(&format!("select version_id from {table}"));
        assert_eq!(version(), "1");
        for (update, expected) in updates.iter().zip(["2", "3", "4", "5"]) {
            client.batch_execute(&format!("update {table} set {update}")).unwrap();
            assert_eq!(version(), expected, "{table} {update}");
        }
    };
    check(
        "hacs_core.resources",
        "insert into hacs_core.resources (id, resource_type, data) values ('x', 'CarePlan', '{}')",
        ["updated_by = 'me'", "data = '{\"a\": 6.0}'", "data = '{\"a\": 6.00}'", "version_id = 70"],
    );
    check(
        "hacs_core.patients",
        "insert into hacs_core.patients (id, full_name) values ('x', 'X')",
        ["family = 'F'", "updated_at = '2020-01-01Z'", "family = 'G', updated_at = '2021-01-01Z'", "version_id = 70"],
    );
    let listed = "select count(*) from hacs_audit.resource_changes where 'version_id' = any (changed_fields)";
    assert_eq!(database.text(listed), "0");
}

/// Objects on which somebody other than the owner has a right.
pub fn granted(database: &Database) -> Vec<String> {
    let query = "
        select kind || ' ' || name from (
            select 'schema', nspname::text, nspacl, nspowner from pg_namespace where nspname like 'hacs\\_%'
            union all
            select 'relation', c.oid::regclass::text, c.relacl, c.relowner
            from pg_class as c join pg_namespace as n on n.oid = c.relnamespace where n.nspname like 'hacs\\_%'
            union all
            -- everybody may call the pure functions of the rules, and nothing else
            select case when p.provolatile = 'i' and not p.prosecdef and n.nspname not in ('hacs_admin', 'hacs_audit')
                    then 'rule' else 'function' end,
                p.oid::regprocedure::text, coalesce(p.proacl, acldefault('f', p.proowner)), p.proowner
            from pg_proc as p join pg_namespace as n on n.oid = p.pronamespace where n.nspname like 'hacs\\_%'
        ) as o (kind, name, acl, owner)
        where (kind = 'rule') <> exists (
            select from aclexplode(acl) as a where a.grantee <> owner and (kind <> 'rule' or a.grantee = 0)
        )";
    database.client().query(query, &[]).unwrap().iter().map(|row| row.get(0)).collect()
}

#[test]
fn nobody_but_the_owner_has_any_right() {
    let open = granted(&Database::migrated());
    assert!(open.is_empty(), "{open:?}");
}

/// What this project asks of a new table, whoever adds it.
pub fn keeps_the_conventions(database: &Database) {
    let none = [] as [&str; 0];
    assert_eq!(without_comment(database), none);
    assert_eq!(open_functions(database), none);
    assert_eq!(without_touch_trigger(database), none);
    assert_eq!(without_version(database), none);
    assert_eq!(granted(database), none);
    assert_eq!(rules::silent_constraints(database), none);
    assert_eq!(references::loose(database), none);
}
