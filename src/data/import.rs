//! Many documents into their tables, in one transaction.

use std::io::{self, Read, Write};
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::error::standing::Standing;
use crate::error::{Error, Result};
use crate::server::copy::Copy;
use crate::server::sql::literal;
use crate::server::{Connection, Limit, Message, Row, START};

use super::split::Documents;
use super::staging::Staging;
use super::{ENCODING, ask, plain};

/// What is done with a document whose id is there already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnConflict {
    /// It is refused.
    #[default]
    Fail,
    /// What is there stays.
    Keep,
    /// It takes the place of what is there.
    Replace,
}

impl OnConflict {
    fn word(self) -> &'static str {
        match self {
            Self::Fail => "fail",
            Self::Keep => "keep",
            Self::Replace => "replace",
        }
    }
}

/// How documents are imported.
#[derive(Default)]
pub struct ImportOptions<'a> {
    /// What is done with a document whose id is there already.
    pub on_conflict: OnConflict,
    /// Where the documents go that are refused, a JSON object a line. Without it the first one ends the import.
    pub rejects: Option<&'a mut dyn Write>,
    /// Refuse a document of a later generation that says less than a rule asks, where otherwise something stands for
    /// it.
    pub exact: bool,
    /// Roll everything back at the end.
    pub dry_run: bool,
    /// On whose behalf, for the audit.
    pub actor: Option<&'a str>,
    /// Told now and then how many documents were read; 0 when they are stored.
    pub progress: Option<&'a mut dyn FnMut(u64)>,
    /// Tells other threads how far the import is.
    pub standing: Standing,
}

/// What an import did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Imported {
    /// How many documents there were.
    pub documents: u64,
    /// How many were stored or changed.
    pub stored: u64,
    /// How many were left as they are: their id was there, or they say nothing new.
    pub kept: u64,
    /// How many were refused.
    pub refused: u64,
    /// Whether it was all rolled back.
    pub dry_run: bool,
    /// The same for each type, in the order in which they were stored.
    pub types: Vec<ImportedType>,
    /// How long it took.
    #[serde(skip)]
    pub duration: Duration,
}

/// What an import did with the documents of a type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ImportedType {
    /// Such as `Patient`; `other` for all types that have no table of their own.
    pub resource_type: String,
    /// How many documents there were.
    pub documents: u64,
    /// How many were stored or changed.
    pub stored: u64,
    /// How many were left as they are.
    pub kept: u64,
    /// How many were refused.
    pub refused: u64,
}

/// Stores the documents of some readers: NDJSON, a JSON array, or FHIR Bundles, also compressed with gzip.
///
/// # Errors
///
/// [`Error::Refused`] where a document is refused and [`ImportOptions::rejects`] is `None`, [`Error::Io`] where reading
/// or writing fails, and [`Error::Database`]. Then nothing is changed.
pub fn import(
    connection: &mut impl Copy,
    readers: Vec<Box<dyn Read>>,
    options: &mut ImportOptions<'_>,
) -> Result<Imported> {
    run(connection, readers, options)
}

fn run<S: Copy>(session: &mut S, readers: Vec<Box<dyn Read>>, options: &mut ImportOptions<'_>) -> Result<Imported> {
    let started = Instant::now();
    let result = begin(session, options).and_then(|()| store(session, readers, options));
    let mut end = |word| Message::bare(word).send(session).map(drop);
    let mut imported = match result {
        Ok(imported) if !options.dry_run => {
            options.standing.commit("storing the documents", || end("commit"))?;
            imported
        }
        result => {
            let ended = end("rollback");
            let imported = result?;
            ended.map_err(Error::during("rolling back"))?;
            imported
        }
    };
    imported.duration = started.elapsed();
    Ok(imported)
}

fn begin(session: &mut impl Connection, options: &ImportOptions<'_>) -> Result<()> {
    session.limit(Limit::Statement(Duration::ZERO));
    let begin = Message::start(START).then(ENCODING);
    let begin = match options.actor {
        Some(actor) => begin.then(&format!("select set_config('hacs_audit.actor_id', {}, true)", literal(actor))),
        None => begin,
    };
    ask(session, begin, "beginning the import", "select hacs_core.stage_documents()").map(drop)
}

fn store<S: Copy>(session: &mut S, readers: Vec<Box<dyn Read>>, options: &mut ImportOptions<'_>) -> Result<Imported> {
    let mut staging = Staging::default();
    let mut read = 0;
    let mut lines = 0;
    for reader in readers {
        let mut documents = Documents::new(plain(reader).map_err(reading)?);
        while let Some(mut document) = documents.next().map_err(reading)? {
            document.line += lines;
            staging.add(session, document)?;
            read += 1;
            if let Some(progress) = options.progress.as_mut().filter(|_| read % 1000 == 0) {
                progress(read);
            }
        }
        lines += documents.lines();
    }
    staging.send(session)?;
    if let Some(progress) = options.progress.as_mut() {
        progress(0);
    }
    put(session, options)
}

fn put<S: Copy>(session: &mut S, options: &mut ImportOptions<'_>) -> Result<Imported> {
    let stop = options.rejects.is_none();
    let (conflict, substitute) = (options.on_conflict.word(), !options.exact);
    let query = format!("select * from hacs_core.put_staged('{conflict}', {stop}, substitute => {substitute})");
    let answer = Message::bare(&query).send(session).map_err(|failure| match failure.sqlstate() {
        Some(code) if stop && (code.starts_with("22") || code.starts_with("23")) => Error::Refused(failure),
        _ => Error::Database { doing: "storing the documents", failure },
    })?;
    let mut imported = Imported { dry_run: options.dry_run, ..Imported::default() };
    for row in answer.rows(0) {
        imported.add(row);
    }
    // Some are refused before they are counted as documents of a type.
    let count = "select count(*) from pg_temp.hacs_refused";
    let refused = Message::bare(count).send(session).map_err(Error::during("counting the refused documents"))?;
    let unread = refused.rows(0).map(|row| row.number::<u64>(0)).sum::<u64>().saturating_sub(imported.refused);
    imported.documents += unread;
    imported.refused += unread;
    if let Some(rejects) = options.rejects.as_mut() {
        session.copy_out(REJECTS, rejects).map_err(Error::during("reading the refused documents"))?.map_err(writing)?;
        rejects.flush().map_err(writing)?;
    }
    Ok(imported)
}

/// One object a line, which [`import`] reads again: it takes the document alone.
const REJECTS: &str = r"copy (
    select json_build_object('line', r.line / 1000000, 'entry', nullif(r.line % 1000000, 0), 'resource_type', r.resource_type,
        'id', r.id, 'code', r.code, 'field', r.field, 'constraint', r.rule, 'message', r.message, 'document', r.document)
    from pg_temp.hacs_refused as r order by r.line
) to stdout with (format csv, quote e'\x01', delimiter e'\x02')";

impl Imported {
    fn add(&mut self, row: Row<'_>) {
        let of_type = ImportedType {
            resource_type: row.string(0),
            documents: row.number(1),
            stored: row.number(2),
            kept: row.number(3),
            refused: row.number(4),
        };
        self.documents += of_type.documents;
        self.stored += of_type.stored;
        self.kept += of_type.kept;
        self.refused += of_type.refused;
        self.types.push(of_type);
    }
}

fn reading(error: io::Error) -> Error {
    Error::Io { doing: "reading the documents", error }
}

fn writing(error: io::Error) -> Error {
    Error::Io { doing: "writing the refused documents", error }
}
