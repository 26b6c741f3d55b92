//! What PostgreSQL said when it refused something.

use std::borrow::Cow;
use std::fmt;

use postgres::error::{DbError, ErrorPosition};

use crate::server::safe_text::{safe_line, safe_lines};

/// An error of the server, with the parts that help to find its cause.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerError {
    /// Five characters that name the kind of error, such as `23514`.
    pub sqlstate: String,
    /// The error in a sentence.
    pub message: String,
    /// PostgreSQL's DETAIL. Where a row breaks a rule, it holds values of that row: [`ServerError::detail_of_row`].
    pub detail: Option<String>,
    /// PostgreSQL's HINT.
    pub hint: Option<String>,
    /// PostgreSQL's CONTEXT: the functions and statements around the error, innermost first.
    pub context: Option<String>,
    /// Where in the message that was sent, in characters from 1. Unknown for what a function did inside.
    pub position: Option<u32>,
    /// Whether a row broke a rule of a table that is not the history's or the settings'.
    of_row: bool,
}

impl ServerError {
    /// The DETAIL, where it holds values of a row, such as a patient's. The text of the error leaves it out.
    #[must_use]
    pub fn detail_of_row(&self) -> Option<&str> {
        self.detail.as_deref().filter(|_| self.of_row)
    }
}

impl From<&DbError> for ServerError {
    fn from(error: &DbError) -> Self {
        let safe = |text| safe_lines(text).into_owned();
        Self {
            sqlstate: safe_line(error.code().code()).into_owned(),
            message: safe(error.message()),
            detail: error.detail().map(safe),
            hint: error.hint().map(safe),
            context: error.where_().map(safe),
            position: match error.position() {
                Some(ErrorPosition::Original(position)) => Some(*position),
                _ => None,
            },
            of_row: error.code().code().starts_with("23") && error.schema() != Some("hacs_admin"),
        }
    }
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (SQLSTATE {})", self.message, self.sqlstate)?;
        let detail = match self.detail_of_row() {
            Some(_) => Some("the values of the row are left out; -v shows them"),
            None => self.detail.as_deref(),
        };
        let parts = [("DETAIL", detail), ("HINT", self.hint.as_deref()), ("CONTEXT", self.context.as_deref())];
        for (name, part) in parts {
            if let Some(text) = part {
                write!(f, "\n{name}: {text}")?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for ServerError {}

/// A failed exchange with the server: its answer, or what kept it from answering.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Failure {
    /// The server answered with an error.
    Refused(Box<ServerError>),
    /// The connection broke, or the answer could not be understood.
    Broken(String),
}

impl Failure {
    /// The SQLSTATE, where the server gave one.
    #[must_use]
    pub fn sqlstate(&self) -> Option<&str> {
        match self {
            Self::Refused(error) => Some(&error.sqlstate),
            Self::Broken(_) => None,
        }
    }

    /// What the server said in a sentence, or what broke.
    pub(crate) fn message(&self) -> &str {
        match self {
            Self::Refused(error) => &error.message,
            Self::Broken(what) => what,
        }
    }

    /// Whether the connection is gone.
    #[must_use]
    pub fn is_disconnect(&self) -> bool {
        self.sqlstate().is_none_or(|code| code.starts_with("57P") || code.starts_with("08"))
    }

    /// The same with each of its texts changed.
    pub(crate) fn map(self, change: impl Fn(String) -> String) -> Self {
        match self {
            Self::Broken(what) => Self::Broken(change(what)),
            Self::Refused(mut error) => {
                error.message = change(error.message);
                for part in [&mut error.detail, &mut error.hint, &mut error.context] {
                    *part = part.take().map(&change);
                }
                Self::Refused(error)
            }
        }
    }

    /// What to do next, in a line of its own, where the server does not say it.
    pub(crate) fn next_step(&self) -> Cow<'static, str> {
        if let Self::Refused(error) = self
            && let Some(step) = without_a_path(error)
        {
            return step.into();
        }
        self.usual_step().into()
    }

    fn usual_step(&self) -> &'static str {
        match self.sqlstate() {
            Some("08P01") if self.to_string().contains("statement pooling") => {
                "\nNEXT: This connection goes through a pooler in statement mode, which allows no transaction. Use its \
                 session or transaction mode, or connect to the server itself."
            }
            _ if self.is_disconnect() => {
                "\nNEXT: See why the server ended the connection, then run this again. A pooler in statement \
                mode may do so without a word: use its session or transaction mode."
            }
            Some("25006") => {
                "\nNEXT: This is a standby, or default_transaction_read_only is on for the database or the role. Use \
                 the primary, or a role that may write."
            }
            Some("42501") => {
                "\nNEXT: Use the role that owns the schemas, or one that may create them; see \"Roles\" in the README."
            }
            Some("42P07" | "42710" | "42723" | "42P06" | "42809" | "42P16") => {
                "\nNEXT: Something else made an object of this name. Rename or drop it, then run this again."
            }
            Some("25001") => {
                "\nNEXT: This cannot run in a transaction: put it into a migration of its own that begins with the line \
                 -- hacs-refinery: no transaction"
            }
            Some("23505") => "\nNEXT: The rows that are there already break the rule. Mend them, then run this again.",
            Some("53100") => "\nNEXT: Make room on the server's disk, then run this again.",
            Some("57014") => "\nNEXT: Run this again; where a timeout ended it, with a higher --statement-timeout.",
            _ => "",
        }
    }
}

