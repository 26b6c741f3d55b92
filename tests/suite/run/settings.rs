//! Each setting that a role or a database can set, to an odd value, one at a time: `migrate`, `status` and `verify`
//! give the same as without it.
//!
//! The gate takes a sample; `scripts/test-settings.sh` takes all that the server knows, or
//! those that it is told.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::database::{Database, quoted};
use crate::newest::NEWEST;

/// Those that have struck a program somewhere, with one value each. A server that does not know one passes it over.
const SAMPLE: [&str; 25] = [
    "array_nulls",
    "bytea_output",
    "check_function_bodies",
    "client_encoding",
    "client_min_messages",
    "datestyle",
    "default_transaction_isolation",
    "enable_nestloop",
    "enable_seqscan",
    "idle_in_transaction_session_timeout",
    "idle_session_timeout",
    "intervalstyle",
    "jit_above_cost",
    "lc_messages",
    "lock_timeout",
    "plpgsql.variable_conflict",
    "quote_all_identifiers",
    "random_page_cost",
    "restrict_nonsystem_relation_kind",
    "row_security",
    "search_path",
    "standard_conforming_strings",
    "statement_timeout",
    "timezone",
    "transaction_timeout",
];

/// Where the server's own list does not tell an odd value. The timeout of transactions, which cannot be set at the
/// start of a session of every version, is longer than a busy machine takes until our first statement.
const ODD: [(&str, &[&str]); 22] = [
    ("application_name", &["'; drop table x'"]),
    ("client_encoding", &["LATIN1", "SQL_ASCII"]),
    ("createrole_self_grant", &["set, inherit"]),
    ("datestyle", &["SQL, DMY", "German, YMD"]),
    ("default_table_access_method", &["another_heap"]),
    ("default_tablespace", &["nowhere"]),
    ("default_text_search_config", &["pg_catalog.german"]),
    ("idle_in_transaction_session_timeout", &["1"]),
    ("idle_session_timeout", &["1"]),
    ("lc_messages", &["C.UTF-8"]),
    ("lc_monetary", &["C.UTF-8"]),
    ("lc_numeric", &["C.UTF-8"]),
    ("lc_time", &["C.UTF-8"]),
    ("lock_timeout", &["1"]),
    ("restrict_nonsystem_relation_kind", &["view, foreign-table"]),
    ("search_path", &["nowhere", "", "pg_temp, public, pg_catalog"]),
    ("statement_timeout", &["1"]),
    ("temp_tablespaces", &["nowhere"]),
    ("timezone", &["Asia/Kathmandu", "America/St_Johns"]),
    ("timezone_abbreviations", &["India"]),
    ("transaction_timeout", &["50"]),
    ("xmloption", &["document"]),
];

/// These are refused, or end in the server, as whoever sets them wants; what then holds is shown elsewhere.
const LEFT_OUT: [(&str, &str); 11] = [
    ("default_transaction_read_only", "a run is refused, with what to do: refusals::a_role_that_only_reads_by_default"),
    ("transaction_read_only", "of one transaction, never of a role"),
    ("transaction_isolation", "of one transaction, never of a role"),
    ("transaction_deferrable", "of one transaction, never of a role"),
    ("local_preload_libraries", "a library that is not there lets nobody in"),
    ("session_preload_libraries", "a library that is not there lets nobody in"),
    ("seed", "no setting, but an order to the generator of random numbers"),
    ("is_superuser", "tells, and cannot be set"),
    ("session_authorization", "is no setting of a database"),
    ("role", "is no setting of a database"),
    ("debug_discard_caches", "makes every statement take minutes in a server that was built to find its faults"),
];

/// A setting and an odd value of it.
#[derive(Clone, Debug)]
struct Odd {
    name: String,
    value: String,
}

