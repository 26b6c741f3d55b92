//! PgBouncer before a server.

use std::path::PathBuf;
use std::process::Child;
use std::thread;
use std::time::{Duration, Instant};

use crate::server::{self, Server};

/// A pooler before a server, on a socket beside the server's, ended with this value.
pub struct PgBouncer {
    child: Child,
    caretaker: Child,
    dir: PathBuf,
    port: u16,
}

impl PgBouncer {
    pub fn start(server: &Server, pool_size: usize) -> Self {
        Self::in_mode(server, "transaction", pool_size)
    }

    /// The same in one of its three modes.
    pub fn in_mode(server: &Server, mode: &str, pool_size: usize) -> Self {
        let port = server::free_port();
        let users = server.write("users.txt", "\"postgres\" \"\"\n");
        let ini = format!(
            "[databases]\n* = host={dir} port={their}\n[pgbouncer]\nlisten_addr =\nlisten_port = {port}\n\
             unix_socket_dir = {dir}\nunix_socket_mode = 0700\nauth_type = trust\nauth_file = {users}\npool_mode = {mode}\n\
             default_pool_size = {pool_size}\nmax_client_conn = 200\nlogfile = {dir}/pgbouncer.log\n\
             ignore_startup_parameters = extra_float_digits\n",
            dir = server.dir.display(),
            their = server.port,
            users = users.display(),
        );
        let ini = server.write("pgbouncer.ini", &ini);
        let path = std::env::var_os("PATH").unwrap_or_default();
        let program = std::env::split_paths(&path)
            .chain(["/usr/sbin".into()])
            .map(|dir| dir.join("pgbouncer"))
            .find(|program| program.exists())
            .expect("pgbouncer is missing: scripts/test.sh installs it");
        let child = server::as_server(&program).arg("-q").arg(ini).spawn().expect("pgbouncer starts");
        let caretaker = server::caretaker(child.id(), &server.dir.join("pgbouncer.log"));
        let started = Self { child, caretaker, dir: server.dir.clone(), port };
        let deadline = Instant::now() + Duration::from_secs(30);
        while std::os::unix::net::UnixStream::connect(server.dir.join(format!(".s.PGSQL.{port}"))).is_err() {
            assert!(Instant::now() < deadline, "pgbouncer does not listen");
            thread::sleep(Duration::from_millis(50));
        }
        started
    }

    /// Where a database is found through it.
    pub fn url(&self, database: &str) -> String {
        format!("postgresql://postgres@/{database}?host={}&port={}", self.dir.display(), self.port)
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        drop(self.caretaker.stdin.take());
        let _ = self.child.wait();
        let _ = self.caretaker.wait();
    }
}
