//! The trail: what it records, who may touch it, and what shows that somebody did.

pub mod attacker;
mod attacks;
mod carry;
mod feed;
mod guards;
mod recorders;
pub mod recording;
mod sealing;
mod seals;
mod tampering;
mod told;
mod truth;
mod waiting;
