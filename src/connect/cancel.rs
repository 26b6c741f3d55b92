//! Ending a statement from another thread.

use std::sync::Arc;
use std::time::Duration;

use postgres::{Client, NoTls};

use super::attempt::{Unmet, within};
use super::{Connector, Database, tls};
use crate::connect::link::{self, Link};

/// How long one attempt to cancel may take.
const LIMIT: Duration = Duration::from_secs(2);

/// Cancels what a connection is doing, over a connection of its own.
#[derive(Clone)]
pub struct Canceller {
    ask: Arc<dyn Fn(Option<Connector>) -> Result<(), Unmet> + Send + Sync>,
    database: Database,
}

impl Database {
    /// What cancels the statements of a connection that [`Database::connect`] made.
    #[must_use]
    pub fn canceller(&self, client: &Client) -> Canceller {
        let token = client.cancel_token();
        let ask = move |connector| {
            let token = token.clone();
            let asked = within(Some(LIMIT), move || match connector {
                Some(connector) => token.cancel_query(connector),
                None => token.cancel_query(NoTls),
            });
            Ok(asked.unwrap_or(Ok(()))?)
        };
        Canceller { ask: Arc::new(ask), database: self.clone() }
    }

    /// The same for a link.
    #[must_use]
    pub fn link_canceller(&self, link: &Link) -> Canceller {
        let token = link.cancel_token();
        let ask = move |connector: Option<Connector>| match &token {
            Some((token, way)) => link::cancel(token, way, connector.as_ref()),
            None => Ok(()),
        };
        Canceller { ask: Arc::new(ask), database: self.clone() }
    }
}

impl Canceller {
    /// Cancels the running statement, if there is one: it fails with SQLSTATE 57014. That the server could not be
    /// asked is logged, and no more: whoever wants to end something ends it anyway.
    pub fn cancel(&self) {
        let connector =
            tls::mode(&self.database.keywords).and_then(|mode| tls::connector(&self.database.keywords, mode));
        // Without TLS settings that can be used, the connection was made without TLS.
        if let Err(unmet) = (self.ask)(connector.ok()) {
            log::debug!("the running statement could not be cancelled: {}", unmet.reason());
        }
    }
}

impl std::fmt::Debug for Canceller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Canceller").field("database", &self.database).finish_non_exhaustive()
    }
}
