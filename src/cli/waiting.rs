//! How long a run that changes a database waits: for others, and for its own statements.

use std::time::Duration;

use clap::Args;
use hacs_refinery::{Options, Standing};

use super::args::{duration, server_side};
use super::signals;

// A doc comment would become the help of the commands.
#[derive(Args, Debug)]
pub struct Waiting {
    /// How long to wait for a migration to finish and for tables that others hold, such as 30s or 5m
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = duration)]
    lock_timeout: Duration,

    /// How long one statement may take; 0s sets no limit
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = server_side)]
    statement_timeout: Duration,
}

impl Waiting {
    /// The options of a run that ends by a signal.
    pub fn options(&self, standing: Standing) -> Options {
        let mut options = Options::default();
        options.lock_timeout = self.lock_timeout;
        options.statement_timeout = self.statement_timeout;
        options.stop = signals::stop();
        options.standing = standing;
        options
    }
}
