//! `tests/data/connection_strings.tsv`: each string leads where it leads psql, or is refused as psql refuses it.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::database::{Ended, ended};
use crate::server::{self, Server, as_server, bindir, hand_over};

const QUERY: &str = "select current_user, current_database(), inet_server_addr(), current_setting('port'),
    current_setting('search_path')";

/// Servers with the databases and roles that the strings name.
struct Servers {
    primary: Server,
    standby: Server,
    read_only: Server,
    free: u16,
    home: tempfile::TempDir,
}

impl Servers {
    fn start() -> Self {
        let primary = open_server(&[]);
        let me = Command::new("id").arg("-un").output().unwrap().stdout;
        let me = String::from_utf8(me).unwrap();
        let mut client = primary.config().user("landlord").connect(postgres::NoTls).unwrap();
        for role in ["app", "we#ird", "u@h", me.trim()].into_iter().filter(|role| *role != "postgres") {
            client.batch_execute(&format!("create role \"{role}\" login")).unwrap();
        }
        let names = ["db", "d#e", "x?y", "a b", "50%", "a/b", "/db", "m@il", "päss", "q'uote", "back\\slash", "app"];
        for name in names.into_iter().chain(["only_there", me.trim()]).filter(|name| *name != "postgres") {
            client.batch_execute(&format!("create database \"{name}\" template template0")).unwrap();
        }
        let read_only = open_server(&["default_transaction_read_only = on"]);
        let mut client = read_only.config().user("landlord").connect(postgres::NoTls).unwrap();
        client.batch_execute("set default_transaction_read_only = off").unwrap();
        client.batch_execute("create database db template template0").unwrap();
        let home = tempfile::tempdir().unwrap();
        let service = format!("[there]\nhost=127.0.0.1\nport={}\nuser=postgres\ndbname=db\n", primary.port);
        fs::write(home.path().join("services"), service).unwrap();
        Self { standby: standby_of(&primary), primary, read_only, free: server::free_port(), home }
    }

    fn filled_in(&self, text: &str) -> String {
        let dir = self.primary.dir.display().to_string();
        text.replace("{port}", &self.primary.port.to_string())
            .replace("{standby}", &self.standby.port.to_string())
            .replace("{readonly}", &self.read_only.port.to_string())
            .replace("{other}", &self.read_only.port.to_string())
            .replace("{free}", &self.free.to_string())
            .replace("{dir%}", &dir.replace('/', "%2F"))
            .replace("{dir}", &dir)
    }

    fn run(&self, program: &Path, args: &[&str], variables: &str) -> Ended {
        let mut command = Command::new(program);
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("LC_ALL", "C").args(args);
        command.env("HOME", self.home.path()).env("PGSERVICEFILE", self.home.path().join("services"));
        for variable in variables.split(' ').filter(|variable| *variable != "-") {
            let (name, value) = variable.split_once('=').unwrap();
            command.env(name, value);
        }
        ended(command.output().unwrap())
    }
}

impl Servers {
    /// What is different for a line of the table.
    fn differ(&self, program: &Path, line: &str) -> Option<String> {
        let [mark, variables, string] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let (variables, string) = (self.filled_in(variables), self.filled_in(string));
        let psql = self.run(&bindir().join("psql"), &["-XwAt", "-c", QUERY, "-d", &string], &variables);
        let connected = self.run(program, &[&string], &variables);
        let (theirs, ours) = (psqls(&psql), ours(&connected));
        let good = match mark {
            "=" => same(&theirs, &ours),
            "<" => psql.code != Some(0) && ours == Way::Settings,
            "+" => theirs == Way::Settings && matches!(ours, Way::Session(_)),
            _ => panic!("{line}"),
        };
        let told = || format!("{line}\n    psql {theirs:?} {}\n    ours {ours:?} {}", psql.stderr, connected.stderr);
        (!good).then(told)
    }
}

/// A server that lets everybody in over TCP but its superusers, of whom "postgres" is none.
fn open_server(settings: &[&str]) -> Server {
    let mut server = Server::start_with_tcp(settings);
    let as_user = |user, sql| {
        let mut client = server.config().user(user).connect(postgres::NoTls).unwrap();
        // A transaction of its own: the next ones go by it.
        client.batch_execute("set default_transaction_read_only = off").unwrap();
        client.batch_execute(sql).unwrap();
    };
    as_user("postgres", "create role landlord superuser login");
    as_user("landlord", "alter role postgres rename to founder; create role postgres login");
    let hba = "local all all trust\nlocal replication landlord trust\n\
        host all landlord,founder all reject\nhost all all all trust\n";
    server.write("data/pg_hba.conf", hba);
    server.restart();
    server
}

