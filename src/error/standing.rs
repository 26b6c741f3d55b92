//! How far a run is, for whoever has to end it without asking the server.

use std::sync::{Arc, Mutex, PoisonError};

use crate::error::Outcome;

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
}
