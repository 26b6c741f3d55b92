//! How a run is to go.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use refinery::Migration;

use crate::error::{Error, Result};

/// How long to wait for another run to finish, unless told otherwise.
pub const DEFAULT_LOCK_TIMEOUT: Duration = Duration::from_secs(600);

/// Settings of [`migrate`](crate::migrate).
///
/// ```
/// let mut options = hacs_refinery::Options::default();
/// options.target = Some(4);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// Stop after this version; `None` applies everything.
    pub target: Option<i32>,
    /// Take a database with migrations beyond those at hand as a success that does nothing.
    pub allow_newer: bool,
    /// How long to wait for another run to finish, and for sessions that hold tables which are to be changed. In a
    /// migration outside a transaction, each statement may wait that long.
    pub lock_timeout: Duration,
    /// How long one statement may take; zero sets no limit.
    pub statement_timeout: Duration,
    /// Set by another thread, this ends the run before its next step, with nothing changed. A statement that is
    /// running ends when it is cancelled: see [`Canceller`](crate::Canceller).
    pub stop: Arc<AtomicBool>,
    /// The migrations to run instead of the embedded ones, for programs that bring migrations of their own after
    /// HACS's: `hacs_refinery::migrations()` and then theirs.
    pub migrations: Vec<Migration>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            target: None,
            allow_newer: false,
            lock_timeout: DEFAULT_LOCK_TIMEOUT,
            statement_timeout: Duration::ZERO,
            stop: Arc::default(),
            migrations: crate::migrations(),
        }
    }
}

impl Options {
    pub(crate) fn check_stop(&self) -> Result<()> {
        if self.stop.load(Ordering::Relaxed) { Err(Error::Stopped) } else { Ok(()) }
    }
}