/// What the server lets roles or databases set, each with values that nobody expects.
fn all(database: &Database) -> Vec<Odd> {
    let query = "select name, vartype, setting, min_val, max_val, array_to_string(enumvals, '|') as values
        from pg_settings where context in ('user', 'superuser', 'superuser-backend', 'backend') order by name";
    let mut found = Vec::new();
    for row in database.client().query(query, &[]).unwrap() {
        let name: String = row.get("name");
        let [kind, now]: [String; 2] = [row.get("vartype"), row.get("setting")];
        let [least, most, values]: [Option<String>; 3] = [row.get("min_val"), row.get("max_val"), row.get("values")];
        let known = ODD.iter().find(|(known, _)| known.eq_ignore_ascii_case(&name));
        let odd: Vec<String> = match (known, kind.as_str()) {
            (Some((_, values)), _) => values.iter().map(|value| (*value).to_owned()).collect(),
            (_, "bool") => vec![if now == "on" { "off" } else { "on" }.to_owned()],
            (_, "enum") => values.unwrap_or_default().split('|').filter(|v| *v != now).map(str::to_owned).collect(),
            (_, "integer" | "real") => [least, most].into_iter().flatten().filter(|v| *v != now).collect(),
            _ => vec!["odd".to_owned()],
        };
        found.extend(odd.into_iter().map(|value| Odd { name: name.clone(), value }));
    }
    found.retain(|odd| LEFT_OUT.iter().all(|(name, _)| !name.eq_ignore_ascii_case(&odd.name)));
    found
}

fn catalogue(database: &Database) -> String {
    hacs_refinery::manifest(&mut database.client()).unwrap().to_string()
}

/// What differs under a setting, or that the server does not let a database have it.
fn under(odd: &Odd, expected: &str) -> Result<Option<String>, String> {
    let database = Database::empty();
    let name = if odd.name.contains('.') { odd.name.clone() } else { quoted(&odd.name) };
    let value = if ["search_path", "temp_tablespaces"].contains(&odd.name.as_str()) && !odd.value.is_empty() {
        odd.value.clone()
    } else {
        format!("'{}'", odd.value.replace('\'', "''"))
    };
    let alter = |what: &str| format!("alter database {} {what}", quoted(&database.name));
    let mut before = database.client();
    before.batch_execute("create access method another_heap type table handler heap_tableam_handler").unwrap();
    if let Err(error) = before.batch_execute(&alter(&format!("set {name} = {value}"))) {
        return Err(error.to_string());
    }
    let mut faults = Vec::new();
    let applied = format!("{NEWEST} migrations applied");
    for (args, words) in [
        (&["migrate"][..], applied.as_str()),
        (&["status", "--check"], "Complete         yes"),
        (&["verify", "--deep"], "Result      as migrated"),
    ] {
        let end = database.run(args);
        if end.code != Some(0) || !end.stdout.contains(words) {
            faults.push(format!("{args:?}: {:?} {} {}", end.code, end.stdout, end.stderr));
        }
    }
    // This session has the setting no more where it came later.
    before.batch_execute(&alter(&format!("reset {name}"))).unwrap();
    drop(before);
    if faults.is_empty() && catalogue(&database) != expected {
        faults.push("another catalogue".to_owned());
    }
    Ok((!faults.is_empty()).then(|| faults.join("\n")))
}

#[test]
fn each_setting_alone_changes_nothing() {
    let plain = Database::migrated();
    let expected = catalogue(&plain);
    let which = std::env::var("HACS_TEST_SETTINGS").unwrap_or_default();
    let mut odd = all(&plain);
    let known = odd.len();
    let wanted: Vec<&str> = if which.is_empty() { SAMPLE.to_vec() } else { which.split(',').collect() };
    if which != "all" {
        odd.retain(|odd| wanted.iter().any(|name| name.eq_ignore_ascii_case(&odd.name)));
        odd.dedup_by(|one, other| one.name == other.name);
    }
    let least = match which.as_str() {
        "" => 15,
        "all" => 200,
        _ => 0,
    };
    assert!(odd.len() > least, "{odd:?}");
    let (odd, faults, tried) = (Mutex::new(odd), Mutex::new(Vec::new()), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some(odd) = { odd.lock().unwrap().pop() } {
                    match under(&odd, &expected) {
                        Ok(fault) => {
                            let before = tried.fetch_add(1, Ordering::Relaxed);
                            println!("{before} {odd:?}: {}", fault.as_deref().unwrap_or("the same"));
                            faults.lock().unwrap().extend(fault.map(|fault| format!("{odd:?}: {fault}")));
                        }
                        Err(refused) => println!("{odd:?} is not for databases: {refused}"),
                    }
                }
            });
        }
    });
    println!("{tried:?} of {known} odd settings");
    let faults = faults.into_inner().unwrap();
    assert!(faults.is_empty(), "{} faults\n{}", faults.len(), faults.join("\n"));
    assert!(tried.into_inner() > least);
}
