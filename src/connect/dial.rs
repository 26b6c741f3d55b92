//! One connection to one host, over a guarded socket.

use std::future::{Future, poll_fn};
use std::io::{self, Write};
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, TryStreamExt};
use postgres::{Error, NoTls, SimpleQueryMessage};
use tokio_postgres::config::Host;
use tokio_postgres::tls::TlsConnect;
use tokio_postgres::{CancelToken, Client, Config};

use super::attempt::Unmet;
use super::socket::{self, Address, Budget, Socket};
use super::tls::Connector;

/// A client, and what carries its messages.
pub(crate) struct Dialed {
    client: Client,
    // What the client asks travels with the other half, which ends when the client is gone.
    other_half: Option<OtherHalf>,
    /// How much the server may still say.
    budget: Budget,
    /// How to reach the same server again.
    way: Way,
}

type OtherHalf = Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>;

impl Dialed {
    /// Sends a message and waits for its answer.
    pub(crate) async fn ask(&mut self, message: &str) -> Result<Vec<SimpleQueryMessage>, Error> {
        self.budget.set(socket::ANSWER);
        driven(&mut self.other_half, self.client.simple_query(message)).await
    }

    /// Sends rows for a COPY.
    pub(crate) async fn copy_in(&mut self, statement: &str, rows: &[u8]) -> Result<(), Error> {
        self.budget.set(socket::ANSWER);
        let client = &self.client;
        let copying = async {
            let mut sink = pin!(client.copy_in::<_, Bytes>(statement).await?);
            sink.send(Bytes::copy_from_slice(rows)).await?;
            sink.finish().await
        };
        driven(&mut self.other_half, copying).await.map(drop)
    }

    /// Writes the rows of a COPY as they come, however many they are.
    pub(crate) async fn copy_out(&mut self, statement: &str, writer: &mut dyn Write) -> Result<io::Result<()>, Error> {
        self.budget.set(socket::ANSWER);
        let Self { client, budget, .. } = self;
        let copying = async {
            let mut rows = pin!(client.copy_out(statement).await?);
            while let Some(part) = rows.try_next().await? {
                budget.set(socket::ANSWER);
                if let Err(error) = writer.write_all(&part) {
                    return Ok(Err(error));
                }
            }
            Ok(Ok(()))
        };
        driven(&mut self.other_half, copying).await
    }

    /// Says goodbye: a server that finds a connection cut writes it to its log.
    pub(crate) async fn close(self) {
        drop(self.client);
        if let Some(other_half) = self.other_half {
            let _ = other_half.await;
        }
    }

    /// What ends the statement that is running, and the way to the server that runs it.
    pub(crate) fn cancel_token(&self) -> (CancelToken, Way) {
        (self.client.cancel_token(), self.way.clone())
    }
}

/// Waits for an answer while the other half carries the messages.
async fn driven<T>(
    other_half: &mut Option<OtherHalf>,
    answer: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let mut answer = pin!(answer);
    poll_fn(|context| {
        let Some(running) = other_half else { return answer.as_mut().poll(context) };
        let Poll::Ready(ended) = running.as_mut().poll(context) else { return answer.as_mut().poll(context) };
        *other_half = None;
        let answer = answer.as_mut().poll(context);
        match (ended, &answer) {
            // A server that refuses and hangs up has said why.
            (Err(_), Poll::Ready(Err(refusal))) if refusal.as_db_error().is_some() => answer,
            // What breaks the connection is told here; the answer would only say that there is none.
            (Err(error), _) => Poll::Ready(Err(error)),
            (Ok(()), _) => answer,
        }
    })
    .await
}

/// The address that let us in, with no name to be looked up again.
#[derive(Clone)]
pub(crate) struct Way {
    address: Address,
    config: Config,
}

/// Connects to the host of the settings: to the first of its addresses that lets us in.
pub(crate) async fn dial(config: &Config, connector: Option<&Connector>) -> Result<Dialed, Unmet> {
    let mut last = None;
    for address in socket::addresses(config).await? {
        match to(address, config, connector).await {
            Ok(dialed) => return Ok(dialed),
            Err(unmet) => last = Some(unmet),
        }
    }
    let nowhere = || std::io::Error::new(std::io::ErrorKind::InvalidInput, "could not resolve any addresses");
    Err(last.unwrap_or_else(|| nowhere().into()))
}

async fn to(address: Address, config: &Config, connector: Option<&Connector>) -> Result<Dialed, Unmet> {
    let socket = Socket::open(&address, config).await?;
    let budget = socket.budget();
    let (client, other_half) = match connector {
        Some(connector) => log_in(config, socket, connector.handshake(&name(config))).await?,
        None => log_in(config, socket, NoTls).await?,
    };
    Ok(Dialed { client, other_half: Some(other_half), budget, way: Way { address, config: config.clone() } })
}

async fn log_in<T>(config: &Config, socket: Socket, tls: T) -> Result<(Client, OtherHalf), Error>
where
    T: TlsConnect<Socket>,
    T::Stream: Send + 'static,
{
    let (client, other_half) = config.connect_raw(socket, tls).await?;
    Ok((client, Box::pin(other_half)))
}

/// What the server's certificate has to name.
fn name(config: &Config) -> String {
    match (config.get_hosts().first(), config.get_hostaddrs().first()) {
        (Some(Host::Tcp(name)), _) => name.clone(),
        (_, Some(ip)) => ip.to_string(),
        _ => String::new(),
    }
}

impl Way {
    /// Ends the statement of a connection. Nobody waits longer for that.
    pub(crate) async fn cancel(&self, token: &CancelToken, connector: Option<&Connector>) -> Result<(), Unmet> {
        const LIMIT: Duration = Duration::from_secs(2);
        let asking = async {
            let socket = Socket::open(&self.address, &self.config).await?;
            match connector {
                Some(connector) => token.cancel_query_raw(socket, connector.handshake(&name(&self.config))).await?,
                None => token.cancel_query_raw(socket, NoTls).await?,
            }
            Ok(())
        };
        let late = || std::io::Error::new(std::io::ErrorKind::TimedOut, "the server does not answer");
        tokio::time::timeout(LIMIT, asking).await.unwrap_or_else(|_| Err(late().into()))
    }
}
