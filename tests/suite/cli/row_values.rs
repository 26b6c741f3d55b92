//! Values of a row that breaks a rule, such as a patient's: where docs/security.md says that they stand and do not stand.

use crate::database::{Database, ended};
use crate::server::Server;

/// Something in a row that nobody else is to read.
const SECRET: &str = "555-0199";

/// What PostgreSQL says of a row that breaks a rule, from the moment a migration makes a trigger on.
fn refusing() -> Database {
    let database = Database::empty();
    let sql = format!(
        "create function public.refuse() returns event_trigger language plpgsql as $$ begin
             if tg_tag = 'CREATE TRIGGER' then
                 raise 'a row breaks patients_gender_valid' using errcode = 'check_violation',
                     schema = 'hacs_core', table = 'patients', detail = 'Failing row contains ({SECRET}).';
             end if;
         end $$;
         create event trigger refuse on ddl_command_start execute function public.refuse()"
    );
    database.client().batch_execute(&sql).unwrap();
    database
}

#[test]
fn the_program_shows_them_only_where_it_is_asked_to() {
    let database = refusing();
    for (args, shown) in [(&["migrate"][..], false), (&["migrate", "-q"], false), (&["migrate", "-v"], true)] {
        let text = database.run(args);
        assert_eq!(text.code, Some(8), "{text:?}");
        assert!(text.stderr.contains("DETAIL: the values of the row are left out; -v shows them\n"), "{text:?}");
        assert_eq!(text.stderr.contains(SECRET), shown, "{args:?}: {text:?}");
        let json = database.run(&[args, &["--log-format", "json"]].concat());
        let last: serde_json::Value = serde_json::from_str(json.stderr.lines().last().unwrap()).unwrap();
        assert_eq!((&last["sqlstate"], last["detail"].is_string()), (&"23514".into(), shown), "{json:?}");
        assert_eq!(json.stderr.contains(SECRET), shown, "{args:?}: {json:?}");
    }
    // Of many databases, and in a rehearsal.
    let list = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(list.path(), format!("one {}\n", database.conninfo())).unwrap();
    let many = database.tool(&["migrate", "--json", "--databases", list.path().to_str().unwrap()]).output().unwrap();
    for end in [ended(many), database.run(&["migrate", "--dry-run"])] {
        assert!(end.code == Some(8) && !format!("{end:?}").contains(SECRET), "{end:?}");
    }
}

#[test]
fn a_refused_row_stands_in_the_servers_log_unless_it_is_terse_and_in_the_clients_error() {
    let literal = format!("insert into hacs_core.patients (id, gender, phone) values ('p', 'unheard of', '{SECRET}')");
    for (settings, logged) in [
        (&[][..], true),
        (&["log_error_verbosity = terse"], true),
        (&["log_error_verbosity = terse", "log_min_error_statement = panic"], false),
    ] {
        let server = Server::start(settings);
        let database = Database::migrated_on(&server);
        let error = database.client().batch_execute(&literal).unwrap_err();
        let refused = error.as_db_error().unwrap();
        assert!(refused.detail().unwrap().contains(SECRET), "{refused:?}");
        // What an application logs instead.
        assert_eq!((refused.code().code(), refused.constraint()), ("23514", Some("patients_gender_valid")));
        let log = std::fs::read_to_string(server.dir.join("log")).unwrap();
        assert!(log.contains("patients_gender_valid"), "{log}");
        assert_eq!(log.contains(SECRET), logged, "{settings:?}: {log}");
        assert_eq!(log.contains("Failing row contains"), settings.is_empty(), "{log}");
        // With parameters, terse is enough.
        let statement = "insert into hacs_core.patients (id, gender, phone) values ('q', 'unheard of', $1)";
        let before = log.len();
        database.client().execute(statement, &[&SECRET]).unwrap_err();
        let log = std::fs::read_to_string(server.dir.join("log")).unwrap();
        assert_eq!(log[before..].contains(SECRET), settings.is_empty(), "{settings:?}: {}", &log[before..]);
    }
}
