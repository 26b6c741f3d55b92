//! Documents on their way into the staging table: chunks of rows, each copied in a savepoint of its own.

use crate::error::{Error, Result};
use crate::server::copy::Copy;
use crate::server::{Failure, Message};

use super::split::Document;

/// JSON holds neither of these two bytes, so that in this form every row of COPY is the JSON itself.
const COPY: &str =
    r"copy pg_temp.hacs_staged (line, document) from stdin with (format csv, quote e'\x01', delimiter e'\x02')";

/// How much is sent at once, and sent again by halves where it holds a document that is no JSON.
const CHUNK: usize = 1 << 20;

/// A line of the input has a million numbers in the staging table, for the entries of a Bundle.
const NUMBERS_OF_A_LINE: u64 = 1_000_000;

/// Documents that wait to be sent.
#[derive(Default)]
pub(super) struct Staging {
    rows: Vec<Document>,
    bytes: usize,
}

impl Staging {
    /// Takes a document, and sends what waits where that is enough.
    pub(super) fn add(&mut self, session: &mut impl Copy, document: Document) -> Result<()> {
        self.bytes += document.text.len();
        self.rows.push(document);
        if self.bytes < CHUNK { Ok(()) } else { self.send(session) }
    }

    /// Sends what waits.
    pub(super) fn send(&mut self, session: &mut impl Copy) -> Result<()> {
        self.bytes = 0;
        let rows = std::mem::take(&mut self.rows);
        let (broken, sound): (Vec<_>, Vec<_>) = rows.into_iter().partition(|document| document.broken);
        for document in &broken {
            refuse(session, document, NO_JSON)?;
        }
        copy(session, &sound)
    }
}

fn copy(session: &mut impl Copy, documents: &[Document]) -> Result<()> {
    if documents.is_empty() {
        return Ok(());
    }
    let rows = documents.iter().fold(Vec::new(), |mut rows, document| {
        rows.extend_from_slice(format!("{}\u{2}", document.line * NUMBERS_OF_A_LINE).as_bytes());
        rows.extend_from_slice(&document.text);
        rows.push(b'\n');
        rows
    });
    let staging = Error::during("copying the documents");
    Message::bare("savepoint hacs_chunk").send(session).map_err(&staging)?;
    match session.copy_in(COPY, &rows) {
        Ok(()) => Message::bare("release savepoint hacs_chunk").send(session).map(drop).map_err(&staging),
        Err(failure) if is_of_the_data(&failure) => {
            Message::bare("rollback to savepoint hacs_chunk").send(session).map_err(&staging)?;
            match documents {
                [document] => refuse(session, document, failure.sqlstate().unwrap_or(NO_JSON)),
                _ => {
                    let (first, second) = documents.split_at(documents.len() / 2);
                    copy(session, first)?;
                    copy(session, second)
                }
            }
        }
        Err(failure) => Err(staging(failure)),
    }
}

/// Whether it is the document that the server does not take, and not the server that is in trouble.
fn is_of_the_data(failure: &Failure) -> bool {
    failure.sqlstate().is_some_and(|code| code.starts_with("22") || code.starts_with("54"))
}

/// `invalid_text_representation`: what PostgreSQL says of what is no JSON.
const NO_JSON: &str = "22P02";

/// Why the server did not take the text of a document. Its own words may quote the document.
fn reason(sqlstate: &str) -> &'static str {
    match sqlstate {
        NO_JSON => "it is no JSON that PostgreSQL takes",
        "22P05" => r"it has \u0000 in a text, which PostgreSQL cannot store",
        "22021" => "it is not in UTF-8",
        "22003" => "a number in it is larger than PostgreSQL stores",
        "54001" => "it is nested more deeply than the server takes (max_stack_depth)",
        _ => "it is larger than PostgreSQL stores",
    }
}

/// Writes down a document that is not taken. What is no text is left out.
fn refuse(session: &mut impl Copy, document: &Document, sqlstate: &str) -> Result<()> {
    let text: String = String::from_utf8_lossy(&document.text).chars().filter(|c| *c != '\0').collect();
    let insert = format!(
        "insert into pg_temp.hacs_refused (line, code, message, document)
         values ({}, '{sqlstate}', '{}', to_jsonb(e'{}'::text))",
        document.line * NUMBERS_OF_A_LINE,
        reason(sqlstate),
        text.replace('\\', r"\\").replace('\'', "''"),
    );
    Message::bare(&insert).send(session).map(drop).map_err(Error::during("copying the documents"))
}
