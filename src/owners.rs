//! `status` and `verify` with all that the options of a run bring.

use crate::error::Result;
use crate::inspect::status::{self, Status};
use crate::inspect::verify::{self, Verification};
use crate::run::options::Options;
use crate::server::{Connection, Limit};

impl Options {
    /// [`status()`](crate::status()) with all that these options bring: each owner with its pending migrations, and
    /// what is wrong with its history.
    ///
    /// # Errors
    ///
    /// Those of [`status()`](crate::status()), and [`Error::Owner`](crate::Error::Owner).
    pub fn status(&self, client: &mut impl Connection) -> Result<Status> {
        client.limit(Limit::ANSWER);
        status::read(client, &self.lines()?)
    }

    /// [`verify()`](crate::verify()) with all that these options bring: besides HACS's objects, those in the schemas of
    /// each owner that brought a manifest with [`Options::manifest`].
    ///
    /// # Errors
    ///
    /// Those of [`verify()`](crate::verify()), and [`Error::Owner`](crate::Error::Owner).
    pub fn verify(&self, client: &mut impl Connection, deep: bool) -> Result<Verification> {
        client.limit(Limit::ANSWER);
        verify::with(client, deep, &self.lines()?, &self.manifests)
    }
}
