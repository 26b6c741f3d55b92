//! From connection settings, as people have them, to a connection.

mod attempt;
mod cancel;
mod files;
mod keywords;
pub(crate) mod link;
mod tls;
mod url;
mod wait;

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use postgres::config::{ChannelBinding, LoadBalanceHosts, SslNegotiation, TargetSessionAttrs};
use thiserror::Error;
use tokio_postgres::Config;

use crate::server::failure::Failure;
pub use cancel::Canceller;
use keywords::Keywords;
pub(crate) use tls::Connector;

/// Why there is no connection. No text of it holds a password.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// Nothing says where the database is.
    #[error("no database is given: set --database-url, DATABASE_URL, or libpq's PGHOST, PGDATABASE, …")]
    NotConfigured,
    /// The URL is for something else.
    #[error("the database URL begins with {0}://; it must be postgres:// or postgresql://")]
    Scheme(String),
    /// The connection string cannot be read.
    #[error("the connection string cannot be read: {0}")]
    Syntax(&'static str),
    /// A setting has an unusable value.
    #[error("the connection setting {0} cannot be used: {1}")]
    Value(&'static str, &'static str),
    /// A setting that libpq does not know, or that is not supported here.
    #[error("there is no connection setting {0:?}; the names are libpq's")]
    UnknownKeyword(String),
    /// The service file has no such section.
    #[error("the service {0:?} is defined in no service file")]
    NoService(String),
    /// Verification is asked for, but against nothing.
    #[error(
        "sslmode asks to verify the server, but there is no root certificate; set sslrootcert to a file or to system"
    )]
    NoRootCertificate,
    /// A file that a setting names cannot be read.
    #[error("the file of {keyword}, {path}, cannot be read: {source}", path = path.display())]
    File {
        /// The setting.
        keyword: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// Certificates or keys that the TLS library does not take.
    #[error("the TLS settings cannot be used: {0}")]
    Tls(native_tls::Error),
    /// The server could not be reached, or did not let us in.
    #[error("cannot connect to {server}: {failure}{hint}", hint = hint(failure, *heals))]
    Failed {
        /// Hosts and database, for people.
        server: String,
        /// What the last attempt met.
        failure: Failure,
        /// Whether the cause may pass by itself, so that [`Database::wait`] tries again.
        heals: bool,
    },
}

impl ConnectError {
    /// Whether the settings are at fault, and no server was asked.
    #[must_use]
    pub fn is_configuration(&self) -> bool {
        !matches!(self, Self::Failed { .. })
    }
}

/// What to do next about a failed connection.
fn hint(failure: &Failure, heals: bool) -> &'static str {
    match failure.sqlstate() {
        Some("28P01") => "\nHINT: Check user and password; a password can also come from PGPASSWORD or ~/.pgpass.",
        Some("28000") => {
            "\nHINT: The server's pg_hba.conf does not let this user in from here, or the role may not log in."
        }
        Some("3D000") => "\nHINT: Create the database first: createdb, or create database in psql.",
        Some("42501") => "\nHINT: Let the role in: grant connect on database … to the role.",
        Some("53300") => "\nHINT: The server has no free connection; --wait 1m tries again for that long.",
        Some("57P03") => "\nHINT: The server is starting up or shutting down; --wait 1m tries again for that long.",
        Some(_) => "",
        None => hint_without_answer(&failure.to_string(), heals),
    }
}

fn hint_without_answer(text: &str, heals: bool) -> &'static str {
    if text.contains("certificate") {
        "\nHINT: sslrootcert has to name the authority behind the server's certificate, and with sslmode=verify-full \
         the certificate has to name the host and be in date."
    } else if text.contains("does not support TLS") {
        "\nHINT: The server speaks no TLS: turn it on there, or ask for no more than sslmode=prefer."
    } else if text.contains("password missing") {
        "\nHINT: The server wants a password: give it in the URL, in PGPASSWORD, or in ~/.pgpass."
    } else if heals {
        "\nHINT: Check that the server runs and that host and port are right; --wait 1m tries again for that long."
    } else {
        "\nHINT: Check that the server runs and that host, port and sslmode are right."
    }
}

/// Where and how to connect: settings gathered from a connection string, a service file and the environment.
#[derive(Clone, Debug)]
pub struct Database {
    keywords: Keywords,
    connect_timeout: Option<Duration>,
}

impl FromStr for Database {
    type Err = ConnectError;

    /// Reads a URL or a `key=value` string. What it leaves open comes from the service file and from `PG*` variables.
    fn from_str(text: &str) -> Result<Self, ConnectError> {
        Self::complete(url::parse(text)?)
    }
}

impl Database {
    /// The given connection string, else libpq's `PG*` variables.
    ///
    /// # Errors
    ///
    /// [`ConnectError::NotConfigured`] where neither says anything, and whatever is wrong with the settings.
    pub fn find(url: Option<&str>) -> Result<Self, ConnectError> {
        match url.filter(|url| !url.trim().is_empty()) {
            Some(url) => url.parse(),
            None => {
                let locating = ["host", "hostaddr", "port", "dbname", "user", "service"];
                let env = Keywords::from_env();
                if env.is_empty() || locating.iter().all(|keyword| env.get(keyword).is_none()) {
                    return Err(ConnectError::NotConfigured);
                }
                Self::complete(Keywords::default())
            }
        }
    }

    fn complete(mut keywords: Keywords) -> Result<Self, ConnectError> {
        let env = Keywords::from_env();
        if let Some(service) = keywords.get("service").or(env.get("service")) {
            let file = keywords.get("servicefile").or(env.get("servicefile"));
            let service = files::service(service, file)?;
            keywords.fill_from(&service);
        }
        keywords.fill_from(&env);
        Ok(Self { keywords, connect_timeout: None })
    }

