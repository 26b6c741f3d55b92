//! A connection that the calling thread drives itself, from the first packet to the last.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use postgres::{Error, SimpleQueryMessage};
use refinery::Migration;
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{CancelToken, Client, Config, NoTls, Socket};

use crate::connect::Connector;
use crate::error::Result;
use crate::inspect::status::{self, Status};
use crate::inspect::verify::{self, Verification};
use crate::run;
use crate::run::options::Options;
use crate::run::pending;
use crate::run::rehearsal::{self, Rehearsal};
use crate::run::report::Report;
use crate::server::failure::Failure;
use crate::server::{self, Connection, Session, Transaction};

/// A connection of this crate's own, from [`Database::link`](crate::Database::link), for programs that need none
/// besides.
///
/// A `postgres::Client` cannot be told how long its log-in may last, so that one from
/// [`Database::connect`](crate::Database::connect) logs in on a thread that can be left behind. That costs a tenth of a
/// run with nothing to do. A link has a clock of its own.
///
/// It blocks, and must not be used inside an async runtime.
pub struct Link {
    // What the client asks travels with the other half, which ends when the client is gone.
    client: Option<Client>,
    other_half: Option<OtherHalf>,
    runtime: Runtime,
}

type OtherHalf = Pin<Box<dyn Future<Output = std::result::Result<(), Error>> + Send>>;

impl Link {
    /// Connects, or gives up when the time is over: then there is neither a link nor an error of the server.
    pub(crate) fn dial(
        config: &Config,
        connector: Option<Connector>,
        limit: Option<Duration>,
    ) -> Option<std::result::Result<Self, Error>> {
        let runtime = runtime();
        let connecting = async {
            match connector {
                Some(connector) => connect(config, connector).await,
                None => connect(config, NoTls).await,
            }
        };
        let connected = runtime.block_on(async {
            match limit {
                Some(limit) => timeout(limit, connecting).await.ok(),
                None => Some(connecting.await),
            }
        });
        let Some(connected) = connected else {
            // To drop it would be to wait for the look-up of a name, which nothing can end.
            runtime.shutdown_background();
            return None;
        };
        let link = |(client, other_half)| Self { client: Some(client), other_half: Some(other_half), runtime };
        Some(connected.map(link))
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
        pending::read(self, options)
    }

    /// [`status`](crate::status()) on this connection.
    ///
    /// # Errors
    ///
    /// Those of [`status`](crate::status()).
    pub fn status(&mut self) -> Result<Status> {
        status::read(self)
    }

    /// [`verify`](crate::verify()) on this connection.
    ///
    /// # Errors
    ///
    /// Those of [`verify`](crate::verify()).
    pub fn verify(&mut self, deep: bool) -> Result<Verification> {
        verify::run(self, deep)
    }

    pub(crate) fn cancel_token(&self) -> Option<CancelToken> {
        self.client.as_ref().map(Client::cancel_token)
    }
}

impl Session for Link {
    fn simple_query(&mut self, query: &str) -> std::result::Result<Vec<SimpleQueryMessage>, Failure> {
        let Some(client) = &self.client else { return Err(Failure::Broken("the connection is closed".into())) };
        let mut answer = pin!(client.simple_query(query));
        let other_half = &mut self.other_half;
        Ok(self.runtime.block_on(poll_fn(|context| {
            // What breaks the connection is told here; the answer would only say that there is none.
            if let Some(running) = other_half
                && let Poll::Ready(ended) = running.as_mut().poll(context)
            {
                *other_half = None;
                if let Err(error) = ended {
                    return Poll::Ready(Err(error));
                }
            }
            answer.as_mut().poll(context)
        }))?)
    }
}

impl Connection for Link {
    fn begin(&mut self) -> std::result::Result<Box<dyn Transaction + '_>, Failure> {
        server::start(self)
    }
}

impl Drop for Link {
    /// Says goodbye: a server that finds a connection cut writes it to its log.
    fn drop(&mut self) {
        self.client = None;
        if let Some(other_half) = self.other_half.take() {
            let _ = self.runtime.block_on(other_half);
        }
    }
}

async fn connect<T>(config: &Config, tls: T) -> std::result::Result<(Client, OtherHalf), Error>
where
    T: MakeTlsConnect<Socket>,
    T::Stream: Send + 'static,
{
    let (client, other_half) = config.connect(tls).await?;
    Ok((client, Box::pin(other_half)))
}

/// Ends the statement that a link is waiting for, from another thread.
pub(crate) fn cancel(token: &CancelToken, connector: Option<Connector>) -> std::result::Result<(), Error> {
    runtime().block_on(async {
        match connector {
            Some(connector) => token.cancel_query(connector).await,
            None => token.cancel_query(NoTls).await,
        }
    })
}

/// As the crate postgres makes it.
fn runtime() -> Runtime {
    Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap_or_else(|error| panic!("no connection is possible: {error}"))
}
