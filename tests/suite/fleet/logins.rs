//! Each database of a list has a login of its own: passwords in a password file, databases in a service file.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::{List, Report};
use crate::database::{Database, ended, tool};
use crate::server::Server;

/// Three databases, each with a role and a password of its own.
struct Hospitals {
    server: Server,
    databases: Vec<Database>,
    dir: tempfile::TempDir,
}

const PASSWORDS: [&str; 3] = ["the pass:word \\ of a", "hunter2_of_b", "hunter2_of_c"];

impl Hospitals {
    fn new() -> Self {
        let mut server = Server::start_with_tcp(&["password_encryption = 'scram-sha-256'"]);
        let databases: Vec<Database> = (0..3).map(|_| Database::on(&server)).collect();
        for (at, database) in databases.iter().enumerate() {
            let sql = format!(
                "create role role{at} login password '{}'; grant create on database {} to role{at}",
                PASSWORDS[at], database.name
            );
            database.client().batch_execute(&sql).unwrap();
        }
        server.write("data/pg_hba.conf", "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n");
        server.restart();
        Self { server, databases, dir: tempfile::tempdir().unwrap() }
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        path
    }

    /// A line of a password file for each, with the passwords of some.
    fn password_file(&self, passwords: [&str; 3]) -> PathBuf {
        let line = |(at, password): (usize, &str)| {
            let password = password.replace('\\', "\\\\").replace(':', "\\:");
            format!("127.0.0.1:{}:{}:role{at}:{password}\n", self.server.port, self.databases[at].name)
        };
        self.file("pgpass", &passwords.into_iter().enumerate().map(line).collect::<String>())
    }

    fn run(&self, list: &List, variables: &[(&str, &Path)], args: &[&str]) -> Report {
        let mut command = tool(args);
        command.envs(variables.iter().copied()).arg("--json").arg("--databases").arg(list.path());
        let report = Report::of(ended(command.output().unwrap()));
        let said = format!("{}{}", report.end.stdout, report.end.stderr);
        assert!(PASSWORDS.iter().all(|password| !said.contains(password)), "{said}");
        report
    }
}

const NAMES: [&str; 3] = ["a", "b", "c"];

#[test]
fn the_password_file_counts_for_each() {
    let hospitals = Hospitals::new();
    let url = |at: usize| {
        format!("postgresql://role{at}@127.0.0.1:{}/{}", hospitals.server.port, hospitals.databases[at].name)
    };
    let list = List::of(NAMES.iter().enumerate().map(|(at, name)| (*name, url(at))));
    let wrong = hospitals.password_file([PASSWORDS[0], PASSWORDS[1], PASSWORDS[1]]);
    let report = hospitals.run(&list, &[("PGPASSFILE", &wrong)], &["migrate", "-vvv"]);
    assert_eq!(NAMES.map(|name| report.code(name)), [0, 0, 3], "{report:?}");
    let right = hospitals.password_file(PASSWORDS);
    let report = hospitals.run(&list, &[("PGPASSFILE", &right)], &["migrate"]);
    assert_eq!(NAMES.map(|name| report.code(name)), [0, 0, 0], "{report:?}");
    // Where nobody says otherwise, it is ~/.pgpass.
    std::fs::rename(&right, right.with_file_name(".pgpass")).unwrap();
    let report = hospitals.run(&list, &[("HOME", hospitals.dir.path())], &["status", "--check"]);
    assert_eq!(report.end.code, Some(0), "{report:?}");
}

#[test]
fn a_service_file_counts_for_each() {
    let hospitals = Hospitals::new();
    let service = |at: usize| {
        let (port, name) = (hospitals.server.port, &hospitals.databases[at].name);
        // The last one's password is in the password file.
        let password = if at == 2 { String::new() } else { format!("password={}\n", PASSWORDS[at]) };
        format!("[{}]\nhost=127.0.0.1\nport={port}\nuser=role{at}\ndbname={name}\n{password}\n", NAMES[at])
    };
    let services = hospitals.file("services", &(0..3).map(service).collect::<String>());
    let passwords = hospitals.password_file(["wrong", "wrong", PASSWORDS[2]]);
    let list = List::of([
        ("a", "service=a".to_owned()),
        ("b", "postgresql:///?service=b".to_owned()),
        ("c", "service=c application_name=mine".to_owned()),
        ("d", "service=d".to_owned()),
    ]);
    let variables = [("PGSERVICEFILE", services.as_path()), ("PGPASSFILE", &passwords)];
    let report = hospitals.run(&list, &variables, &["migrate", "-vvv"]);
    assert_eq!(NAMES.map(|name| report.code(name)), [0, 0, 0], "{report:?}");
    // One that the file does not have is a fault of its own.
    assert_eq!((report.code("d"), report.end.code), (2, Some(2)), "{report:?}");
    for (at, database) in hospitals.databases.iter().enumerate() {
        let owner = "select pg_get_userbyid(nspowner) from pg_namespace where nspname = 'hacs_core'";
        assert_eq!(database.text(owner), format!("role{at}"));
    }
}