    /// Hosts and database, for people.
    #[must_use]
    pub fn describe(&self) -> String {
        let get = |keyword| self.keywords.get(keyword);
        let host = get("host").or(get("hostaddr")).map_or_else(|| self.default_host(), str::to_owned);
        let port = get("port").unwrap_or("5432");
        let database = get("dbname").or(get("user")).map(|name| format!(", database {name:?}")).unwrap_or_default();
        format!("{host} port {port}{database}")
    }

    /// libpq's default: the socket of this machine where there is one, else localhost.
    fn default_host(&self) -> String {
        let port = self.keywords.list("port").first().copied().unwrap_or("5432").to_owned();
        let socket_in = |dir: &&str| Path::new(dir).join(format!(".s.PGSQL.{port}")).exists();
        let directory = ["/var/run/postgresql", "/tmp"].into_iter().find(socket_in);
        directory.unwrap_or("localhost").to_owned()
    }

    fn config(&self) -> Result<Config, ConnectError> {
        let get = |keyword| self.keywords.get(keyword);
        let mut config = Config::new();
        for address in self.keywords.list("hostaddr") {
            let address: IpAddr =
                address.parse().map_err(|_| ConnectError::Value("hostaddr", "it is no IP address"))?;
            config.hostaddr(address);
        }
        let mut hosts: Vec<String> = self.keywords.list("host").into_iter().map(str::to_owned).collect();
        if hosts.is_empty() && get("hostaddr").is_none() {
            hosts.push(self.default_host());
        }
        for host in &hosts {
            config.host(host);
        }
        for port in self.keywords.list("port") {
            let port = if port.is_empty() { "5432" } else { port };
            config.port(port.parse().map_err(|_| ConnectError::Value("port", "it is no port number"))?);
        }
        if let Some(user) = get("user") {
            config.user(user);
        }
        if let Some(dbname) = get("dbname") {
            config.dbname(dbname);
        }
        if let Some(password) = self.password(hosts.first().map_or("", String::as_str)) {
            config.password(password);
        }
        if let Some(options) = get("options") {
            config.options(options);
        }
        config.application_name(
            get("application_name").or(get("fallback_application_name")).unwrap_or(env!("CARGO_PKG_NAME")),
        );
        self.set_timeouts(&mut config)?;
        self.set_choices(&mut config)?;
        Ok(config)
    }

    fn password(&self, host: &str) -> Option<String> {
        let get = |keyword| self.keywords.get(keyword);
        let user = get("user").map_or_else(|| std::env::var("USER").unwrap_or_default(), str::to_owned);
        let dbname = get("dbname").unwrap_or(&user);
        let port = self.keywords.list("port").first().copied().unwrap_or("5432");
        let from_file = || files::password(get("passfile"), host, port, dbname, &user);
        get("password").map(str::to_owned).or_else(from_file)
    }

    fn number(&self, keyword: &'static str) -> Result<Option<u64>, ConnectError> {
        let parse = |text: &str| text.parse().map_err(|_| ConnectError::Value(keyword, "it is no whole number"));
        self.keywords.get(keyword).map(parse).transpose()
    }

    fn seconds(&self, keyword: &'static str) -> Result<Option<Duration>, ConnectError> {
        Ok(self.number(keyword)?.map(Duration::from_secs))
    }

    fn set_timeouts(&self, config: &mut Config) -> Result<(), ConnectError> {
        if let Some(millis) = self.number("tcp_user_timeout")? {
            config.tcp_user_timeout(Duration::from_millis(millis));
        }
        if let Some(on) = self.number("keepalives")? {
            config.keepalives(on != 0);
        }
        if let Some(idle) = self.seconds("keepalives_idle")? {
            config.keepalives_idle(idle);
        }
        if let Some(interval) = self.seconds("keepalives_interval")? {
            config.keepalives_interval(interval);
        }
        if let Some(count) = self.number("keepalives_count")? {
            config.keepalives_retries(u32::try_from(count).unwrap_or(u32::MAX));
        }
        Ok(())
    }

    fn set_choices(&self, config: &mut Config) -> Result<(), ConnectError> {
        if let Some(attrs) = self.keywords.get("target_session_attrs") {
            config.target_session_attrs(match attrs {
                "any" | "prefer-standby" => TargetSessionAttrs::Any,
                "read-write" | "primary" => TargetSessionAttrs::ReadWrite,
                "read-only" | "standby" => TargetSessionAttrs::ReadOnly,
                _ => return Err(ConnectError::Value("target_session_attrs", "it is none of libpq's values")),
            });
        }
        if let Some(binding) = self.keywords.get("channel_binding") {
            config.channel_binding(match binding {
                "disable" => ChannelBinding::Disable,
                "prefer" => ChannelBinding::Prefer,
                "require" => ChannelBinding::Require,
                _ => return Err(ConnectError::Value("channel_binding", "it is none of disable, prefer, require")),
            });
        }
        if let Some(negotiation) = self.keywords.get("sslnegotiation") {
            config.ssl_negotiation(match negotiation {
                "postgres" => SslNegotiation::Postgres,
                "direct" => SslNegotiation::Direct,
                _ => return Err(ConnectError::Value("sslnegotiation", "it is neither postgres nor direct")),
            });
        }
        if let Some(balance) = self.keywords.get("load_balance_hosts") {
            config.load_balance_hosts(match balance {
                "disable" => LoadBalanceHosts::Disable,
                "random" => LoadBalanceHosts::Random,
                _ => return Err(ConnectError::Value("load_balance_hosts", "it is neither disable nor random")),
            });
        }
        Ok(())
    }
}
