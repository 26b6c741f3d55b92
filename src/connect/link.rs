//! A connection that the calling thread drives itself, from the first packet to the last.

use std::time::Duration;

use postgres::SimpleQueryMessage;
use refinery::Migration;
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;
use tokio_postgres::{CancelToken, Config};

use crate::connect::{Connector, Dialed, Unmet, Way, dial};
use crate::error::Result;
use crate::inspect::status::{self, Status};
use crate::inspect::verify::{self, Verification};
use crate::run;
use crate::run::options::Options;
use crate::run::pending;
use crate::run::rehearsal::{self, Rehearsal};
use crate::run::report::Report;
use crate::server::failure::Failure;
use crate::server::{self, Connection, Limit, Session, Transaction};

/// How long an answer to a question is waited for, where no statement timeout says otherwise: a server that was frozen,
/// or a proxy that lost it, would keep us for ever.
const ANSWER: Limit = Limit::Answer(Duration::from_secs(300));
/// How long a goodbye may take.
const GOODBYE: Duration = Duration::from_secs(1);

/// A connection of this crate's own, from [`Database::link`](crate::Database::link), for programs that need none
/// besides.
///
/// A `postgres::Client` cannot be told how long its log-in may last, so that one from
/// [`Database::connect`](crate::Database::connect) logs in on a thread that can be left behind. That costs a tenth of a
/// run with nothing to do. A link has a clock of its own, and a limit to what a server may send before it has let us in.
///
/// It blocks, and must not be used inside an async runtime.
pub struct Link {
    /// Gone once the connection broke.
    dialed: Option<Dialed>,
    limit: Limit,
    runtime: Runtime,
}

impl Link {
    /// Connects, or gives up when the time is over: then there is neither a link nor an error of the server.
    pub(crate) fn dial(
        config: &Config,
        connector: Option<Connector>,
        limit: Option<Duration>,
    ) -> Option<std::result::Result<Self, Unmet>> {
        let runtime = match runtime() {
            Ok(runtime) => runtime,
            Err(error) => return Some(Err(error.into())),
        };
        let connecting = dial(config, connector.as_ref());
        let dialed = runtime.block_on(async {
            match limit {
                Some(limit) => timeout(limit, connecting).await.ok(),
                None => Some(connecting.await),
            }
        });
        match dialed {
            Some(Ok(dialed)) => Some(Ok(Self { dialed: Some(dialed), limit: ANSWER, runtime })),
            Some(Err(unmet)) => Some(Err(unmet)),
            None => {
                // To drop it would be to wait for the look-up of a name, which nothing can end.
                runtime.shutdown_background();
                None
            }
        }
    }

    /// [`migrate`](crate::migrate()) on this connection.
    ///
    /// # Errors
    ///
    /// Those of [`migrate`](crate::migrate()).
    pub fn migrate(&mut self, options: &Options) -> Result<Report> {
        run::run(self, options)
    }

    /// [`rehearse`](crate::rehearse) on this connection.
    ///
    /// # Errors
    ///
    /// Those of [`migrate`](crate::migrate()).
    pub fn rehearse(&mut self, options: &Options) -> Result<Rehearsal> {
        rehearsal::run(self, options)
    }

    /// [`pending`](crate::pending) on this connection.
    ///
    /// # Errors
    ///
    /// Those of [`pending`](crate::pending).
    pub fn pending(&mut self, options: &Options) -> Result<Vec<Migration>> {
        self.limit = ANSWER;
        pending::read(self, options)
    }

    /// [`status`](crate::status()) on this connection.
    ///
    /// # Errors
    ///
    /// Those of [`status`](crate::status()).
    pub fn status(&mut self) -> Result<Status> {
        self.limit = ANSWER;
        status::read(self)
    }

    /// [`verify`](crate::verify()) on this connection.
    ///
    /// # Errors
    ///
    /// Those of [`verify`](crate::verify()).
    pub fn verify(&mut self, deep: bool) -> Result<Verification> {
        self.limit = ANSWER;
        verify::run(self, deep)
    }

    pub(crate) fn cancel_token(&self) -> Option<(CancelToken, Way)> {
        self.dialed.as_ref().map(Dialed::cancel_token)
    }
}

impl Session for Link {
    fn simple_query(&mut self, query: &str) -> std::result::Result<Vec<SimpleQueryMessage>, Failure> {
        let Some(dialed) = &mut self.dialed else { return Err(Failure::Broken("the connection is closed".into())) };
        let limit = self.limit.of(query);
        let answer = self.runtime.block_on(async {
            match limit {
                Some(limit) => timeout(limit, dialed.ask(query)).await.ok(),
                None => Some(dialed.ask(query).await),
            }
        });
        match answer {
            Some(answer) => Ok(answer?),
            None => {
                // Whatever comes later answers no question of ours.
                self.dialed = None;
                let limit = humantime::format_duration(limit.unwrap_or_default());
                Err(Failure::Broken(format!("the server did not answer within {limit}")))
            }
        }
    }

    fn limit(&mut self, limit: Limit) {
        self.limit = limit;
    }
}

impl Connection for Link {
    fn begin(&mut self) -> std::result::Result<Box<dyn Transaction + '_>, Failure> {
        server::start(self)
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        if let Some(dialed) = self.dialed.take() {
            let _ = self.runtime.block_on(async { timeout(GOODBYE, dialed.close()).await });
        }
    }
}

/// Ends the statement that a link is waiting for, from another thread.
pub(crate) fn cancel(token: &CancelToken, way: &Way, connector: Option<&Connector>) -> std::result::Result<(), Unmet> {
    runtime()?.block_on(way.cancel(token, connector))
}

/// As the crate postgres makes it.
fn runtime() -> std::io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}
