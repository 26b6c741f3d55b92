//! One attempt to connect: host after host, each in the ways that sslmode allows, and never for longer than allowed.

use std::io::ErrorKind;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use postgres::{Client, NoTls};
use tokio_postgres::Config;

use super::target::Target;
use super::tls::{self, Connector, SslMode};
use super::{ConnectError, Database};
use crate::server::failure::human;
use crate::server::{Connection, Failure};

/// How long a host may take to let us in, unless `connect_timeout` says otherwise.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

/// Where the time is over: not zero, which would mean to wait without end.
const TICK: Duration = Duration::from_millis(1);

/// How to connect once, for no longer than that; where the time is over, there is no answer.
pub(super) type Dial<C> = dyn Fn(&Config, Option<Connector>, Option<Duration>) -> Option<Result<C, Unmet>>;

/// Why one attempt failed.
#[derive(Debug)]
pub(crate) struct Unmet {
    failure: Failure,
    /// Whether the cause may pass by itself.
    heals: bool,
}

impl Unmet {
    pub(super) fn reason(&self) -> String {
        self.failure.to_string()
    }

    pub(super) fn sqlstate(&self) -> Option<&str> {
        self.failure.sqlstate()
    }
}

impl From<postgres::Error> for Unmet {
    fn from(error: postgres::Error) -> Self {
        Self { failure: Failure::from(&error), heals: heals(&error) }
    }
}

impl From<std::io::Error> for Unmet {
    /// Before there is a connection.
    fn from(error: std::io::Error) -> Self {
        Self { failure: Failure::Broken(format!("error connecting to server: {error}")), heals: passes(&error) }
    }
}

impl Database {
    /// Bounds each attempt with a host, from the first packet to the end of the authentication. This goes before
    /// libpq's `connect_timeout`; without either, it is half a minute. Zero sets no bound.
    pub fn set_connect_timeout(&mut self, timeout: Duration) {
        self.connect_timeout = Some(timeout);
    }

    /// Connects. Several hosts are tried in their order, as libpq does.
    ///
    /// # Errors
    ///
    /// What the last attempt met: unreachable, refused, not trusted.
    pub fn connect(&self) -> Result<Client, ConnectError> {
        self.attempt(None, &client)
    }

    /// Connects within the connection timeout and the limit, whichever is shorter.
    pub(super) fn attempt<C: Connection>(&self, limit: Option<Duration>, dial: &Dial<C>) -> Result<C, ConnectError> {
        let own = self.connect_timeout.or(self.seconds("connect_timeout")?).unwrap_or(DEFAULT_TIMEOUT);
        let limit = Some(own).filter(|own| !own.is_zero()).into_iter().chain(limit).min();
        let mut last = None;
        for target in Target::wanted(self.keywords.given("target_session_attrs"))? {
            for host in self.hosts()? {
                match host.connect_to_one(limit, dial).and_then(|client| host.only(client, *target)) {
                    Err(error @ ConnectError::Failed { .. }) if error.is_host_alone() => {
                        log::info!("{}", error.reason());
                        last = Some(error);
                    }
                    decided => return decided,
                }
            }
        }
        Err(last.unwrap_or(ConnectError::NotConfigured))
    }

    /// The connection, if its session is what is looked for.
    fn only<C: Connection>(&self, mut client: C, target: Target) -> Result<C, ConnectError> {
        target.misses(&mut client).map_or(Ok(client), |failure| Err(self.failed(Unmet { failure, heals: true })))
    }

