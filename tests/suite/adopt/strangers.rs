//! Whose rights a run needs, and what others have made: their code never runs as the role that adopts.

use super::{adopt, adopted, counts};
use crate::database::{Database, Ended, ended, tool};
use crate::python::SERVICE;

/// A service that owns its table, a role that adopts, and a mark that the service's code leaves when it runs as
/// another.
struct Place {
    database: Database,
    service: String,
    mover: String,
}

impl Place {
    fn new() -> Self {
        let database = Database::empty();
        let [service, mover] = ["service", "mover"].map(|role| format!("{role}_{}", database.name));
        let roles = format!(
            "create role {service} login; create role {mover} login; grant create on database {name} to {service}, {mover};
             grant create on schema public to {service};
             create sequence public.ran; grant all on sequence public.ran to public",
            name = database.name
        );
        database.client().batch_execute(&roles).unwrap();
        database.client_as(&service).batch_execute(SERVICE).unwrap();
        Self { database, service, mover }
    }

    fn by_service(&self, sql: &str) {
        self.database.client_as(&self.service).batch_execute(sql).unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    }

    fn by_mover(&self, args: &[&str]) -> Ended {
        let url = self.database.conninfo().replace("user=postgres", &format!("user={}", self.mover));
        let mut command = tool(&[&["adopt"], args].concat());
        ended(command.env("DATABASE_URL", url).output().unwrap())
    }

    fn nothing_ran(&self) {
        assert_eq!(self.database.text("select is_called from public.ran"), "f");
    }
}

#[test]
fn a_role_needs_to_read_the_table_of_a_service_and_one_right_with_which_it_may_lock_it() {
    let place = Place::new();
    let before = place.database.dump();
    let end = place.by_mover(&[]);
    assert!(end.code == Some(1) && end.stderr.contains("permission denied for table hacs_resources"), "{end:?}");
    place.by_service(&format!("grant select on public.hacs_resources to {}", place.mover));
    assert_eq!(place.by_mover(&["--dry-run"]).code, Some(0));
    let end = place.by_mover(&[]);
    assert!(end.code == Some(1) && end.stderr.contains("permission denied for table hacs_resources"), "{end:?}");
    place.by_service(&format!("revoke select on public.hacs_resources from {}", place.mover));
    assert_eq!(place.database.dump(), before);
    for right in ["update", "delete", "truncate"] {
        let place = Place::new();
        place.by_service(&format!("grant select, {right} on public.hacs_resources to {}", place.mover));
        let end = place.by_mover(&[]);
        assert_eq!(end.code, Some(0), "{right}: {end:?}");
        assert_eq!(place.database.text("select count(*) from hacs_core.patients"), "1");
    }
}

#[test]
fn what_stands_in_hacs_legacy_already_has_to_be_of_somebody_who_can_be_trusted() {
    let place = Place::new();
    place.by_service(&format!(
        "grant select, update on public.hacs_resources to {mover};
         create schema hacs_legacy; grant all on schema hacs_legacy to {mover};
         create table hacs_legacy.rejects (id text)",
        mover = place.mover
    ));
    for args in [&[][..], &["--dry-run"], &["--retry"], &["--finish"]] {
        let end = place.by_mover(args);
        assert_eq!(end.code, Some(6), "{args:?}: {end:?}");
        assert!(end.stderr.contains("the schema hacs_legacy belongs to the role service_"), "{end:?}");
    }
    assert_eq!(place.database.text("select to_regnamespace('hacs_core') is null"), "t");
}

