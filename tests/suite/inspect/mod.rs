//! What `status` and `verify` say.

mod drift;
mod rights;
mod status;
mod verifying;
