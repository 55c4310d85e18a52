//! SQLite: a connection that writes and several that read, each on a thread of its own.

pub mod file;
pub mod guard;
pub mod lanes;
mod runner;
mod values;
