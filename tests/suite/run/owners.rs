//! One database, several owners of migrations.

use std::process::{Child, Stdio};

use hacs_refinery::{Error, HistoryError, Options, OwnedMigration, OwnerStatus, migrate, pending, script, status};
use refinery::Migration;

use crate::database::{Database, ended};
use crate::newest::{EMBEDDED, NEWEST};
use crate::server;

/// An owner's migrations: names of files, and their SQL.
fn files(of: &[(&str, &str)]) -> Vec<Migration> {
    of.iter().map(|(name, sql)| Migration::unapplied(name, sql).unwrap()).collect()
}

const WARDS: (&str, &str) = ("V1__wards.sql", "create schema wards; create table wards.wards (id text primary key)");
const BEDS: (&str, &str) = ("V20261125093000__beds.sql", "create table wards.beds (ward text references wards.wards)");
const PLANS: (&str, &str) = ("V1__plans.sql", "create schema plans; create table plans.plans (ward text)");

fn owners() -> Options {
    Options::default().owner("wards", files(&[WARDS, BEDS])).owner("plans", files(&[PLANS]))
}

/// What the history of an owner says.
fn recorded(database: &Database, owner: &str) -> String {
    database.text(&format!(
        "select coalesce(string_agg(version || ' ' || name, ', ' order by version), 'nothing')
         from hacs_admin.{owner}_migrations"
    ))
}

#[test]
fn each_owner_has_numbers_and_a_history_of_its_own() {
    let database = Database::empty();
    let report = migrate(&mut database.client(), &owners()).unwrap();
    let applied: Vec<_> =
        report.applied.iter().skip(EMBEDDED).map(|m| (m.owner.as_deref().unwrap(), m.version)).collect();
    assert_eq!(applied, [("wards", 1), ("wards", 20_261_125_093_000), ("plans", 1)]);
    assert_eq!(report.version, Some(NEWEST));
    assert_eq!(recorded(&database, "wards"), "1 wards, 20261125093000 beds");
    assert_eq!(recorded(&database, "plans"), "1 plans");
    assert_eq!(
        database.text("select count(*) || ' ' || max(version) from hacs_admin.migrations"),
        format!("{NEWEST} {NEWEST}")
    );
    assert_eq!(
        database.text("select count(*) from hacs_admin.wards_migrations where duration > '0' and tool_version > ''"),
        "2"
    );

    assert_eq!(migrate(&mut database.client(), &owners()).unwrap().applied, []);
    // Each service knows itself alone.
    let alone = Options::default().owner("plans", files(&[PLANS]));
    assert_eq!(migrate(&mut database.client(), &alone).unwrap().applied, []);
    assert_eq!(migrate(&mut database.client(), &Options::default()).unwrap().applied, []);
}

#[test]
fn a_later_release_of_hacs_comes_before_what_owners_have_applied() {
    let database = Database::empty();
    let mut older = Options::default().owner("wards", files(&[("V1000__team_wards.sql", WARDS.1)]));
    older.migrations.pop();
    migrate(&mut database.client(), &older).unwrap();
    assert_eq!(database.text("select max(version) from hacs_admin.migrations"), (NEWEST - 1).to_string());

    let newer = Options::default().owner("wards", files(&[("V1000__team_wards.sql", WARDS.1)]));
    let report = migrate(&mut database.client(), &newer).unwrap();
    assert_eq!(report.applied.iter().map(|m| (m.owner.clone(), m.version)).collect::<Vec<_>>(), [(None, NEWEST)]);
}

