//! `verify`.

use std::fmt::Write;

use hacs_refinery::{
    Difference, Link, Result, SCHEMAS, Status, Supported, TABLES, Verification, safe_line, safe_lines, seals, verify,
};
use serde::Serialize;

use super::args::Args;
use super::fleet::One;
use super::json::versioned;
use super::status::newest;
use super::style::{BAD, GOOD, WARNING, paint};
use super::{Done, ExitCode, connect};

/// Carries it out.
pub fn run(args: &Args, json: bool, deep: bool, seals: bool) -> Result<Done> {
    let found = Found::ask(&mut connect(args)?, deep, seals)?;
    let text = if json { versioned(Json::from(&found)) } else { lines(&found, args.global.quiet) };
    Ok(Done { text, code: found.code() })
}

/// The same for one of many.
pub fn one(link: &mut Link, deep: bool, seals: bool) -> Result<One> {
    let found = Found::ask(link, deep, seals)?;
    let pending = found.status.migrations.iter().filter(|migration| migration.applied_on.is_none()).count();
    let (version, report) = (newest(&found.status), serde_json::to_value(Json::from(&found)));
    Ok(One { code: found.code(), version, report: report.unwrap_or_default(), text: result(&found, pending) })
}

/// Schema and seals.
struct Found {
    found: Verification,
    /// What is wrong with the seals, where they were asked about.
    seals: Option<Vec<seals::Problem>>,
}

impl std::ops::Deref for Found {
    type Target = Verification;

    fn deref(&self) -> &Verification {
        &self.found
    }
}

impl Found {
    fn ask(link: &mut Link, deep: bool, seals: bool) -> Result<Self> {
        let found = verify(link, deep)?;
        // Where the trail is not made yet, there is nothing to ask.
        let seals = (seals && !found.is_pending()).then(|| seals::verify(link)).transpose()?;
        Ok(Self { found, seals })
    }

    fn code(&self) -> ExitCode {
        let broken = self.seals.as_ref().is_some_and(|problems| !problems.is_empty());
        match code(&self.found) {
            ExitCode::Success if broken => ExitCode::Drift,
            code => code,
        }
    }
}

fn code(found: &Verification) -> ExitCode {
    let Status { problems, newer, conflicts, .. } = &found.status;
    let compared = !found.is_pending() && !found.differences.is_empty();
    if !problems.is_empty() || !newer.is_empty() && !compared || !conflicts.is_empty() {
        ExitCode::History
    } else if found.is_pending() {
        ExitCode::Pending
    } else if found.is_good() {
        ExitCode::Success
    } else {
        ExitCode::Drift
    }
}

/// The JSON object; docs/command-line.md describes it.
#[derive(Serialize)]
struct Json<'a> {
    result: &'static str,
    status: &'a Status,
    differences: &'a [Difference],
    warnings: &'a [Difference],
    ignored: usize,
    ignore_unreadable: bool,
    resources: &'a [Supported],
    deep: bool,
    seals: Option<&'a [seals::Problem]>,
}

impl<'a> From<&'a Found> for Json<'a> {
    fn from(all: &'a Found) -> Self {
        let result = match all.code() {
            ExitCode::Success => "as_migrated",
            ExitCode::Pending => "pending",
            ExitCode::History if !all.found.status.conflicts.is_empty() => "legacy",
            ExitCode::History => "history",
            _ if all.found.is_good() => "seals",
            _ => "drift",
        };
        let Verification { status, differences, warnings, ignored, ignore_unreadable, resources, deep, .. } =
            &all.found;
        Self {
            result,
            status,
            differences,
            warnings,
            ignored: *ignored,
            ignore_unreadable: *ignore_unreadable,
            resources,
            deep: *deep,
            seals: all.seals.as_deref(),
        }
    }
}

