//! The seals of the audit trail: making them, asking how far they reach, and whether they are intact.

use std::time::Duration;

use serde::Serialize;

use crate::error::standing::Standing;
use crate::error::{Error, Outcome, Result};
use crate::server::{Connection, Failure, Limit, Message, Row};

use super::ask;

/// How many seals one call makes at most, of a hundred thousand numbers each; each call commits its own.
const MOST: u64 = 10;

/// What [`seal`] has done, and how far the seals reach.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Sealed {
    /// How many seals were made.
    pub seals: u64,
    /// The number of the newest seal; `None` before the first.
    pub newest: Option<i64>,
    /// Its digest, to be kept where nobody who may change the database can reach it.
    pub digest: Option<String>,
    /// When it was made.
    pub sealed_at: Option<String>,
    /// Every change before this moment is sealed.
    pub complete_until: Option<String>,
    /// How many numbers of changes were drawn since.
    pub not_sealed: i64,
    /// How many open transactions with changes of their own hold the seals back.
    pub waits_for: i64,
    /// When the oldest of these began, where the server tells.
    pub waits_since: Option<String>,
}

/// What is wrong with a seal, or with what it covers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Problem {
    /// Its number; `None` where the problem is with no seal alone.
    pub seal: Option<i64>,
    /// When it was made.
    pub sealed_at: Option<String>,
    /// What is wrong.
    pub problem: String,
}

/// What of the seals everybody may know who may seal.
const REACH: &str = "select s.seal_id, encode(s.digest, 'hex'), r.sealed_at, nullif(r.complete_until, '-infinity'),
        r.numbers_not_sealed, r.waits_for_transactions, r.waits_for_transaction_of
    from hacs_audit.sealing as r
    left join (select seal_id, digest from hacs_audit.seals order by seal_id desc limit 1) as s on true";

/// Seals what was committed since the last seal, in as many steps as it takes, each of which commits its part.
///
/// The client must not be inside a transaction.
///
/// # Errors
///
/// [`Error::Untrusted`](crate::Error::Untrusted), and [`Error::Database`](crate::Error::Database). What was sealed
/// before the error stays sealed, and [`Error::Partly`] says so; where the connection broke, [`Error::CommitUnknown`].
pub fn seal(client: &mut impl Connection, standing: &Standing) -> Result<Sealed> {
    client.limit(Limit::Statement(Duration::ZERO));
    let mut seals = 0;
    loop {
        standing.replace(if seals == 0 { Outcome::Unknown } else { Outcome::Parts });
        let query = format!("select hacs_audit.seal({MOST})");
        let asked = ask(client, Message::new(), "sealing the audit trail", &query);
        let (answers, at) = asked.map_err(|error| after(seals, broken(error)))?;
        let made = answers.value(at).and_then(|text| text.parse().ok()).unwrap_or(0);
        seals += made;
        if made < MOST {
            break;
        }
    }
    standing.replace(Outcome::Complete);
    let asked = ask(client, Message::new(), "asking how far the audit trail is sealed", REACH);
    let (answers, at) = asked.map_err(|error| after(seals, error))?;
    let Some(row) = answers.rows(at).next() else { return Ok(Sealed { seals, ..Sealed::default() }) };
    let text = |column| row.text(column).map(str::to_owned);
    Ok(Sealed {
        seals,
        newest: row.parsed(0),
        digest: text(1),
        sealed_at: text(2),
        complete_until: text(3),
        not_sealed: row.number(4),
        waits_for: row.number(5),
        waits_since: text(6),
    })
}

/// Each call commits what it made: where the connection broke, nobody knows whether it did.
fn broken(error: Error) -> Error {
    match error {
        Error::Database { failure: failure @ Failure::Broken(_), .. } => Error::CommitUnknown(failure),
        error => error,
    }
}

/// The same error, after so many seals that stay.
fn after(seals: u64, error: Error) -> Error {
    if seals == 0 {
        return error;
    }
    let mut numbers = vec![1, seals];
    numbers.dedup();
    let applied = numbers.iter().map(|number| format!("seal {number} of this run")).collect();
    Error::Partly { applied, unfinished: None, cause: Box::new(error) }
}

/// Every problem of the chain of seals and of the changes that it covers; none where all are intact.
///
/// The client must not be inside a transaction.
///
/// # Errors
///
/// [`Error::Untrusted`](crate::Error::Untrusted), and [`Error::Database`](crate::Error::Database).
pub fn verify(client: &mut impl Connection) -> Result<Vec<Problem>> {
    client.limit(Limit::Statement(Duration::ZERO));
    let query = "select seal_id, sealed_at, problem from hacs_audit.verify_seals()";
    let (answers, at) = ask(client, Message::new(), "verifying the seals of the audit trail", query)?;
    let problem = |row: Row<'_>| Problem {
        seal: row.parsed(0),
        sealed_at: row.text(1).map(str::to_owned),
        problem: row.string(2),
    };
    Ok(answers.rows(at).map(problem).collect())
}
