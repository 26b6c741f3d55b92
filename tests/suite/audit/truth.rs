//! What the trail says of the past, compared with a second record that these tests keep.

use std::collections::BTreeMap;
use std::thread;

use postgres::Client;
use postgres::error::SqlState;

use crate::database::Database;

/// A small random generator, so that a failure can be repeated.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

/// Every resource as it is now, without what only this database has.
const STATE: &str = "
    select 'Patient', id, ((to_jsonb(t) - 'extra') || extra)::text from hacs_core.patients as t
    union all
    select 'Observation', id, ((select jsonb_object_agg(key, value) from jsonb_each(to_jsonb(t)) where key = any (hacs_audit.fields('hacs_core.observations'))) - 'extra' || extra)::text
    from hacs_core.observations as t
    union all
    select resource_type, id, (select jsonb_object_agg(key, value) from jsonb_each(to_jsonb(t)) where key = any (hacs_audit.fields('hacs_core.resources')))::text
    from hacs_core.resources as t";

type State = BTreeMap<(String, String), serde_json::Value>;

fn state(client: &mut Client) -> State {
    // Patients by their fields as well, whatever generated columns they have.
    let sql = STATE.replace("((to_jsonb(t) - 'extra') || extra)", "((select jsonb_object_agg(key, value) from jsonb_each(to_jsonb(t)) where key = any (hacs_audit.fields('hacs_core.patients'))) - 'extra' || extra)");
    client.batch_execute("set timezone = 'UTC'").unwrap();
    let rows = client.query(&sql, &[]).unwrap();
    rows.iter()
        .map(|row| ((row.get(0), row.get(1)), without_touch(serde_json::from_str(row.get(2)).unwrap())))
        .collect()
}

/// An update that changes nothing touches `updated_at` and leaves no row.
fn without_touch(mut document: serde_json::Value) -> serde_json::Value {
    document.as_object_mut().unwrap().remove("updated_at");
    document
}

fn now(client: &mut Client) -> String {
    client.query_one("select clock_timestamp()::text", &[]).unwrap().get(0)
}

