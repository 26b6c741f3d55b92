//! What a session is told while it logs in. Settings of the role or the database could end it before the server has
//! heard our first statement; what the client asks for at the start goes before them.

use tokio_postgres::Config;

use super::{Connector, Dialed, Unmet, dial};
use crate::server::sqlstate;

/// Every version that is supported here has these.
const SETTINGS: &str = "-c exit_on_error=off -c statement_timeout=0 -c idle_session_timeout=0";

/// PostgreSQL 17 and newer, where it strikes during the log-in as well.
const AND_OF_TRANSACTIONS: &str =
    "-c exit_on_error=off -c statement_timeout=0 -c idle_session_timeout=0 -c transaction_timeout=0";

/// What a pooler or an old server says that does not take them: PgBouncer, the proxies of clouds, PostgreSQL itself.
const NOT_TAKEN: [&str; 4] = ["08P01", "0A000", "22023", "42704"];

/// Connects with these settings, unless the settings have options of their own; where they are not taken, without.
pub(super) async fn connect(config: &Config, connector: Option<&Connector>) -> Result<Dialed, Unmet> {
    if config.get_options().is_some() {
        return dial(config, connector).await;
    }
    let refused = match dial(&with(config, SETTINGS), connector).await {
        Err(unmet) => unmet,
        connected => return connected,
    };
    match refused.sqlstate() {
        Some(sqlstate::TRANSACTION_TIMEOUT) => dial(&with(config, AND_OF_TRANSACTIONS), connector).await,
        Some(code) if NOT_TAKEN.contains(&code) => dial(config, connector).await,
        _ => Err(refused),
    }
}

fn with(config: &Config, options: &str) -> Config {
    let mut config = config.clone();
    config.options(options);
    config
}
