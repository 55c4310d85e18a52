//! Keys and values of apps, in stores that the host has.

pub mod command;
pub mod store;
pub mod stores;
mod table;
