//! Waiting for a server that is not there yet.

use std::thread::sleep;
use std::time::{Duration, Instant};

use postgres::Client;

use super::attempt::{self, Dial};
use super::{ConnectError, Database};
use crate::connect::link::Link;
use crate::server::Connection;

/// As good as without end.
const FOR_EVER: Duration = Duration::from_secs(365 * 24 * 60 * 60);

impl Database {
    /// Connects, and tries again for that long while what stands in the way can heal: a server that is not started,
    /// starts up, shuts down or has too many connections; a name that is not known yet. Each new reason is logged.
    ///
    /// # Errors
    ///
    /// The last reason, at the deadline; at once, what cannot heal, such as a wrong password.
    pub fn wait(&self, limit: Duration) -> Result<Client, ConnectError> {
        self.patiently(limit, &attempt::client)
    }

    /// The same for a [`Link`]. Without a limit, it tries once.
    ///
    /// # Errors
    ///
    /// Those of [`Database::wait`].
    pub fn link(&self, limit: Duration) -> Result<Link, ConnectError> {
        self.patiently(limit, &Link::dial)
    }

    fn patiently<C: Connection>(&self, limit: Duration, dial: &Dial<C>) -> Result<C, ConnectError> {
        if limit.is_zero() {
            return self.attempt(None, dial);
        }
        let now = Instant::now();
        let deadline = now.checked_add(limit).unwrap_or_else(|| now + FOR_EVER);
        let mut pause = Duration::from_millis(50);
        let mut told = String::new();
        loop {
            // The last attempt begins at the deadline, and has to have a chance.
            let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(500));
            let error = match self.attempt(Some(left), dial) {
                Err(error @ ConnectError::Failed { heals: true, .. }) => error,
                decided => return decided,
            };
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(error);
            }
            let reason = error.reason();
            if reason != told {
                log::warn!("waiting for {reason}");
                told = reason;
            }
            sleep(pause.min(left));
            pause = (pause * 2).min(Duration::from_secs(2));
        }
    }
}
