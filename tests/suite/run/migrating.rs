use std::process::Child;

use hacs_refinery::{Database as Target, Error, Options};
use postgres::error::SqlState;
use refinery::Migration;

use crate::database::{Database, ended};
use crate::newest::{EMBEDDED, NEWEST};

#[test]
fn an_empty_database_becomes_complete_and_a_second_run_finds_nothing_to_do() {
    let database = Database::empty();

    let first = database.run(&["migrate"]);
    assert_eq!(first.code, Some(0), "{first:?}");
    let lines: Vec<&str> = first.stdout.lines().collect();
    assert_eq!(lines.len(), EMBEDDED + 1, "{first:?}");
    assert!(lines[0].starts_with("Applied V1 hacs_core "), "{first:?}");
    assert!(lines[EMBEDDED].starts_with(&format!("{NEWEST} migrations applied in ")), "{first:?}");
    assert!(lines[EMBEDDED].ends_with(&format!("the database is at V{NEWEST}.")), "{first:?}");
    assert_eq!(first.stderr, "");

    let second = database.run(&["migrate"]);
    assert_eq!(
        (second.code, second.stdout.as_str()),
        (Some(0), format!("Nothing to do: the database is at V{NEWEST}.\n").as_str())
    );
    assert!(hacs_refinery::status(&mut database.client()).unwrap().migration_complete);
}

#[test]
fn the_history_tells_who_applied_what_when_and_how_long_it_took() {
    let database = Database::migrated();
    let row = database
        .client()
        .query_one(
            "select count(*), bool_and(applied_by = session_user), bool_and(tool_version = $1),
                 bool_and(duration > '0'), bool_and(duration < '1 min'),
                 bool_and(applied_at between now() - interval '1 hour' and now()),
                 max(applied_at) > min(applied_at)
             from hacs_admin.migrations",
            &[&env!("CARGO_PKG_VERSION")],
        )
        .unwrap();
    assert_eq!(row.get::<_, i64>(0), NEWEST);
    for column in 1..7 {
        assert!(row.get::<_, bool>(column), "column {column}");
    }
}

/// Runs refinery as everybody has it, with numbers of four bytes: the versions that it applied.
fn stock_refinery(database: &Database) -> String {
    let end = ended(crate::stock_refinery().env("DATABASE_URL", database.conninfo()).output().unwrap());
    assert_eq!(end.code, Some(0), "{end:?}");
    end.stdout
}

fn versions_from(first: i64) -> String {
    (first..=NEWEST).map(|version| version.to_string()).collect::<Vec<_>>().join(" ") + "\n"
}

#[test]
fn refinery_alone_reads_and_continues_the_same_history() {
    let database = Database::empty();
    let mut client = database.client();
    let mut options = Options::default();
    options.target = Some(3);
    hacs_refinery::migrate(&mut client, &options).unwrap();

    assert_eq!(stock_refinery(&database), versions_from(4));
    assert_eq!(stock_refinery(&database), "\n");
    assert_eq!(hacs_refinery::migrate(&mut client, &Options::default()).unwrap().applied, []);
    assert!(hacs_refinery::status(&mut client).unwrap().migration_complete);
}

#[test]
fn refinery_alone_psql_and_the_tool_make_the_same_schema() {
    let by_tool = Database::migrated();

    let by_refinery = Database::empty();
    by_refinery.client().batch_execute("create schema hacs_admin").unwrap();
    assert_eq!(stock_refinery(&by_refinery), versions_from(1));
    assert_eq!(by_refinery.dump(), by_tool.dump());

    let by_hand = Database::empty();
    for migration in hacs_refinery::migrations() {
        by_hand.client().batch_execute(migration.sql().unwrap()).unwrap();
    }
    assert_eq!(by_hand.dump(), by_tool.dump());
}

#[test]
fn every_file_can_be_run_again_by_hand_without_changing_anything() {
    let database = Database::migrated();
    let before = database.dump();
    for _ in 0..2 {
        for migration in hacs_refinery::migrations() {
            database.client().batch_execute(migration.sql().unwrap()).unwrap_or_else(|e| panic!("{migration}: {e:?}"));
        }
    }
    assert_eq!(database.dump(), before);
}

#[test]
fn a_target_stops_the_run_and_a_later_run_goes_on_from_there() {
    let database = Database::empty();
    let first = database.run(&["migrate", "--target", "2"]);
    assert_eq!(first.code, Some(0), "{first:?}");
    assert!(first.stdout.ends_with("the database is at V2.\n"), "{first:?}");
    assert_eq!(database.text("select count(*) from hacs_admin.migrations"), "2");

    let second = database.run(&["migrate"]);
    assert!(second.stdout.starts_with("Applied V3 clinical_workflow"), "{second:?}");
    assert_eq!(database.text("select count(*) from hacs_admin.migrations"), NEWEST.to_string());

    let beyond = database.run(&["migrate", "--target", "99"]);
    assert_eq!(beyond.code, Some(2));
    assert_eq!(beyond.stderr, format!("error: there is no migration V99; the newest is V{NEWEST}\n"));
}

