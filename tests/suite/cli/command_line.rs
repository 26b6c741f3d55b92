use std::process::{Command, Stdio};

use crate::database::{Database, ended, tool};

#[test]
fn without_any_setting_it_says_what_can_be_set() {
    let end = ended(tool(&["status"]).output().unwrap());
    assert_eq!(end.code, Some(2));
    assert!(
        end.stderr.contains("no database is given: set --database-url, DATABASE_URL, or libpq's PGHOST"),
        "{end:?}"
    );
}

#[test]
fn the_flag_goes_before_the_variable_and_the_variable_before_libpqs() {
    let database = Database::empty();
    let nowhere = "postgres://localhost:1/nowhere";
    let flag = ended(tool(&["status", "-d", &database.conninfo()]).env("DATABASE_URL", nowhere).output().unwrap());
    assert_eq!(flag.code, Some(0), "{flag:?}");
    let variable = ended(database.tool(&["status"]).env("PGHOST", "localhost").env("PGPORT", "1").output().unwrap());
    assert_eq!(variable.code, Some(0), "{variable:?}");
    let bad = ended(tool(&["status"]).env("DATABASE_URL", nowhere).output().unwrap());
    assert_eq!(bad.code, Some(3), "{bad:?}");
}

#[test]
fn libpqs_variables_alone_are_enough() {
    let database = Database::empty();
    let config = crate::server::config();
    let postgres::config::Host::Unix(host) = &config.get_hosts()[0] else { return };
    let mut tool = tool(&["status", "--json"]);
    tool.env("PGHOST", host).env("PGUSER", "postgres").env("PGDATABASE", &database.name);
    assert_eq!(ended(tool.output().unwrap()).code, Some(0));
}

#[test]
fn a_missing_database_and_a_refused_connection_exit_with_3_and_a_next_step() {
    let database = Database::empty();
    let missing = database.conninfo().replace(&database.name, "no_such_database");
    let end = ended(tool(&["migrate", "-d", &missing]).output().unwrap());
    assert_eq!(end.code, Some(3), "{end:?}");
    assert!(end.stderr.contains("database \"no_such_database\" does not exist (SQLSTATE 3D000)"), "{end:?}");
    assert!(end.stderr.contains("HINT: Create the database first"), "{end:?}");
}

#[test]
fn a_password_shows_up_nowhere() {
    let url = "postgres://me:hunter2@127.0.0.1:1/x?application_name=a";
    for args in
        [&["migrate", "-vvv", "-d", url][..], &["status", "-vv", "-d", "postgres://me:hunter2@h:x/d"], &["--help"]]
    {
        let end = ended(tool(args).env("DATABASE_URL", url).env("RUST_LOG", "trace").output().unwrap());
        assert!(!format!("{end:?}").contains("hunter2"), "{end:?}");
    }
}

#[test]
fn an_option_that_would_be_ignored_is_refused_and_named() {
    for (args, option) in [
        (&["migrate", "--databases", "list", "-d", "x"][..], "--database-url"),
        (&["status", "-d", "x", "--databases", "list"], "--database-url"),
        (&["verify", "--databases", "list", "--all-databases", "x*"], "--all-databases"),
        (&["migrate", "--parallel", "2"], "--databases"),
        (&["migrate", "--canary", "2"], "--databases"),
        (&["status", "--stop-after", "2"], "--databases"),
        (&["adopt", "--generic-table", "public.documents"], "--follow"),
        (&["adopt", "--follow-type", "Patient=note"], "--follow"),
        (&["adopt", "--service-role", "x"], "--follow"),
        (&["adopt", "--unfollow", "--service-role", "x"], "--unfollow"),
        (&["adopt", "--unfollow", "--follow-type", "Patient=note"], "--unfollow"),
        (&["adopt", "--discard"], "--finish"),
        (&["adopt", "--finish", "--retry"], "--retry"),
        (&["adopt", "--finish", "--strict"], "--strict"),
        (&["adopt", "--follow", "note", "--dry-run"], "--dry-run"),
        (&["plan", "--json", "--sql"], "--sql"),
        (&["status", "-q", "-v"], "--verbose"),
    ] {
        let end = ended(tool(args).output().unwrap());
        assert_eq!(end.code, Some(2), "{args:?}: {end:?}");
        assert!(end.stderr.contains(option), "{args:?}: {end:?}");
    }
}

