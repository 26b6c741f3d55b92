//! Two manifests compared.

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;

use super::manifest::{Manifest, Object};
use super::mend;
use crate::server::safe_text::{safe_line, safe_lines};

/// One object that is not as the migrations made it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Difference {
    /// In what way.
    pub change: Change,
    /// What it is, such as `index`.
    pub kind: String,
    /// Its name, with schema and table.
    pub name: String,
    /// The definition that the migrations gave it; absent for an object that they did not make.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// The definition that was found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found: Option<String>,
    /// What to run to have it as expected, where that can be told. Read it before: it may drop data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mend: Option<String>,
}

/// In what way an object is different.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Change {
    /// It is not there.
    Missing,
    /// It is there, but no migration made it.
    Extra,
    /// It is defined otherwise.
    Changed,
    /// A trigger that does not fire as it should, or foreign keys that nobody checks.
    Disabled,
    /// A constraint that holds for new rows alone.
    NotValidated,
    /// An index that is not used.
    Invalid,
}

/// Privileges that a manifest does not mention.
const USUAL: &str = "what PostgreSQL gives by itself";

/// How the definition of a function ends that is generated, for own tables too, and carries its own hash.
pub(crate) const GENERATED: &str = " body generated";

/// The kind of a privilege with which somebody else than the owner gets past the protection.
const RIGHT: &str = "right";

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Missing => "missing",
            Self::Extra => "extra",
            Self::Changed => "changed",
            Self::Disabled => "disabled",
            Self::NotValidated => "not validated",
            Self::Invalid => "invalid",
        })
    }
}

impl fmt::Display for Difference {
    /// Without the statement that mends it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.change, safe_line(&self.kind), safe_line(&self.name))?;
        if let (Some(expected), Some(found)) = (&self.expected, &self.found) {
            write!(f, ": expected {}, found {}", safe_lines(expected), safe_lines(found))?;
        }
        Ok(())
    }
}

impl Difference {
    /// Comments, privileges and owners: what a site may have changed on purpose, and what stops nobody's work. A right
    /// of somebody else to write the trail, the history or the settings, or to act as the owner, is none of these.
    #[must_use]
    pub fn is_warning(&self) -> bool {
        is_remark(&self.kind) && self.kind != RIGHT
    }

    /// Whether it is a table, or another thing by itself, that no migration made.
    pub(crate) fn is_a_stranger(&self) -> bool {
        self.change == Change::Extra
            && ["table", "view", "materialized view", "sequence", "function", "type", "domain"]
                .contains(&self.kind.as_str())
            && !self.opens()
    }

    /// Whether it takes protection away: this is never left out of a report.
    fn opens(&self) -> bool {
        let place = if is_remark(&self.kind) { subject(&self.name).1 } else { &self.name };
        let acts_as_the_owner = self.kind == "function" && self.found.iter().any(|is| is.contains(" security definer"));
        [RIGHT, "owner", "foreign keys", "partition guards"].contains(&self.kind.as_str())
            || acts_as_the_owner
            || ["trigger", "rule", "policy"].contains(&self.kind.as_str()) && place.starts_with("hacs_a")
    }

    fn of(object: &Object, expected: Option<&str>, found: Option<&str>) -> Option<Self> {
        let change = match (expected, found) {
            (None, _) | (_, None) if ["grant", RIGHT].contains(&object.kind.as_str()) => Change::Changed,
            (Some(_), None) => Change::Missing,
            (None, Some(_)) if ["foreign keys", "partition guards"].contains(&object.kind.as_str()) => Change::Disabled,
            (None, Some(found)) if found.ends_with(" INVALID") => Change::Invalid,
            (None, Some(_)) => Change::Extra,
            (Some(a), Some(b)) if a == b => return None,
            (Some(a), Some(b)) if b.strip_prefix(a) == Some(" NOT VALID") => Change::NotValidated,
            (Some(a), Some(b)) if b.strip_prefix(a) == Some(" INVALID") => Change::Invalid,
            (Some(a), Some(b)) if object.kind == "trigger" && firing(a).0 == firing(b).0 => Change::Disabled,
            (Some(_), Some(_)) => Change::Changed,
            (None, None) => return None,
        };
        let mut difference = Self {
            change,
            kind: object.kind.clone(),
            name: object.name.clone(),
            expected: expected.map(str::to_owned),
            found: found.map(str::to_owned),
            mend: None,
        };
        difference.mend = mend::statement(&difference);
        if ["grant", RIGHT].contains(&object.kind.as_str()) {
            difference.expected.get_or_insert_with(|| USUAL.to_owned());
            difference.found.get_or_insert_with(|| USUAL.to_owned());
        }
        Some(difference)
    }

