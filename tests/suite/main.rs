//! The tests against a real PostgreSQL. They are one program, so that they share one server.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used
)]

mod adopt;
mod audit;
mod cli;
mod connect;
mod data;
mod distributed;
mod fleet;
mod inspect;
mod no_transaction;
mod run;
mod schema;
mod support;
mod texts;

// Each room names these without the room that they stand in.
use support::{
    contract, database, documents,
    example::{example, stock_refinery},
    newest, pgbouncer, proxy, python, server, stages, wire,
};