    fn connect_to_one<C>(&self, limit: Option<Duration>, dial: &Dial<C>) -> Result<C, ConnectError> {
        let deadline = limit.and_then(|limit| Instant::now().checked_add(limit));
        let mut config = self.config()?;
        if config.get_user().is_none() {
            config.user(whoami::username().map_err(|_| ConnectError::NoUser)?);
        }
        let mode = self.mode()?;
        let mut met: Option<Unmet> = None;
        for attempt in tls::attempts(mode) {
            config.ssl_mode(*attempt);
            log::debug!("connecting to {} with TLS {attempt:?}", self.describe());
            let connector = match attempt {
                postgres::config::SslMode::Disable => None,
                _ => Some(tls::connector(&self.keywords, mode)?),
            };
            let left = deadline.map(|end| end.saturating_duration_since(Instant::now()).max(TICK));
            let mut config = config.clone();
            if let Some(left) = left {
                config.connect_timeout(left);
            }
            let now = match dial(&config, connector, left) {
                Some(Ok(connection)) => return Ok(connection),
                Some(Err(unmet)) => unmet,
                None => {
                    let limit = human(limit.unwrap_or_default());
                    let failure = Failure::Broken(format!("the server did not let us in within {limit}"));
                    return Err(self.failed(Unmet { failure, heals: true }));
                }
            };
            // Only a line of pg_hba.conf may have something against this way and nothing against the other.
            let decided = now.failure.sqlstate().is_some_and(|code| code != "28000");
            // What TLS met counts: with prefer it comes first, with allow last.
            met = if mode == SslMode::Allow { Some(now) } else { met.or(Some(now)) };
            if decided {
                break;
            }
        }
        let nothing = || Unmet { failure: Failure::Broken("no attempt was made".to_owned()), heals: false };
        Err(self.failed(met.unwrap_or_else(nothing)))
    }

    fn failed(&self, Unmet { failure, heals }: Unmet) -> ConnectError {
        ConnectError::Failed { server: self.describe(), failure: self.without_settings(failure), heals }
    }
}

/// A connection of rust-postgres.
pub(super) fn client(
    config: &Config,
    connector: Option<Connector>,
    limit: Option<Duration>,
) -> Option<Result<Client, Unmet>> {
    let config = postgres::Config::from(config.clone());
    within(limit, move || match connector {
        Some(connector) => config.connect(connector).map_err(Unmet::from),
        None => config.connect(NoTls).map_err(Unmet::from),
    })
}

/// Runs something that cannot be bounded itself: the connection timeout of rust-postgres ends with the TCP handshake,
/// and a server that says nothing afterwards would keep us for ever. What is late is left to its own thread.
pub(super) fn within<T: Send + 'static>(
    limit: Option<Duration>,
    what: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let Some(limit) = limit else { return Some(what()) };
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let _ = sender.send(what());
    });
    receiver.recv_timeout(limit).ok()
}

/// Whether the cause of a failed attempt may pass by itself.
fn heals(error: &postgres::Error) -> bool {
    if let Some(db) = error.as_db_error() {
        let code = db.code().code();
        if code == "08P01" {
            // PgBouncer says everything with this one, also what passes. What was asked for wrongly does not.
            let passing =
                ["cannot connect", "login has been failing", "no more connections", "shutting down", "timeout"];
            return passing.iter().any(|words| db.message().contains(words));
        }
        // Shutting down, crashed, starting up; out of memory or connections; a pooler that cannot reach its server.
        return ["57P01", "57P02", "57P03", "53200", "53300", "53400"].contains(&code) || code.starts_with("08");
    }
    if error.is_closed() {
        return true;
    }
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(inner) = cause {
        if let Some(io) = inner.downcast_ref::<std::io::Error>() {
            return passes(io);
        }
        cause = inner.source();
    }
    error.to_string().starts_with("timeout")
}

fn passes(error: &std::io::Error) -> bool {
    use ErrorKind as Kind;
    let kinds = [
        Kind::AddrNotAvailable,
        Kind::BrokenPipe,
        Kind::ConnectionAborted,
        Kind::ConnectionRefused,
        Kind::ConnectionReset,
        Kind::HostUnreachable,
        Kind::Interrupted,
        Kind::NetworkDown,
        Kind::NetworkUnreachable,
        Kind::NotConnected,
        Kind::NotFound,
        Kind::TimedOut,
        Kind::UnexpectedEof,
        Kind::WouldBlock,
    ];
    // A name that nobody knows (yet) has no kind of its own.
    kinds.contains(&error.kind()) || error.to_string().contains("lookup address")
}
