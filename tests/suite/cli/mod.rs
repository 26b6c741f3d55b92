//! The program as people meet it: its words, its signals, its terminal.

mod command_line;
mod escapes;
mod outcomes;
mod row_values;
mod snapshots;
mod stopping;
pub mod terminal;
mod unanswered;
