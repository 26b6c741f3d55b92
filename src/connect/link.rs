//! A connection that the calling thread drives itself, from the first packet to the last.

use std::io::{self, Write};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;
use tokio_postgres::{CancelToken, Config};

use super::{Connector, Dialed, Unmet, Way, startup};
use crate::server::copy::Copy;
use crate::server::failure::human;
use crate::server::{Answers, Connection, Failure, Limit, Message};

/// How long a goodbye may take.
const GOODBYE: Duration = Duration::from_secs(1);

/// A connection of this crate's own, from [`Database::link`](crate::Database::link), for programs that need none
/// besides.
///
/// A `postgres::Client` cannot be told how long its log-in may last, so that one from
/// [`Database::connect`](crate::Database::connect) logs in on a thread that can be left behind. That costs a tenth of a
/// run with nothing to do. A link has a clock of its own, and a limit to what a server may send before it has let us
/// in.
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
    ) -> Option<Result<Self, Unmet>> {
        let runtime = match runtime() {
            Ok(runtime) => runtime,
            Err(error) => return Some(Err(error.into())),
        };
        let connecting = startup::connect(config, connector.as_ref());
        let dialed = runtime.block_on(async {
            match limit {
                Some(limit) => timeout(limit, connecting).await.ok(),
                None => Some(connecting.await),
            }
        });
        match dialed {
            Some(Ok(dialed)) => Some(Ok(Self { dialed: Some(dialed), limit: Limit::ANSWER, runtime })),
            Some(Err(unmet)) => Some(Err(unmet)),
            None => {
                // To drop it would be to wait for the look-up of a name, which nothing can end.
                runtime.shutdown_background();
                None
            }
        }
    }

    pub(crate) fn cancel_token(&self) -> Option<(CancelToken, Way)> {
        self.dialed.as_ref().map(Dialed::cancel_token)
    }
}

fn closed() -> Failure {
    Failure::Broken("the connection is closed".into())
}

impl Connection for Link {
    fn exchange(&mut self, message: &Message) -> Result<Answers, Failure> {
        let dialed = self.dialed.as_mut().ok_or_else(closed)?;
        let limit = self.limit.of(message.statements());
        let answer = self.runtime.block_on(async {
            match limit {
                Some(limit) => timeout(limit, dialed.ask(message.text())).await.ok(),
                None => Some(dialed.ask(message.text()).await),
            }
        });
        match answer {
            Some(answer) => Ok(answer?.into()),
            None => {
                // Whatever comes later answers no question of ours.
                self.dialed = None;
                let limit = human(limit.unwrap_or_default());
                Err(Failure::Broken(format!("the server did not answer within {limit}")))
            }
        }
    }

    fn limit(&mut self, limit: Limit) {
        self.limit = limit;
    }
}

/// Without a limit: who copies much waits long.
impl Copy for Link {
    fn copy_in(&mut self, statement: &str, rows: &[u8]) -> Result<(), Failure> {
        let dialed = self.dialed.as_mut().ok_or_else(closed)?;
        Ok(self.runtime.block_on(dialed.copy_in(statement, rows))?)
    }

    fn copy_out(&mut self, statement: &str, writer: &mut dyn Write) -> Result<io::Result<()>, Failure> {
        let dialed = self.dialed.as_mut().ok_or_else(closed)?;
        Ok(self.runtime.block_on(dialed.copy_out(statement, writer))?)
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
pub(crate) fn cancel(token: &CancelToken, way: &Way, connector: Option<&Connector>) -> Result<(), Unmet> {
    runtime()?.block_on(way.cancel(token, connector))
}

/// As the crate postgres makes it.
fn runtime() -> std::io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::*;

    /// Lets one client in, and says nothing more as long as it is there.
    const LET_IN: &[u8] = b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I";

    fn silent() -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            let (mut client, _) = listener.accept().unwrap();
            let mut heard = [0; 4096];
            assert!(client.read(&mut heard).unwrap() > 0);
            client.write_all(LET_IN).unwrap();
            while client.read(&mut heard).unwrap_or(0) > 0 {}
        });
        port
    }

    #[test]
    fn no_answer_is_waited_for_without_end() {
        let config: Config = format!("host=127.0.0.1 port={} user=me", silent()).parse().unwrap();
        let Some(Ok(mut link)) = Link::dial(&config, None, None) else { panic!("not let in") };
        assert_eq!(link.limit, Limit::Answer(Duration::from_secs(300)));
        link.limit(Limit::Answer(Duration::from_millis(200)));
        let failure = link.exchange(&Message::new().then("select 1")).unwrap_err();
        assert_eq!(failure.to_string(), "the server did not answer within 200ms");
        let failure = link.exchange(&Message::new()).unwrap_err();
        assert_eq!(failure.to_string(), "the connection is closed");
    }
}
