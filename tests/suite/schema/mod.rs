//! What the migrations make, and what others made before.

pub mod catalogue;
mod evolving;
mod legacy;
mod manifest;
mod nested_models;
mod privileges;
mod rules;
