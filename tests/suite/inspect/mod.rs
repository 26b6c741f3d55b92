//! What `status` and `verify` say.

mod drift;
mod owners;
mod rights;
mod status;
mod verifying;
