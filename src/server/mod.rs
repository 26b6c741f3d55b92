//! What a run needs of a connection: messages, answers, and a transaction. Blocking and async programs share the rest.

pub(crate) mod answer;
pub(crate) mod failure;
pub(crate) mod safe_text;

use std::thread;
use std::time::Duration;

use postgres::{Client, IsolationLevel, SimpleQueryMessage};

use crate::server::failure::Failure;

/// A connection, or a transaction on it.
pub(crate) trait Session {
    /// Sends statements as one message, and waits for the answer to all of them.
    fn simple_query(&mut self, query: &str) -> Result<Vec<SimpleQueryMessage>, Failure>;

    /// The same where the answer says nothing.
    fn batch_execute(&mut self, query: &str) -> Result<(), Failure> {
        self.simple_query(query).map(drop)
    }

    /// Statements that undo what the session keeps beyond transactions, for when the run is broken off from outside.
    /// A blocking run cannot be.
    fn undo_with(&mut self, _statements: &str) {}

    /// Waits before the next message.
    fn pause(&mut self, duration: Duration) {
        thread::sleep(duration);
    }
}

/// A connection outside of a transaction.
pub(crate) trait Connection: Session {
    /// Starts a transaction in which each statement sees what others have committed before it.
    fn begin(&mut self) -> Result<Box<dyn Transaction + '_>, Failure>;
}

/// A transaction; dropped without a commit, it is rolled back.
pub(crate) trait Transaction: Session + Send {
    fn commit(self: Box<Self>) -> Result<(), Failure>;
}

impl Session for Client {
    fn simple_query(&mut self, query: &str) -> Result<Vec<SimpleQueryMessage>, Failure> {
        Ok(Self::simple_query(self, query)?)
    }
}

impl Connection for Client {
    fn begin(&mut self) -> Result<Box<dyn Transaction + '_>, Failure> {
        Ok(Box::new(self.build_transaction().isolation_level(IsolationLevel::ReadCommitted).start()?))
    }
}

impl Session for postgres::Transaction<'_> {
    fn simple_query(&mut self, query: &str) -> Result<Vec<SimpleQueryMessage>, Failure> {
        Ok(Self::simple_query(self, query)?)
    }
}

impl Transaction for postgres::Transaction<'_> {
    fn commit(self: Box<Self>) -> Result<(), Failure> {
        Ok(Self::commit(*self)?)
    }
}

/// Each statement of the transaction sees what others have committed before it, whatever the database's default is.
pub(crate) const START: &str = "start transaction isolation level read committed";

/// Starts a transaction on a connection that has no kind of its own for them.
pub(crate) fn start<S: Session + Send>(session: &mut S) -> Result<Box<dyn Transaction + '_>, Failure> {
    session.batch_execute(START)?;
    Ok(Box::new(Started { session, finished: false }))
}

struct Started<'a, S: Session + Send> {
    session: &'a mut S,
    finished: bool,
}

impl<S: Session + Send> Session for Started<'_, S> {
    fn simple_query(&mut self, query: &str) -> Result<Vec<SimpleQueryMessage>, Failure> {
        self.session.simple_query(query)
    }

    fn pause(&mut self, duration: Duration) {
        self.session.pause(duration);
    }
}

impl<S: Session + Send> Transaction for Started<'_, S> {
    fn commit(mut self: Box<Self>) -> Result<(), Failure> {
        self.finished = true;
        self.batch_execute("commit")
    }
}

impl<S: Session + Send> Drop for Started<'_, S> {
    fn drop(&mut self) {
        if !self.finished {
            let _ = self.session.batch_execute("rollback");
        }
    }
}