#[test]
fn what_is_wrong_is_said_of_its_owner_and_the_others_are_not_run() {
    let database = Database::empty();
    migrate(&mut database.client(), &owners()).unwrap();
    let changed = Options::default()
        .owner("wards", files(&[("V1__wards.sql", "select 1"), ("V7__late.sql", "select 7"), BEDS]))
        .owner("plans", files(&[PLANS, ("V2__more.sql", "create table plans.more ()")]));
    let Error::History(found) = migrate(&mut database.client(), &changed).unwrap_err() else { panic!("no history") };
    let found: Vec<String> = found.iter().map(HistoryError::to_string).collect();
    assert!(found[0].starts_with("wards: V1 was applied as V1__wards with checksum "), "{found:?}");
    assert_eq!(found[1..], ["wards: V7__late was never applied, although V20261125093000 was"]);
    assert_eq!(database.text("select to_regclass('plans.more') is null"), "t");

    let twice = Options::default().owner("wards", files(&[WARDS, ("V1__again.sql", "select 1"), BEDS]));
    let error = migrate(&mut database.client(), &twice).unwrap_err().to_string();
    assert!(error.contains("wards: there are two migrations V1: wards and again"), "{error}");

    let older = Options::default().owner("wards", files(&[WARDS])).owner("plans", files(&[PLANS]));
    let error = migrate(&mut database.client(), &older).unwrap_err().to_string();
    assert!(
        error.starts_with("wards: this database is at V20261125093000, but this binary knows migrations up to V1 only"),
        "{error}"
    );
    let mut allowed = Options::default()
        .owner("wards", files(&[WARDS]))
        .owner("plans", files(&[PLANS, ("V2__more.sql", "create table plans.more ()")]));
    allowed.allow_newer = true;
    assert_eq!(migrate(&mut database.client(), &allowed).unwrap().applied.len(), 1);

    let broken =
        Options::default().owner("wards", files(&[WARDS, BEDS, ("V20270101000000__no.sql", "select\n  nonsense")]));
    let error = migrate(&mut database.client(), &broken).unwrap_err().to_string();
    assert!(error.starts_with("wards: V20270101000000__no.sql, line 2: column \"nonsense\" does not exist"), "{error}");
    assert!(error.contains("Nothing was changed"), "{error}");
}

#[test]
fn a_name_that_no_table_can_have_or_that_is_given_twice_is_refused_before_anything_is_done() {
    let database = Database::empty();
    for options in [
        Options::default().owner("hacs", files(&[WARDS])),
        Options::default().owner("Wards; drop schema x", files(&[WARDS])),
        Options::default().owner("wards", files(&[WARDS])).owner("wards", files(&[PLANS])),
    ] {
        let error = migrate(&mut database.client(), &options).unwrap_err();
        assert!(matches!(error, Error::Owner(_)), "{error:?}");
        assert!(error.to_string().contains("cannot be the owner of migrations"), "{error}");
    }
    assert_eq!(database.text("select count(*) from pg_namespace where nspname like 'hacs%'"), "0");
}

#[test]
fn a_target_is_about_hacs_and_owners_wait_for_its_newest_version() {
    let database = Database::empty();
    let mut options = owners();
    options.target = Some(3);
    assert_eq!(migrate(&mut database.client(), &options).unwrap().applied.len(), 3);
    options.target = Some(NEWEST);
    assert_eq!(migrate(&mut database.client(), &options).unwrap().applied.len(), EMBEDDED - 3 + 3);
}

/// As the linking runner did it before there were owners: in HACS's own line of numbers.
fn in_the_line_of_hacs(of: &[(&str, &str)]) -> Database {
    let database = Database::empty();
    let mut options = Options::default();
    options.migrations.extend(files(of));
    migrate(&mut database.client(), &options).unwrap();
    database
}

#[test]
fn what_stands_in_the_line_of_hacs_is_moved_to_its_owner_once() {
    const OLD: [(&str, &str); 2] = [("V1000__wards.sql", WARDS.1), ("V1001__plans.sql", PLANS.1)];
    let database = in_the_line_of_hacs(&OLD);
    let text = "select string_agg(concat_ws(' ', version, name, applied_on, applied_at, applied_by, duration), ',' order by version)";
    let before = database.text(&format!("{text} from hacs_admin.migrations where version >= 1000"));

    // The program alone leaves it, and says so.
    assert_eq!(database.run(&["migrate"]).code, Some(6));
    let of_wards = || Options::default().owner("wards", files(&OLD[..1]));
    let still = migrate(&mut database.client(), &of_wards()).unwrap_err();
    assert!(matches!(still, Error::Newer { database: 1001, .. }), "{still}");

    let both = of_wards().owner("plans", files(&OLD[1..]));
    let seen = both.status(&mut database.client()).unwrap();
    assert!(seen.newer.is_empty() && seen.owners.iter().all(|owner| owner.migration_complete()), "{seen:?}");
    let report = migrate(&mut database.client(), &both).unwrap();
    assert_eq!((report.applied.len(), report.newer.len(), report.version), (0, 0, Some(NEWEST)));
    let after = database.text(&format!(
        "{text} from (table hacs_admin.wards_migrations union all table hacs_admin.plans_migrations) as m"
    ));
    assert_eq!(after, before);
    assert_eq!(database.text("select max(version) from hacs_admin.migrations"), NEWEST.to_string());
    assert_eq!(database.run(&["migrate"]).code, Some(0));
    assert_eq!(migrate(&mut database.client(), &both).unwrap().applied, []);
    // Read back, as the checksums of the new place.
    assert!(both.status(&mut database.client()).unwrap().owners.iter().all(|o| o.problems.is_empty()));
}