/// With `quiet`, nothing where all is well, and no warnings.
fn lines(found: &Found, quiet: bool) -> String {
    let mut text = String::new();
    if quiet && found.code() == ExitCode::Success {
        return text;
    }
    text += &broken(found);
    for difference in &found.differences {
        text += &paint(BAD, difference.change);
        text += &details(difference);
    }
    for warning in found.warnings.iter().filter(|_| !quiet) {
        text += &paint(WARNING, format!("warning: {}", warning.change));
        text += &details(warning);
    }
    for problem in &found.status.problems {
        let _ = writeln!(text, "History: {problem}");
    }
    let status = &found.status;
    for conflict in &status.conflicts {
        let _ = writeln!(text, "In the way: {conflict}");
    }
    for table in status.beside.iter().filter(|_| !quiet) {
        let _ = writeln!(text, "Left alone: {table}");
    }
    let pending = status.migrations.iter().filter(|migration| migration.applied_on.is_none()).count();
    let newest = status.migrations.iter().rfind(|migration| migration.applied_on.is_some());
    let at = newest.map_or("empty".to_owned(), |migration| format!("at V{}", migration.version));
    let supported = found.resources.iter().filter(|resource| resource.fault.is_none()).count();
    let expected = TABLES.len();
    let _ = writeln!(text, "Migrations  {at}{}", if pending > 0 { format!(", {pending} pending") } else { "".into() });
    let _ = writeln!(text, "Schemas     {} of {}", status.total_schemas, SCHEMAS.len());
    let _ = writeln!(text, "Tables      {} of {expected}", expected - status.missing_tables.len());
    if !found.resources.is_empty() {
        let how = if found.deep { ", each written and read" } else { "" };
        let _ = writeln!(text, "Resources   {supported} of {} supported{how}", found.resources.len());
    }
    for resource in &found.resources {
        if let Some(fault) = &resource.fault {
            let _ = writeln!(text, "  {}: {}", resource.resource_type, safe_lines(fault));
        }
    }
    text += &sealing(found);
    if found.ignored > 0 {
        let _ = writeln!(text, "Ignored     {} that verify.ignore names", found.ignored);
    }
    if found.ignore_unreadable {
        text += "Ignored     nothing: this role may not read verify.ignore in hacs_admin.system_config\n";
    }
    let _ = writeln!(text, "Result      {}", result(found, pending));
    text
}

/// Whether the seals hold, where that was asked.
fn sealing(found: &Found) -> String {
    match found.seals.as_deref() {
        None => String::new(),
        Some([]) => "Seals       intact\n".to_owned(),
        Some(problems) => format!("Seals       {}\n", count(problems.len(), "problem")),
    }
}

/// What is wrong with the seals.
fn broken(found: &Found) -> String {
    let mut text = String::new();
    for seals::Problem { seal, sealed_at, problem, .. } in found.seals.iter().flatten() {
        let number = seal.map_or_else(String::new, |number| format!(" {number}"));
        let at = sealed_at.as_deref().map_or_else(String::new, |at| format!(" of {}", safe_line(at)));
        let _ = writeln!(text, "{} seal{number}{at}: {}", paint(BAD, "broken"), safe_line(problem));
    }
    text
}

fn details(difference: &Difference) -> String {
    let Difference { kind, name, .. } = difference;
    let mut text = format!(" {} {}\n", safe_line(kind), safe_line(name));
    let parts = [("expected", &difference.expected), ("found", &difference.found), ("mend", &difference.mend)];
    for (label, part) in parts {
        if let Some(part) = part {
            let end = if label == "mend" && !part.starts_with("--") { ";" } else { "" };
            // What mends it is to be copied, and stays as it is but for what a terminal obeys.
            let part = if label == "mend" && !name.contains('\n') { part.into() } else { safe_lines(part) };
            let _ = writeln!(text, "  {label:10}{part}{end}");
        }
    }
    text
}

fn count(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

fn result(found: &Found, pending: usize) -> String {
    match found.code() {
        ExitCode::History if !found.status.conflicts.is_empty() => {
            paint(BAD, "tables of the original Python system are in the way")
        }
        ExitCode::History => paint(BAD, "the history does not match this binary"),
        ExitCode::Pending => {
            let compared = if found.differences.is_empty() { "nothing" } else { "nothing else" };
            paint(WARNING, format!("{} pending; {compared} was compared", count(pending, "migration")))
        }
        ExitCode::Success if found.warnings.is_empty() => paint(GOOD, "as migrated"),
        ExitCode::Success => paint(GOOD, format!("as migrated, with {}", count(found.warnings.len(), "warning"))),
        _ if found.is_good() => paint(BAD, "as migrated, but the seals of the audit trail do not hold"),
        _ => {
            let unsupported = found.resources.iter().filter(|resource| resource.fault.is_some()).count();
            let parts = [(found.differences.len(), "difference"), (unsupported, "unsupported resource")];
            let parts: Vec<String> =
                parts.iter().filter(|(number, _)| *number > 0).map(|(number, noun)| count(*number, noun)).collect();
            paint(BAD, format!("not as migrated: {}", parts.join(", ")))
        }
    }
}
