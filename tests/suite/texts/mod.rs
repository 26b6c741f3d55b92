//! What is written down, in documents, scripts and packages, is so.

mod contributing;
mod deployment;
mod dialect;
mod documentation;
mod examples;
mod house;
mod packaging;
mod quickstart;
mod readme;
mod roles;
mod scripts;
mod troubleshooting;
