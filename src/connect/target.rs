//! `target_session_attrs`, asked of the server once it has let us in. The driver knows two of libpq's six values.

use super::ConnectError;
use crate::server::{Connection, Failure, Message};

/// What a session has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Any,
    ReadWrite,
    ReadOnly,
    Primary,
    Standby,
}

/// Recovery and the session's own setting are two things: a primary can be read-only.
const STATE: &str = "select pg_is_in_recovery(), current_setting('transaction_read_only')";

impl Target {
    /// What is looked for on all hosts, and then, where no host is it, on all hosts again.
    pub(super) fn wanted(attrs: Option<&str>) -> Result<&'static [Self], ConnectError> {
        Ok(match attrs {
            None | Some("any") => &[Self::Any],
            Some("read-write") => &[Self::ReadWrite],
            Some("read-only") => &[Self::ReadOnly],
            Some("primary") => &[Self::Primary],
            Some("standby") => &[Self::Standby],
            Some("prefer-standby") => &[Self::Standby, Self::Any],
            Some(_) => return Err(ConnectError::Value("target_session_attrs", "it is none of libpq's values")),
        })
    }

    /// Why a session is not what is looked for.
    pub(super) fn misses(self, connection: &mut impl Connection) -> Option<Failure> {
        if self == Self::Any {
            return None;
        }
        let mut message = Message::new();
        let state = message.ask(STATE);
        let answers = match message.send(connection) {
            Ok(answers) => answers,
            Err(failure) => return Some(failure),
        };
        let row = answers.rows(state).next();
        let [recovers, read_only] = [0, 1].map(|column| row.and_then(|row| row.text(column)));
        let why = match self {
            Self::ReadWrite if read_only != Some("off") => "the session is read-only",
            Self::ReadOnly if read_only != Some("on") => "the session is not read-only",
            Self::Primary if recovers != Some("f") => "the server is a standby",
            Self::Standby if recovers != Some("t") => "the server is no standby",
            _ => return None,
        };
        Some(Failure::Broken(why.to_owned()))
    }
}
