use std::path::Path;

use hacs_refinery::Manifest;

use crate::database::Database;

/// With UPDATE_MANIFEST set, as scripts/update-manifest.sh does, it writes the file anew.
#[test]
fn the_committed_manifest_is_what_the_migrations_make() {
    let database = Database::migrated();
    let made = hacs_refinery::manifest(&mut database.client()).unwrap().to_string();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/manifest/schema.txt");
    if std::env::var_os("UPDATE_MANIFEST").is_some() {
        std::fs::write(&path, &made).unwrap();
        return;
    }
    let committed = std::fs::read_to_string(&path).unwrap();
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<std::collections::BTreeSet<_>>();
    let (is, was) = (lines(&made), lines(&committed));
    let gone: Vec<_> = was.difference(&is).collect();
    let new: Vec<_> = is.difference(&was).collect();
    assert!(gone.is_empty() && new.is_empty(), "run scripts/update-manifest.sh: gone {gone:#?}, new {new:#?}");
    assert_eq!(made, committed, "run scripts/update-manifest.sh: the order is another");
}

#[test]
fn the_embedded_manifest_is_the_committed_file() {
    assert_eq!(Manifest::embedded().to_string(), include_str!("../../src/manifest/schema.txt"));
    for table in hacs_refinery::TABLES {
        assert!(Manifest::embedded().has("table", table), "{table}");
    }
    for (resource, table) in hacs_refinery::RESOURCES {
        assert!(Manifest::embedded().has("table", table), "{resource}");
    }
}

#[test]
fn the_manifest_is_the_same_whatever_role_and_settings_read_it() {
    let database = Database::migrated();
    let sql = "set search_path = hacs_core, hacs_clinical, public; set quote_all_identifiers = on;
        set intervalstyle = iso_8601; set datestyle = sql; set timezone = 'Asia/Tokyo'; set extra_float_digits = -5";
    let mut client = database.client();
    client.batch_execute(sql).unwrap();
    let found = hacs_refinery::manifest(&mut client).unwrap();
    assert_eq!(found.to_string(), Manifest::embedded().to_string());
}
