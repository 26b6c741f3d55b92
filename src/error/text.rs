//! The text of an error: what happened, what it has left in the database, what to do next.

use std::borrow::Cow;
use std::fmt::{self, Display, Formatter};

use super::{Error, Outcome, Unfinished};
use crate::schema::location::Location;
use crate::schema::owner::Owner;
use crate::server::failure::{Failure, human};
use crate::server::holder::Holder;
use crate::server::safe_text::safe_line;
use crate::server::sqlstate;

impl Display for Error {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        // A run in parts failed as its cause did, and left something else.
        let cause = if let Self::Partly { cause, .. } = self { cause } else { self };
        cause.happened(f)?;
        let outcome = match self.outcome() {
            Outcome::NothingChanged => "Nothing was changed.",
            Outcome::RolledBack => "Nothing was changed: the whole run was rolled back.",
            Outcome::Unknown => "The database is either as before or complete: hacs-refinery status tells which.",
            Outcome::Parts => &self.parts(),
            Outcome::Complete => "The run is complete.",
        };
        match cause.advice() {
            Some(advice) => write!(f, "\n{outcome}{advice}"),
            None if self.outcome() == Outcome::Parts => write!(f, "\n{outcome}"),
            None => Ok(()),
        }
    }
}

impl Error {
    fn happened(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(error) => error.fmt(f),
            Self::Owner(name) => {
                write!(f, "{} cannot be the owner of migrations: {}", safe_line(name), Owner::RULE)
            }
            Self::NoSuchTarget { target, newest } => {
                write!(f, "there is no migration V{target}; the newest is V{newest}")
            }
            Self::Locked { waited, holder } => {
                let (waited, holder) = (human(*waited), named(holder.as_deref()));
                write!(f, "another migration of this database did not finish within {waited}{holder}")
            }
            Self::Blocked { waited, holder, failure } => {
                let (waited, holder) = (human(*waited), named(holder.as_deref()));
                write!(f, "another session held what this run needs, for {waited}{holder}\n{failure}")
            }
            Self::Migration { location, failure } => {
                write!(f, "{location}: {failure}{}{}", statement(location), failure.next_step())
            }
            Self::Database { doing, failure } => write!(f, "{doing} failed: {failure}{}", step(doing, failure)),
            Self::NotRepeatable { location, why } => write!(f, "{location}: {why}{}", statement(location)),
            Self::NameTaken { location, found, expected } => {
                write!(f, "{location}: something else has the name of this index{}", statement(location))?;
                write!(f, "\nFOUND: {found}\nEXPECTED: {expected}")?;
                f.write_str(
                    "\nNEXT: Drop or rename what is there, or give the index another name, then run this again.",
                )
            }
            Self::Partly { cause, .. } => cause.happened(f),
            Self::Replaced { location, function, rules } => {
                let rules: Vec<_> = rules.iter().map(|rule| safe_line(rule)).collect();
                let function = safe_line(function);
                write!(f, "{location}: {function} is replaced, although this stands on it:\n{}", lines(&rules))
            }
            Self::Recorded(version) => write!(f, "the history of this database has rows already, up to V{version}"),
            Self::CommitUnknown(failure) => {
                write!(f, "the connection broke while the run was being committed: {failure}")
            }
            Self::Refused(failure) => write!(f, "a document was refused: {failure}"),
            Self::Io { doing, error } => write!(f, "{doing} failed: {error}"),
            Self::Stopped => f.write_str("the run was told to stop"),
            Self::Distribution(obstacle) => obstacle.fmt(f),
            Self::NotAdopted => f.write_str("this database was not adopted yet: migrations are pending"),
            _ => self.found(f),
        }
    }

    /// What stands in the database and should not.
    fn found(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (what, list) = match self {
            Self::Legacy(found) => (
                "tables of another shape, such as the original Python system's, are where the migrations make theirs",
                lines(found),
            ),
            Self::Untrusted(found) => (
                "what stands in this database cannot be trusted, since somebody else's code in it would run as this role",
                lines(&found.iter().map(|found| safe_line(found)).collect::<Vec<_>>()),
            ),
            Self::History(found) => ("the migration history of this database does not match this binary", lines(found)),
            Self::Drift(found) => (
                "something stood here before the first migration, and the result is not what the migrations make",
                lines(found),
            ),
            Self::Unlike(found) => ("this database is not what the migrations make", lines(found)),
            Self::Newer { owner, database, known } => {
                let owner = prefix(owner.as_deref());
                return write!(
                    f,
                    "{owner}this database is at V{database}, but this binary knows migrations up to V{known} only"
                );
            }
            _ => {
                return f.write_str(
                    "this connection goes through a connection pooler, and a pending migration runs outside a transaction",
                );
            }
        };
        write!(f, "{what}:\n{list}")
    }

    /// What to do next, in the line of the outcome. Before anything was begun, there is no such line.
    fn advice(&self) -> Option<&'static str> {
        Some(match self {
            Self::Connect(_) | Self::NoSuchTarget { .. } | Self::Owner(_) => return None,
            Self::Locked { holder: Some(holder), .. } if !holder.may_migrate => {
                " That role may not write the history, so it is no migration: end its session with \
                 pg_terminate_backend, and revoke CONNECT on the database from whoever has no business there."
            }
            Self::Locked { .. } => " Wait for it, or raise --lock-timeout.",
            Self::Blocked { .. } => " End that session's transaction, or raise --lock-timeout.",
            Self::Legacy(_) => {
                " Run hacs-refinery adopt --dry-run: it tells what becomes of each table. Without --dry-run it sets them \
                 aside, migrates, and takes their rows over; docs/for-python-users.md tells more."
            }
            Self::Distribution(obstacle) => obstacle.advice(),
            Self::NotAdopted => " Run hacs-refinery adopt first.",
            Self::Untrusted(_) => {
                " See who made it. If that role is the one that migrates here, log in as it, as a superuser too; or hand \
                 over what it owns (alter schema ... owner to ...; reassign owned by ... to ...). Else drop it."
            }
            Self::History(_) => {
                " Use the version of hacs-refinery that this database was migrated with, \
                 or restore the row from a backup; never edit an applied migration."
            }
            Self::Newer { .. } => " Use a newer hacs-refinery, or --allow-newer to take this as a success.",
            Self::Drift(_) => " Remove or move what stands in the way, and run again.",
            Self::Replaced { .. } => {
                " No row would be checked again, and a dump might not be restored: make a function of another name; \
                 docs/evolving.md tells how."
            }
            Self::Unlike(_) => " Nothing was recorded. Mend what differs, or migrate an empty database.",
            Self::Recorded(_) => " hacs-refinery migrate applies what is pending.",
            Self::NotRepeatable { .. } => {
                " A migration outside a transaction starts again after a crash in its middle, so it holds only what can \
                 be run again; docs/evolving.md lists it."
            }
            Self::Refused(_) => " Mend it, or set refused documents aside with --rejects FILE.",
            Self::Pooled => " Connect to the server itself: the lock of such a run belongs to the session.",
            _ => "",
        })
    }

    /// What a run in parts has left.
    fn parts(&self) -> String {
        let Self::Partly { applied, unfinished, cause } = self else { return String::new() };
        let stays = match applied.as_slice() {
            [] => String::new(),
            [one] => format!("{one} was applied and stays. "),
            [first, .., last] => format!("{first} to {last} were applied and stay. "),
        };
        let Some(Unfinished { owner, version, done, statements, invalid }) = unfinished else {
            let rest = match cause.outcome() {
                Outcome::Unknown => "What came next is either there or not: hacs-refinery status tells which.",
                _ => "Nothing else was changed.",
            };
            return format!("{stays}{rest}");
        };
        let verb = if *done == 1 { "is" } else { "are" };
        let left = if invalid.is_empty() {
            String::new()
        } else {
            format!(" Invalid and used by nobody, but still there: {}.", invalid.join(", "))
        };
        format!(
            "{stays}{}V{version} runs outside a transaction: {done} of its {statements} statements {verb} done.{left} \
             The next run starts it again.",
            prefix(owner.as_deref())
        )
    }
}

