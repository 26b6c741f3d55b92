//! Documents in and out: many at once, by COPY, for the functions of V9 to do the work.

pub(crate) mod export;
pub(crate) mod import;
mod split;
mod staging;

use std::io::{BufRead, BufReader, Read};

use flate2::bufread::MultiGzDecoder;

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
