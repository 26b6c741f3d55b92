//! No output holds a password, whatever mistake is made around it.

use std::fs;
use std::path::Path;

use crate::database::{Database, ended, tool};

/// Words that are in no output of the program by themselves, and parts of at least four characters of which are not.
const MARKERS: [&str; 4] = ["Qx7#vK9?wZ3@jY5", "qxvkwzjyqh", "Zq/8xK:4vW&jP", "wqZ0xJ4kVpQ"];

/// The variables that libpq reads.
const VARIABLES: [&str; 28] = [
    "PGHOST",
    "PGHOSTADDR",
    "PGPORT",
    "PGDATABASE",
    "PGUSER",
    "PGPASSWORD",
    "PGPASSFILE",
    "PGSERVICE",
    "PGSERVICEFILE",
    "PGOPTIONS",
    "PGAPPNAME",
    "PGCONNECT_TIMEOUT",
    "PGSSLMODE",
    "PGSSLROOTCERT",
    "PGSSLCERT",
    "PGSSLKEY",
    "PGSSLCRL",
    "PGSSLSNI",
    "PGSSLMINPROTOCOLVERSION",
    "PGCHANNELBINDING",
    "PGTARGETSESSIONATTRS",
    "PGLOADBALANCEHOSTS",
    "PGREQUIREAUTH",
    "PGREQUIREPEER",
    "PGGSSENCMODE",
    "PGKRBSRVNAME",
    "PGCLIENTENCODING",
    "PGREQUIRESSL",
];

/// Numbers from a seed, so that a mistake that is found is found again.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        // splitmix64
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % limit as u64).unwrap()
    }

    fn one_of<'a, T: ?Sized>(&mut self, things: &[&'a T]) -> &'a T {
        things[self.below(things.len())]
    }
}

fn encoded(text: &str, all: bool) -> String {
    let plain = |byte: u8| !all && byte.is_ascii_alphanumeric();
    text.bytes().map(|byte| if plain(byte) { char::from(byte).into() } else { format!("%{byte:02X}") }).collect()
}

/// A connection string with a password in it, as it should be.
fn right(dice: &mut Dice, marker: &str) -> String {
    let marker = match dice.below(3) {
        0 => marker.to_owned(),
        1 => encoded(marker, false),
        _ => encoded(marker, true),
    };
    match dice.below(8) {
        0 => format!("postgresql://u:{marker}@127.0.0.1:1/d"),
        1 => format!("postgres://u:{marker}@127.0.0.1:1/d?sslmode=disable&application_name=a"),
        2 => format!("postgresql+psycopg://u:{marker}@127.0.0.1:1,[::1]:1/d"),
        3 => format!("postgresql://127.0.0.1:1/d?user=u&password={marker}"),
        4 => format!("host=127.0.0.1 port=1 user=u password={marker} dbname=d"),
        5 => format!("host=127.0.0.1 port=1 user=u password='{marker}' dbname='d'"),
        6 => format!("host=127.0.0.1;port=1;username=u;password={marker};database=d"),
        _ => format!("u:{marker}@127.0.0.1:1/d?sslmode=require"),
    }
}

/// What people make of it.
fn mistaken(dice: &mut Dice, text: String, marker: &str) -> String {
    let signs = [
        "@",
        ":",
        "/",
        "?",
        "#",
        "&",
        "=",
        ";",
        "'",
        "\"",
        " ",
        "%",
        "[",
        "]",
        ",",
        "\\",
        "\n",
        "ß",
        "://",
        "%zz",
        "{",
        "\u{1b}[2J",
    ];
    match dice.below(16) {
        0 => format!("'{text}'"),
        1 => format!("\"{text}\""),
        2 => format!("psql '{text}'"),
        3 => format!("DATABASE_URL={text}"),
        4 => format!("jdbc:{text}"),
        5 => text.replacen("://", dice.one_of(&["//", ":/", ":", "", ":///", "; //", ":\\\\"]), 1),
        6 => text.replacen("postgres", dice.one_of(&["postgre", "mysql", "Postgres", "", "http", "postgres "]), 1),
        7 => text.replacen('@', dice.one_of(&["", "@@", "/", " @", "%40", "\\@"]), 1),
        8 => text.replacen(marker, &format!("{marker}{}{marker}", dice.one_of(&signs)), 1),
        9 => text.replacen('=', dice.one_of(&[" ", "==", ": ", ""]), 1),
        10 => text.replacen(
            "password",
            dice.one_of(&["passwort", "pass word", "PASSWORD", "dbname", "sslmode", "hots"]),
            1,
        ),
        11 => format!("{text}{text}"),
        12 => format!("dbname={text}"),
        13 => format!("{}{text}", dice.one_of(&[" ", "\u{feff}", "<", "url: ", "export DATABASE_URL=", "-d ", "“"])),
        14 => format!("{text}{}", dice.one_of(&[" ", "\n", "'", ">", ";", "&a", "?b", "&surplus=1", "\\"])),
        _ => {
            let mut chars: Vec<char> = text.chars().collect();
            let at = dice.below(chars.len());
            // Not in the password itself: nobody could tell a part of it from a name.
            let sign = dice.one_of(&signs).chars().next().unwrap();
            if dice.below(2) == 0 {
                chars.insert(at, sign)
            } else {
                chars[at] = if chars[at].is_alphanumeric() { chars[at] } else { sign }
            }
            chars.into_iter().collect()
        }
    }
}