/// Whose migration it is, where it is not HACS's own.
fn prefix(owner: Option<&str>) -> String {
    owner.map(|owner| format!("{owner}: ")).unwrap_or_default()
}

fn statement(location: &Location) -> String {
    location.statement.as_ref().map(|words| format!("\nSTATEMENT: {words}")).unwrap_or_default()
}

/// What to do next. Who may not even read needs less than who may not create.
fn step(doing: &str, failure: &Failure) -> Cow<'static, str> {
    if doing.starts_with("reading") && failure.sqlstate() == Some(sqlstate::INSUFFICIENT_PRIVILEGE) {
        return "\nNEXT: Use the role that owns the schemas. To look is allowed to reader_role and auditor_role of \
                scripts/grant-app-role.sql as well; see \"Roles\" in the README."
            .into();
    }
    failure.next_step()
}

fn named(holder: Option<&Holder>) -> String {
    holder.map(|holder| format!(": {holder}")).unwrap_or_default()
}

fn lines(found: &[impl Display]) -> String {
    found.iter().map(|found| format!("  {found}")).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;
    use crate::server::Failure;

    #[test]
    fn a_run_in_parts_tells_its_own_outcome_in_place_of_its_causes() {
        let broken = || Failure::Broken("the line went dead".to_owned());
        let partly = |applied, cause| Error::Partly { applied, unfinished: None, cause: Box::new(cause) };
        for (error, outcome, text) in [
            (
                Error::Stopped,
                Outcome::RolledBack,
                "the run was told to stop\nNothing was changed: the whole run was rolled back.",
            ),
            (
                Error::NoSuchTarget { target: 9, newest: 8 },
                Outcome::NothingChanged,
                "there is no migration V9; the newest is V8",
            ),
            (
                partly(vec!["V9".to_owned()], Error::Stopped),
                Outcome::Parts,
                "the run was told to stop\nV9 was applied and stays. Nothing else was changed.",
            ),
            (
                Error::CommitUnknown(broken()),
                Outcome::Unknown,
                "the connection broke while the run was being committed: the line went dead\n\
                 The database is either as before or complete: hacs-refinery status tells which.",
            ),
            (
                partly(vec!["V8".to_owned(), "V9".to_owned()], Error::CommitUnknown(broken())),
                Outcome::Parts,
                "the connection broke while the run was being committed: the line went dead\n\
                 V8 to V9 were applied and stay. What came next is either there or not: hacs-refinery status tells which.",
            ),
        ] {
            assert_eq!((error.outcome(), error.to_string().as_str()), (outcome, text));
        }
        let nested = partly(vec!["V9".to_owned()], Error::CommitUnknown(broken()));
        let cause = nested.source().expect("a cause");
        assert_eq!(cause.source().expect("its failure").to_string(), "the line went dead");
    }
}
