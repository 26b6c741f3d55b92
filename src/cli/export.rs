//! `hacs-refinery export`.

use std::io::BufWriter;

use clap::Args;
use hacs_refinery::{Error, ExportOptions, Result, export};

use super::args::Args as All;
use super::{ExitCode, connect};

/// What `export` is told.
#[derive(Args, Debug)]
pub struct Export {
    /// Only documents of this type, such as Patient; may be given several times
    #[arg(long = "type", value_name = "TYPE", value_parser = resource_type)]
    types: Vec<String>,

    /// Only the records of this patient, with all that they refer to
    #[arg(long, value_name = "ID")]
    patient: Option<String>,

    /// Only what was changed after this moment, such as 2026-01-31T12:00:00Z
    #[arg(long, value_name = "TIME", value_parser = moment)]
    since: Option<String>,
}

/// Writes the documents to standard output. A reader that has gone away, as in `| head`, is no failure of ours.
pub fn run(args: &All, of: &Export) -> Result<ExitCode> {
    let options = ExportOptions { types: of.types.clone(), patient: of.patient.clone(), since: of.since.clone() };
    let mut writer = BufWriter::with_capacity(1 << 16, std::io::stdout().lock());
    match export(&mut connect(args)?, &mut writer, &options) {
        Err(Error::Io { error, .. }) if error.kind() == std::io::ErrorKind::BrokenPipe => {}
        result => drop(result?),
    }
    Ok(ExitCode::Success)
}

/// Why a value is refused. The server would quote it.
pub const NO_TYPE: &str = "a type is written as Patient";
pub const NO_MOMENT: &str = "a moment is written as 2026-01-31T12:00:00Z";

fn resource_type(text: &str) -> std::result::Result<String, &'static str> {
    let is_one = text.starts_with(|c: char| c.is_ascii_uppercase()) && text.chars().all(|c| c.is_ascii_alphanumeric());
    if is_one && text.len() <= 64 { Ok(text.to_owned()) } else { Err(NO_TYPE) }
}

/// A day, and maybe a time and a zone. PostgreSQL has the last word.
fn moment(text: &str) -> std::result::Result<String, &'static str> {
    let day = text.get(..10).unwrap_or_default();
    let form: String = day.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    let rest = text.get(10..).unwrap_or_default();
    let is_time = rest.chars().all(|c| c.is_ascii_digit() || "-+:. TZ".contains(c));
    if form == "0000-00-00" && is_time { Ok(text.to_owned()) } else { Err(NO_MOMENT) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_begins_with_a_day_and_holds_nothing_but_a_time() {
        for text in ["2026-01-31", "2026-01-31T12:00:00Z", "2026-01-31 12:00:00.5+05:30"] {
            assert_eq!(moment(text).as_deref(), Ok(text));
        }
        for text in ["yesterday", "20260131", "2026-01-31 hunter2", "postgresql://h/d", "", "2026-01-3é"] {
            assert_eq!(moment(text), Err(NO_MOMENT), "{text}");
        }
    }
}
