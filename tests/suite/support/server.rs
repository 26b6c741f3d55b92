//! A throwaway PostgreSQL for the tests of this process, or the one that TEST_DATABASE_URL names.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use postgres::{Config, NoTls};

/// A running server, ended with the process that holds it.
pub struct Server {
    /// Directory of the socket; also of data and log.
    pub dir: PathBuf,
    /// Port of the socket, and of TCP where the server listens on it.
    pub port: u16,
    server: Child,
    /// Holds a pipe open: when this process ends, however it ends, the caretaker ends the server.
    caretaker: Child,
}

pub const PORT: u16 = 5432;

/// The superuser's connection settings, without a database.
pub fn config() -> Config {
    match std::env::var("TEST_DATABASE_URL") {
        Ok(url) if !url.is_empty() => url.parse().expect("TEST_DATABASE_URL"),
        _ => shared().config(),
    }
}

/// The server that all tests of this process share.
pub fn shared() -> &'static Server {
    static SHARED: OnceLock<Server> = OnceLock::new();
    SHARED.get_or_init(|| Server::start(&[]))
}

impl Server {
    /// Makes a cluster and starts it on a unix socket, with further lines of `postgresql.conf`. Whoever comes in over
    /// the socket is trusted, so its directory is closed to other users of this machine.
    pub fn start(settings: &[&str]) -> Self {
        Self::start_on(PORT, settings)
    }

    /// The same, on a free port of 127.0.0.1 as well, where nobody is let in before `pg_hba.conf` says whom. Anybody on
    /// this machine reaches the port: a superuser needs a password there.
    pub fn start_with_tcp(settings: &[&str]) -> Self {
        Self::start_on(free_port(), &[settings, &["listen_addresses = '127.0.0.1'"]].concat())
    }

    fn start_on(port: u16, settings: &[&str]) -> Self {
        let dir = tempfile::Builder::new().prefix("hacs-test-").tempdir().expect("a temporary directory").keep();
        let data = dir.join("data");
        hand_over(&dir);
        let initdb = as_server(&bindir().join("initdb"))
            .args(["--username=postgres", "--auth-local=trust", "--auth-host=reject"])
            .args(["--encoding=UTF8", "--no-locale", "--no-sync", "-D"])
            .arg(&data)
            .output()
            .expect("initdb runs");
        assert!(initdb.status.success(), "initdb: {}", String::from_utf8_lossy(&initdb.stderr));
        let mut conf = fs::read_to_string(data.join("postgresql.conf")).unwrap();
        conf += "\nlisten_addresses = ''\nmax_connections = 200\nfsync = off\nfull_page_writes = off\n";
        conf += "unix_socket_permissions = 0700\n";
        conf += &format!("unix_socket_directories = '{}'\nport = {port}\n", dir.display());
        conf += &settings.join("\n");
        fs::write(data.join("postgresql.conf"), conf + "\n").unwrap();

        Self::launch(dir, port)
    }

    /// Starts the server of a data directory that is there.
    pub fn launch(dir: PathBuf, port: u16) -> Self {
        let server = postgres(&dir);
        let started = Self { caretaker: caretaker(server.id(), &dir), server, dir, port };
        started.wait();
        started
    }

    /// Sends a signal to the server's first process.
    pub fn signal(&self, name: &str) {
        signal(self.server.id(), name);
    }

    /// Kills the server's first process as `kill -9` does, with whatever it was doing.
    pub fn kill(&mut self) {
        let _ = self.caretaker.kill();
        drop(self.caretaker.stdin.take());
        let _ = self.caretaker.wait();
        let _ = self.server.kill();
        let _ = self.server.wait();
    }

    /// Starts the server again after [`Self::kill`]. Processes of the old one may keep the data for a moment.
    pub fn start_again(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let server = postgres(&self.dir);
            self.caretaker = caretaker(server.id(), &self.dir);
            self.server = server;
            while self.server.try_wait().unwrap().is_none() {
                assert!(Instant::now() < deadline, "the server does not start again: {}", self.log());
                match self.config().connect(NoTls) {
                    Ok(_) => return,
                    Err(_) => std::thread::sleep(Duration::from_millis(50)),
                }
            }
            self.kill();
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Starts the server anew, with its configuration read again.
    pub fn restart(&mut self) {
        self.signal("INT");
        let _ = self.server.wait();
        self.kill();
        self.start_again();
    }

    /// A file that the server owns and nobody else reads.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.dir.join(name);
        fs::write(&path, text).unwrap();
        hand_over(&path);
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        path
    }

