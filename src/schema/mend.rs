//! The statement that would make an object what it should be.

use super::difference::{Change, Difference, GENERATED, firing, subject};
use super::embedded;
use super::manifest::Manifest;
use super::rights;
use super::statements;
use crate::server::sql::literal;

/// The statement, where one exists.
pub(super) fn statement(difference: &Difference) -> Option<String> {
    let Difference { kind, name, .. } = difference;
    let expected = difference.expected.as_deref();
    let (parent, part) = split(name);
    match kind.as_str() {
        "column" => column(difference, parent, part),
        "constraint" => constraint(difference, parent, part),
        "index" => {
            let index = format!("{}.{part}", split(parent).0);
            match difference.change {
                Change::Invalid if expected.is_none() && !Manifest::embedded().has("constraint", name) => {
                    Some(format!("drop index concurrently {index}"))
                }
                Change::Invalid => Some(format!("reindex index {index}")),
                _ => replace(difference, format!("drop index {index}"), expected.map(str::to_owned)),
            }
        }
        "trigger" => {
            let enable = |mode: &str| format!("alter table {parent} {} trigger {part}", mode.to_lowercase());
            let create = expected.map(firing).map(|(definition, mode)| match mode {
                "ENABLE" => definition.to_owned(),
                _ => format!("{definition}; {}", enable(mode)),
            });
            match difference.change {
                Change::Disabled => expected.map(|definition| enable(firing(definition).1)),
                _ => replace(difference, format!("drop trigger {part} on {parent}"), create),
            }
        }
        "foreign keys" => Some(format!("alter table {name} enable trigger all")),
        "rule" | "policy" if expected.is_none() => Some(format!("drop {kind} {part} on {parent}")),
        "comment" => Some(format!("comment on {} is {}", commented(name), expected.map_or("null".into(), literal))),
        "grant" => rights::grant(difference),
        "right" => rights::revoke(difference),
        "owner" => Some(rights::owner(name)),
        // What PostgreSQL gives to objects that are made later: alter default privileges, as the site wants it.
        "default acl" => None,
        "partition guards" => Some(format!("select hacs_audit.guard({}, 'resource_changes')", literal(name))),
        _ if expected.is_none() => Some(format!("drop {kind} {name}")),
        "table" if difference.change == Change::Changed => table(difference),
        "domain" if difference.change == Change::Missing => expected.map(|is| format!("create domain {name} as {is}")),
        "domain" if difference.change == Change::Changed => domain(difference),
        "function" if expected.is_some_and(|is| is.ends_with(GENERATED)) => {
            Some("select hacs_core.attach_documents(d.target) from hacs_core.document_tables() as d".into())
        }
        "function" | "procedure" | "view" => written(kind, name),
        _ if difference.change == Change::Missing => written(kind, name),
        _ => None,
    }
}

fn constraint(difference: &Difference, parent: &str, part: &str) -> Option<String> {
    let table = if parent_is_domain(parent) { "domain" } else { "table" };
    let expected = difference.expected.as_deref();
    let add = expected.map(|definition| format!("alter {table} {parent} add constraint {part} {definition}"));
    let drop = format!("alter {table} {parent} drop constraint {part}");
    match difference.change {
        Change::NotValidated => Some(format!("alter {table} {parent} validate constraint {part}")),
        _ => replace(difference, drop, add),
    }
}

/// `hacs_core.patients.family` as `hacs_core.patients` and `family`; a quoted name may hold points.
pub(super) fn split(name: &str) -> (&str, &str) {
    let at = match name.strip_suffix('"') {
        Some(open) => open.rfind('"').and_then(|quote| quote.checked_sub(1)),
        None => name.rfind('.'),
    };
    at.map_or(("", name), |at| (&name[..at], &name[at + 1..]))
}

fn parent_is_domain(name: &str) -> bool {
    Manifest::embedded().has("domain", name)
}

