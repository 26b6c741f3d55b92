//! The command line.

use std::time::Duration;

use super::adopt::Adopt;
use super::distribute::Distribute;
use super::export::Export;
use super::fleet::Fleet;
use super::import::Import;
use clap::{ArgAction, Args as ClapArgs, Parser, Subcommand, ValueEnum};

/// What `--help` says besides; `-h` is the options alone.
const MORE: &str = "\
Examples:
  hacs-refinery migrate --database-url postgresql://hacs@localhost/hacs
  DATABASE_URL=postgresql://hacs@db/hacs hacs-refinery status --json
  PGHOST=/var/run/postgresql PGDATABASE=hacs hacs-refinery migrate --target 4

Exit codes:
  0  success
  1  unexpected failure
  2  wrong usage, or settings that cannot be used
  3  cannot connect or log in, or the connection was lost
  4  migrations are pending (status --check, verify)
  5  another migration, or a session that holds a table, did not finish in time
  6  the history does not match this binary, the database is newer, or tables of the Python system are in the way
  7  not what the migrations made (verify, distribute; migrate where something stood before); broken seals (verify)
  8  a migration failed; nothing was changed, unless the error says so
  9  documents were refused (import; --rejects stores the others), or rows set aside (adopt) or in the way (distribute)
  130, 143  stopped by SIGINT or SIGTERM; nothing was changed, unless the error says so

Environment:
  DATABASE_URL       the database, where --database-url is not given; empty counts as not set
  DATABASE_URL_FILE  a file that holds the URL, such as a mounted secret
  PG*                libpq's variables (PGHOST, PGUSER, PGPASSWORD, …) fill in what the URL leaves open
  RUST_LOG           what to log, such as debug or hacs_refinery=trace";

/// Brings a PostgreSQL database to the newest HACS schema, and tells how far it is
#[derive(Debug, Parser)]
#[command(version, after_help = "Examples, exit codes and variables: hacs-refinery --help", after_long_help = MORE)]
#[command(max_term_width = 100)]
pub struct Args {
    #[command(subcommand)]
    pub command: Command,

    #[command(flatten)]
    pub global: Global,
}

#[derive(ClapArgs, Debug)]
pub struct Global {
    /// The database: a URL, or libpq's keyword=value form [env: DATABASE_URL, DATABASE_URL_FILE]
    // Not clap's `env`: --help would show the value, and with it a password.
    #[arg(long, short = 'd', global = true, value_name = "URL")]
    pub database_url: Option<String>,

    /// Try again for that long while the server is not there yet, such as 30s or 2m
    #[arg(long, global = true, value_name = "DURATION", default_value = "0s", value_parser = duration)]
    pub wait: Duration,

    /// How long one attempt to connect and log in may take; 0s sets no limit [default: connect_timeout, else 30s]
    #[arg(long, global = true, value_name = "DURATION", value_parser = duration)]
    pub connect_timeout: Option<Duration>,

    /// Say more; twice for everything
    #[arg(long, short, global = true, action = ArgAction::Count)]
    pub verbose: u8,

    /// How log lines on standard error are written
    #[arg(long, global = true, value_enum, default_value_t, value_name = "FORMAT")]
    pub log_format: LogFormat,

    /// Print errors only
    #[arg(long, short, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people
    #[default]
    Text,
    /// One JSON object a line
    Json,
}

// Arguments of `migrate`; a doc comment would become its help.
#[derive(ClapArgs, Debug)]
pub struct Migrate {
    /// Stop after this version
    #[arg(long, value_name = "N", value_parser = number)]
    pub target: Option<i64>,

    /// Take a database that is newer than this binary as a success
    #[arg(long)]
    pub allow_newer: bool,

    /// How long to wait for another migration to finish and for tables that others hold, such as 30s or 5m
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = duration)]
    pub lock_timeout: Duration,

    /// How long one statement may take; 0s sets no limit
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = server_side)]
    pub statement_timeout: Duration,

    /// Run everything in the database, report times, rows and locks, and roll it back
    #[arg(long)]
    pub dry_run: bool,

    /// Print a JSON object
    #[arg(long)]
    pub json: bool,

    #[command(flatten)]
    pub fleet: Fleet,
}

