//! The admin interface: health, metrics, deployments, and the client that the commands use.

pub mod answer;
pub mod app_list;
pub mod bodies;
pub mod client;
pub mod connections;
pub mod endpoint;
pub mod guard;
pub mod metrics;
pub mod orders;
pub mod token_file;
