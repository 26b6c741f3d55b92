//! What a run needs of a connection: messages, answers, and a transaction. Blocking and async programs share the rest.

pub(crate) mod answer;
pub(crate) mod failure;
pub(crate) mod safe_text;

use std::thread;
use std::time::Duration;

use postgres::{Client, IsolationLevel, SimpleQueryMessage};

use crate::server::failure::Failure;

/// How long an answer is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    /// So long for each statement of a message; zero sets no limit.
    Statement(Duration),
    /// So long, whatever is asked.
    Answer(Duration),
}

impl Limit {
    /// On top of what the statements may take: for the way there and back, and for a server that has much to do.
    const MARGIN: Duration = Duration::from_secs(10);

    /// For a message. What stands between semicolons is taken for a statement: it may be less.
    pub(crate) fn of(self, message: &str) -> Option<Duration> {
        match self {
            Self::Answer(limit) => Some(limit),
            Self::Statement(Duration::ZERO) => None,
            Self::Statement(limit) => {
                let statements = u32::try_from(message.matches(';').count()).unwrap_or(u32::MAX).saturating_add(1);
                Some(limit.saturating_mul(statements).saturating_add(Self::MARGIN))
            }
        }
    }
}

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

    /// From now on no answer is waited for longer. A client that cannot tell leaves it to the server.
    fn limit(&mut self, _limit: Limit) {}

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

    fn limit(&mut self, limit: Limit) {
        self.session.limit(limit);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_statement_of_a_message_has_its_time() {
        let limit = Limit::Statement(Duration::from_secs(4));
        assert_eq!(limit.of("select 1"), Some(Duration::from_secs(14)));
        assert_eq!(limit.of("begin; select 1; commit"), Some(Duration::from_secs(22)));
        assert_eq!(Limit::Statement(Duration::ZERO).of("select 1"), None);
        assert_eq!(Limit::Answer(Duration::from_secs(9)).of("a; b"), Some(Duration::from_secs(9)));
    }
}
