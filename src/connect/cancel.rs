//! Ending a statement from another thread.

use postgres::{CancelToken, Client, NoTls};

use super::{Database, tls};

/// Cancels what a connection is doing, over a connection of its own.
#[derive(Clone)]
pub struct Canceller {
    token: CancelToken,
    database: Database,
}

impl Database {
    /// What cancels the statements of a connection that [`Database::connect`] made.
    #[must_use]
    pub fn canceller(&self, client: &Client) -> Canceller {
        Canceller { token: client.cancel_token(), database: self.clone() }
    }
}

impl Canceller {
    /// Cancels the running statement, if there is one: it fails with SQLSTATE 57014. That the server could not be
    /// asked is logged, and no more: whoever wants to end something ends it anyway.
    pub fn cancel(&self) {
        let mode = self.database.config().and_then(|config| self.database.mode(&config));
        let connector = mode.and_then(|mode| tls::connector(&self.database.keywords, mode));
        let result = match connector {
            Ok(connector) => self.token.cancel_query(connector),
            // Without TLS settings that can be used, the connection was made without TLS.
            Err(_) => self.token.cancel_query(NoTls),
        };
        if let Err(error) = result {
            log::debug!("the running statement could not be cancelled: {error}");
        }
    }
}

impl std::fmt::Debug for Canceller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Canceller").field("database", &self.database).finish_non_exhaustive()
    }
}