    /// Whether this lies in, or is about, an object that is missing or extra itself: that says it all.
    fn follows_from(&self, other: &Self) -> bool {
        let whole = matches!(other.change, Change::Missing | Change::Extra) && !is_remark(&other.kind);
        if !(whole || other.kind == "view" && self.kind == "column") {
            return false;
        }
        let holds_others =
            ["schema", "table", "view", "materialized view", "domain", "type"].contains(&other.kind.as_str());
        let place = if is_remark(&self.kind) { subject(&self.name).1 } else { &self.name };
        let inside = |name: &str| name.strip_prefix(other.name.as_str()).is_some_and(|rest| rest.starts_with('.'));
        let is_about = || {
            let rest = self.name.strip_prefix(other.kind.as_str()).and_then(|rest| rest.strip_prefix(' '));
            let rest = rest.and_then(|rest| rest.strip_prefix(other.name.as_str()));
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(" to "))
        };
        let owner = || [&self.expected, &self.found].into_iter().flatten().find_map(|d| d.split_once(" owned by "));
        is_remark(&self.kind) && is_about()
            || holds_others && inside(place)
            || self.kind == "sequence" && owner().is_some_and(|(_, owner)| owner == other.name || inside(owner))
    }
}

/// The name of an object, or of the one that a remark is about.
fn about(object: &Object) -> &str {
    if !is_remark(&object.kind) {
        return &object.name;
    }
    let name = subject(&object.name).1;
    name.split_once(" to ").map_or(name, |(name, _)| name)
}

/// Whether a kind is about another object, and no object itself.
fn is_remark(kind: &str) -> bool {
    ["comment", "default acl", "grant", "owner", RIGHT].contains(&kind)
}

/// The kind and the name in the name of a remark: `column hacs_core.patients.family`.
pub(super) fn subject(name: &str) -> (&str, &str) {
    // In other schemas the name begins with the first word that has a point, or is the last one.
    let elsewhere = || {
        let point = name.find('.').unwrap_or(name.len());
        name.get(..point).and_then(|before| before.rfind(' ')).map_or(0, |space| space + 1)
    };
    let (kind, name) = name.split_at(name.find("hacs_").unwrap_or_else(elsewhere));
    (kind.trim_end(), name)
}

/// A trigger's definition, and when it fires.
pub(super) fn firing(definition: &str) -> (&str, &str) {
    [" DISABLED", " ENABLE ALWAYS", " ENABLE REPLICA"]
        .into_iter()
        .find_map(|mode| Some((definition.strip_suffix(mode)?, mode.trim_start())))
        .unwrap_or((definition, "ENABLE"))
}

/// What the operator answers for.
#[derive(Debug, Default)]
pub(crate) struct Own {
    /// What he has registered.
    pub patterns: Vec<String>,
    /// Functions that are what `hacs_audit.attach` writes for the tables as they are now.
    pub recorders: BTreeSet<String>,
}

/// Two manifests, compared.
#[derive(Debug, Default)]
pub(crate) struct Compared {
    /// What is different, in the order of kinds and names.
    pub different: Vec<Difference>,
    /// What the operator has registered of HACS's own tables.
    pub registered: Vec<Difference>,
    /// How much he has registered besides.
    pub ignored: usize,
}

