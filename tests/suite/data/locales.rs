//! Databases whose locale knows other scripts' digits and blanks: the rules mean the same in all of them.

use std::fs;
use std::path::Path;

use hacs_refinery::Options;

use crate::database::Database;

/// What follows `template` in `create database`, for each kind of locale that this server has.
fn locales(client: &mut postgres::Client) -> Vec<&'static str> {
    let version: i32 = client.query_one("select current_setting('server_version_num')::integer", &[]).unwrap().get(0);
    let has_icu: bool =
        client.query_one("select exists (select from pg_collation where collprovider = 'i')", &[]).unwrap().get(0);
    let mut locales = vec!["template0 encoding 'UTF8' lc_collate 'C' lc_ctype 'C'"];
    if version >= 150_000 && has_icu {
        locales.push("template0 encoding 'UTF8' locale_provider icu icu_locale 'und' lc_collate 'C' lc_ctype 'C'");
        locales.push("template0 encoding 'UTF8' locale_provider icu icu_locale 'tr-TR' lc_collate 'C' lc_ctype 'C'");
    }
    if version >= 170_000 {
        locales.push("template0 encoding 'UTF8' locale_provider builtin builtin_locale 'C.UTF-8' locale 'C'");
    }
    if version >= 180_000 {
        locales.push("template0 encoding 'UTF8' locale_provider builtin builtin_locale 'PG_UNICODE_FAST' locale 'C'");
    }
    locales
}

#[test]
fn digits_of_other_scripts_are_digits_in_no_database() {
    let locales = locales(&mut Database::empty().client());
    for (number, locale) in locales.iter().enumerate() {
        let name = format!("hacs_locale_{}_{number}", std::process::id());
        let database = Database::named(&name, locale);
        hacs_refinery::migrate(&mut database.client(), &Options::default()).unwrap();
        let ask = |query: &str| database.text(query);
        for time in
            ["٢٠٢٦-01-05T10:00:00Z", "２０２６-01-05", "2026-٠1-05", "2026-01-05T١0:00:00Z", "2026-01-05T10:00:00.１Z"]
        {
            assert_eq!(ask(&format!("select hacs_core.is_instant('{time}')")), "f", "{locale}: {time}");
            assert_eq!(ask(&format!("select hacs_core.instant('{time}')")), "null", "{locale}: {time}");
        }
        assert_eq!(ask("select hacs_core.is_instant('2026-01-05T10:00:00Z')"), "t", "{locale}");
        assert_eq!(ask("select hacs_core.is_blank(E'\\u2003')"), "t", "{locale}");
        assert_eq!(ask("select hacs_core.is_email('İ@example.org')"), "t", "{locale}");
        let visit = "insert into hacs_core.encounters (subject, class_fhir, status, period)
            values ('urn:x', 'AMB', 'planned', '{\"start\": \"٢٠٢٦-01-05\"}')";
        database.client().batch_execute(visit).unwrap_or_else(|error| panic!("{locale}: {error:?}"));
    }
}

#[test]
fn no_migration_has_a_class_of_characters_that_depends_on_the_locale() {
    let mut faults = Vec::new();
    let mut files = 0;
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations")).unwrap() {
        let path = entry.unwrap().path();
        files += 1;
        for (number, line) in fs::read_to_string(&path).unwrap().lines().enumerate() {
            let code = line.split("-- ").next().unwrap();
            let classes = [r"\d", r"\D", r"\w", r"\W", r"\s", r"\S", r"\m", r"\M", r"\y", r"\Y", "[:"];
            if classes.iter().any(|class| code.contains(class)) || code.contains("initcap(") {
                faults.push(format!("{}:{}: {line}", path.display(), number + 1));
            }
        }
    }
    assert!(files >= 8 && faults.is_empty(), "{faults:#?}");
}

#[test]
fn days_and_times_lie_in_the_years_that_a_document_can_write() {
    let database = Database::migrated();
    let mut client = database.client();
    client.batch_execute("set timezone = 'UTC'").unwrap();
    let mut patient = |column: &str, value: &str| {
        let sql = format!("insert into hacs_core.patients (full_name, {column}) values ('x', '{value}')");
        client.batch_execute(&sql).map_err(|error| error.as_db_error().unwrap().constraint().unwrap().to_owned())
    };
    for (column, value) in [
        ("birth_date", "0001-01-01"),
        ("birth_date", "9999-12-31"),
        ("created_at", "0001-01-01T00:00:00Z"),
        ("updated_at", "9999-12-31T23:59:59.999999Z"),
    ] {
        assert_eq!(patient(column, value), Ok(()), "{column} {value}");
    }
    for (column, value) in [
        ("birth_date", "0044-03-15 BC"),
        ("birth_date", "10000-01-01"),
        ("birth_date", "infinity"),
        ("created_at", "0001-12-31T23:59:59Z BC"),
        ("created_at", "-infinity"),
        ("updated_at", "9999-12-31T23:59:59-01:00"),
    ] {
        assert_eq!(patient(column, value), Err("patients_times_finite".to_owned()), "{column} {value}");
    }
}
