//! `hacs-refinery import`.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufWriter, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use hacs_refinery::{Error, ImportOptions, Imported, OnConflict, Result, import, safe_line};

use super::args::Args as All;
use super::json::versioned;
use super::{Done, ExitCode, connect_to, signals};

/// What `import` is told.
#[derive(Args, Debug)]
pub struct Import {
    /// Files with documents, also compressed with gzip; none or - for standard input
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,

    /// What to do with a document whose id is there already
    #[arg(long, value_enum, default_value_t, value_name = "WHAT")]
    on_conflict: Conflict,

    /// Set refused documents aside in this file, from which they can be imported once they are mended
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,

    /// Refuse documents of later models that say less than a rule asks, instead of storing what stands for it
    #[arg(long)]
    exact: bool,

    /// Do everything, report it, and roll it back
    #[arg(long)]
    dry_run: bool,

    /// On whose behalf, for the audit, such as practitioner/42
    #[arg(long, value_name = "ID")]
    actor: Option<String>,

    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Conflict {
    /// Refuse it
    #[default]
    Fail,
    /// Leave what is there
    Keep,
    /// Put it in place of what is there
    Replace,
}

/// Opens the files before the database is asked, and imports them.
pub fn run(args: &All, of: &Import) -> Result<Done> {
    let quiet = args.global.quiet;
    let readers = of.files.iter().enumerate().map(|(at, path)| open(at + 1, path)).collect::<Result<Vec<_>>>()?;
    let readers = if readers.is_empty() { vec![Box::new(std::io::stdin()) as Box<dyn Read>] } else { readers };
    let create = |path: &PathBuf| {
        File::create(path).map(BufWriter::new).map_err(|error| io("writing", "--rejects", path, &error))
    };
    let mut rejects = of.rejects.as_ref().map(create).transpose()?;
    let mut show = progress(quiet);
    let run = signals::begin(None);
    let mut options = ImportOptions {
        on_conflict: match of.on_conflict {
            Conflict::Fail => OnConflict::Fail,
            Conflict::Keep => OnConflict::Keep,
            Conflict::Replace => OnConflict::Replace,
        },
        rejects: rejects.as_mut().map(|file| file as &mut dyn Write),
        exact: of.exact,
        dry_run: of.dry_run,
        actor: of.actor.as_deref(),
        progress: show.as_mut().map(|show| show as &mut dyn FnMut(u64)),
        standing: run.standing(),
    };
    let result = import(&mut connect_to(args, &run)?, readers, &mut options);
    if show.is_some() {
        // to the start of the line, and blank to its end
        let _ = write!(std::io::stderr(), "\r\x1b[K");
    }
    let imported = result?;
    let code = if imported.refused > 0 { ExitCode::Refused } else { ExitCode::Success };
    let text = if of.json { versioned(&imported) } else { report(&imported, of.rejects.as_deref()) };
    Ok(Done { text: if of.json || !quiet { text } else { String::new() }, code })
}

fn open(number: usize, path: &PathBuf) -> Result<Box<dyn Read>> {
    if path.as_os_str() == "-" {
        return Ok(Box::new(std::io::stdin()));
    }
    Ok(Box::new(File::open(path).map_err(|error| io("reading", &format!("file {number}"), path, &error))?))
}

/// A file that is there is named; what is no file may be a URL with a password.
fn io(doing: &'static str, place: &str, path: &Path, error: &std::io::Error) -> Error {
    let name = if path.symlink_metadata().is_ok() {
        safe_line(&path.to_string_lossy()).into_owned()
    } else {
        place.to_owned()
    };
    Error::Io { doing, error: std::io::Error::new(error.kind(), format!("{name}: {error}")) }
}

/// On a terminal, a line that says how far it is.
fn progress(quiet: bool) -> Option<impl FnMut(u64)> {
    let shown = !quiet && std::io::stderr().is_terminal();
    shown.then_some(|read: u64| {
        let what = if read == 0 { "storing".to_owned() } else { format!("{read} documents read") };
        let _ = write!(std::io::stderr(), "\rimporting: {what}\x1b[K");
        let _ = std::io::stderr().flush();
    })
}

fn report(imported: &Imported, rejects: Option<&Path>) -> String {
    let mut text = String::new();
    for of_type in &imported.types {
        let _ = write!(text, "{:26} {:>9} stored", of_type.resource_type, of_type.stored);
        let rest = [(of_type.kept, "left as they are"), (of_type.refused, "refused")];
        for (count, what) in rest.iter().filter(|(count, _)| *count > 0) {
            let _ = write!(text, ", {count} {what}");
        }
        text.push('\n');
    }
    let Imported { documents, stored, kept, refused, .. } = imported;
    let seconds = imported.duration.as_secs_f64();
    let _ = writeln!(
        text,
        "{documents} documents in {seconds:.1} s: {stored} stored, {kept} left as they are, {refused} refused."
    );
    if let Some(path) = rejects.filter(|_| *refused > 0) {
        let _ = writeln!(text, "The refused ones are in {}, each with its reason.", path.display());
    }
    if imported.dry_run {
        text.push_str("Rolled back: nothing was changed.\n");
    }
    text
}