#[test]
fn a_number_that_hacs_has_taken_meanwhile_is_given_back_to_it() {
    let database = Database::empty();
    let number = format!("V{NEWEST}__wards.sql");
    let mut older = Options::default();
    let given_back = older.migrations.pop().unwrap().name().to_owned();
    older.migrations.extend(files(&[(&number, WARDS.1)]));
    migrate(&mut database.client(), &older).unwrap();
    assert_eq!(database.run(&["migrate"]).code, Some(6));

    let report = migrate(&mut database.client(), &Options::default().owner("wards", files(&[(&number, WARDS.1)])));
    assert_eq!(report.unwrap().applied.iter().map(|m| m.name.clone()).collect::<Vec<_>>(), [given_back]);
    assert_eq!(recorded(&database, "wards"), format!("{NEWEST} wards"));
    assert_eq!(database.run(&["verify"]).code, Some(0));
}

#[test]
fn status_tells_of_all_owners_and_its_documented_json_of_hacs_alone() {
    let without = Database::migrated();
    let database = Database::empty();
    migrate(&mut database.client(), &owners()).unwrap();
    let json = |database: &Database| status(&mut database.client()).unwrap().to_json();
    assert_eq!(json(&database), json(&without));

    let found = status(&mut database.client()).unwrap();
    let told: Vec<_> = found.owners.iter().map(|owner| (owner.name.as_str(), owner.migrations.len())).collect();
    assert_eq!(told, [("plans", 1), ("wards", 2)]);
    let shown = database.run(&["status", "--check"]);
    assert_eq!(shown.code, Some(0));
    assert!(shown.stdout.contains("\nplans: V1 plans "), "{}", shown.stdout);
    assert!(shown.stdout.contains("\nwards: V20261125093000 beds "), "{}", shown.stdout);

    let more = owners().owner("rooms", files(&[("V1__rooms.sql", "select 1")]));
    let found = more.status(&mut database.client()).unwrap();
    let complete: Vec<_> =
        found.owners.iter().map(|o: &OwnerStatus| (o.name.as_str(), o.migration_complete())).collect();
    assert_eq!(complete, [("plans", true), ("rooms", false), ("wards", true)]);
}

/// Services with migrations of their own, as the example links them: the arguments of each.
struct Services(tempfile::TempDir);

const SERVICES: [&str; 3] = ["wards", "plans", "rooms"];

impl Services {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        for owner in SERVICES {
            let files = [
                ("V1__first.sql", format!("create schema {owner}; create table {owner}.t (a text)")),
                (
                    "V2__index.sql",
                    format!(
                        "-- hacs-refinery: no transaction\ncreate index concurrently if not exists t_a on {owner}.t (a)"
                    ),
                ),
                ("V20261125093000__rows.sql", format!("insert into {owner}.t values ('once')")),
            ];
            std::fs::create_dir(directory.path().join(owner)).unwrap();
            for (name, sql) in files {
                std::fs::write(directory.path().join(owner).join(name), sql).unwrap();
            }
        }
        Self(directory)
    }

    /// A process of a service, without or with its file outside a transaction.
    fn start(&self, owner: &str, database: &Database, with_index: bool) -> std::process::Child {
        let names = ["V1__first.sql", "V2__index.sql", "V20261125093000__rows.sql"];
        let names = names.iter().filter(|name| with_index || !name.contains("index"));
        let mut service = crate::example("embed");
        service.arg(owner).args(names.map(|name| self.0.path().join(owner).join(name)));
        service.env("DATABASE_URL", database.conninfo()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }
}

