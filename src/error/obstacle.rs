//! What keeps a database from being distributed over machines, or from being taken back.

use std::fmt::{self, Display, Formatter};

use super::Error;
use crate::schema::difference::Difference;
use crate::server::safe_text::safe_line;

/// Why [`distribute`](crate::distribute::distribute) did nothing.
#[derive(Debug)]
#[non_exhaustive]
pub enum Obstacle {
    /// The extension is not there.
    NoCitus,
    /// It is of this version, which is too old.
    Old(String),
    /// This is not the coordinator.
    Worker,
    /// Migrations are pending.
    Pending,
    /// The database is distributed already.
    Already,
    /// The database is not distributed.
    NotDistributed,
    /// Rows refer to records of another patient.
    Across {
        /// The first of them.
        rows: Vec<String>,
        /// How many more there are.
        more: usize,
    },
    /// Tables that nobody distributes refer to what is to be distributed.
    Strangers(Vec<String>),
    /// Tables do not hold afterwards what they held before.
    Contents(Vec<String>),
    /// What came back is not what the migrations make.
    Different(Vec<Difference>),
    /// A transaction that is prepared for its commit keeps changes from being sealed.
    Unsealed,
}

impl From<Obstacle> for Error {
    fn from(obstacle: Obstacle) -> Self {
        Self::Distribution(Box::new(obstacle))
    }
}

impl Display for Obstacle {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCitus => f.write_str("this database has no Citus"),
            Self::Old(version) => write!(f, "this database has Citus {}, and 13 is needed", safe_line(version)),
            Self::Worker => f.write_str("this is a worker of a Citus cluster, and not its coordinator"),
            Self::Pending => f.write_str("migrations are pending: only a complete database is distributed"),
            Self::Already => f.write_str("this database is distributed already"),
            Self::NotDistributed => f.write_str("this database is not distributed"),
            Self::Across { rows, more } => {
                write!(f, "rows refer to records of another patient, which may lie on another node:\n{}", lines(rows))?;
                if *more > 0 { write!(f, "\n  and {more} more") } else { Ok(()) }
            }
            Self::Strangers(found) => {
                write!(f, "tables that are not distributed refer to those that are:\n{}", lines(found))
            }
            Self::Contents(found) => write!(f, "tables do not hold what they held before:\n{}", lines(found)),
            Self::Different(found) => write!(
                f,
                "what came back is not what the migrations make:\n{}",
                lines(&found.iter().map(ToString::to_string).collect::<Vec<_>>())
            ),
            Self::Unsealed => f.write_str("changes of the nodes cannot be sealed while a transaction is prepared"),
        }
    }
}

impl Obstacle {
    /// What to do next.
    pub(super) fn advice(&self) -> &'static str {
        match self {
            Self::NoCitus => {
                " Create the extension on every node, register the nodes on the coordinator, and run this again; \
                 docs/scale-out.md tells how, and when one machine is enough."
            }
            Self::Old(_) => " Update Citus on every node.",
            Self::Worker => " Connect to the coordinator.",
            Self::Pending => " Run hacs-refinery migrate first.",
            Self::Already => " hacs-refinery distribute --undo takes it back to one machine.",
            Self::NotDistributed => " There is nothing to undo.",
            Self::Across { .. } => " Mend or remove these rows, and run this again: docs/scale-out.md tells why.",
            Self::Strangers(_) => " Drop these foreign keys, and run this again.",
            Self::Contents(_) | Self::Different(_) => " Please report this, with the versions of Citus and PostgreSQL.",
            Self::Unsealed => " End it (pg_prepared_xacts on every node names it), and run this again.",
        }
    }
}

fn lines(found: &[String]) -> String {
    found.iter().map(|found| format!("  {}", safe_line(found))).collect::<Vec<_>>().join("\n")
}
