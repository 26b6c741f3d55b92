//! The options of the commands that take many databases.

use std::path::PathBuf;

use clap::Args;

use super::batch::Limits;

// A doc comment would become the help of the commands.
#[derive(Args, Debug)]
pub struct Fleet {
    /// Many databases: a file with a name and a connection string on each line; - is standard input
    #[arg(long, value_name = "FILE", group = "many", conflicts_with = "database_url")]
    pub databases: Option<PathBuf>,

    /// Many databases: those of the server whose names match, such as 'hospital_*'
    #[arg(long, value_name = "PATTERN", group = "many")]
    pub all_databases: Option<String>,

    /// Of many: how many at a time [default: 8]
    #[arg(long, value_name = "N", requires = "many", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub parallel: Option<u16>,

    /// Of many: how many of the same server at a time [default: as --parallel]
    #[arg(long, value_name = "N", requires = "many", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub per_host: Option<u16>,

    /// Of many: the first K alone, and the others only if all is well with these
    #[arg(long, value_name = "K", default_value_t = 0, requires = "many", hide_default_value = true)]
    pub canary: usize,

    /// Of many: begin no other after M failures
    #[arg(long, value_name = "M", requires = "many", value_parser = clap::value_parser!(u32).range(1..))]
    pub stop_after: Option<u32>,
}

impl Fleet {
    /// Whether there are many.
    pub fn is_asked_for(&self) -> bool {
        self.databases.is_some() || self.all_databases.is_some()
    }

    pub(super) fn limits(&self) -> Limits {
        let parallel = usize::from(self.parallel.unwrap_or(8));
        Limits {
            parallel,
            per_host: self.per_host.map_or(parallel, usize::from),
            failures: self.stop_after.map_or(usize::MAX, |count| usize::try_from(count).unwrap_or(usize::MAX)),
        }
    }
}
