//! Documents in and out: many at once, by COPY, for the functions of V9 to do the work. And the seals of their trail.

pub(crate) mod export;
pub(crate) mod import;
pub mod seals;
mod split;
mod staging;

use std::io::{BufRead, BufReader, Read};

use flate2::bufread::MultiGzDecoder;

use crate::error::{Error, Result};
use crate::history;
use crate::server::{Answers, Connection, Message};

/// What is read and written by COPY is UTF-8, whatever the role's client encoding is.
const ENCODING: &str = "set local client_encoding = 'UTF8'";

/// Asks a function or a view of the schemas. Gives the place of the answer as well.
fn ask(connection: &mut dyn Connection, begin: Message, doing: &'static str, query: &str) -> Result<(Answers, usize)> {
    history::call(connection, begin, &[query]).map_err(Error::calling(doing))
}

/// A reader of what may be compressed with gzip, by its content.
pub(crate) fn plain(reader: impl Read + 'static) -> std::io::Result<Box<dyn BufRead>> {
    let mut reader = BufReader::with_capacity(1 << 16, reader);
    let compressed = reader.fill_buf()?.starts_with(&[0x1f, 0x8b]);
    Ok(if compressed {
        Box::new(BufReader::with_capacity(1 << 16, MultiGzDecoder::new(reader)))
    } else {
        Box::new(reader)
    })
}