#[test]
fn eight_runs_at_once_all_succeed_and_one_of_them_applies() {
    let database = Database::empty();
    let children: Vec<Child> = (0..8).map(|_| database.start(&["migrate"])).collect();
    let ends: Vec<_> = children.into_iter().map(|child| ended(child.wait_with_output().unwrap())).collect();

    assert!(ends.iter().all(|end| end.code == Some(0)), "{ends:#?}");
    assert_eq!(
        ends.iter().filter(|end| end.stdout.contains(&format!("{NEWEST} migrations applied"))).count(),
        1,
        "{ends:#?}"
    );
    assert_eq!(ends.iter().filter(|end| end.stdout.starts_with("Nothing to do")).count(), 7, "{ends:#?}");
    assert_eq!(
        database.text("select count(*) || ' ' || max(version) from hacs_admin.migrations"),
        format!("{NEWEST} {NEWEST}")
    );
}

#[test]
fn a_run_killed_in_the_middle_leaves_nothing_behind_and_the_next_one_completes() {
    let database = Database::empty();
    let mut child = slow_program(&database);
    database.until(
        "select exists (select from pg_stat_activity where datname = current_database()
        and pid <> pg_backend_pid() and state = 'active' and wait_event = 'PgSleep')",
    );
    child.kill().unwrap();
    child.wait().unwrap();

    database.until(
        "select not exists (select from pg_stat_activity where datname = current_database()
        and pid <> pg_backend_pid())",
    );
    assert_eq!(database.text("select count(*) from pg_namespace where nspname like 'hacs%'"), "0");
    assert_eq!(database.run(&["migrate"]).code, Some(0));
    assert!(hacs_refinery::status(&mut database.client()).unwrap().migration_complete);
}

/// The embedding example with the embedded migrations and one more that sleeps.
fn slow_program(database: &Database) -> Child {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("V100__slow.sql");
    std::fs::write(&file, "select pg_sleep(120);").unwrap();
    let child =
        crate::example("embed").arg("hacs").arg(&file).env("DATABASE_URL", database.conninfo()).spawn().unwrap();
    // The file has to stay until the program has read it, which it has when it takes the lock.
    database.until(
        "select exists (select from pg_locks where locktype = 'advisory' and database =
        (select oid from pg_database where datname = current_database()))",
    );
    child
}

#[test]
fn a_run_that_cannot_get_the_lock_says_who_has_it_and_exits_with_5() {
    let database = Database::empty();
    let mut other = database.client();
    other.batch_execute("set application_name = 'the other one'").unwrap();
    let mut transaction = other.transaction().unwrap();
    let key = i64::from_be_bytes(*b"hacsmigr");
    transaction.execute("select pg_advisory_xact_lock($1)", &[&key]).unwrap();

    let end = database.run(&["migrate", "--lock-timeout", "300ms"]);
    assert_eq!(end.code, Some(5), "{end:?}");
    assert!(
        end.stderr.contains("did not finish within 300ms: held by process ")
            && end.stderr.contains(" of role postgres ("),
        "{end:?}"
    );
    assert!(end.stderr.contains("(the other one) since 20"), "{end:?}");
    assert!(end.stderr.contains("Nothing was changed"), "{end:?}");

    let waiting = database.start(&["migrate"]);
    database.until(&in_use_by(2));
    transaction.rollback().unwrap();
    let end = ended(waiting.wait_with_output().unwrap());
    assert_eq!(end.code, Some(0), "{end:?}");
}

#[test]
fn a_lock_that_a_role_without_rights_has_taken_is_told_from_a_migration() {
    let database = Database::migrated();
    let role = format!("visitor_{}", database.name);
    database.client().batch_execute(&format!("create role {role} login")).unwrap();
    database.client().batch_execute(&format!("delete from hacs_admin.migrations where version = {NEWEST}")).unwrap();
    let key = i64::from_be_bytes(*b"hacsmigr");
    for (sql, may_migrate) in [
        ("select 1", false),
        ("grant usage on schema hacs_admin to {role}; grant select on hacs_admin.migrations to {role}", false),
        ("grant insert on hacs_admin.migrations to {role}", true),
    ] {
        database.client().batch_execute(&sql.replace("{role}", &role)).unwrap();
        let mut visitor = database.client_as(&role);
        visitor.execute("select pg_advisory_lock($1)", &[&key]).unwrap();
        let end = database.run(&["migrate", "--lock-timeout", "5s"]);
        assert!(end.code == Some(5) && end.stderr.contains(&format!("of role {role} (")), "{sql}: {end:?}");
        let words = "end its session with pg_terminate_backend, and revoke CONNECT";
        assert_eq!(end.stderr.contains(words), !may_migrate, "{sql}: {end:?}");
        let warned = "waiting for a session that has taken the lock of migrations, and cannot be one";
        assert_eq!(end.stderr.contains(warned), !may_migrate, "{sql}: {end:?}");
    }
    database.client().batch_execute(&format!("drop owned by {role}; drop role {role}")).unwrap();
}