fn standby_of(primary: &Server) -> Server {
    let dir = tempfile::Builder::new().prefix("hacs-test-").tempdir().unwrap().keep();
    hand_over(&dir);
    let data = dir.join("data");
    let port = primary.port.to_string();
    let mut copy = as_server(&bindir().join("pg_basebackup"));
    let copy = copy.args(["-U", "landlord", "-c", "fast", "-R", "-p", &port]).arg("-h").arg(&primary.dir).arg("-D");
    let copied = copy.arg(&data).output().unwrap();
    assert!(copied.status.success(), "{}", String::from_utf8_lossy(&copied.stderr));
    let port = server::free_port();
    let mut conf = fs::read_to_string(data.join("postgresql.conf")).unwrap();
    conf += &format!("\nport = {port}\nunix_socket_directories = '{}'\n", dir.display());
    fs::write(data.join("postgresql.conf"), conf).unwrap();
    Server::launch(dir, port)
}

/// Where it went: to a session, or to the last server that it asked, and what kept it out; or it asked none.
#[derive(Debug, PartialEq, Eq)]
enum Way {
    Session(String),
    Refused { server: String, why: Option<String> },
    Settings,
}

fn psqls(end: &Ended) -> Way {
    if end.code == Some(0) {
        return Way::Session(end.stdout.trim().to_owned());
    }
    let between = |text: &str, start: &str, end: &str| Some(text.split_once(start)?.1.split_once(end)?.0.to_owned());
    let server = |line: &str| {
        if let Some(socket) = between(line, "connection to server on socket \"", "\" failed") {
            let (dir, port) = socket.split_once("/.s.PGSQL.").unwrap();
            return Some(format!("{dir} port {port}"));
        }
        if let Some(host) = between(line, "could not translate host name \"", "\" to address") {
            return Some(host);
        }
        let host = between(line, "connection to server at \"", "\"")?;
        Some(format!("{host} port {}", between(line, ", port ", " failed")?))
    };
    let Some((line, server)) = end.stderr.lines().filter_map(|line| Some((line, server(line)?))).next_back() else {
        return Way::Settings;
    };
    let why = line.split_once("FATAL:").map(|(_, why)| why.trim().to_owned());
    Way::Refused { server, why }
}

fn ours(end: &Ended) -> Way {
    match end.code {
        Some(0) => Way::Session(end.stdout.trim().to_owned()),
        Some(2) => Way::Settings,
        Some(3) => {
            let rest = end.stderr.strip_prefix("cannot connect to ").unwrap_or_else(|| panic!("{end:?}"));
            let server = rest.split([',', ':']).next().unwrap();
            let server = if rest.starts_with("::1") { "::1 port" } else { server };
            let why = rest.split_once(" (SQLSTATE").map(|(why, _)| why.rsplit_once(": ").unwrap().1.to_owned());
            Way::Refused { server: server.to_owned(), why }
        }
        _ => panic!("{end:?}"),
    }
}

/// Names that are not shown, and words of the driver's, make less of the two to compare.
fn same(theirs: &Way, ours: &Way) -> bool {
    match (theirs, ours) {
        (Way::Refused { server, why }, Way::Refused { server: shown, why: said }) => {
            let hidden = shown.starts_with("the server (not shown");
            let is_name = !server.contains(" port ") && shown.starts_with(server.as_str());
            let is_v6 = server.starts_with("::1") && shown.starts_with("::1");
            let why_too = why.is_none() || said.as_deref().is_some_and(|said| said.contains('…')) || why == said;
            (hidden || is_name || is_v6 || server == shown) && why_too
        }
        (theirs, ours) => theirs == ours,
    }
}

#[test]
fn every_connection_string_leads_where_it_leads_psql() {
    let servers = Servers::start();
    let program = crate::example("connected").get_program().to_owned();
    let text = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/connection_strings.tsv")).unwrap();
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    assert!(lines.len() >= 80, "{}", lines.len());
    // Names that do not resolve take their time.
    let wrong: Vec<String> = std::thread::scope(|scope| {
        let parts: Vec<_> = lines.chunks(lines.len().div_ceil(16)).collect();
        let threads = parts.into_iter().map(|part| {
            let (servers, program) = (&servers, Path::new(&program));
            scope.spawn(move || part.iter().filter_map(|line| servers.differ(program, line)).collect::<Vec<_>>())
        });
        let threads: Vec<_> = threads.collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert!(wrong.is_empty(), "{}\n{}", wrong.len(), wrong.join("\n"));
}
