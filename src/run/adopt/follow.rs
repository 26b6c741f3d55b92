//! Following the generic table of the original system, so that its services go on as they are.
//!
//! The functions of V11 do the work. Here it is begun, the documents that stood there come in by steps, each of which
//! commits, and it is told how far that is.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::error::{Error, Result};
use crate::history;
use crate::run::options::Options;
use crate::run::patience;
use crate::server::sql::literal;
use crate::server::{Answers, Connection, Limit, Message};

/// Where the adapter of the original system keeps its documents.
pub const GENERIC_TABLE: &str = "public.hacs_resources";

/// How many rows a step takes. A writer waits for the rows of one step alone.
const STEP: u64 = 500;

/// What becomes of a document that breaks a rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Its writer gets the error, and nothing is written.
    #[default]
    Refuse,
    /// It stays in the generic table, and is listed with its reason in the view beside it.
    Note,
}

impl Mode {
    /// As SQL has it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Refuse => "refuse",
            Self::Note => "note",
        }
    }
}

/// What is followed, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Follow {
    /// The table with its schema, as SQL writes it. It is made where it is not there.
    pub table: String,
    /// For types without a mode of their own.
    pub mode: Mode,
    /// Types with a mode of their own.
    pub types: Vec<(String, Mode)>,
    /// The role that owns the table where it has to be made: the one that the service uses.
    pub service_role: Option<String>,
}

impl Default for Follow {
    fn default() -> Self {
        Self { table: GENERIC_TABLE.to_owned(), mode: Mode::default(), types: Vec::new(), service_role: None }
    }
}

/// What [`follow`] found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Followed {
    /// The table.
    pub table: String,
    /// Whether it had to be made.
    pub made: bool,
    /// How many documents it has.
    pub documents: u64,
    /// How many of them are listed as refused.
    pub refused: u64,
}

/// From now on each document that is written into the table is stored in the same transaction, and those that stand
/// there are stored before this ends.
///
/// The client must not be inside a transaction.
///
/// # Errors
///
/// [`Error::Blocked`](crate::Error::Blocked) where others keep the table for longer than
/// [`Options::lock_timeout`](crate::Options::lock_timeout), [`Error::Untrusted`](crate::Error::Untrusted), and
/// [`Error::Database`](crate::Error::Database). Where it was begun, it stays so: to be called again.
pub fn follow(client: &mut impl Connection, options: &Options, how: &Follow) -> Result<Followed> {
    client.limit(Limit::Statement(options.statement_timeout));
    let table = literal(&how.table);
    let types: Map<String, Value> =
        how.types.iter().map(|(name, mode)| (name.clone(), Value::from(mode.as_str()))).collect();
    let begin = [
        format!("select to_regclass({table}) is null"),
        format!(
            "select hacs_core.make_generic_table(p.name[1], p.name[2], {}) from (select parse_ident({table})) as p (name)
            where cardinality(p.name) = 2",
            how.service_role.as_deref().map_or_else(|| "null".to_owned(), literal)
        ),
        format!(
            "select hacs_core.follow({table}::regclass, {}, {})",
            literal(how.mode.as_str()),
            literal(&Value::Object(types).to_string())
        ),
    ];
    let (answers, first) = patience::retry(client, options, |client, _| {
        ask(client, "beginning to follow a table", &begin.each_ref().map(String::as_str))
    })?;
    let mut followed = Followed { table: how.table.clone(), made: answers.is_true(first), ..Followed::default() };
    followed.documents = steps(client, options, &table, false)?.0;
    // What another document had to wait for is there now; some wait for such as waited themselves.
    let mut before = u64::MAX;
    loop {
        (_, followed.refused) = steps(client, options, &table, true)?;
        if followed.refused == 0 || followed.refused >= before {
            return Ok(followed);
        }
        before = followed.refused;
    }
}

/// Stores what stands in the table, or what of it was refused: how many there were, and how many of them are refused.
fn steps(client: &mut dyn Connection, options: &Options, table: &str, only_refused: bool) -> Result<(u64, u64)> {
    let (mut read, mut refused, mut after) = (0, 0, String::new());
    loop {
        options.check_stop()?;
        let step = format!(
            "select read, refused, last from hacs_core.follow_again({table}::regclass, {}, {STEP}, {only_refused})",
            literal(&after)
        );
        let doing = "storing the documents of a followed table";
        let (answers, at) = patience::retry(client, options, |client, _| ask(client, doing, &[&step]))?;
        let Some(row) = answers.rows(at).next() else { return Ok((read, refused)) };
        read += row.number::<u64>(0);
        refused += row.number::<u64>(1);
        match row.text(2) {
            Some(last) => after = last.to_owned(),
            None => return Ok((read, refused)),
        }
    }
}

/// Lets go of a table that was followed. Its documents stay there and here.
///
/// The client must not be inside a transaction.
///
/// # Errors
///
/// As of [`follow`].
pub fn unfollow(client: &mut impl Connection, options: &Options, table: &str) -> Result<()> {
    client.limit(Limit::Statement(options.statement_timeout));
    let statement = format!("select hacs_core.unfollow({}::regclass)", literal(table));
    patience::retry(client, options, |client, _| ask(client, "letting go of a table", &[&statement])).map(drop)
}

/// Statements in a transaction of their own. Gives the place of the first answer.
fn ask(client: &mut dyn Connection, doing: &'static str, statements: &[&str]) -> Result<(Answers, usize)> {
    history::call(client, Message::new(), statements).map_err(Error::calling(doing))
}
