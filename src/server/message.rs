//! Everything that this program says to a server, put together in one place.

use std::fmt::Write;

use super::Connection;
use super::answer::Answers;
use super::failure::Failure;
use super::settings::{self, Scope};

/// Statements that go to the server together: one round trip and, outside a transaction, a transaction of their own.
#[derive(Clone, Debug, Default)]
pub struct Message {
    text: String,
    statements: usize,
    /// How many of them are settings.
    settings: usize,
}

/// How long a statement that only reads waits for a lock. A run sets its own.
const LOCK_TIMEOUT: &str = "set local lock_timeout = '10s'";

impl Message {
    /// A message outside a transaction. The settings end with it.
    pub(crate) fn new() -> Self {
        Self::default().settings()
    }

    /// The same with a remark in front: who looks into `pg_stat_activity` sees the beginning of a message.
    pub(crate) fn about(remark: &str) -> Self {
        Self { text: format!("/* {remark} */ "), ..Self::default() }.settings()
    }

    /// Starts a transaction, in which the settings hold until its end.
    pub(crate) fn start(start: &str) -> Self {
        Self::default().then(start).settings()
    }

    /// A message in a transaction that began with [`Message::start`]: what was executed since may have changed the
    /// settings. Timeouts stay.
    pub(crate) fn within() -> Self {
        Self::default().then_all(&settings::of_reading())
    }

    /// The same for what migrates.
    pub(crate) fn of_run() -> Self {
        Self::default().then_all(&settings::of_runs(Scope::Transaction))
    }

    /// Without settings: transaction control, in which no name is looked for; and what has to stand alone or is
    /// executed as it is, in a session or a transaction that has its settings.
    pub(crate) fn bare(text: &str) -> Self {
        Self { text: text.to_owned(), ..Self::default() }
    }

    fn settings(self) -> Self {
        let timeouts = ["set local statement_timeout = 0".to_owned(), LOCK_TIMEOUT.to_owned()];
        self.then_all(&timeouts).then_all(&settings::of_reading())
    }

    fn then_all(mut self, settings: &[String]) -> Self {
        self.settings += settings.len();
        settings.iter().fold(self, |message, statement| message.then(statement))
    }

    /// Adds a statement whose answer says nothing.
    pub(crate) fn then(mut self, statement: &str) -> Self {
        self.ask(statement);
        self
    }

    /// Adds one statement, and tells where its answer will be.
    pub(crate) fn ask(&mut self, statement: &str) -> usize {
        let _ = writeln!(self.text, "{statement};");
        self.statements += 1;
        self.statements - 1
    }

    /// What is sent.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// How many statements it has besides settings; what stands between semicolons is taken for one.
    pub(crate) fn statements(&self) -> usize {
        let all = self.text.trim_end_matches([';', '\n']).matches(';').count() + 1;
        all.saturating_sub(self.settings).max(1)
    }

    pub(crate) fn send(&self, connection: &mut dyn Connection) -> Result<Answers, Failure> {
        connection.exchange(self)
    }
}