/// Where a text is given.
#[derive(Debug)]
enum Door {
    Argument,
    Command,
    Value(&'static str, &'static str),
    Variable(&'static str),
    UrlFile,
    PasswordFile,
    ServiceFile,
    /// A list of databases in which it is the connection string, and one in which it is a whole line.
    List,
    Line,
}

/// Those that ask a database; and all.
const COMMANDS: [&str; 14] = [
    "migrate",
    "status",
    "verify",
    "plan",
    "seal",
    "baseline",
    "import",
    "export",
    "adopt",
    "list",
    "show",
    "completions",
    "man",
    "help",
];

/// Options that take a value, each of a command that has it; and some that are wrong.
const OPTIONS: [(&str, &str); 30] = [
    ("status", "--wait"),
    ("verify", "--connect-timeout"),
    ("seal", "--log-format"),
    ("migrate", "--target"),
    ("migrate", "--lock-timeout"),
    ("migrate", "--statement-timeout"),
    ("baseline", "--lock-timeout"),
    ("plan", "--nonsense"),
    ("status", "--json"),
    ("import", "--on-conflict"),
    ("import", "--rejects"),
    ("import", "--actor"),
    ("import", "--"),
    ("import", "-"),
    ("export", "--type"),
    ("export", "--patient"),
    ("export", "--since"),
    ("export", "--json"),
    ("migrate", "--databases"),
    ("status", "--databases"),
    ("verify", "--databases"),
    ("status", "--all-databases"),
    ("migrate", "--parallel"),
    ("migrate", "--per-host"),
    ("migrate", "--canary"),
    ("migrate", "--stop-after"),
    ("adopt", "--follow"),
    ("adopt", "--statement-timeout"),
    ("seal", "--databases"),
    ("export", "--all-databases"),
];

fn door(dice: &mut Dice) -> Door {
    match dice.below(16) {
        0..=2 => Door::Argument,
        3 => Door::Command,
        4 | 12 | 13 => {
            let (command, option) = OPTIONS[dice.below(OPTIONS.len())];
            Door::Value(command, option)
        }
        14 => Door::List,
        15 => Door::Line,
        5 => Door::Variable(dice.one_of(&["DATABASE_URL", "DATABASE_URL_FILE", "RUST_LOG"])),
        6..=8 => Door::Variable(dice.one_of(&VARIABLES)),
        9 => Door::UrlFile,
        10 => Door::PasswordFile,
        _ => Door::ServiceFile,
    }
}

/// What the program says when a text comes in by that door.
fn said(dice: &mut Dice, door: &Door, text: &str, home: &Path) -> String {
    let text = text.replace('\0', "");
    let command = dice.one_of(&COMMANDS[..9]);
    let mut tool = tool(&[]);
    // Where --rejects makes its file.
    tool.current_dir(home);
    tool.env("HOME", home).env_remove("DATABASE_URL_FILE").env("PGSYSCONFDIR", home).env("PGCONNECT_TIMEOUT", "2");
    if dice.below(2) == 0 {
        tool.env("RUST_LOG", "trace");
    }
    let file = home.join("file");
    // One with a password that is right; what comes from a file needs a server to ask.
    let plain = "host=127.0.0.1 port=1 user=u dbname=d";
    match door {
        Door::Argument => tool.args([command, "-d", &text]),
        Door::Command if dice.below(2) == 0 => tool.arg(&text),
        Door::Command => tool.args([dice.one_of(&COMMANDS), &text]),
        Door::Value(command, option) => {
            tool.arg(command);
            // A list names its databases itself.
            if *option != "--databases" {
                tool.args(["-d", plain]);
            }
            if dice.below(2) == 0 { tool.arg(format!("{option}={text}")) } else { tool.arg(option).arg(&text) }
        }
        Door::List | Door::Line => {
            let name = if matches!(door, Door::List) { "a " } else { "" };
            fs::write(&file, format!("b {plain}\n{name}{text}\n")).unwrap();
            let command = dice.one_of(&["migrate", "status", "verify"]);
            tool.arg(command).arg("--databases").arg(&file);
            if dice.below(2) == 0 { tool.arg("--json") } else { &mut tool }
        }
        Door::Variable("DATABASE_URL") => tool.arg(command).env("DATABASE_URL", &text),
        Door::Variable(variable) => {
            tool.args([command]).env("PGHOST", "127.0.0.1").env("PGPORT", "1").env(variable, &text)
        }
        Door::UrlFile => {
            fs::write(&file, &text).unwrap();
            tool.arg(command).env("DATABASE_URL_FILE", &file)
        }
        Door::PasswordFile => {
            fs::write(&file, format!("{text}\n127.0.0.1:1:d:u:{text}\n")).unwrap();
            tool.args([command, "-d", plain]).env("PGPASSFILE", &file)
        }
        Door::ServiceFile => {
            fs::write(&file, format!("[there]\nhost=127.0.0.1\nport=1\nuser=u\n{text}\npassword={text}\n")).unwrap();
            tool.args([command, "-d", "service=there"]).env("PGSERVICEFILE", &file)
        }
    };
    if dice.below(2) == 0 {
        tool.arg("-vvv");
    }
    if dice.below(2) == 0 {
        tool.arg("--log-format=json");
    }
    let out = tool.output().unwrap();
    assert!(out.status.code().is_some_and(|code| code != 101), "{door:?} {text}: {out:?}");
    format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr))
}

