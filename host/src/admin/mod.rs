//! The admin interface: health, metrics, deployments, and the client that the commands use.

pub mod client;
pub mod connections;
pub mod endpoint;
pub mod guard;
pub mod metrics;
pub mod token_file;
