//! Migrations that come after the distribution.

use hacs_refinery::{Error, Options, migrate};
use refinery::Migration;

use super::cluster::Cluster;

const STAYS: &str = "-- Stays of patients on a ward.
    -- distribution: patient
    create table hacs_core.stays (id text not null, patient_id text not null default '');
    select create_distributed_table('hacs_core.stays', 'patient_id', colocate_with => 'hacs_core.patients');
    alter table hacs_core.stays add constraint stays_pkey primary key (id, patient_id);
    create index stays_patient_id_idx on hacs_core.stays (patient_id);
    alter table hacs_core.observations add column stay text;
    create index observations_stay_idx on hacs_core.observations (stay);";

#[test]
fn a_later_migration_is_sent_statement_by_statement_and_all_of_it_or_nothing_is_done() {
    let Some(cluster) = Cluster::distributed("a later migration of a distributed database") else { return };
    let options = Options::default().owner("site", vec![Migration::unapplied("V1__stays", STAYS).unwrap()]);
    let mut client = cluster.client();
    let report = migrate(&mut client, &options).expect("it runs");
    assert_eq!(report.applied.len(), 1);
    assert_eq!(cluster.text("select count(*) from hacs_core.observations where stay is null"), "0");
    let parts = "select count(*) from citus_shards where table_name = 'hacs_core.stays'::regclass";
    assert_eq!(cluster.text(parts), "4");

    let wrong = format!("{};\n\nselect wrong;", "alter table hacs_core.encounters add column stay text");
    let both =
        vec![Migration::unapplied("V1__stays", STAYS).unwrap(), Migration::unapplied("V2__wrong", &wrong).unwrap()];
    let options = Options::default().owner("site", both);
    match migrate(&mut client, &options).expect_err("it fails") {
        Error::Migration { location, .. } => assert_eq!(location.to_string(), "site: V2__wrong.sql, line 3"),
        other => panic!("{other:?}"),
    }
    let column =
        "select count(*) from pg_attribute where attrelid = 'hacs_core.encounters'::regclass and attname = 'stay'";
    assert_eq!(cluster.text(column), "0");
}