/// Whether so many sessions are there, the asking one not counted.
fn in_use_by(sessions: usize) -> String {
    format!(
        "select count(*) >= {sessions} from pg_stat_activity
        where datname = current_database() and backend_type = 'client backend' and pid <> pg_backend_pid()"
    )
}

fn with_ninth(sql: &str) -> Options {
    let mut options = Options::default();
    options.migrations.push(Migration::unapplied("V100__mine.sql", sql).unwrap());
    options
}

#[test]
fn a_failing_migration_is_reported_with_file_line_and_statement_and_changes_nothing() {
    let cases = [
        // an error with a position
        (
            "create table public.t (a int);\n\nselect\n    wrong\nfrom public.t;\n",
            4,
            "select wrong from public.t",
            SqlState::UNDEFINED_COLUMN,
        ),
        // errors without one: found by running the statements again
        ("select 1;\n-- comment\ncreate schema hacs_core;\n", 3, "create schema hacs_core", SqlState::DUPLICATE_SCHEMA),
        (
            "create table public.t (a int check (a > 0));\ninsert into public.t\n values (0);",
            2,
            "insert into public.t values (0)",
            SqlState::CHECK_VIOLATION,
        ),
        ("select 1;\ndo $$ begin; perform 1/0; end $$;", 2, "do $$ begin; perform 1/0; end $$", SqlState::SYNTAX_ERROR),
    ];
    let database = Database::empty();
    for (sql, line, words, state) in cases {
        let error = hacs_refinery::migrate(&mut database.client(), &with_ninth(sql)).unwrap_err();
        let Error::Migration { location, failure } = &error else { panic!("{error:?}") };
        assert_eq!(location.to_string(), format!("V100__mine.sql, line {line}"), "{error}");
        assert_eq!(location.statement.as_deref(), Some(words), "{error}");
        assert_eq!(failure.sqlstate(), Some(state.code()), "{error}");
        assert!(error.to_string().ends_with("Nothing was changed: the whole run was rolled back."), "{error}");
        assert_eq!(database.text("select count(*) from pg_namespace where nspname like 'hacs%'"), "0");
    }
}

#[test]
fn the_error_of_a_failing_migration_carries_detail_and_hint() {
    let database = Database::empty();
    let sql = "do $$ begin raise exception 'no' using errcode = 'HX001', detail = 'so it is', hint = 'do so'; end $$";
    let error = hacs_refinery::migrate(&mut database.client(), &with_ninth(sql)).unwrap_err().to_string();
    assert!(
        error.starts_with("V100__mine.sql, line 1: no (SQLSTATE HX001)\nDETAIL: so it is\nHINT: do so\n"),
        "{error}"
    );
    assert!(error.contains("\nSTATEMENT: do $$ begin raise exception"), "{error}");
}

#[test]
fn an_object_that_stands_in_the_way_makes_the_tool_exit_with_8() {
    let database = Database::empty();
    database
        .client()
        .batch_execute("create schema hacs_clinical; create view hacs_clinical.tasks as select 1")
        .unwrap();
    let end = database.run(&["migrate"]);
    assert_eq!(end.code, Some(8), "{end:?}");
    assert!(end.stderr.starts_with("error: V3__clinical_workflow.sql, line "), "{end:?}");
    assert!(end.stderr.contains("(SQLSTATE 42809)"), "{end:?}");
    assert_eq!(database.text("select to_regnamespace('hacs_core')"), "null");
}

#[test]
fn the_two_calls_of_the_documentation_work_with_a_url() {
    let database = Database::empty();
    let report = hacs_refinery::run_migration(&database.conninfo()).unwrap();
    assert_eq!(report.applied.len(), EMBEDDED);
    assert!(hacs_refinery::get_migration_status(&database.conninfo()).unwrap().migration_complete);
}

#[test]
fn a_database_without_a_server_behind_it_is_a_connection_error() {
    let target: Target = "postgres://u:hunter2@127.0.0.1:1/x".parse().unwrap();
    let Err(error) = target.connect() else { panic!("connected") };
    assert!(!format!("{error} {error:?} {target:?}").contains("hunter2"));
}