#[test]
fn no_type_cast_policy_trigger_or_rule_of_a_service_runs_when_its_rows_are_read() {
    let place = Place::new();
    place.by_service(
        "create function public.evil() returns trigger language plpgsql as $$
         begin if current_user not like 'service%' then perform nextval('public.ran'); end if; return new; end $$;
         create type public.kind as enum ('a');
         create function public.as_json(public.kind) returns json language plpgsql as $$
         begin if current_user not like 'service%' then perform nextval('public.ran'); end if; return '1'; end $$;
         create function public.as_text(public.kind) returns text language plpgsql as $$
         begin if current_user not like 'service%' then perform nextval('public.ran'); end if; return 'x'; end $$;
         create cast (public.kind as json) with function public.as_json(public.kind);
         create cast (public.kind as text) with function public.as_text(public.kind) as implicit;
         alter table public.hacs_resources add column kind public.kind default 'a';
         update public.hacs_resources set data = '{\"gender\": \"x\", \"full_name\": \"F\", \"resource_type\": \"Patient\"}' where id = 'p';
         create trigger evil before insert or update on public.hacs_resources for each row execute function public.evil();
         create table public.patients (id text primary key, full_resource jsonb);
         insert into public.patients values ('hidden', '{\"full_name\": \"H\", \"resource_type\": \"Patient\"}');
         create function public.hides(text) returns boolean language plpgsql as $$
         begin if current_user not like 'service%' then perform nextval('public.ran'); end if; return false; end $$;
         create policy hides on public.patients using (public.hides(id));
         alter table public.patients enable row level security;
         create schema hacs_core; create schema hacs_agents;
         create table hacs_agents.memory_blocks (id text, memory_type text, content text, kind public.kind);
         insert into hacs_agents.memory_blocks values ('m', 'episodic', 'Tea.', 'a')",
    );
    let mut admin = place.database.client();
    admin.batch_execute(&format!("grant select, update on all tables in schema public to {}", place.mover)).unwrap();
    // Its schemas belong to somebody whose code would run: nothing is done.
    assert_eq!(place.by_mover(&[]).code, Some(6));
    place.nothing_ran();
    let hand_over = format!(
        "alter schema hacs_core owner to {0}; alter schema hacs_agents owner to {0}; alter table hacs_agents.memory_blocks owner to {0};
         grant usage on type public.kind to {0}",
        place.mover
    );
    admin.batch_execute(&hand_over).unwrap();
    let end = place.by_mover(&["--json"]);
    assert_eq!(end.code, Some(9), "{end:?}");
    let report = serde_json::from_str(&end.stdout).unwrap();
    assert_eq!(counts(&report, "public.hacs_resources"), [2, 0, 0, 0, 2, 0], "{report:#}");
    assert_eq!(counts(&report, "hacs_agents.memory_blocks"), [1, 1, 0, 0, 0, 0]);
    assert_eq!(counts(&report, "public.patients")[1], 0);
    assert!(report["tables"].to_string().contains("row-level security hides rows of it"), "{report:#}");
    let read = "select concat_ws(' ', (select extra ->> 'kind' from hacs_agents.memories),
        (select row ->> 'kind' from hacs_legacy.rejects where id = 'p'))";
    assert_eq!(place.database.text(read), "a a");
    place.nothing_ran();
}

#[test]
fn a_setting_of_the_role_or_the_database_changes_nothing_of_a_run() {
    let mut expected = String::new();
    for setting in [
        "",
        "datestyle = 'German, DMY'",
        "timezone = 'Asia/Tokyo'",
        "quote_all_identifiers = on",
        "enable_nestloop = off",
    ] {
        let database = Database::empty();
        database.client().batch_execute(SERVICE).unwrap();
        if !setting.is_empty() {
            let set = format!("alter database {} set {setting}", database.name);
            database.client().batch_execute(&set).unwrap();
        }
        let times =
            "update public.hacs_resources set created_at = '2025-07-01 10:00+00', updated_at = '2025-07-02 10:00+00'";
        database.client().batch_execute(times).unwrap();
        let (code, report) = adopted(&database, &[]);
        assert_eq!(code, Some(0), "{setting}: {report:#}");
        let found = adopt(&database, &["--finish"]).stdout + &database.run(&["export"]).stdout;
        expected = if expected.is_empty() { found.clone() } else { expected };
        assert_eq!(found, expected, "{setting}");
    }
}