    fn log(&self) -> String {
        fs::read_to_string(self.dir.join("log")).unwrap_or_default()
    }

    pub fn config(&self) -> Config {
        let mut config = Config::new();
        config.host_path(&self.dir).port(self.port).user("postgres").dbname("postgres");
        config
    }

    fn wait(&self) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while let Err(error) = self.config().connect(NoTls) {
            assert!(Instant::now() < deadline, "the server does not start: {error}\n{}", self.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.caretaker.stdin.take());
        let _ = self.server.wait();
        let _ = self.caretaker.wait();
    }
}

fn postgres(dir: &Path) -> Child {
    let log = fs::File::options().create(true).append(true).open(dir.join("log")).unwrap();
    as_server(&bindir().join("postgres"))
        .arg("-D")
        .arg(dir.join("data"))
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .expect("postgres starts")
}

/// Sends a signal to one process.
pub fn signal(pid: u32, name: &str) {
    let sent = Command::new("kill").args(["-s", name, &pid.to_string()]).stderr(Stdio::null()).status();
    assert!(sent.is_ok(), "kill runs");
}

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Reads until the pipe closes, which it does when the tests are over or killed, then ends the server and removes its
/// files. A job in the background of a shell is started with SIGQUIT ignored, and PgBouncer leaves it so: hence SIGKILL
/// to whoever is still there after some seconds.
pub fn caretaker(server: u32, dir: &Path) -> Child {
    let script = "trap '' INT TERM HUP; cat >/dev/null; kill -QUIT \"$1\"; tries=0; \
                  while kill -0 \"$1\" 2>/dev/null; do \
                      sleep 0.1; tries=$((tries + 1)); [ $tries -lt 80 ] || kill -KILL \"$1\"; \
                  done; rm -rf \"$2\"";
    Command::new("sh")
        .args(["-c", script, "caretaker", &server.to_string()])
        .arg(dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("sh starts")
}

/// A program of the server, never run as root.
pub fn as_server(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).current_dir("/");
    #[cfg(unix)]
    if let Some((uid, gid)) = unprivileged() {
        use std::os::unix::process::CommandExt;
        command.uid(uid).gid(gid);
    }
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    command
}

/// For root: the ids of a user that may run a server.
fn unprivileged() -> Option<(u32, u32)> {
    use std::os::unix::fs::MetadataExt;
    if fs::metadata("/proc/self").ok()?.uid() != 0 {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").expect("/etc/passwd");
    ["postgres", "nobody"].into_iter().find_map(|name| {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let ids: Vec<&str> = line.split(':').collect();
        Some((ids[2].parse().ok()?, ids[3].parse().ok()?))
    })
}

/// Gives a directory or a file to who runs the server, and to nobody else.
pub fn hand_over(dir: &Path) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(dir, fs::Permissions::from_mode(0o700)).unwrap();
    if let Some((uid, gid)) = unprivileged() {
        std::os::unix::fs::chown(dir, Some(uid), Some(gid)).unwrap();
    }
}

/// The directory of a server's programs: `PG_BINDIR`, else what is on the PATH, else where distributions put it.
pub fn bindir() -> PathBuf {
    static FOUND: OnceLock<PathBuf> = OnceLock::new();
    let is_complete = |dir: &PathBuf| ["initdb", "postgres", "pg_dump"].iter().all(|name| dir.join(name).exists());
    FOUND
        .get_or_init(|| {
            if let Some(dir) = std::env::var_os("PG_BINDIR") {
                return PathBuf::from(dir);
            }
            let path = std::env::var_os("PATH").unwrap_or_default();
            let pg_config = Command::new("pg_config").arg("--bindir").output().ok();
            let bindir = pg_config.map(|out| PathBuf::from(String::from_utf8_lossy(&out.stdout).trim().to_owned()));
            let mut packaged: Vec<PathBuf> = ["/usr/lib/postgresql", "/usr"]
                .iter()
                .flat_map(|dir| fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path().join("bin")))
                .collect();
            packaged.sort();
            let candidates = std::env::split_paths(&path).chain(bindir).chain(packaged.into_iter().rev());
            candidates
                .into_iter()
                .find(is_complete)
                .expect("no PostgreSQL server found: scripts/test.sh installs PostgreSQL")
        })
        .clone()
}
