//! What is told of an import or of seals whose report, connection or commit fails.

use std::process::Stdio;
use std::thread;

use super::stopping::{Input, prepared, through, told, waits_in};
use crate::database::{Database, ended, until};
use crate::proxy::{Proxy, Sender};
use crate::server::Server;

#[test]
fn what_an_import_or_a_run_of_seals_has_stored_is_told_where_its_report_is_not_taken() {
    let database = Database::migrated();
    let input = Input::new("{\"resource_type\": \"Patient\", \"id\": \"new\", \"family\": \"x\"}\n");
    for args in [&["import", &input.path(), "--json"][..], &["seal", "--json"]] {
        // A pipe that is full from the start.
        let (reader, mut writer) = std::io::pipe().unwrap();
        let filler = thread::spawn({
            let mut writer = writer.try_clone().unwrap();
            move || drop(std::io::Write::write_all(&mut writer, &[b'x'; 1 << 16]))
        });
        filler.join().unwrap();
        let mut command = database.tool(args);
        command.stdin(Stdio::null()).stdout(writer.try_clone().unwrap()).stderr(Stdio::piped());
        let child = command.spawn().unwrap();
        until("the report is written", || waits_in(child.id(), &["pipe_write"]));
        let end = told(child, "TERM", args[0]);
        assert!(end.stderr.contains("The run is complete; it was its report that could not be written"), "{end:?}");
        let _ = std::io::Write::flush(&mut writer);
        drop(reader);
    }
    assert_eq!(database.text("select count(*) from hacs_core.patients"), "1");
    assert_ne!(database.text("select count(*) from hacs_audit.seals"), "0");
}

#[test]
fn a_server_that_hangs_up_in_the_midst_of_sealing_leaves_nobody_told_that_nothing_was_changed() {
    let server = Server::start(&[]);
    let database = prepared(&server, &["seal"]);
    let proxy = Proxy::start(&server, None);
    assert_eq!(ended(through(&proxy, &database, &["seal"]).0.output().unwrap()).code, Some(0));
    let total = proxy.count(Sender::Server);
    let seals = || database.text("select count(*) from hacs_audit.seals");
    for number in 0..total {
        let change = format!("insert into hacs_core.patients (id, family) values ('new{number}', 'x')");
        database.client().batch_execute(&change).unwrap();
        let before = seals();
        let proxy = Proxy::start(&server, Some((Sender::Server, number)));
        let end = ended(through(&proxy, &database, &["seal"]).0.output().unwrap());
        database.until(
            "select not exists (select from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid())",
        );
        let done = seals() != before;
        assert!(!done || !end.stderr.contains("Nothing was changed."), "cut after {number} of {total}: {end:?}");
        assert!(end.code == Some(3) || done, "cut after {number} of {total}: {end:?}");
    }
}

#[test]
fn seals_that_were_made_before_one_fails_stay_and_are_told() {
    let database = Database::migrated();
    let tired = "create sequence public.calls;
        create or replace function hacs_audit.seal(most integer default 10) returns integer language plpgsql
            set search_path = pg_catalog, pg_temp as $$
        begin
            if nextval('public.calls') > 2 then raise exception 'tired'; end if;
            return most;
        end $$";
    database.client().batch_execute(tired).unwrap();
    let end = database.run(&["seal"]);
    assert_eq!(end.code, Some(1), "{end:?}");
    assert!(end.stderr.contains("sealing the audit trail failed: tired"), "{end:?}");
    assert!(end.stderr.contains("seal 1 of this run to seal 20 of this run were applied and stay."), "{end:?}");
}

#[test]
fn a_commit_of_an_import_that_the_server_refuses_is_no_broken_connection() {
    let database = Database::migrated();
    let late = "create function public.late() returns trigger language plpgsql as
            'begin raise check_violation using message = ''too late''; end';
        create constraint trigger late after insert on hacs_core.patients deferrable initially deferred
            for each row execute function public.late()";
    database.client().batch_execute(late).unwrap();
    let input = Input::new("{\"resource_type\": \"Patient\", \"id\": \"new\", \"family\": \"x\"}\n");
    let end = database.run(&["import", &input.path()]);
    assert_eq!(end.code, Some(1), "{end:?}");
    assert!(end.stderr.contains("storing the documents failed: too late"), "{end:?}");
    assert!(end.stderr.contains("Nothing was changed."), "{end:?}");
    assert_eq!(database.text("select count(*) from hacs_core.patients"), "0");
}
