//! What roles beside the owner may do: told role by role, measured by what scripts/grant-app-role.sql gives.

use std::collections::{BTreeMap, BTreeSet};

use super::difference::{Change, Difference};
use super::embedded::HISTORY_TABLE;
use super::manifest::Manifest;
use super::owner::Owner;

/// An object and one privilege on it.
type Rights = BTreeSet<(String, String)>;

const RESOURCES: [&str; 4] = ["hacs_core", "hacs_clinical", "hacs_registry", "hacs_agents"];
/// The application, the reader, the auditor, the sealer, and who reads the feed of changes.
const ROLES: usize = 5;
/// What it takes to ask for the feed, which has to see what is committed meanwhile.
const FEED: [&str; 2] = ["changes_since", "refuse_old_snapshot"];
/// What it takes besides, and to ask how far the trail is sealed.
const REACH: [&str; 3] = ["last_number", "writers", "marks"];
const WRITE: &str = "delete, insert, select, update";

/// Warnings about roles become one for each role, and none for a role that has what the script gives.
pub(crate) fn by_role(warnings: Vec<Difference>, found: &Manifest) -> Vec<Difference> {
    let mut roles: BTreeMap<String, Rights> = BTreeMap::new();
    let mut rest = Vec::new();
    for warning in warnings {
        match of_role(&warning) {
            Some((role, rights)) => roles.entry(role).or_default().extend(rights),
            None => rest.push(warning),
        }
    }
    let given = given(found);
    rest.extend(roles.iter().filter_map(|(role, rights)| told(role, rights, &given)));
    rest
}

/// The role that a warning is about, and its rights.
fn of_role(warning: &Difference) -> Option<(String, Vec<(String, String)>)> {
    let unexpected = warning.expected.as_deref().is_none_or(|expected| expected.starts_with("what "));
    let (object, role) = warning.name.rsplit_once(" to ")?;
    if !unexpected
        || !["grant", "default acl"].contains(&warning.kind.as_str())
        || ["public", "its owner"].contains(&role)
    {
        return None;
    }
    let object =
        object.split_once(" in schema ").map_or(object.to_owned(), |(_, rest)| format!("what comes in schema {rest}"));
    let privileges = warning.found.as_deref()?.split(", ");
    Some((role.to_owned(), privileges.map(|privilege| (object.clone(), privilege.to_owned())).collect()))
}

/// What the script gives to each of its roles.
fn given(found: &Manifest) -> [Rights; ROLES] {
    let mut all: [Rights; ROLES] = Default::default();
    let mut give = |roles: &[usize], object: &str, privileges: &str| {
        for (_, rights) in all.iter_mut().enumerate().filter(|(role, _)| roles.contains(role)) {
            rights.extend(privileges.split(", ").map(|privilege| (object.to_owned(), privilege.to_owned())));
        }
    };
    // Of objects that the operator has made, the manifest knows nothing.
    for (object, definition) in
        Manifest::embedded().with_histories_of(found).objects().filter(|(object, _)| found.definition(object).is_some())
    {
        let (kind, name) = (object.kind.as_str(), object.name.as_str());
        let schema = name.split('.').next().unwrap_or_default();
        let of_resources = RESOURCES.contains(&schema);
        let what = format!("{kind} {name}");
        match (kind, name) {
            ("schema", "hacs_audit") => give(&[0, 2, 3, 4], &what, "usage"),
            ("schema", "hacs_admin") => give(&[1, 2], &what, "usage"),
            ("schema", _) => give(&[0, 1, 2], &what, "usage"),
            ("table", _) if name == HISTORY_TABLE || Owner::of_table(name).is_some() => give(&[1, 2], &what, "select"),
            ("column", "hacs_audit.seals.seal_id" | "hacs_audit.seals.digest") => give(&[3], &what, "select"),
            ("table", "hacs_audit.resource_changes") => give(&[2, 4], &what, "select"),
            ("view", "hacs_audit.sealing") => give(&[2, 3], &what, "select"),
            ("table" | "view" | "materialized view", _) => {
                give(&[2], &what, "select");
                if of_resources {
                    give(&[0], &what, WRITE);
                    give(&[1], &what, "select");
                }
            }
            ("sequence", "hacs_audit.change_ids") => give(&[2, 3, 4], &what, "select"),
            ("function" | "aggregate", _) if of_resources => give(&[0, 1, 2], &what, "execute"),
            ("function", _) if name.starts_with("hacs_audit.set_actor(") => give(&[0], &what, "execute"),
            ("function", _) if name.starts_with("hacs_audit.seal(") => give(&[3], &what, "execute"),
            ("function", _) if is_one_of(name, &REACH) => give(&[2, 3, 4], &what, "execute"),
            ("function", _) if is_one_of(name, &FEED) => give(&[2, 4], &what, "execute"),
            ("function", _) if schema == "hacs_audit" && is_question(name, definition) => give(&[2], &what, "execute"),
            _ => {}
        }
    }
    for schema in RESOURCES {
        give(&[0], &format!("what comes in schema {schema} on tables"), WRITE);
        give(&[1], &format!("what comes in schema {schema} on tables"), "select");
        give(&[0, 1, 2], &format!("what comes in schema {schema} on functions"), "execute");
    }
    for schema in RESOURCES.iter().chain(&["hacs_admin", "hacs_audit"]) {
        give(&[2], &format!("what comes in schema {schema} on tables"), "select");
    }
    all
}

/// A function of the audit that only reads, in the name of whoever calls it; and the one that looks at the seals.
fn is_question(name: &str, definition: &str) -> bool {
    let reads = definition.contains(" stable") || definition.contains(" immutable");
    reads && !definition.contains(" security definer") || is_one_of(name, &["verify_seals"])
}

fn is_one_of(name: &str, functions: &[&str]) -> bool {
    functions.iter().any(|function| name.starts_with(&format!("hacs_audit.{function}(")))
}

/// One line about a role, unless it has exactly what one or several of the script's roles have.
fn told(role: &str, rights: &Rights, given: &[Rights; ROLES]) -> Option<Difference> {
    let mixed = |mask: u8| -> Rights {
        let chosen = given.iter().enumerate().filter(|(at, _)| mask & (1 << at) != 0);
        chosen.flat_map(|(_, rights)| rights.iter().cloned()).collect()
    };
    let distance = |mixture: &Rights| mixture.symmetric_difference(rights).count();
    // Nothing at all is a mixture, too: then everything is told.
    let closest = (0..1 << ROLES).map(mixed).min_by_key(distance).unwrap_or_default();
    if distance(&closest) == 0 {
        return None;
    }
    let more: Rights = rights.difference(&closest).cloned().collect();
    let less: Rights = closest.difference(rights).cloned().collect();
    let parts = [("", &more), ("lacks ", &less)];
    let found: Vec<String> = parts
        .iter()
        .filter(|(_, rights)| !rights.is_empty())
        .map(|(word, rights)| format!("{word}{}", listed(rights)))
        .collect();
    Some(Difference {
        change: Change::Changed,
        kind: "grant".to_owned(),
        name: format!("role {role}"),
        expected: Some("what scripts/grant-app-role.sql gives".to_owned()),
        found: Some(found.join("; ")),
        mend: None,
    })
}

/// The first few of them.
fn listed(rights: &Rights) -> String {
    let mut words: Vec<String> =
        rights.iter().take(3).map(|(object, privilege)| format!("{privilege} on {object}")).collect();
    if let Some(more) = rights.len().checked_sub(3).filter(|more| *more > 0) {
        words.push(format!("{more} more"));
    }
    words.join(", ")
}
