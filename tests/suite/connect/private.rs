//! Nobody else on this machine gets into the servers of the tests, which trust whoever comes over their socket.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

use crate::database::{Database, Ended, ended};
use crate::proxy::Proxy;
use crate::server::{Server, bindir};
use crate::wire::Wire;

/// psql of another user, where the tests may take on one.
fn intruder(settings: &str) -> Ended {
    let mut psql = Command::new(bindir().join("psql"));
    psql.env_clear().env("LD_LIBRARY_PATH", bindir().join("../lib")).current_dir("/").uid(12345).gid(12345);
    ended(psql.args(["-X", "-w", "-c", "select 1", settings]).output().unwrap())
}

#[test]
fn directory_and_socket_are_closed_and_tcp_lets_in_nobody_by_itself() {
    let server = Server::start_with_tcp(&[]);
    let mode = |path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let socket = server.dir.join(format!(".s.PGSQL.{}", server.port));
    assert_eq!((mode(server.dir.clone()), mode(socket.clone())), (0o700, 0o700));
    let tcp = server.config().clone();
    let mut tcp = format!("host=127.0.0.1 port={} user={}", server.port, tcp.get_user().unwrap());
    tcp += " dbname=postgres sslmode=disable";
    let refused = tcp.parse::<postgres::Config>().unwrap().connect(postgres::NoTls).err().expect("nobody is let in");
    assert_eq!(refused.code().map(|code| code.code()), Some("28000"), "{refused}");
    if fs::metadata("/proc/self").is_ok_and(|me| me.uid() == 0) {
        // Even where the directory were open.
        fs::set_permissions(&server.dir, fs::Permissions::from_mode(0o755)).unwrap();
        let at = format!("host={} port={} user=postgres dbname=postgres", server.dir.display(), server.port);
        let end = intruder(&at);
        assert!(end.code == Some(2) && end.stderr.contains("Permission denied"), "{end:?}");
        fs::set_permissions(&server.dir, fs::Permissions::from_mode(0o700)).unwrap();
    }
}

#[test]
fn what_stands_before_a_socket_serves_its_user_alone() {
    let server = crate::server::shared();
    let database = Database::empty();
    let wire = Wire::start(&server.dir.join(format!(".s.PGSQL.{}", server.port)), Duration::ZERO);
    let proxy = Proxy::start(server, None);
    let at = |port| format!("host=127.0.0.1 port={port} user=postgres dbname={} sslmode=disable", database.name);
    if fs::metadata("/proc/self").is_ok_and(|me| me.uid() == 0) {
        for port in [wire.port, proxy.port] {
            let end = intruder(&at(port));
            assert!(end.code == Some(2) && end.stderr.contains("closed the connection"), "{end:?}");
        }
    }
    for port in [wire.port, proxy.port] {
        assert!(at(port).parse::<postgres::Config>().unwrap().connect(postgres::NoTls).is_ok());
    }
}
