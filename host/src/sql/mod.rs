//! Databases of apps: connections that the host has, and what apps send to them.

pub mod arguments;
pub mod batch;
pub mod cell;
pub mod database;
pub mod databases;
pub mod engine;
pub mod job;
#[cfg(feature = "cli")]
pub mod migrations;
#[cfg(feature = "postgres")]
pub mod postgres;
pub mod problem;
pub mod sqlite;
pub mod text;
