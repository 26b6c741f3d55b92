//! What the tests stand on.

pub mod contract;
pub mod database;
pub mod documents;
pub mod example;
pub mod newest;
pub mod pgbouncer;
pub mod proxy;
pub mod python;
pub mod server;
pub mod stages;
pub mod wire;