#[test]
fn wrong_usage_exits_with_2() {
    for args in [&["migrat"][..], &["migrate", "--target", "x"], &["status", "--nonsense"], &[]] {
        assert_eq!(ended(tool(args).output().unwrap()).code, Some(2), "{args:?}");
    }
}

#[test]
fn help_lists_examples_exit_codes_and_environment() {
    let end = ended(tool(&["--help"]).output().unwrap());
    for part in ["Examples:", "Exit codes:", "Environment:", "DATABASE_URL", "  8  a migration failed"] {
        assert!(end.stdout.contains(part), "{part}: {end:?}");
    }
    // The short form fits on a screen: commands and options, and where the rest is.
    let short = ended(tool(&["-h"]).output().unwrap());
    for part in ["Examples:", "Exit codes:", "Environment:"] {
        assert!(!short.stdout.contains(part), "{part}: {short:?}");
    }
    assert!(short.stdout.ends_with("Examples, exit codes and variables: hacs-refinery --help\n"), "{short:?}");
    assert!(short.stdout.contains("--database-url <URL>") && short.stdout.lines().count() <= 45, "{short:?}");
    let version = ended(tool(&["--version"]).output().unwrap());
    assert_eq!(version.stdout, format!("hacs-refinery {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn logs_go_to_standard_error_and_results_to_standard_output() {
    let database = Database::empty();
    let end = database.run(&["migrate", "-v"]);
    assert!(end.stdout.starts_with("Applied V1"), "{end:?}");
    assert!(end.stderr.contains("INFO"), "{end:?}");
    let quiet = database.run(&["migrate", "-q"]);
    assert_eq!((quiet.code, quiet.stdout.as_str(), quiet.stderr.as_str()), (Some(0), "", ""));
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let database = Database::empty();
    let mut child = database.start(&["status"]);
    drop(child.stdout.take());
    let end = ended(child.wait_with_output().unwrap());
    assert_eq!((end.code, end.stderr.as_str()), (Some(0), ""));
}

#[test]
fn a_statement_timeout_that_postgresql_cannot_count_is_refused_with_what_can_be_said() {
    for text in ["30d", "500us"] {
        let end = ended(tool(&["migrate", "--statement-timeout", text, "-d", "host=/nowhere"]).output().unwrap());
        assert_eq!(end.code, Some(2), "{end:?}");
        assert!(end.stderr.contains("PostgreSQL counts in milliseconds, from 1ms to 24days"), "{end:?}");
    }
    let database = Database::empty();
    for text in ["24days", "1500us", "0s"] {
        let end = database.run(&["migrate", "--dry-run", "--statement-timeout", text]);
        let timed_out = end.stderr.contains("57014") && text == "1500us";
        assert!(end.code == Some(0) || timed_out, "{text}: {end:?}");
    }
}

#[test]
fn the_longest_wait_of_all_is_none_that_aborts() {
    let database = Database::empty();
    for option in ["--wait", "--connect-timeout"] {
        let end = database.run(&["status", option, "18446744073709551615s"]);
        assert_eq!(end.code, Some(0), "{option}: {end:?}");
    }
}

#[test]
fn a_user_id_without_a_name_is_told_to_name_the_role() {
    use std::os::unix::process::CommandExt;
    // Only root may be somebody else; everybody else has a name already, and is asked to show that it is taken.
    let root = std::process::Command::new("id").arg("-u").output().unwrap().stdout == b"0\n";
    let mut command = tool(&["status", "-d", "host=127.0.0.1 port=1 dbname=x"]);
    if !root {
        let end = ended(command.output().unwrap());
        assert_eq!(end.code, Some(3), "{end:?}");
        return;
    }
    // The program has to lie where anybody may run it.
    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(dir.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let program = dir.path().join("hacs-refinery");
    std::fs::copy(env!("CARGO_BIN_EXE_hacs-refinery"), &program).unwrap();
    for (settings, code, words) in [
        ("host=127.0.0.1 port=1 dbname=x", 2, "NEXT: Name the role to log in as"),
        ("host=127.0.0.1 port=1 dbname=x user=me", 3, "Connection refused"),
    ] {
        let mut command = std::process::Command::new(&program);
        command.args(["status", "-d", settings]).env_clear().current_dir("/").uid(12345).gid(12345);
        let end = ended(command.output().unwrap());
        assert_eq!(end.code, Some(code), "{end:?}");
        assert!(end.stderr.contains(words), "{end:?}");
    }
}

#[test]
fn every_command_reads_the_url_from_a_file_and_an_empty_url_counts_as_none() {
    let database = Database::empty();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("database url");
    std::fs::write(&file, format!("\u{feff}{}\r\n", database.conninfo())).unwrap();
    let run =
        |args: &[&str]| ended(tool(args).env("DATABASE_URL", " ").env("DATABASE_URL_FILE", &file).output().unwrap());
    let none = dir.path().join("none");
    std::fs::write(&none, "").unwrap();
    for args in [
        &["migrate"][..],
        &["migrate", "--dry-run"],
        &["status", "--check"],
        &["verify", "--deep", "--seals"],
        &["seal"],
        &["plan", "--sql"],
        &["baseline"],
        &["export"],
        &["import", none.to_str().unwrap()],
        &["adopt", "--dry-run"],
    ] {
        let end = run(args);
        assert_eq!(end.code, Some(0), "{args:?}: {end:?}");
    }
    let flag = run(&["status", "-d", "postgresql://127.0.0.1:1/x"]);
    assert_eq!(flag.code, Some(3), "what is given goes before the file: {flag:?}");
    let both = ended(database.tool(&["status"]).env("DATABASE_URL_FILE", &file).output().unwrap());
    assert!(both.code == Some(2) && both.stderr.contains("set one of them"), "{both:?}");
    for (text, why) in [("\n", "is empty"), ("postgresql://u:hunter2@h:x/d", "port"), ("hunter2", "neither")] {
        std::fs::write(&file, text).unwrap();
        let end = run(&["verify"]);
        assert!(end.code == Some(2) && end.stderr.contains(why) && !end.stderr.contains("hunter2"), "{end:?}");
    }
}

#[cfg(unix)]
#[test]
fn settings_that_are_not_utf_8_are_refused_and_no_other_database_is_taken() {
    use std::os::unix::ffi::OsStrExt;
    let database = Database::empty();
    let bytes = std::ffi::OsStr::from_bytes(b"postgresql://\xff@h/d");
    for variable in ["DATABASE_URL", "DATABASE_URL_FILE", "PGHOST", "PGDATABASE", "PGPASSWORD", "PGREQUIREPEER"] {
        let mut tool = if variable.starts_with("PG") { database.tool(&["migrate"]) } else { tool(&["migrate"]) };
        let end = ended(tool.env("PGPORT", "1").env(variable, bytes).output().unwrap());
        assert!(end.code == Some(2) && end.stderr.contains(&format!("{variable} is not UTF-8")), "{end:?}");
    }
    let end = ended(tool(&["status", "-d"]).arg(bytes).output().unwrap());
    assert_eq!(end.code, Some(2), "{end:?}");
}

#[test]
fn settings_of_other_programs_are_left_out_by_name_and_those_not_supported_are_refused() {
    let database = Database::empty();
    let crate::server::Server { dir, port, .. } = crate::server::shared();
    let base = format!("postgresql://postgres@/{}?host={}&port={port}", database.name, dir.display());
    for (settings, name) in [
        ("schema=hunter2", "schema"),
        ("pgbouncer=hunter2&connection_limit=1", "connection_limit"),
        ("supa=hunter2", "supa"),
        ("uselibpqcompat=true&sslmode=prefer", "uselibpqcompat"),
        ("prepared_statement_cache_size=0", "prepared_statement_cache_size"),
        ("reWriteBatchedInserts=true", "reWriteBatchedInserts"),
    ] {
        let end = ended(tool(&["status", "-d", &format!("{base}&{settings}")]).output().unwrap());
        assert_eq!(end.code, Some(0), "{end:?}");
        assert!(end.stderr.contains(&format!("the connection setting {name} is another program's")), "{end:?}");
        assert!(!end.stderr.contains("hunter2"), "{end:?}");
    }
    for name in ["require_auth", "requirepeer", "sslcrl", "sslpassword", "oauth_issuer", "scram_client_key"] {
        let end = ended(tool(&["status", "-d", &format!("{base}&{name}=hunter2")]).output().unwrap());
        assert_eq!(end.code, Some(2), "{end:?}");
        assert!(
            end.stderr.contains(&format!("{name} is not supported here")) && !end.stderr.contains("hunter2"),
            "{end:?}"
        );
    }
}

#[test]
fn output_that_cannot_be_written_is_exit_code_1_and_never_an_abort() {
    let full = || std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let run = |args: &[&str], out: bool| {
        let mut command = crate::database::tool(args);
        if out {
            command.stdout(full())
        } else {
            command.stderr(full())
        };
        command.status().unwrap().code()
    };
    for args in [&["list"][..], &["show", "V1"], &["man"], &["--help"]] {
        assert_eq!(run(args, true), Some(1), "{args:?}");
        assert_eq!(run(args, false), Some(0), "{args:?}");
    }
    // What failed anyway has its own code.
    assert_eq!(run(&["status", "-d", "mysql://x"], false), Some(2));
    assert_eq!(run(&["nonsense"], false), Some(2));
    let ages = run(&["status", "--wait", "18446744073709551615s", "-d", "mysql://x"], false);
    assert_eq!(ages, Some(2));
}

/// A database with a document, what makes each command say something, and a list of the database.
fn speaking() -> (Database, tempfile::TempDir) {
    let database = Database::migrated();
    let patients =
        "insert into hacs_core.patients (id, family) select 'p' || n, 'x' from generate_series(1, 5000) as n";
    database.client().batch_execute(patients).unwrap();
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("list"), format!("one {0}\ntwo {0}\n", database.conninfo())).unwrap();
    let document = "{\"resource_type\": \"Patient\", \"id\": \"p1\", \"family\": \"y\"}\n{\"a\": 1}\n";
    std::fs::write(dir.path().join("documents"), document).unwrap();
    (database, dir)
}

const SPEAKING: [&[&str]; 12] = [
    &["import", "--on-conflict", "replace", "--rejects", "rejects", "documents"],
    &["import", "--on-conflict", "keep", "--json", "--rejects", "rejects", "documents"],
    &["export"],
    &["seal"],
    &["seal", "--json"],
    &["baseline"],
    &["verify", "--seals"],
    &["plan"],
    &["status", "--databases", "list"],
    &["migrate", "--json", "--databases", "list"],
    &["verify", "--databases", "list", "--json"],
    &["migrate", "--databases", "list"],
];

#[test]
fn commands_that_ask_a_database_end_in_order_whatever_becomes_of_their_output() {
    let (database, dir) = speaking();
    let full = || std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    // A pipe that nobody reads from any more.
    let closed = || std::io::pipe().unwrap().1;
    for args in SPEAKING {
        let run = |prepare: &dyn Fn(&mut Command)| {
            let mut command = database.tool(args);
            command.current_dir(dir.path()).env("RUST_LOG", "info").stdin(Stdio::null());
            command.stdout(Stdio::null()).stderr(Stdio::null());
            prepare(&mut command);
            command.status().unwrap().code()
        };
        let usual = run(&|_| ());
        let expected = if args[0] == "import" { Some(9) } else { Some(0) };
        assert_eq!(usual, expected, "{args:?}");
        // What is refused stays the reason.
        let unwritten = if args[0] == "import" { Some(9) } else { Some(1) };
        assert_eq!(run(&|command| _ = command.stdout(full())), unwritten, "{args:?}");
        for stderr in [false, true] {
            let broken = |command: &mut Command| {
                if stderr {
                    command.stderr(closed())
                } else {
                    command.stdout(closed())
                };
            };
            assert_eq!(run(&broken), usual, "{args:?} {stderr}");
        }
        assert_eq!(run(&|command| _ = command.stderr(full())), usual, "{args:?}");
    }
    // Closed from the start, as by `>&-`: nothing of ours takes the place of the descriptor.
    for args in SPEAKING {
        let line = format!("exec {} {} <&- >&- 2>&-", env!("CARGO_BIN_EXE_hacs-refinery"), args.join(" "));
        let mut shell = Command::new("sh");
        shell.args(["-c", &line]).current_dir(dir.path()).env("DATABASE_URL", database.conninfo());
        let code = shell.status().unwrap().code();
        assert_eq!(code, if args[0] == "import" { Some(9) } else { Some(0) }, "{args:?}");
    }
    // Refused documents that cannot be set aside are not dropped.
    let end = ended(
        database
            .tool(&["import", "--rejects", "/dev/full", "--on-conflict", "replace", "documents"])
            .current_dir(dir.path())
            .output()
            .unwrap(),
    );
    assert!(end.code == Some(1) && end.stderr.contains("Nothing was changed."), "{end:?}");
    assert_eq!(database.run(&["verify"]).code, Some(0));
}