/// The first part of a marker that an output holds, as it is or encoded.
fn held(output: &str, marker: &str) -> Option<String> {
    let chars: Vec<char> = marker.chars().collect();
    let parts = chars.windows(4).map(|part| part.iter().collect::<String>());
    parts
        .flat_map(|part| [encoded(&part, false), encoded(&part, true), part])
        .find(|part| output.contains(part.as_str()))
}

#[test]
fn no_mistake_around_a_password_shows_it() {
    const THREADS: u64 = 8;
    const EACH: usize = 400;
    let found: Vec<String> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|seed| scope.spawn(move || shown_by(seed, EACH))).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert!(
        found.is_empty(),
        "{} of {}:\n{}",
        found.len(),
        THREADS as usize * EACH,
        found[..found.len().min(20)].join("\n")
    );
}

fn shown_by(seed: u64, tries: usize) -> Vec<String> {
    let mut dice = Dice(seed);
    let home = tempfile::tempdir().unwrap();
    let mut found = Vec::new();
    for _ in 0..tries {
        let marker = dice.one_of(&MARKERS);
        let mut text = right(&mut dice, marker);
        for _ in 0..dice.below(3) {
            text = mistaken(&mut dice, text, marker);
        }
        let door = door(&mut dice);
        let output = said(&mut dice, &door, &text, home.path());
        if let Some(part) = held(&output, marker) {
            found.push(format!("{door:?} {text:?} shows {part:?} of {marker}:\n{output}"));
        }
    }
    found
}

#[test]
fn no_value_of_a_command_comes_back_from_the_server_or_stands_in_the_log() {
    let database = Database::migrated();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("documents");
    let documents = "{\"resource_type\": \"Patient\", \"id\": \"p\", \"family\": \"MARK\"}\n MARK is no JSON\n";
    for marker in MARKERS {
        let url = format!("postgresql://u:{marker}@h/d");
        fs::write(&file, documents.replace("MARK", "qxvkwzjyqh")).unwrap();
        for args in [
            &["export", "--type", &url][..],
            &["export", "--since", &url],
            &["export", "--since", &format!("2026-01-01{url}")],
            &["export", "--patient", &url],
            &["import", "--actor", &url, "/dev/null"],
            &["import", "--rejects", &url, "/dev/null"],
            &["import", &url],
            &["import", "--rejects", "rejects", file.to_str().unwrap()],
            &["status", "--all-databases", &url],
            &["status", "--databases", &url],
        ] {
            for more in [&[][..], &["-vvv"], &["-vvv", "--log-format=json"]] {
                let mut tool = database.tool(&[args, more].concat());
                let end = ended(tool.current_dir(dir.path()).env("RUST_LOG", "trace").output().unwrap());
                let said = format!("{}{}", end.stdout, end.stderr);
                assert_eq!(held(&said, marker), None, "{args:?}: {said}");
                assert_eq!(held(&said, "qxvkwzjyqh"), None, "{args:?}: {said}");
            }
        }
    }
}

#[test]
fn no_debug_output_of_the_library_shows_a_password() {
    for text in ["postgresql://u:hunter2@127.0.0.1:1/d", "host=127.0.0.1 port=1 user=u dbname=d password=hunter2"] {
        let database: hacs_refinery::Database = text.parse().unwrap();
        let other = database.with_database("other").unwrap();
        let error = database.link(std::time::Duration::ZERO).err().unwrap();
        let shown = format!("{database:?} {database:#?} {other:?} {error:?} {error:#?} {error} {}", database.server());
        assert!(shown.contains("127.0.0.1") && !shown.contains("hunter2"), "{shown}");
    }
    for text in ["postgresql://u:hunter2@h:port/d", "hunter2", "postgresql//u:hunter2@h/d"] {
        let parsed = text.parse::<hacs_refinery::Database>();
        let error = parsed.as_ref().map(|database| database.link(std::time::Duration::ZERO).err());
        let shown = format!("{parsed:?} {parsed:#?} {error:?} {error:#?}");
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
