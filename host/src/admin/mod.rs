//! The admin interface: health, metrics, deployments, and the client that the commands use.

pub mod client;
pub mod endpoint;
pub mod metrics;