/// Drop what is extra, create what is missing, and both for what has changed.
fn replace(difference: &Difference, drop: String, create: Option<String>) -> Option<String> {
    match (difference.change, create) {
        (Change::Missing, create) => create,
        (_, None) => Some(drop),
        (_, Some(create)) => Some(format!("{drop}; {create}")),
    }
}

/// A column's definition in its parts.
struct Parts<'a> {
    data_type: &'a str,
    not_null: bool,
    default: Option<&'a str>,
    generated: Option<&'a str>,
}

fn parts(definition: &str) -> Parts<'_> {
    let (rest, generated) = match definition.split_once(" generated ") {
        Some((rest, generated)) => (rest, Some(generated)),
        None => (definition, None),
    };
    let (rest, default) = match rest.split_once(" default ") {
        Some((rest, default)) => (rest, Some(default)),
        None => (rest, None),
    };
    let (data_type, not_null) = rest.strip_suffix(" not null").map_or((rest, false), |data_type| (data_type, true));
    Parts { data_type, not_null, default, generated }
}

fn column(difference: &Difference, table: &str, column: &str) -> Option<String> {
    let Some(expected) = &difference.expected else {
        return Some(format!("alter table {table} drop column {column}"));
    };
    let Some(found) = &difference.found else {
        return Some(format!("alter table {table} add column {column} {expected}"));
    };
    let (is, should) = (parts(found), parts(expected));
    if is.generated != should.generated {
        let generated = should.generated?.starts_with("always as (") && is.generated.is_none_or(|g| g.contains("as ("));
        return generated.then(|| {
            format!("alter table {table} drop column {column}; alter table {table} add column {column} {expected}")
        });
    }
    let mut steps = Vec::new();
    if is.data_type != should.data_type {
        steps.push(format!("type {0} using {column}::{0}", should.data_type));
    }
    steps.extend(defaults(&is, &should));
    let steps: Vec<String> = steps.iter().map(|step| format!("alter column {column} {step}")).collect();
    Some(format!("alter table {table} {}", steps.join(", ")))
}

/// What a column and a domain may have besides their type.
fn defaults(is: &Parts<'_>, should: &Parts<'_>) -> Vec<String> {
    let mut steps = Vec::new();
    if is.default != should.default {
        steps.push(should.default.map_or("drop default".into(), |default| format!("set default {default}")));
    }
    if is.not_null != should.not_null {
        steps.push(if should.not_null { "set not null" } else { "drop not null" }.into());
    }
    steps
}

/// A domain's type cannot be changed.
fn domain(difference: &Difference) -> Option<String> {
    let (is, should) = (parts(difference.found.as_deref()?), parts(difference.expected.as_deref()?));
    let steps = defaults(&is, &should).into_iter().map(|step| format!("alter domain {} {step}", difference.name));
    (is.data_type == should.data_type).then(|| steps.collect::<Vec<_>>().join("; "))
}

/// What can be turned on and off; a table that differs in anything else has to be made anew.
fn table(difference: &Difference) -> Option<String> {
    const SWITCHES: [(&str, &str, &str); 3] = [
        (", unlogged", "set unlogged", "set logged"),
        (", row level security", "enable row level security", "disable row level security"),
        (", forced for the owner", "force row level security", "no force row level security"),
    ];
    let ((mut is, has), (mut should, wants)) =
        (storage(difference.found.as_deref()?), storage(difference.expected.as_deref()?));
    let mut actions = Vec::new();
    for (word, on, off) in SWITCHES {
        match (is.contains(word), should.contains(word)) {
            (true, false) => actions.push(off.to_owned()),
            (false, true) => actions.push(on.to_owned()),
            _ => {}
        }
        is = is.replacen(word, "", 1);
        should = should.replacen(word, "", 1);
    }
    let more: Vec<_> =
        has.iter().filter(|p| !wants.iter().any(|w| name_of(w) == name_of(p))).map(|p| name_of(p)).collect();
    let less: Vec<_> = wants.iter().filter(|parameter| !has.contains(parameter)).copied().collect();
    actions.extend((!more.is_empty()).then(|| format!("reset ({})", more.join(", "))));
    actions.extend((!less.is_empty()).then(|| format!("set ({})", less.join(", "))));
    (is == should).then(|| format!("alter table {} {}", difference.name, actions.join(", ")))
}

