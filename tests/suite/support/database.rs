//! A database of its own for each test.

use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};

use postgres::config::Host;
use postgres::{Client, Config, NoTls};

use crate::server::{self, Server};

/// A fresh database, dropped with this value.
pub struct Database {
    pub name: String,
    /// The superuser's settings for its server.
    config: Config,
}

/// `create database` of one template does not stand company.
static CREATING: Mutex<()> = Mutex::new(());

impl Database {
    /// Waits until a query says true.
    pub fn until(&self, query: &str) {
        until(query, || self.text(query) == "t");
    }

    /// An empty database.
    pub fn empty() -> Self {
        Self::from_template("template0")
    }

    /// A database in which the embedded migrations have run.
    pub fn migrated() -> Self {
        static TEMPLATE: OnceLock<Database> = OnceLock::new();
        let template = TEMPLATE.get_or_init(|| {
            let database = Self::empty();
            hacs_refinery::migrate(&mut database.client(), &hacs_refinery::Options::default())
                .expect("the migrations run");
            database
        });
        Self::from_template(&template.name)
    }

    /// An empty database of a server that is not the shared one.
    pub fn on(server: &Server) -> Self {
        Self::create(&next_name(), "template0", server.config())
    }

    /// The same with the embedded migrations.
    pub fn migrated_on(server: &Server) -> Self {
        let database = Self::on(server);
        hacs_refinery::migrate(&mut database.client(), &hacs_refinery::Options::default()).expect("the migrations run");
        database
    }

    fn from_template(template: &str) -> Self {
        Self::named(&next_name(), template)
    }

    /// A database with a name of the test's choice.
    pub fn named(name: &str, template: &str) -> Self {
        Self::create(name, template, server::config())
    }

    /// The same on a server that is not the shared one.
    pub fn named_on(server: &Server, name: &str) -> Self {
        Self::create(name, "template0", server.config())
    }

    fn create(name: &str, template: &str, mut config: Config) -> Self {
        let _guard = CREATING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let sql = format!("create database {} template {template}", quoted(name));
        config.dbname("postgres").connect(NoTls).expect("the server lets us in").batch_execute(&sql).expect(&sql);
        Self { name: name.to_owned(), config }
    }

    /// A superuser's connection.
    pub fn client(&self) -> Client {
        self.config.clone().dbname(&self.name).connect(NoTls).expect("the database lets us in")
    }

    /// A connection as another role.
    pub fn client_as(&self, role: &str) -> Client {
        self.config.clone().dbname(&self.name).user(role).connect(NoTls).expect("the role may connect")
    }

    /// Connection string in libpq's form.
    pub fn conninfo(&self) -> String {
        let config = &self.config;
        let host = match &config.get_hosts()[0] {
            Host::Tcp(name) => name.clone(),
            Host::Unix(path) => path.display().to_string(),
        };
        let port = config.get_ports().first().copied().unwrap_or(5432);
        let mut text = format!("host={host} port={port} user={} dbname='", config.get_user().unwrap_or("postgres"));
        text += &self.name.replace('\\', r"\\").replace('\'', r"\'");
        text += "'";
        if let Some(password) = config.get_password() {
            text += &format!(" password='{}'", String::from_utf8_lossy(password));
        }
        text
    }

    /// The tool, told to use this database.
    pub fn tool(&self, args: &[&str]) -> Command {
        let mut command = tool(args);
        command.env("DATABASE_URL", self.conninfo());
        command
    }

    /// Runs the tool to its end.
    pub fn run(&self, args: &[&str]) -> Ended {
        ended(self.tool(args).output().expect("the tool runs"))
    }

    /// Starts the tool.
    pub fn start(&self, args: &[&str]) -> Child {
        self.tool(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the tool starts")
    }

    /// One value of one row, as text.
    pub fn text(&self, query: &str) -> String {
        let messages = self.client().simple_query(query).unwrap_or_else(|error| panic!("{query}: {error}"));
        let row = messages.iter().find_map(|message| match message {
            postgres::SimpleQueryMessage::Row(row) => Some(row.get(0).unwrap_or("null").to_owned()),
            _ => None,
        });
        row.unwrap_or_else(|| panic!("{query}: no row"))
    }

    /// Whether a session has the lock of a run in this database.
    pub fn is_locked(&self) -> bool {
        let query = "select exists (select from pg_locks where locktype = 'advisory'
            and database = (select oid from pg_database where datname = current_database()))";
        self.text(query) == "t"
    }

    /// The schema as `pg_dump` writes it, without the lines that differ from run to run.
    pub fn dump(&self) -> String {
        let out = Command::new(server::bindir().join("pg_dump"))
            .args(["--schema-only", "--no-owner", "--dbname", &self.conninfo()])
            .output()
            .expect("pg_dump runs");
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        let text = String::from_utf8(out.stdout).unwrap();
        let kept = text.lines().filter(|line| !line.starts_with("\\restrict") && !line.starts_with("\\unrestrict"));
        kept.collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // A static is never dropped: the template goes with its server.
        let sql = format!("drop database if exists {} with (force)", quoted(&self.name));
        if let Ok(mut client) = self.config.dbname("postgres").connect(NoTls) {
            let _ = client.batch_execute(&sql);
        }
    }
}

fn next_name() -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    format!("hacs_test_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

pub fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The tool without any setting of the surroundings.
pub fn tool(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hacs-refinery"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("PG") {
            command.env_remove(name);
        }
    }
    command.env_remove("DATABASE_URL").env_remove("DATABASE_URL_FILE").env_remove("RUST_LOG").args(args);
    command
}

/// How a run of the tool ended.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

pub fn ended(output: Output) -> Ended {
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    Ended { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// Reads what a program says until it says this, and leaves the rest to be read. A program that never does has to end
/// by itself.
pub fn until_it_says(mut program: impl std::io::Read, words: &str) -> String {
    let mut said = Vec::new();
    let mut byte = [0];
    while program.read(&mut byte).unwrap() == 1 {
        said.extend(byte);
        if said.ends_with(words.as_bytes()) {
            return String::from_utf8(said).unwrap();
        }
    }
    panic!("it does not say {words:?}: {}", String::from_utf8_lossy(&said));
}

/// Waits until something holds. The deadline is for what will never hold, not for a machine that is busy.
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(120);
    while !holds() {
        assert!(std::time::Instant::now() < deadline, "this does not become true: {what}");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}
