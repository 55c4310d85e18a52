//! Keys and values of apps, in stores that the host has.

pub mod command;
#[cfg(any(test, feature = "internals"))]
pub mod random_commands;
#[cfg(feature = "redis")]
mod redis;
pub mod reply;
pub mod store;
pub mod stores;
mod table;
