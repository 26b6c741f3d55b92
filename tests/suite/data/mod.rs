//! What the tables take and refuse, and how they are asked.

mod embeddings;
mod locales;
mod properties;
mod questions;
pub mod references;
pub mod rules;
mod samples;
