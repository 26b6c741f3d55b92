//! The settings for one host, as the driver takes them.

use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use postgres::config::{ChannelBinding, SslNegotiation};
use tokio_postgres::Config;

use super::tls::{self, SslMode};
use super::{ConnectError, Database, files, shown};
use crate::server::Failure;

/// Where libpq looks for a socket: the directory of Linux distributions, or PostgreSQL's own.
const SOCKETS: [&str; 2] = ["/var/run/postgresql", "/tmp"];

const NOT_SHOWN: &str = "the server (not shown: a part of a password may stand in its place)";

impl Database {
    /// Hosts and database, for people: as far as they are understood, since a part of a password may stand there.
    #[must_use]
    pub fn describe(&self) -> String {
        let Some(server) = self.shown_server() else { return NOT_SHOWN.to_owned() };
        let database = match self.keywords.get("dbname") {
            Some(name) => shown::database(name)
                .map_or_else(|| ", database not shown".to_owned(), |name| format!(", database {name:?}")),
            None => String::new(),
        };
        server + &database
    }

    /// The hosts alone, for people, and to tell servers apart.
    #[must_use]
    pub fn server(&self) -> String {
        self.shown_server().unwrap_or_else(|| NOT_SHOWN.to_owned())
    }

    fn shown_server(&self) -> Option<String> {
        if self.keywords.is_doubtful() {
            return None;
        }
        let get = |keyword| self.keywords.get(keyword);
        let hosts = get("host").or(get("hostaddr")).unwrap_or(default_host());
        let hosts: Option<Vec<&str>> = hosts
            .split(',')
            .map(|host| if host.is_empty() { Some(default_host()) } else { shown::host(host) })
            .collect();
        let ports: Option<Vec<&str>> = get("port").unwrap_or("5432").split(',').map(shown::port).collect();
        Some(format!("{} port {}", hosts?.join(","), ports?.join(",")))
    }

    /// The same server and login, and another database.
    ///
    /// # Errors
    ///
    /// Where the name cannot be one.
    pub fn with_database(&self, name: &str) -> Result<Self, ConnectError> {
        let mut other = self.clone();
        other.keywords.set("dbname", name)?;
        Ok(other)
    }

    /// What a server said, without the settings that it repeats and that are not understood.
    pub(super) fn without_settings(&self, failure: Failure) -> Failure {
        let keywords = ["password", "user", "dbname", "options", "application_name"];
        let is_hidden =
            |keyword, value| keyword == "password" || self.keywords.is_doubtful() || shown::database(value).is_none();
        let values = keywords.into_iter().filter_map(|keyword| Some((keyword, self.keywords.get(keyword)?)));
        let hidden: Vec<&str> = values.filter(|(k, v)| v.len() > 3 && is_hidden(*k, v)).map(|(_, v)| v).collect();
        failure.map(|text| hidden.iter().fold(text, |text, value| shown::without(&text, value)))
    }

    /// The settings for each host alone, in the order in which they are to be tried.
    pub(super) fn hosts(&self) -> Result<Vec<Self>, ConnectError> {
        let list = |keyword| self.keywords.list(keyword);
        let (names, addresses, ports) = (list("host"), list("hostaddr"), list("port"));
        if !names.is_empty() && !addresses.is_empty() && names.len() != addresses.len() {
            return Err(ConnectError::Value("hostaddr", "there must be one for each host"));
        }
        let count = names.len().max(addresses.len()).max(1);
        if ports.len() > 1 && ports.len() != count {
            return Err(ConnectError::Value("port", "there must be one port, or one for each host"));
        }
        let mut hosts = Vec::new();
        for index in 0..count {
            let mut host = self.clone();
            for (keyword, values) in [("host", &names), ("hostaddr", &addresses), ("port", &ports)] {
                let value = values.get(index).or(values.first().filter(|_| values.len() == 1));
                host.keywords.set(keyword, value.copied().unwrap_or_default())?;
            }
            hosts.push(host);
        }
        match self.keywords.given("load_balance_hosts") {
            None | Some("disable") => {}
            Some("random") => {
                use std::hash::{BuildHasher, RandomState};
                let random = RandomState::new();
                hosts.sort_by_cached_key(|host| {
                    random.hash_one(
                        ["host", "hostaddr", "port"].map(|keyword| host.keywords.get(keyword).map(str::to_owned)),
                    )
                });
            }
            _ => return Err(ConnectError::Value("load_balance_hosts", "it is neither disable nor random")),
        }
        Ok(hosts)
    }

    /// As in libpq, sslmode means nothing on a unix socket.
    pub(super) fn mode(&self) -> Result<SslMode, ConnectError> {
        let mode = tls::mode(&self.keywords)?;
        let host = self.keywords.get("host").unwrap_or(default_host());
        let local = self.keywords.get("hostaddr").is_none() && host.starts_with('/');
        Ok(if local { SslMode::Disable } else { mode })
    }

