//! How far a run is, for whoever has to end it without asking the server.

use std::sync::{Arc, Mutex, PoisonError};

use crate::error::{Error, Outcome, Result};
use crate::server::Failure;

/// Where a run writes what it has changed so far; every clone is the same.
#[derive(Clone, Debug, Default)]
pub struct Standing(Arc<Mutex<Outcome>>);

impl Standing {
    /// How far the run is.
    #[must_use]
    pub fn reached(&self) -> Outcome {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn replace(&self, reached: Outcome) -> Outcome {
        std::mem::replace(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner), reached)
    }

    /// Ends it by a commit. Where the connection breaks meanwhile, nobody knows what came of it.
    pub(crate) fn commit(&self, doing: &'static str, commit: impl FnOnce() -> Result<(), Failure>) -> Result<()> {
        let before = self.replace(Outcome::Unknown);
        match commit() {
            Ok(()) => {
                self.replace(Outcome::Complete);
                Ok(())
            }
            Err(failure @ Failure::Broken(_)) => Err(Error::CommitUnknown(failure)),
            Err(failure @ Failure::Refused(_)) => {
                self.replace(before);
                Err(Error::Database { doing, failure })
            }
        }
    }
}