/// What to do about a function of somebody else, such as an event trigger's, that does not find what it names: here it
/// runs with a search path that holds the system's schema alone.
fn without_a_path(error: &ServerError) -> Option<String> {
    let undefined = ["42P01", "42883", "42704", "42703", "3F000"].contains(&error.sqlstate.as_str());
    let context = error.context.as_deref().filter(|_| undefined)?;
    // The innermost that PL/pgSQL or SQL tells; one in sight has no schema and is the system's.
    let function = context.lines().find_map(|line| {
        let told = line.strip_prefix("PL/pgSQL function ").or(line.strip_prefix("SQL function "))?;
        told.split(" line ").next().filter(|name| name.contains('.') && name.contains('('))
    })?;
    let ours = function.strip_prefix("hacs_").is_some();
    let schema = function.split('.').next().unwrap_or_default();
    (!ours).then(|| {
        format!(
            "\nNEXT: {function} is not HACS's. It was called as an event trigger or a trigger, and relies on the search \
             path of its caller, which in a run is pg_catalog, pg_temp. Give it one of its own, then run this again:\n  \
             alter function {function} set search_path = {schema}, pg_catalog, pg_temp;"
        )
    })
}

impl From<&postgres::Error> for Failure {
    fn from(error: &postgres::Error) -> Self {
        match error.as_db_error() {
            Some(db) => Self::Refused(Box::new(db.into())),
            None => Self::Broken(with_causes(error)),
        }
    }
}

impl From<postgres::Error> for Failure {
    fn from(error: postgres::Error) -> Self {
        (&error).into()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(error) => error.fmt(f),
            Self::Broken(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for Failure {}

/// The error and its causes in one line, each said once.
pub(crate) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let text = inner.to_string();
        if !line.contains(&text) {
            line = format!("{line}: {text}");
        }
        cause = inner.source();
    }
    safe_line(&line).into_owned()
}

/// A time for people, such as `1m 30s` or `700ms`.
pub(crate) fn human(duration: std::time::Duration) -> String {
    let millis = duration.as_millis();
    let parts = [
        (millis / 86_400_000, "d"),
        (millis / 3_600_000 % 24, "h"),
        (millis / 60_000 % 60, "m"),
        (millis / 1000 % 60, "s"),
        (millis % 1000, "ms"),
    ];
    let parts: Vec<String> =
        parts.iter().filter(|(count, _)| *count > 0).map(|(count, unit)| format!("{count}{unit}")).collect();
    if parts.is_empty() { "0s".to_owned() } else { parts.join(" ") }
}
