//! The apps of a host: where each comes from, which version is served now, and which workers have instances of it.

pub mod app;
pub mod build_queue;
#[cfg(feature = "cli")]
pub mod cache_keeper;
pub mod deployments;
pub mod dormant;
pub mod file_stamps;
pub mod loader;
pub mod pool_set;
pub mod reconciler;
pub mod registry;
#[cfg(feature = "build")]
pub mod reloader;
pub mod slot;
#[cfg(feature = "build")]
pub mod source_runner;
pub mod version_store;
pub mod worker_apps;
