//! What the tables take and refuse, and how they are asked.

mod crowd;
mod embeddings;
mod following;
mod foreign;
mod generations;
mod importing;
mod later_documents;
mod locales;
mod properties;
mod put;
mod questions;
pub mod references;
pub mod rules;
mod samples;
mod scanning;
mod several;
mod told;
mod versions;
