//! Documents out of their tables, from one snapshot, in an order in which they can be read again.

use std::io::{self, Write};
use std::time::Duration;

use crate::error::{Error, Result};
use crate::server::copy::Copy;
use crate::server::{Limit, Message};

use super::{ENCODING, ask};

/// Which documents are exported; by default all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExportOptions {
    /// Only documents of these types, such as `Patient`.
    pub types: Vec<String>,
    /// Only the records of this patient, with all that they refer to.
    pub patient: Option<String>,
    /// Only what was changed after this moment, as PostgreSQL reads it.
    pub since: Option<String>,
}

/// Writes documents, each on a line, and gives how many they are.
///
/// # Errors
///
/// [`Error::Io`] where writing fails, and [`Error::Database`].
pub fn export(connection: &mut impl Copy, writer: &mut dyn Write, options: &ExportOptions) -> Result<u64> {
    run(connection, writer, options)
}

const START: &str = "start transaction isolation level repeatable read, read only";

fn run<S: Copy>(session: &mut S, writer: &mut dyn Write, options: &ExportOptions) -> Result<u64> {
    session.limit(Limit::Statement(Duration::ZERO));
    let exporting = Error::during("exporting the documents");
    let result = write(session, writer, options);
    let ended = Message::bare("rollback").send(session);
    let written = result?;
    ended.map_err(&exporting)?;
    Ok(written)
}

fn write<S: Copy>(session: &mut S, writer: &mut dyn Write, options: &ExportOptions) -> Result<u64> {
    let exporting = Error::during("exporting the documents");
    let types = match options.types.as_slice() {
        [] => "null".to_owned(),
        types => format!("array[{}]", types.iter().map(|name| literal(Some(name))).collect::<Vec<_>>().join(", ")),
    };
    let query = format!(
        "select statement from hacs_core.export_statements({types}, {}, {})",
        literal(options.patient.as_deref()),
        literal(options.since.as_deref())
    );
    let begin = Message::start(START).then(ENCODING);
    let (answers, at) = ask(session, begin, "exporting the documents", &query)?;
    let statements: Vec<_> = answers.rows(at).map(|row| row.string(0)).collect();
    let mut lines = Lines { writer, count: 0 };
    for statement in statements {
        // JSON holds neither of these two bytes, so that in this form every row of COPY is the JSON itself.
        let copy = format!(r"copy ({statement}) to stdout with (format csv, quote e'\x01', delimiter e'\x02')");
        session
            .copy_out(&copy, &mut lines)
            .map_err(&exporting)?
            .map_err(|error| Error::Io { doing: "writing the documents", error })?;
    }
    lines.flush().map_err(|error| Error::Io { doing: "writing the documents", error })?;
    Ok(lines.count)
}

fn literal(text: Option<&str>) -> String {
    text.map_or_else(|| "null".to_owned(), |text| format!("e'{}'", text.replace('\\', r"\\").replace('\'', "''")))
}

/// Counts the lines on their way.
struct Lines<'a> {
    writer: &'a mut dyn Write,
    count: u64,
}

impl Write for Lines<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.writer.write(bytes)?;
        let part = bytes.get(..written).unwrap_or_default();
        self.count += part.iter().filter(|byte| **byte == b'\n').count() as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}