/// What is different. What lies in an object that is itself missing or extra is left out.
pub(crate) fn compare(expected: &Manifest, found: &Manifest, own: &Own) -> Compared {
    let gone =
        expected.objects().filter_map(|(o, definition)| Difference::of(o, Some(definition), found.definition(o)));
    let generated = |o: &Object| {
        let function = Object { kind: "function".into(), name: about(o).to_owned() };
        !["owner", RIGHT].contains(&o.kind.as_str())
            && expected.definition(&function).is_none()
            && found.definition(&function).is_some_and(|definition| definition.ends_with(GENERATED))
    };
    let more = found.objects().filter(|(o, _)| expected.definition(o).is_none() && !generated(o));
    let more = more.filter_map(|(o, definition)| Difference::of(o, None, Some(definition)));
    let changed = gone.chain(more).filter(|d| !is_recorder(d, &own.recorders));
    let (theirs, mut all): (Vec<_>, Vec<_>) =
        changed.partition(|d| !d.opens() && (is_own(d, &own.patterns) || is_widened(d, &own.patterns)));
    let of_hacs = |d: &Difference| {
        let table = d.name.rsplit_once('.').map_or("", |(table, _)| table);
        !is_remark(&d.kind) && expected.has("table", table)
    };
    let (registered, ignored): (Vec<_>, Vec<_>) = theirs.into_iter().partition(of_hacs);
    all.sort_by(|a, b| (a.is_warning(), &a.kind, &a.name).cmp(&(b.is_warning(), &b.kind, &b.name)));
    let causes: Vec<Difference> =
        all.iter().filter(|d| d.change != Change::Changed || d.kind == "view").cloned().collect();
    // What opens the protection is named once.
    let rights: Vec<String> = all.iter().filter(|d| d.kind == RIGHT).map(|d| d.name.clone()).collect();
    all.retain(|d| d.kind != "grant" || !rights.contains(&d.name));
    // An invalid index is named wherever it is: it costs every write.
    all.retain(|d| d.change == Change::Invalid || !causes.iter().any(|cause| cause != d && d.follows_from(cause)));
    Compared { different: all, registered, ignored: ignored.len() }
}

/// Whether it is about a function that the audit has written anew, for own columns or an own table. Who may call it,
/// and whose it is, stays a difference.
fn is_recorder(difference: &Difference, recorders: &BTreeSet<String>) -> bool {
    match difference.kind.as_str() {
        "function" => difference.found.is_some() && recorders.contains(&difference.name),
        "comment" | "grant" => {
            let (kind, name) = subject(&difference.name);
            difference.change == Change::Extra && kind == "function" && recorders.contains(name)
                || difference.name.strip_suffix(" to public").is_some_and(|name| recorders.contains(subject(name).1))
                    && difference.found.as_deref() == Some("nothing")
        }
        _ => false,
    }
}

/// Whether a set of values that the operator has registered has all values that it had, and more.
fn is_widened(difference: &Difference, own: &[String]) -> bool {
    let values = |definition: &str| {
        let (before, rest) = definition.split_once("'{")?;
        let (values, after) = rest.split_once("}'")?;
        Some((format!("{before}{after}"), values.split(',').map(str::to_owned).collect::<BTreeSet<_>>()))
    };
    let (Some(was), Some(is)) =
        (difference.expected.as_deref().and_then(values), difference.found.as_deref().and_then(values))
    else {
        return false;
    };
    let names = [difference.name.clone(), format!("constraint {}", difference.name)];
    difference.kind == "constraint"
        && difference.change == Change::Changed
        && was.0 == is.0
        && was.1.is_subset(&is.1)
        && own.iter().any(|pattern| names.iter().any(|name| fits(pattern, name)))
}

/// Whether an object that no migration made, or something in it or about it, is registered.
fn is_own(difference: &Difference, own: &[String]) -> bool {
    if difference.expected.as_deref().is_some_and(|expected| expected != USUAL) {
        return false;
    }
    let mut names = vec![format!("{} {}", difference.kind, difference.name)];
    let mut name = difference.name.as_str();
    if is_remark(&difference.kind) {
        names.push(difference.name.clone());
        name = subject(name).1;
        name = name.split_once(" to ").map_or(name, |(name, _)| name);
    }
    while name.contains('.') {
        names.push(name.to_owned());
        name = name.rsplit_once('.').map_or("", |(table, _)| table);
    }
    names.extend(
        difference
            .found
            .as_deref()
            .and_then(|d| d.split_once(" owned by ")?.1.rsplit_once('.'))
            .map(|o| o.0.to_owned()),
    );
    own.iter().any(|pattern| names.iter().any(|name| fits(pattern, name)))
}

/// Whether a text fits a pattern, in which `*` stands for anything.
fn fits(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, rest)) => text.strip_prefix(start).is_some_and(|text| {
            (0..=text.len()).filter(|at| text.is_char_boundary(*at)).any(|at| fits(rest, &text[at..]))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_anything() {
        for (pattern, text) in [("a", "a"), ("*", ""), ("a*", "abc"), ("*c", "abc"), ("a*c*e", "abcde")] {
            assert!(fits(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("a", "ab"), ("a*c", "ab"), ("*b", "abc"), ("", "a")] {
            assert!(!fits(pattern, text), "{pattern} {text}");
        }
    }
}
