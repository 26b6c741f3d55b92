//! What is said to a server, and what it answers.

pub(crate) mod answer;
pub(crate) mod copy;
pub(crate) mod failure;
pub(crate) mod holder;
pub(crate) mod limit;
pub(crate) mod message;
pub(crate) mod safe_text;
pub(crate) mod settings;
pub(crate) mod sql;
pub(crate) mod sqlstate;

use std::thread;
use std::time::Duration;

use postgres::Client;

pub(crate) use answer::{Answers, Row};
pub(crate) use failure::Failure;
pub(crate) use limit::Limit;
pub(crate) use message::Message;

/// A connection that this crate can work with: a `postgres::Client`, or a [`Link`](crate::Link).
///
/// It must not be inside a transaction. Other crates cannot implement this.
pub trait Connection {
    /// Sends a message, and waits for the answers to all of it.
    #[doc(hidden)]
    fn exchange(&mut self, message: &Message) -> Result<Answers, Failure>;

    /// Statements that undo what the session keeps beyond transactions, for when the run is broken off from outside.
    /// A blocking run cannot be.
    #[doc(hidden)]
    fn undo_with(&mut self, _statements: &str) {}

    /// From now on no answer is waited for longer. A client that cannot tell leaves it to the server.
    #[doc(hidden)]
    fn limit(&mut self, _limit: Limit) {}

    /// Waits before the next message.
    #[doc(hidden)]
    fn pause(&mut self, duration: Duration) {
        thread::sleep(duration);
    }
}

impl Connection for Client {
    fn exchange(&mut self, message: &Message) -> Result<Answers, Failure> {
        Ok(self.simple_query(message.text())?.into())
    }
}

/// Each statement of the transaction sees what others have committed before it, whatever the database's default is.
pub(crate) const START: &str = "start transaction isolation level read committed";

/// A transaction; dropped without a commit, it is rolled back.
pub(crate) struct Transaction<'a> {
    connection: &'a mut dyn Connection,
    finished: bool,
}

impl<'a> Transaction<'a> {
    pub(crate) fn begin(connection: &'a mut dyn Connection) -> Result<Self, Failure> {
        Message::start(START).send(connection)?;
        Ok(Self { connection, finished: false })
    }

    pub(crate) fn commit(mut self) -> Result<(), Failure> {
        self.finished = true;
        Message::bare("commit").send(self.connection).map(drop)
    }
}

impl Connection for Transaction<'_> {
    fn exchange(&mut self, message: &Message) -> Result<Answers, Failure> {
        self.connection.exchange(message)
    }

    fn limit(&mut self, limit: Limit) {
        self.connection.limit(limit);
    }

    fn pause(&mut self, duration: Duration) {
        self.connection.pause(duration);
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        if !self.finished {
            let _ = Message::bare("rollback").send(self.connection);
        }
    }
}
