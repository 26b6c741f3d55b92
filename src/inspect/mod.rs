//! What a database has, and how it differs from what the migrations make. Nothing here changes it.

pub(crate) mod databases;
mod deep;
mod documents;
mod followed;
mod owners;
mod recorders;
pub(crate) mod status;
pub(crate) mod verify;
