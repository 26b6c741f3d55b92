use std::path::Path;

use hacs_refinery::Manifest;

use crate::database::Database;

/// With UPDATE_MANIFEST set, as scripts/update-manifest.sh does, it writes the file anew.
#[test]
fn the_committed_manifest_is_what_the_migrations_make() {
    let database = Database::migrated();
    let made = hacs_refinery::manifest(&mut database.client()).unwrap().to_string();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/schema/manifest.txt");
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
    assert_eq!(Manifest::embedded().to_string(), include_str!("../../../src/schema/manifest.txt"));
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

/// One of each kind, so that a run on another version of PostgreSQL shows what it writes differently.
const SAMPLES: &str = r#"
    create table hacs_audit.sample_log (
        id bigint generated always as identity, at timestamptz not null default now(), note text not null check (note <> ''),
        patient text references hacs_core.patients (id), total numeric(10, 2) default 1.5, span interval default '1 day',
        twice numeric generated always as (total * 2) stored, primary key (id, at)
    ) partition by range (at);
    create index sample_log_note on hacs_audit.sample_log (lower(note)) include (total) where note is not null;
    create table hacs_audit.sample_log_1 partition of hacs_audit.sample_log
        for values from ('2020-01-01') to ('2030-01-01');
    create table hacs_audit.sample_seal (log_id bigint, log_at timestamptz, at date default current_date,
        by_whom name default current_user, foreign key (log_id, log_at) references hacs_audit.sample_log (id, at));
    create view hacs_audit.sample_one with (security_barrier) as
        select id, lower(note) as note, at at time zone 'UTC' as at, extract(epoch from at) as seconds
        from hacs_audit.sample_log where note like 'a%' and at > now() - interval '1 day';
    create view hacs_audit.sample_two as
        with latest as (select distinct on (note) * from hacs_audit.sample_log order by note, at desc)
        select l.id, p.family, count(*) over (partition by p.id) as n, coalesce(p.full_name, 'none') as full_name,
            (select max(s.at) from hacs_audit.sample_seal as s where s.log_id = l.id) as sealed,
            to_jsonb(l) - 'id' as document, substring(p.family from 1 for 2) as short, case when l.id in (1, 2) then 'x' end as kind
        from latest as l left join hacs_core.patients as p on p.id = l.patient cross join lateral jsonb_each('{}') as e (k, v)
        where exists (select from hacs_core.encounters as e where e.patient_id = p.id);
    create materialized view hacs_audit.sample_three as
        select e.id, e.id || p.id as both from hacs_core.encounters as e join hacs_core.patients as p on p.id = e.patient_id
        union all
        select id, status from hacs_core.encounters where status <> 'x' order by 1;
    create view hacs_audit.sample_four as
        select id, (select p.family from hacs_core.patients as p where p.id = e.patient_id) as family, to_jsonb(e) as doc
        from hacs_core.encounters as e where not exists (select from hacs_core.patients where id = e.id) order by period;
    create function hacs_audit.sample_count(since timestamptz default '-infinity', variadic kinds text[] default '{}')
        returns table (note text, n bigint) language sql stable security definer set search_path = pg_catalog, pg_temp
        begin atomic
            select l.note, count(*) from hacs_audit.sample_log as l where l.at > since group by l.note order by 1;
        end;
    create function hacs_audit.sample_single(n int) returns setof hacs_audit.sample_log language sql stable rows 5 cost 7
        begin atomic select * from hacs_audit.sample_log where id = n; end;
    create procedure hacs_audit.sample_work(inout a int) language plpgsql as 'begin a := 1; end';
    create trigger sample_guard before insert or update of note on hacs_audit.sample_log
        for each row when (new.note is distinct from 'x') execute function hacs_core.touch_updated_at();
    create trigger sample_all after delete on hacs_audit.sample_log referencing old table as gone
        for each statement execute function hacs_core.touch_updated_at();
    alter table hacs_audit.sample_log enable always trigger sample_guard;
    create policy sample_mine on hacs_audit.sample_log for select using (note = current_user::text);
    create type hacs_audit.sample_kind as enum ('b', 'a');
    create type hacs_audit.sample_pair as (a int, b text);
    create domain hacs_audit.sample_name as varchar(20) default 'x' not null check (value ~ '^\w+$');
    create statistics hacs_audit.sample_stats (mcv) on note, patient from hacs_audit.sample_log;
    comment on view hacs_audit.sample_one is 'one
        view';
    revoke all on hacs_audit.sample_log from current_user;
    grant select, insert on hacs_audit.sample_log to current_user;
    grant select on hacs_audit.sample_one to public;
    grant update (note) on hacs_audit.sample_log to public;
    revoke execute on function hacs_audit.sample_single(int) from public
"#;

#[test]
fn every_version_of_postgresql_writes_every_kind_of_object_in_the_same_words() {
    let database = Database::migrated();
    database.client().batch_execute(SAMPLES).unwrap_or_else(|error| panic!("{error:?}"));
    let made = hacs_refinery::manifest(&mut database.client()).unwrap().to_string();
    let samples: Vec<&str> = made.lines().filter(|line| line.contains("sample_")).collect();
    insta::with_settings!({ snapshot_path => "../snapshots", prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("manifest_samples", samples.join("\n"));
    });
}
