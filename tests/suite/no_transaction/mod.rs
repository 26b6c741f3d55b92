//! Migrations outside a transaction.

mod concurrently;
mod crowd;
pub mod killed;
mod taken;
