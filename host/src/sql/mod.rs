//! Databases of apps: pools of connections that the host has, and what apps send to them.

pub mod arguments;
pub mod batch;
pub mod database;
pub mod databases;
pub mod guard;
pub mod job;
pub mod problem;
pub mod runner;
pub mod text;