    /// The settings of one host.
    pub(super) fn config(&self) -> Result<Config, ConnectError> {
        let get = |keyword| self.keywords.get(keyword);
        let mut config = Config::new();
        if let Some(address) = get("hostaddr") {
            let address: IpAddr =
                address.parse().map_err(|_| ConnectError::Value("hostaddr", "it is no IP address"))?;
            config.hostaddr(address);
        }
        let host = get("host").or(get("hostaddr")).unwrap_or(default_host());
        if get("host").is_some() || get("hostaddr").is_none() {
            config.host(host);
        }
        let port = self.port()?;
        config.port(port);
        if let Some(user) = get("user") {
            config.user(user);
        }
        if let Some(dbname) = get("dbname") {
            config.dbname(dbname);
        }
        if let Some(password) = self.password(host, port) {
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

    fn port(&self) -> Result<u16, ConnectError> {
        let port = self.keywords.get("port").unwrap_or("5432").trim_matches([' ', '\t', '\n', '\r']).parse().ok();
        port.filter(|port| *port != 0).ok_or(ConnectError::Value("port", "it is no port number"))
    }

    fn password(&self, host: &str, port: u16) -> Option<String> {
        let get = |keyword| self.keywords.get(keyword);
        let from_file = || {
            let user = get("user").map(str::to_owned).or_else(|| whoami::username().ok())?;
            let dbname = get("dbname").unwrap_or(&user);
            let host = if SOCKETS.contains(&host) { "localhost" } else { host };
            files::password(get("passfile"), host, &port.to_string(), dbname, &user)
        };
        get("password").map(str::to_owned).or_else(from_file)
    }

    fn number(&self, keyword: &'static str) -> Result<Option<i32>, ConnectError> {
        let wrong = ConnectError::Value(keyword, "it is no whole number");
        match self.keywords.given(keyword).map(|text| text.trim().parse()) {
            None => Ok(None),
            Some(Ok(number)) => Ok(Some(number)),
            Some(Err(_)) => Err(wrong),
        }
    }

    /// A length of time. As in libpq, what is negative means the same as zero.
    pub(super) fn seconds(&self, keyword: &'static str) -> Result<Option<Duration>, ConnectError> {
        let seconds = self.number(keyword)?.map(|number| u64::try_from(number).unwrap_or_default());
        Ok(seconds.map(Duration::from_secs))
    }

    /// A peer that is gone without a word is noticed within two minutes; the system's own defaults take two hours.
    fn set_timeouts(&self, config: &mut Config) -> Result<(), ConnectError> {
        let or =
            |given: Option<i32>, default| given.map_or(default, |number| u64::try_from(number).unwrap_or_default());
        config.tcp_user_timeout(Duration::from_millis(or(self.number("tcp_user_timeout")?, 120_000)));
        if let Some(on) = self.number("keepalives")? {
            config.keepalives(on != 0);
        }
        // Zero stands for the system's own.
        if let seconds @ 1.. = or(self.number("keepalives_idle")?, 60) {
            config.keepalives_idle(Duration::from_secs(seconds));
        }
        if let seconds @ 1.. = or(self.number("keepalives_interval")?, 10) {
            config.keepalives_interval(Duration::from_secs(seconds));
        }
        if let count @ 1.. = or(self.number("keepalives_count")?, 6) {
            config.keepalives_retries(u32::try_from(count).unwrap_or(u32::MAX));
        }
        Ok(())
    }

    fn set_choices(&self, config: &mut Config) -> Result<(), ConnectError> {
        if let Some(binding) = self.keywords.given("channel_binding") {
            config.channel_binding(match binding {
                "disable" => ChannelBinding::Disable,
                "prefer" => ChannelBinding::Prefer,
                "require" => ChannelBinding::Require,
                _ => return Err(ConnectError::Value("channel_binding", "it is none of disable, prefer, require")),
            });
        }
        if let Some(negotiation) = self.keywords.given("sslnegotiation") {
            config.ssl_negotiation(match negotiation {
                "postgres" => SslNegotiation::Postgres,
                "direct" if tls::mode(&self.keywords)? < SslMode::Require => {
                    return Err(ConnectError::Value("sslnegotiation", "direct needs sslmode=require or more"));
                }
                "direct" => SslNegotiation::Direct,
                _ => return Err(ConnectError::Value("sslnegotiation", "it is neither postgres nor direct")),
            });
        }
        Ok(())
    }
}

/// libpq's default: a socket of this machine. Which directory it is in does not depend on what lies there, since
/// everybody can put a socket into /tmp.
fn default_host() -> &'static str {
    let [distribution, own] = SOCKETS;
    if Path::new(distribution).is_dir() { distribution } else { own }
}