// Arguments of `baseline`.
#[derive(ClapArgs, Debug)]
pub struct Baseline {
    /// How long to wait for another migration to finish, such as 30s or 5m
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = duration)]
    pub lock_timeout: Duration,

    /// Print a JSON object
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Apply what is pending, all of it or nothing
    Migrate(Migrate),
    /// Show what the database has, without touching it
    Status {
        /// Print the documented JSON object
        #[arg(long)]
        json: bool,

        /// Exit with 4 while migrations are pending, and with 6 where the history does not fit
        #[arg(long)]
        check: bool,

        #[command(flatten)]
        fleet: Fleet,
    },
    /// Compare the database, object by object, with what the migrations make
    Verify {
        /// Print a JSON object
        #[arg(long)]
        json: bool,

        /// Also write and read a document of each resource, in a transaction that is rolled back
        #[arg(long)]
        deep: bool,

        /// Also verify the seals of the audit trail, and every change that they cover
        #[arg(long)]
        seals: bool,

        #[command(flatten)]
        fleet: Fleet,
    },
    /// Seal the audit trail, and tell the newest digest and since when nothing is sealed
    Seal {
        /// Print a JSON object
        #[arg(long)]
        json: bool,
    },
    /// Record all migrations as applied where psql or another tool has made the database of the same files; refused
    /// otherwise
    Baseline(Baseline),
    /// Move a database of the original Python system in: set its tables aside, migrate, and take its rows over
    Adopt(Adopt),
    /// Distribute the tables over the nodes of a Citus cluster, by patient, or bring them back; all of it or nothing
    Distribute(Distribute),
    /// Show what migrate would apply, without touching the database
    Plan {
        /// Print a JSON object
        #[arg(long, conflicts_with = "sql")]
        json: bool,

        /// Print the script that does the same in psql, history included
        #[arg(long)]
        sql: bool,
    },
    /// Store documents: NDJSON, a JSON array, or FHIR Bundles, in one transaction
    Import(Import),
    /// Print documents, each on a line, from one snapshot, in an order in which they can be imported
    Export(Export),
    /// List the migrations in this binary; no database is asked
    List {
        /// Print a JSON object
        #[arg(long)]
        json: bool,
    },
    /// Print the SQL of one migration
    Show {
        /// Its version, such as V3
        #[arg(value_parser = version)]
        version: i64,
    },
    /// Print the completions for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page, in roff
    Man,
}

/// Why a value is refused. The libraries' own reasons quote it.
pub const NO_DURATION: &str = "a time is written as 500ms, 30s, 5m or 1h 30m";
pub const NOT_COUNTED: &str = "PostgreSQL counts in milliseconds, from 1ms to 24days; 0s sets no limit";
pub const NO_VERSION: &str = "a version is written as V3";
pub const NO_NUMBER: &str = "a version is written as 3 here";

pub fn duration(text: &str) -> Result<Duration, &'static str> {
    humantime::parse_duration(text).map_err(|_| NO_DURATION)
}

/// A duration that PostgreSQL counts.
pub fn server_side(text: &str) -> Result<Duration, &'static str> {
    let duration = duration(text)?;
    let is_counted = 1..=u128::from(i32::MAX.unsigned_abs());
    if duration.is_zero() || is_counted.contains(&duration.as_millis()) { Ok(duration) } else { Err(NOT_COUNTED) }
}

fn number(text: &str) -> Result<i64, &'static str> {
    text.parse().map_err(|_| NO_NUMBER)
}

/// `V3`, `v3` or `3`.
fn version(text: &str) -> Result<i64, &'static str> {
    text.trim_start_matches(['V', 'v']).parse().map_err(|_| NO_VERSION)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        Args::command().debug_assert();
    }
}