/// One write of any kind; ids are few, so that keys are given up and taken again.
fn step(random: &mut Random, own: &str) -> String {
    let (a, b) = (random.below(6), random.below(6));
    let n = random.below(1000);
    let patient = |k: u64| format!("{own}p{k}");
    match random.below(16) {
        0 | 1 => format!("insert into hacs_core.patients (id, family, extra) values ('{}', 'F{n}', '{{\"odd\": {n}}}') on conflict do nothing", patient(a)),
        2 => format!("insert into hacs_core.patients (id, family) values ('{}', 'F{n}') on conflict (id) do update set family = excluded.family", patient(a)),
        3 => format!("update hacs_core.patients set family = 'F{n}', age = {a} where id = '{}'", patient(a)),
        4 => format!("update hacs_core.patients set age = {b} where id like '{own}p%'"),
        5 => format!("update hacs_core.patients as p set id = '{0}' where id = '{1}' and not exists (select from hacs_core.patients where id = '{0}')
            and not exists (select from hacs_core.observations where patient_id = p.id)", patient(b), patient(a)),
        6 => format!("delete from hacs_core.patients as p where id = '{}' and not exists (select from hacs_core.observations where patient_id = p.id)", patient(a)),
        7 | 8 => format!("insert into hacs_core.observations (id, subject, value_string) select '{own}o{b}', 'Patient/' || id, 'v{n}'
            from hacs_core.patients where id = '{}' on conflict do nothing", patient(a)),
        9 => format!("update hacs_core.observations set subject = 'Patient/{0}' where id = '{own}o{b}' and exists (select from hacs_core.patients where id = '{0}')", patient(a)),
        10 => format!("update hacs_core.observations set value_string = 'v{n}', value_quantity = null where id like '{own}o%'"),
        11 => format!("update hacs_core.observations set id = '{own}o{a}' where id = '{own}o{b}' and not exists (select from hacs_core.observations where id = '{own}o{a}')"),
        12 => format!("delete from hacs_core.observations where id like '{own}o%' and id > '{own}o{b}'"),
        13 => format!("insert into hacs_core.resources (resource_type, id, data) values ('CarePlan', '{own}r{a}', '{{\"n\": {n}}}')
            on conflict (resource_type, id) do update set data = excluded.data"),
        14 => format!("update hacs_core.resources set resource_type = case resource_type when 'CarePlan' then 'Immunization' else 'CarePlan' end
            where id = '{own}r{a}' and not exists (select from hacs_core.resources as o where o.id = '{own}r{a}' and o.resource_type <> resources.resource_type)"),
        _ => format!("delete from hacs_core.resources where id = '{own}r{b}'"),
    }
}

fn as_of(
    client: &mut Client,
    kind: &str,
    id: &str,
    moment: &str,
) -> Result<Option<serde_json::Value>, postgres::Error> {
    let sql = format!("select hacs_audit.as_of('{kind}', '{id}', '{moment}')::text");
    Ok(client
        .query_one(&sql, &[])?
        .get::<_, Option<String>>(0)
        .map(|text| without_touch(serde_json::from_str(&text).unwrap())))
}

#[test]
fn every_past_state_is_what_a_second_record_says() {
    let database = Database::migrated();
    let mut client = database.client();
    let mut random = Random(42);
    let mut record: Vec<(String, State)> = vec![(now(&mut client), State::new())];
    for n in 0..1200 {
        let mut sql = step(&mut random, "");
        match n % 7 {
            0 => {
                sql = format!(
                    "begin; savepoint s; {}; rollback to s; {sql}; {}; commit",
                    step(&mut random, ""),
                    step(&mut random, "")
                )
            }
            1 => sql = format!("begin; {sql}; rollback"),
            _ => {}
        }
        client.batch_execute(&sql).unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        if n % 8 == 0 {
            record.push((now(&mut client), state(&mut client)));
        }
    }
    let keys: Vec<(String, String)> = (0..6)
        .flat_map(|n| {
            [("Patient", "p"), ("Observation", "o"), ("CarePlan", "r"), ("Immunization", "r")]
                .map(|(t, p)| (t.to_owned(), format!("{p}{n}")))
        })
        .collect();
    let mut compared = 0;
    for (moment, state) in &record {
        for (kind, id) in &keys {
            let found = as_of(&mut client, kind, id, moment)
                .unwrap_or_else(|error| panic!("{kind}/{id} at {moment}: {error:?}"));
            assert_eq!(found.as_ref(), state.get(&(kind.clone(), id.clone())), "{kind}/{id} at {moment}");
            compared += usize::from(found.is_some());
        }
    }
    assert!(compared > 500, "{compared}");
    // The history of what is there now ends with it.
    for (kind, id) in state(&mut client).keys() {
        let last = database.text(&format!("select operation || ' ' || resource_id from hacs_audit.history('{kind}', '{id}') order by change_id desc limit 1"));
        assert!(last.ends_with(&format!(" {id}")) && !last.starts_with("DELETE"), "{kind}/{id}: {last}");
    }
    // And all of it is sealed and intact.
    client.batch_execute("select hacs_audit.seal()").unwrap();
    assert_eq!(database.text("select count(*) from hacs_audit.verify_seals()"), "0");
    assert_eq!(database.text("select numbers_not_sealed from hacs_audit.sealing"), "0");
}

#[test]
fn what_sessions_write_at_once_is_told_as_it_was() {
    let database = Database::migrated();
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let mut client = database.client();
            thread::spawn(move || {
                let mut random = Random(writer);
                let own = format!("w{writer}");
                let mut record = Vec::new();
                for _ in 0..60 {
                    client.batch_execute(&step(&mut random, &own)).unwrap();
                    let moment = now(&mut client);
                    let own_state: State =
                        state(&mut client).into_iter().filter(|((_, id), _)| id.starts_with(&own)).collect();
                    record.push((moment, own_state));
                }
                (own, record)
            })
        })
        .collect();
    let mut client = database.client();
    for (own, record) in writers.into_iter().map(|writer| writer.join().unwrap()) {
        for (moment, state) in record.iter().step_by(5) {
            for n in 0..6 {
                for (kind, prefix) in [("Patient", "p"), ("Observation", "o"), ("CarePlan", "r")] {
                    let id = format!("{own}{prefix}{n}");
                    let found = as_of(&mut client, kind, &id, moment).unwrap();
                    assert_eq!(found.as_ref(), state.get(&(kind.to_owned(), id.clone())), "{kind}/{id} at {moment}");
                }
            }
        }
    }
}

#[test]
fn a_row_is_told_after_its_quarter_was_let_go_and_before_the_trail_the_error_says_where_it_begins() {
    let database = Database::migrated();
    let mut client = database.client();
    // The insertion is moved into an old quarter, which is let go.
    client
        .batch_execute(
            "alter table hacs_core.patients disable trigger user;
             insert into hacs_core.patients (id, family, created_at, updated_at) values ('p', 'Sample', '2020-02-01', '2020-02-01');
             alter table hacs_core.patients enable trigger user;
             insert into hacs_audit.resource_changes (changed_at, operation, schema_name, table_name, resource_type, resource_id, patient_id)
             values ('2020-02-01', 'INSERT', 'hacs_core', 'patients', 'Patient', 'p', 'p');
             select hacs_audit.ensure_partitions()",
        )
        .unwrap();
    client.batch_execute("select hacs_audit.seal()").unwrap();
    let family =
        |moment: &str| database.text(&format!("select hacs_audit.as_of('Patient', 'p', {moment}) ->> 'family'"));
    assert_eq!(family("'2020-03-01'"), "Sample");
    assert_eq!(family("'2020-01-01'"), "null");
    client.batch_execute("select hacs_audit.detach_quarter('2020-02-01')").unwrap();
    assert_eq!(family("now()"), "Sample");
    assert_eq!(family("'2020-05-01'"), "Sample");
    let before = database.text("select clock_timestamp()");
    client.batch_execute("update hacs_core.patients set family = 'Later'").unwrap();
    assert_eq!((family(&format!("'{before}'")), family("now()")), ("Sample".into(), "Later".into()));
    let error = client.batch_execute("select hacs_audit.as_of('Patient', 'p', '2020-02-15')").unwrap_err();
    assert_eq!(
        error.as_db_error().unwrap().message(),
        "the trail begins at 2020-04-01 00:00:00+00: what was before it was let go"
    );
}

#[test]
fn what_happened_while_the_audit_was_off_is_an_error_and_never_a_wrong_answer() {
    let off = |sql: &str| {
        format!("alter table hacs_core.patients disable trigger audit_insert, disable trigger audit_update, disable trigger audit_delete; {sql};
        alter table hacs_core.patients enable always trigger audit_insert, enable always trigger audit_update, enable always trigger audit_delete")
    };
    let insert = "insert into hacs_core.patients (id, family) values ('p', 'P')";
    let update = "update hacs_core.patients set family = 'Q'";
    let delete = "delete from hacs_core.patients";
    // What happens before the moment, and after it. Whether a truth can be told, and which.
    for (before, after, told) in [
        (off(insert), String::new(), Some("P")),
        (off(insert), update.into(), Some("P")),
        (off(insert), delete.into(), Some("P")),
        (String::new(), off(insert), None),
        (String::new(), format!("{} ;; {update}", off(insert)), None),
        (String::new(), format!("{} ;; {delete}", off(insert)), None),
        (insert.into(), off(delete), None),
        (insert.into(), format!("{} ;; {insert}", off(delete)), None),
        (insert.into(), off(update), None),
        (insert.into(), format!("{} ;; {update}, age = 3", off(update)), None),
        (format!("{insert} ;; {delete}"), off(insert), None),
        (format!("{insert} ;; {}", off(update)), String::new(), Some("Q")),
        (format!("{insert} ;; {}", off(delete)), String::new(), None),
    ] {
        let database = Database::migrated();
        let mut client = database.client();
        let run =
            |client: &mut Client, sql: &str| sql.split(" ;; ").for_each(|step| client.batch_execute(step).unwrap());
        run(&mut client, &before);
        let moment = now(&mut client);
        run(&mut client, &after);
        let found = as_of(&mut client, "Patient", "p", &moment);
        match told {
            Some(family) => assert_eq!(found.unwrap().unwrap()["family"], *family, "{before} / {after}"),
            None => match found {
                Err(error) => assert_eq!(error.code(), Some(&SqlState::NO_DATA_FOUND), "{before} / {after}: {error:?}"),
                Ok(found) => panic!("{before} / {after}: {found:?}"),
            },
        }
    }
}

#[test]
fn both_patients_of_a_move_and_all_ids_of_a_patient_are_known() {
    let database = Database::migrated();
    let mut client = database.client();
    client
        .batch_execute(
            "insert into hacs_core.patients (id, family) values ('a', 'A'), ('b', 'B'), ('early', 'E');
             insert into hacs_core.observations (id, subject, value_string) values ('o', 'Patient/a', 'x'), ('u', 'Patient/a', 'x');
             update hacs_core.observations set subject = 'Patient/b' where id = 'o';
             update hacs_core.observations set subject = 'urn:uuid:1' where id = 'u';
             update hacs_core.patients set id = 'late' where id = 'early';
             begin; select hacs_audit.set_actor('nurse/1', 'treatment');
             select hacs_audit.record_access('Observation', 'o', 'research'), hacs_audit.record_access('Patient', 'late'),
                 hacs_audit.record_access('Patient', 'nobody'); commit",
        )
        .unwrap();
    let changes = |patient: &str| {
        database.text(&format!(
            "select string_agg(operation || ' ' || resource_id, ', ' order by change_id)
             from hacs_audit.changes_of_patient('{patient}', '-infinity', 'infinity')"
        ))
    };
    assert_eq!(changes("a"), "INSERT a, INSERT o, INSERT u, UPDATE o, UPDATE u");
    assert_eq!(changes("b"), "INSERT b, UPDATE o, READ o");
    assert_eq!(changes("late"), "INSERT early, UPDATE late, READ late");
    assert_eq!(changes("early"), changes("late"));
    assert_eq!(changes("nobody"), "null");
    let reads = "select string_agg(concat_ws(' ', resource ->> 'action', resource #>> '{subtype,0,code}', resource #>> '{purposeOfEvent,0,text}',
            resource #>> '{agent,0,who,display}', resource #>> '{entity,1,what,reference}'), ', ' order by change_id)
        from hacs_audit.audit_event where resource ->> 'action' = 'R'";
    assert_eq!(
        database.text(reads),
        "R read research nurse/1 Patient/b, R read treatment nurse/1 Patient/late, R read treatment nurse/1"
    );
    let moved = "select resource -> 'entity' -> 1 #>> '{what,reference}' || ' ' || (resource -> 'entity' -> 2 #>> '{what,reference}')
        from hacs_audit.audit_event where resource ->> 'action' = 'U' order by change_id limit 1";
    assert_eq!(database.text(moved), "Patient/a Patient/b");
}
