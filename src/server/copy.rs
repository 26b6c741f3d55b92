//! COPY, in both directions.

use std::io::{self, Read, Write};

use postgres::Client;

use super::{Connection, Failure};

/// A connection that can copy: a `postgres::Client`, or a [`Link`](crate::Link).
pub trait Copy: Connection {
    /// Sends rows; the server takes all of them or none.
    #[doc(hidden)]
    fn copy_in(&mut self, statement: &str, rows: &[u8]) -> Result<(), Failure>;

    /// Writes rows as they come. The inner error is that of the writer.
    #[doc(hidden)]
    fn copy_out(&mut self, statement: &str, writer: &mut dyn Write) -> Result<io::Result<()>, Failure>;
}

impl Copy for Client {
    fn copy_in(&mut self, statement: &str, rows: &[u8]) -> Result<(), Failure> {
        let mut copy = Self::copy_in(self, statement)?;
        copy.write_all(rows).map_err(of_io)?;
        copy.finish()?;
        Ok(())
    }

    fn copy_out(&mut self, statement: &str, writer: &mut dyn Write) -> Result<io::Result<()>, Failure> {
        let mut rows = Self::copy_out(self, statement)?;
        let mut buffer = vec![0; 1 << 16];
        loop {
            let read = rows.read(&mut buffer).map_err(of_io)?;
            let Some(part) = buffer.get(..read).filter(|part| !part.is_empty()) else { return Ok(Ok(())) };
            if let Err(error) = writer.write_all(part) {
                return Ok(Err(error));
            }
        }
    }
}

/// What the crate postgres hides in an error of reading or writing.
fn of_io(error: io::Error) -> Failure {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<postgres::Error>()) {
        Some(inner) => inner.into(),
        None => Failure::Broken(error.to_string()),
    }
}
