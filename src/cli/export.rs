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
    #[arg(long = "type", value_name = "TYPE")]
    types: Vec<String>,

    /// Only the records of this patient, with all that they refer to
    #[arg(long, value_name = "ID")]
    patient: Option<String>,

    /// Only what was changed after this moment, such as 2026-01-31T12:00:00Z
    #[arg(long, value_name = "TIME")]
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
