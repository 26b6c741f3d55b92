//! `hacs_core.scan`: what the adapters of the original system ask for, newest first, whether an index serves it or not.

use crate::database::Database;

/// Three patients, one after the other, and a document whose type has no table.
fn filled() -> Database {
    let database = Database::migrated();
    for document in [
        r#"{"resource_type": "Patient", "id": "p0", "family": "Abel", "shoe_size": 40}"#,
        r#"{"resource_type": "Patient", "id": "p1", "family": "Byron", "shoe_size": 41, "gender": "female"}"#,
        r#"{"resource_type": "Patient", "id": "p2", "family": "Byron", "shoe_size": "41"}"#,
        r#"{"resource_type": "Observation", "id": "o0", "subject": "Patient/p1", "value_integer": 0}"#,
        r#"{"resource_type": "CarePlan", "id": "c0", "title": "Walk"}"#,
    ] {
        database.text(&format!("select id from hacs_core.put('{document}')"));
    }
    database
}

fn found(database: &Database, resource_type: &str, filters: &str) -> String {
    let filters = filters.replace('\'', "''");
    database.text(&format!(
        "select coalesce(string_agg(d ->> 'id', ' ' order by n), '')
        from hacs_core.scan('{resource_type}', '{filters}') with ordinality as t (d, n)"
    ))
}

#[test]
fn a_scan_takes_the_filters_of_the_original_adapters() {
    let database = filled();
    for (filters, expected) in [
        ("{}", "p2 p1 p0"),
        (r#"{"id": "p1"}"#, "p1"),
        (r#"{"family": "Byron"}"#, "p2 p1"),
        (r#"{"family": "Byron", "gender": "female"}"#, "p1"),
        (r#"{"family": "Byron", "gender": null}"#, "p2"),
        (r#"{"family_like": "BY"}"#, "p2 p1"),
        (r#"{"family_in": ["Abel", "Nobody"]}"#, "p0"),
        (r#"{"family_in": []}"#, ""),
        (r#"{"shoe_size": 41}"#, "p2 p1"),
        (r#"{"shoe_size_gt": 40}"#, "p1"),
        (r#"{"shoe_size_gte": 40, "shoe_size_lt": 41}"#, "p0"),
        (r#"{"family_gt": "Abel", "family_lte": "Byron"}"#, "p2 p1"),
        (r#"{"x' or 'a' = 'a": "a"}"#, ""),
        (r#"{"family_in": ["'}') or true --"]}"#, ""),
    ] {
        assert_eq!(found(&database, "Patient", filters), expected, "{filters}");
    }
    assert_eq!(found(&database, "Observation", r#"{"subject": "Patient/p1"}"#), "o0");
    // No local reference, so no index: it is compared as a text.
    assert_eq!(found(&database, "Observation", r#"{"subject": "https://elsewhere/Patient/p1"}"#), "");
    assert_eq!(found(&database, "CarePlan", r#"{"title_like": "walk"}"#), "c0");
    assert_eq!(found(&database, "Nothing", "{}"), "");
}

#[test]
fn a_scan_gives_as_many_as_are_asked_for_from_where_it_is_told() {
    let database = filled();
    let ids = |most: i32, skip: i32, filters: &str| {
        database.text(&format!(
            "select coalesce(string_agg(d ->> 'id', ' ' order by n), '')
            from hacs_core.scan('Patient', '{filters}', {most}, {skip}) with ordinality as t (d, n)"
        ))
    };
    assert_eq!((ids(1, 0, "{}"), ids(2, 1, "{}"), ids(9, 3, "{}")), ("p2".into(), "p1 p0".into(), String::new()));
    let filters = r#"{"shoe_size_gte": 40}"#;
    assert_eq!((ids(1, 0, filters), ids(1, 1, filters)), ("p1".into(), "p0".into()));
}

#[test]
fn a_filter_that_does_not_fit_its_value_is_refused_by_its_name() {
    let database = filled();
    for (filters, field) in [
        (r#"{"family_in": "Abel"}"#, "family_in"),
        (r#"{"family_like": 1}"#, "family_like"),
        (r#"{"family_gt": {}}"#, "family_gt"),
        (r#"{"family_lte": null}"#, "family_lte"),
    ] {
        let statement = format!("select hacs_core.scan('Patient', '{filters}')");
        let error = database.client().batch_execute(&statement).unwrap_err();
        let error = error.as_db_error().unwrap();
        assert_eq!((error.code().code(), error.column()), ("22023", Some(field)), "{error:?}");
    }
    let error = database.client().batch_execute("select hacs_core.scan('Patient', '[]')").unwrap_err();
    assert!(error.as_db_error().unwrap().message().contains("JSON object"), "{error:?}");
}
