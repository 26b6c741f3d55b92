//! What keeps a database from being distributed is said before anything is changed.

use hacs_refinery::distribute::{DistributeOptions, distribute};
use hacs_refinery::{Error, Obstacle, Options};

use super::cluster::{Cluster, run};
use crate::database::Database;

/// On a server without Citus, whatever is asked for.
#[test]
fn without_citus_nothing_is_distributed_and_the_error_says_what_is_missing() {
    let database = Database::migrated();
    let before = database.dump();
    for args in [&["distribute"][..], &["distribute", "--dry-run"], &["distribute", "--undo", "--json"]] {
        let end = database.run(args);
        assert_eq!(end.code, Some(2), "{end:?}");
        assert!(end.stderr.contains("this database has no Citus"), "{end:?}");
        assert!(end.stderr.contains("docs/scale-out.md"), "{end:?}");
        assert!(end.stdout.is_empty(), "{end:?}");
    }
    assert_eq!(database.dump(), before);
    let end = distribute(&mut database.client(), &Options::default(), &DistributeOptions::default());
    match end.expect_err("no Citus") {
        Error::Distribution(obstacle) => assert!(matches!(*obstacle, Obstacle::NoCitus)),
        other => panic!("{other}"),
    }
}

/// Of a Citus there is no more here than what the catalogue says of it.
#[test]
fn a_citus_that_is_too_old_is_refused_by_its_version() {
    let database = Database::migrated();
    let old = "set allow_system_table_mods = on;
        insert into pg_extension (oid, extname, extowner, extnamespace, extrelocatable, extversion)
        values (99999, 'citus', 10, 'pg_catalog'::regnamespace, false, '12.1-1')";
    database.client().batch_execute(old).unwrap();
    for args in [&["distribute"][..], &["distribute", "--undo"]] {
        let end = database.run(args);
        assert_eq!(end.code, Some(2), "{end:?}");
        assert!(end.stderr.contains("12.1-1") && end.stderr.contains("Update Citus on every node."), "{end:?}");
    }
}

/// The distribution fits functions of the migrations by their text. That the text is there is seen without Citus.
#[test]
fn each_text_that_is_fitted_stands_in_its_function() {
    let database = Database::migrated();
    let mut client = database.client();
    let mut fitted = 0;
    for sql in [
        include_str!("../../../src/run/distribute/audit.sql"),
        include_str!("../../../src/run/distribute/documents.sql"),
        include_str!("../../../src/run/distribute/trail.sql"),
    ] {
        for call in sql.split("select pg_temp.hacs_patch(").skip(1) {
            let call = &call[..call.find("\n);\n").expect("the end of a call")];
            let function = call.split('\'').nth(1).expect("its function");
            // Between the marks stand in turns what is replaced and what replaces it.
            for text in call.split("$a$").skip(1).step_by(4) {
                let query = "select position($2::text in pg_get_functiondef($1::text::regprocedure)) > 0";
                let stands: bool = client.query_one(query, &[&function, &text]).unwrap().get(0);
                assert!(stands, "{function} lacks:\n{text}");
                fitted += 1;
            }
        }
    }
    assert!(fitted >= 20, "{fitted}");
}

#[test]
fn a_worker_an_empty_database_and_one_that_is_not_distributed_are_refused() {
    let Some(cluster) = Cluster::empty("the refusals of a cluster") else { return };
    let end = run(&cluster.worker(), &["distribute"]);
    assert_eq!((end.code, end.stderr.contains("a worker of a Citus cluster")), (Some(2), true), "{end:?}");
    let end = cluster.run(&["distribute"]);
    assert_eq!((end.code, end.stderr.contains("migrations are pending")), (Some(4), true), "{end:?}");
    assert_eq!(cluster.text("select to_regnamespace('hacs_admin')"), "null");
    assert_eq!(cluster.run(&["migrate", "-q"]).code, Some(0));
    let end = cluster.run(&["distribute", "--undo"]);
    assert_eq!((end.code, end.stderr.contains("is not distributed")), (Some(2), true), "{end:?}");
}

#[test]
fn rows_of_two_patients_and_tables_of_others_are_named() {
    let Some(cluster) = Cluster::migrated("rows of two patients") else { return };
    let mut client = cluster.client();
    client
        .batch_execute(
            "insert into hacs_core.patients (id, family) values ('p1', 'A'), ('p2', 'B');
             insert into hacs_core.encounters (id, status, class_fhir, subject, period)
             values ('e1', 'finished', 'AMB', 'Patient/p1', '{\"start\": \"2024\"}');
             insert into hacs_core.observations (id, status, code, subject, encounter, value_string)
             values ('o1', 'final', '{\"text\": \"x\"}', 'Patient/p2', 'Encounter/e1', 'v')",
        )
        .unwrap();
    let end = cluster.run(&["distribute"]);
    assert_eq!(end.code, Some(9), "{end:?}");
    let named = "hacs_core.observations o1 of patient p2 refers to hacs_core.encounters e1 of patient p1";
    assert!(end.stderr.contains(named), "{end:?}");
    client.batch_execute("delete from hacs_core.observations").unwrap();
    client.batch_execute("create table public.mine (patient text references hacs_core.patients)").unwrap();
    let end = cluster.run(&["distribute"]);
    assert_eq!(end.code, Some(9), "{end:?}");
    assert!(end.stderr.contains("mine refers to hacs_core.patients"), "{end:?}");
    let end = cluster.run(&["verify"]);
    assert!(end.code == Some(0) && end.stdout.contains("as migrated"), "{end:?}");
}
