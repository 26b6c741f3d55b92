//! From connection settings, as people have them, to a connection.

mod attempt;
mod cancel;
mod config;
mod dial;
mod error;
mod files;
mod keywords;
pub(crate) mod link;
mod mistakes;
mod pairs;
mod shown;
mod socket;
mod source;
mod startup;
mod target;
mod tls;
mod url;
mod vocabulary;
mod wait;

use std::str::FromStr;
use std::time::Duration;

pub(crate) use attempt::Unmet;
pub use cancel::Canceller;
pub(crate) use dial::{Dialed, Way, dial};
pub use error::ConnectError;
use keywords::Keywords;
pub(crate) use tls::Connector;

/// Where and how to connect: settings gathered from a connection string, a service file and the environment.
#[derive(Clone)]
pub struct Database {
    keywords: Keywords,
    connect_timeout: Option<Duration>,
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Database").field(&self.describe()).finish()
    }
}

impl FromStr for Database {
    type Err = ConnectError;

    /// Reads a URL or a `key=value` string. What it leaves open comes from the service file and from `PG*` variables.
    fn from_str(text: &str) -> Result<Self, ConnectError> {
        Self::complete(url::parse(text)?)
    }
}

impl Database {
    /// The given connection string, else that of `DATABASE_URL`, else that in the file which `DATABASE_URL_FILE`
    /// names, else libpq's `PG*` variables. An empty one counts as none.
    ///
    /// # Errors
    ///
    /// [`ConnectError::NotConfigured`] where none says anything, and whatever is wrong with the settings.
    pub fn find(given: Option<&str>) -> Result<Self, ConnectError> {
        if let Some(text) = source::text(given)? {
            return text.parse();
        }
        let env = Keywords::from_env()?;
        let locating = ["host", "hostaddr", "port", "dbname", "user", "service"];
        if locating.iter().all(|keyword| env.get(keyword).is_none()) {
            return Err(ConnectError::NotConfigured);
        }
        Self::complete(Keywords::default())
    }

    fn complete(mut keywords: Keywords) -> Result<Self, ConnectError> {
        let env = Keywords::from_env()?;
        if let Some(service) = keywords.get("service").or(env.get("service")) {
            let file = keywords.get("servicefile").or(env.get("servicefile"));
            let service = files::service(service, file)?;
            keywords.fill_from(&service);
        }
        keywords.fill_from(&env);
        keywords.examine()?;
        Ok(Self { keywords, connect_timeout: None })
    }
}
