//! What the migrations make.

pub(crate) mod difference;
pub(crate) mod embedded;
pub(crate) mod legacy;
pub(crate) mod location;
pub(crate) mod manifest;
mod mend;
pub(crate) mod names;
pub(crate) mod owned;
pub(crate) mod owner;
mod rights;
pub(crate) mod roles;
pub(crate) mod statements;
