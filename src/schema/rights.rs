//! The statements that make privileges and owners what they should be.

use super::difference::{Difference, subject};
use super::mend::split;

/// What PostgreSQL gives by itself is no row of a manifest: everything to the owner, and a little to everybody.
pub(super) fn grant(difference: &Difference) -> Option<String> {
    let (object, grantee) = difference.name.rsplit_once(" to ")?;
    let (kind, name) = subject(object);
    if kind == "column" {
        return revoke(difference);
    }
    let kind = if kind.ends_with("view") { "table" } else { kind };
    let (grantee, usual) = match (kind, grantee) {
        (_, "its owner") => ("current_user", "all"),
        ("function" | "procedure", "public") => (grantee, "execute"),
        ("domain" | "type", "public") => (grantee, "usage"),
        _ => (grantee, "nothing"),
    };
    let revoke = format!("revoke all on {kind} {name} from {grantee}");
    let grant = |what: &str| format!("grant {what} on {kind} {name} to {grantee}");
    Some(match (difference.found.as_deref(), difference.expected.as_deref().unwrap_or(usual)) {
        (_, "nothing") => revoke,
        (Some("nothing"), wanted) => grant(wanted),
        (_, wanted) => format!("{revoke}; {}", grant(wanted)),
    })
}

/// Takes back what nobody but the owner should have: of resources, what puts code there alone.
pub(super) fn revoke(difference: &Difference) -> Option<String> {
    let (object, grantee) = difference.name.rsplit_once(" to ")?;
    let (kind, name) = subject(object);
    if !name.starts_with("hacs_a") || name.starts_with("hacs_agents") {
        match kind {
            "schema" => return Some(format!("revoke create on schema {name} from {grantee}")),
            "table" => return Some(format!("revoke trigger on table {name} from {grantee}")),
            _ => {}
        }
    }
    if kind == "column" {
        let (table, column) = split(name);
        return Some(format!("revoke all ({column}) on table {table} from {grantee}"));
    }
    let kind = if kind.ends_with("view") { "table" } else { kind };
    Some(format!("revoke all on {kind} {name} from {grantee}"))
}

/// For the role that migrates: it owns everything else.
pub(super) fn owner(name: &str) -> String {
    format!("alter {name} owner to current_user")
}