/// Rows of each service, and its history.
fn each(database: &Database, history: &str) {
    for owner in SERVICES {
        assert_eq!(database.text(&format!("select count(*) from {owner}.t")), "1", "{owner}");
        assert_eq!(recorded(database, owner), history, "{owner}");
    }
    assert_eq!(
        database.text("select count(*) || ' ' || max(version) from hacs_admin.migrations"),
        format!("{NEWEST} {NEWEST}")
    );
    assert_eq!(database.run(&["verify"]).code, Some(0));
}

#[test]
fn three_services_in_thirty_two_processes_at_once_all_succeed_and_each_migration_runs_once() {
    let services = Services::new();
    for (with_index, history) in
        [(false, "1 first, 20261125093000 rows"), (true, "1 first, 2 index, 20261125093000 rows")]
    {
        let database = Database::empty();
        let children: Vec<Child> = (0..32).map(|n| services.start(SERVICES[n % 3], &database, with_index)).collect();
        let ends: Vec<_> = children.into_iter().map(|child| ended(child.wait_with_output().unwrap())).collect();
        assert!(ends.iter().all(|end| end.code == Some(0)), "{ends:#?}");
        let applied = ends.iter().filter_map(|end| end.stdout.split(' ').next()?.parse::<usize>().ok());
        assert_eq!(applied.sum::<usize>(), EMBEDDED + 3 * if with_index { 3 } else { 2 }, "{ends:#?}");
        each(&database, history);
    }
}

#[test]
fn a_service_killed_at_any_moment_leaves_all_of_its_run_or_nothing() {
    let services = Services::new();
    let start = std::time::Instant::now();
    services.start("wards", &Database::empty(), false).wait().unwrap();
    let time = start.elapsed().mul_f64(1.1);
    for moment in super::kills::moments(super::kills::rounds(2)) {
        let database = Database::empty();
        let mut child = services.start("wards", &database, false);
        std::thread::sleep(time.mul_f64(moment));
        child.kill().unwrap();
        child.wait().unwrap();
        let what = format!("killed after {moment:.3} of {time:?}");
        crate::database::until(&what, || {
            database.text(
                "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()",
            ) == "0"
        });
        let found = database.text("select concat_ws(' ', to_regclass('hacs_admin.migrations'), to_regclass('hacs_admin.wards_migrations'), to_regclass('wards.t'))");
        assert!(
            ["", "hacs_admin.migrations hacs_admin.wards_migrations wards.t"].contains(&found.as_str()),
            "{what}: {found}"
        );
        for owner in SERVICES {
            assert!(services.start(owner, &database, false).wait().unwrap().success(), "{what}");
        }
        each(&database, "1 first, 20261125093000 rows");
    }
}

#[test]
fn the_script_for_psql_does_the_same() {
    let database = Database::empty();
    let pending: Vec<OwnedMigration> = pending(&mut database.client(), &owners()).unwrap();
    assert_eq!(
        pending.iter().map(ToString::to_string).collect::<Vec<_>>()[EMBEDDED..],
        ["wards: V1__wards", "wards: V20261125093000__beds", "plans: V1__plans"]
    );
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), script(&pending)).unwrap();
    let mut psql = std::process::Command::new(server::bindir().join("psql"));
    let end = ended(psql.args(["-X", "-q", "-f"]).arg(file.path()).arg(database.conninfo()).output().unwrap());
    assert_eq!(end.code, Some(0), "{end:?}");
    assert_eq!(migrate(&mut database.client(), &owners()).unwrap().applied, []);
}

#[test]
fn a_history_of_an_owner_that_cannot_be_trusted_is_refused() {
    let database = Database::migrated();
    database.client().batch_execute("create view hacs_admin.wards_migrations as select 1 as version").unwrap();
    let error = migrate(&mut database.client(), &owners()).unwrap_err();
    assert!(matches!(error, Error::Untrusted(_)), "{error:?}");
    assert!(error.to_string().contains("hacs_admin.wards_migrations is no ordinary table but a view"), "{error}");
}
