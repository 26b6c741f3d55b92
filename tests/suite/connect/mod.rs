//! Reaching a server: strings, passwords, certificates, poolers, and servers that lie.

mod bounds;
mod connection_strings;
pub mod fake_server;
mod messages;
mod passwords;
mod pooled;
mod private;
mod tls;
