//! Runs that change a schema, alone and together, and what stands in their way.

#[cfg(feature = "tokio-postgres")]
mod asynchronous;
mod baseline;
mod crowd;
mod growth;
mod history;
pub mod kills;
mod migrating;
mod owners;
mod place;
mod preexisting;
mod refusals;
mod rehearsing;
mod round_trips;
mod settings;
mod surroundings;
mod trust;
mod waiting;
