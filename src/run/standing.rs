//! How far a run is, for whoever has to end it without asking the server.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// What a run has changed so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reached {
    /// Nothing: all that it has done is in a transaction that is not committed.
    #[default]
    Nothing,
    /// A run that goes in parts is between its first commit and its end.
    Parts,
    /// A COMMIT was sent and has no answer.
    Unknown,
    /// Everything is committed.
    Complete,
}

/// Where a run writes how far it is; every clone is the same.
#[derive(Clone, Debug, Default)]
pub struct Standing(Arc<AtomicU8>);

impl Standing {
    const ALL: [Reached; 4] = [Reached::Nothing, Reached::Parts, Reached::Unknown, Reached::Complete];

    /// How far the run is.
    #[must_use]
    pub fn reached(&self) -> Reached {
        Self::read(self.0.load(Ordering::SeqCst))
    }

    pub(crate) fn replace(&self, reached: Reached) -> Reached {
        Self::read(self.0.swap(reached as u8, Ordering::SeqCst))
    }

    fn read(number: u8) -> Reached {
        Self::ALL.get(usize::from(number)).copied().unwrap_or(Reached::Unknown)
    }
}