/// A table's definition without its storage parameters, and these.
fn storage(definition: &str) -> (String, Vec<&str>) {
    let Some((before, rest)) = definition.split_once(", with (") else { return (definition.to_owned(), Vec::new()) };
    let (parameters, after) = rest.split_once(')').unwrap_or((rest, ""));
    (format!("{before}{after}"), parameters.split(", ").collect())
}

fn name_of(parameter: &str) -> &str {
    parameter.split('=').next().unwrap_or(parameter)
}

/// The object of a comment, as COMMENT names it.
fn commented(name: &str) -> String {
    let (kind, name) = subject(name);
    let (parent, part) = split(name);
    match kind {
        "constraint" if parent_is_domain(parent) => format!("constraint {part} on domain {parent}"),
        "constraint" | "trigger" | "rule" | "policy" => format!("{kind} {part} on {parent}"),
        "index" => format!("index {}.{part}", split(parent).0),
        _ => format!("{kind} {name}"),
    }
}

/// The statement of the embedded files that makes an object, else the last file that speaks of it: every file can be
/// run again without harm.
fn written(kind: &str, name: &str) -> Option<String> {
    let bare = name.split('(').next().unwrap_or(name);
    let mut made = None;
    let mut mentioned = None;
    for migration in embedded::migrations() {
        let (version, sql) = (migration.version(), migration.sql().unwrap_or_default());
        mentioned = if sql.contains(bare) { Some(version) } else { mentioned };
        let statement =
            statements::split(sql).into_iter().map(|s| s.text(sql)).find(|text| makes(text, kind, name, bare));
        made = statement.map(|text| (version, text.to_owned())).or(made);
    }
    match made {
        // A table comes with indexes, triggers and comments.
        Some((_, statement)) if !["table", "schema"].contains(&kind) => Some(statement),
        made => {
            let version = made.map(|(version, _)| version).or(mentioned)?;
            Some(format!("-- in a shell: hacs-refinery show V{version} | psql"))
        }
    }
}

fn makes(statement: &str, kind: &str, name: &str, bare: &str) -> bool {
    let rest = ["create or replace", "create"].iter().find_map(|verb| statement.strip_prefix(verb));
    let Some(rest) = rest.and_then(|rest| rest.trim_start().strip_prefix(kind)) else { return false };
    let rest = rest.trim_start();
    let Some(rest) = rest.strip_prefix("if not exists ").unwrap_or(rest).strip_prefix(bare) else { return false };
    if name == bare {
        return rest.is_empty() || rest.starts_with(|c: char| c.is_whitespace() || c == '(');
    }
    // Functions of one name: by the types of their arguments, each written after its name and before its default.
    let Some((arguments, _)) = rest.strip_prefix('(').and_then(|rest| rest.split_once(')')) else { return false };
    let types = arguments.split(',').map(|argument| {
        let argument = argument.split(" default ").next().unwrap_or(argument);
        argument.trim().split_once(' ').map_or("", |(_, of)| of.trim())
    });
    name[bare.len()..] == format!("({})", types.collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_found_by_name_and_arguments() {
        let text = written("function", "hacs_core.reference_id(jsonb, text, boolean)").unwrap();
        assert!(text.starts_with(
            "create or replace function hacs_core.reference_id(reference jsonb, target text, bare boolean default true)"
        ));
        assert!(written("function", "hacs_audit.set_actor(text, text, text)").is_some());
        let trigger = written("function", "hacs_core.touch_updated_at()").unwrap();
        assert!(trigger.starts_with("create or replace function hacs_core.touch_updated_at()"), "{trigger}");
    }

    #[test]
    fn names_are_split_at_their_last_point() {
        assert_eq!(split("hacs_core.patients.family"), ("hacs_core.patients", "family"));
        assert_eq!(split(r#"hacs_core.patients."a.b""#), ("hacs_core.patients", r#""a.b""#));
    }
}
