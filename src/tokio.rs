//! The same run and the same status for programs on tokio.
//!
//! The logic is the blocking one. It works on a thread of its own, where it may wait; each message that it has for the
//! server goes to the future, which sends it through the caller's client and hands the answer back.

use std::panic;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::task::{Context, Waker};
use std::time::Duration;

use postgres::SimpleQueryMessage;
use tokio::sync::mpsc as queue;
use tokio::task;
use tokio_postgres::Client;

use crate::error::{Error, Result};
use crate::inspect::status::{self, Status};
use crate::inspect::verify::{self, Verification};
use crate::run;
use crate::run::options::Options;
use crate::run::rehearsal::Rehearsal;
use crate::run::report::Report;
use crate::schema::manifest::Manifest;
use crate::schema::owned::OwnedMigration;
use crate::server::{Answers, Connection, Failure, Message};

/// [`migrate`](crate::migrate()) for tokio-postgres: the same run, with the same guarantees and errors.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let (mut client, connection) = tokio_postgres::connect("host=localhost user=hacs", tokio_postgres::NoTls).await?;
/// tokio::spawn(connection);
/// let report = hacs_refinery::migrate_async(&mut client, &hacs_refinery::Options::default()).await?;
/// println!("{} migrations applied", report.applied.len());
/// # Ok(())
/// # }
/// ```
///
/// It has to be awaited in a tokio runtime, and occupies one of its blocking threads. The connection has to be driven
/// by another task, as always with tokio-postgres.
///
/// A future that is dropped commits nothing, or nothing more where a migration outside a transaction parts the run: the
/// first thing that the connection does afterwards is to roll back, and to give back what the session held. A statement
/// that is running then runs to its end before that, unless the client's `cancel_token` cancels it. Only where the
/// COMMIT was on its way already, the run is complete nevertheless; [`status_async`] tells.
///
/// # Errors
///
/// Those of [`migrate`](crate::migrate()).
pub async fn migrate_async(client: &mut Client, options: &Options) -> Result<Report> {
    let options = options.clone();
    drive(client, move |remote| run::migrate(remote, &options)).await
}

/// [`rehearse`](crate::rehearse()) for tokio-postgres.
///
/// # Errors
///
/// Those of [`rehearse`](crate::rehearse()).
pub async fn rehearse_async(client: &mut Client, options: &Options) -> Result<Rehearsal> {
    let options = options.clone();
    drive(client, move |remote| run::rehearsal::rehearse(remote, &options)).await
}

/// [`pending`](crate::pending()) for tokio-postgres.
///
/// # Errors
///
/// Those of [`pending`](crate::pending()).
pub async fn pending_async(client: &mut Client, options: &Options) -> Result<Vec<OwnedMigration>> {
    let options = options.clone();
    drive(client, move |remote| run::pending::pending(remote, &options)).await
}

/// [`status`](crate::status()) for tokio-postgres.
///
/// # Errors
///
/// Those of [`status`](crate::status()).
pub async fn status_async(client: &mut Client) -> Result<Status> {
    drive(client, status::status).await
}

/// [`verify`](crate::verify()) for tokio-postgres.
///
/// # Errors
///
/// Those of [`verify`](crate::verify()).
pub async fn verify_async(client: &mut Client, deep: bool) -> Result<Verification> {
    drive(client, move |remote| verify::verify(remote, deep)).await
}

/// [`manifest`](crate::manifest()) for tokio-postgres.
///
/// # Errors
///
/// Those of [`manifest`](crate::manifest()).
pub async fn manifest_async(client: &mut Client) -> Result<Manifest> {
    drive(client, verify::manifest).await
}

/// Runs blocking logic on a thread, and its messages here.
async fn drive<T: Send + 'static>(
    client: &mut Client,
    logic: impl FnOnce(&mut Remote) -> Result<T> + Send + 'static,
) -> Result<T> {
    let (messages, mut received) = queue::unbounded_channel();
    let (answer, answers) = mpsc::channel();
    let undo = Arc::new(Mutex::new(String::new()));
    let mut guard = Guard { client, undo: Arc::clone(&undo), finished: false };
    let run = task::spawn_blocking(move || logic(&mut Remote { messages, answers, undo }));
    while let Some(message) = received.recv().await {
        // The logic waits for each of its answers.
        let _ = answer.send(guard.client.simple_query(&message).await);
    }
    guard.finished = true;
    match run.await {
        Ok(result) => result,
        Err(error) if error.is_panic() => panic::resume_unwind(error.into_panic()),
        Err(_) => Err(Error::during("starting the run")(Failure::Broken("the runtime is shutting down".into()))),
    }
}

/// Rolls back where the future is dropped before the logic came to its end.
struct Guard<'a> {
    client: &'a Client,
    /// What besides has to be undone.
    undo: Arc<Mutex<String>>,
    finished: bool,
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        if !self.finished {
            // The first poll queues the message behind all others of this connection; nobody waits for the answer.
            let undo = format!("rollback; {}", self.undo.lock().unwrap_or_else(PoisonError::into_inner));
            let rollback = std::pin::pin!(self.client.batch_execute(&undo));
            let _ = rollback.poll(&mut Context::from_waker(Waker::noop()));
        }
    }
}

/// The connection as the logic's thread sees it.
struct Remote {
    messages: queue::UnboundedSender<String>,
    answers: mpsc::Receiver<std::result::Result<Vec<SimpleQueryMessage>, tokio_postgres::Error>>,
    undo: Arc<Mutex<String>>,
}

impl Connection for Remote {
    fn exchange(&mut self, message: &Message) -> std::result::Result<Answers, Failure> {
        let dropped = || Failure::Broken("the future of this run was dropped".into());
        self.messages.send(message.text().to_owned()).map_err(|_| dropped())?;
        Ok(self.answers.recv().map_err(|_| dropped())??.into())
    }

    fn undo_with(&mut self, statements: &str) {
        statements.clone_into(&mut self.undo.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Ends early where the future is dropped, as the next message then tells.
    fn pause(&mut self, duration: Duration) {
        let _ = self.answers.recv_timeout(duration);
    }
}
