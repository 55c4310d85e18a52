//! Topics of apps: what one handler publishes, all subscribers of the app get.

#[cfg(feature = "redis")]
pub mod broker;
#[cfg(feature = "redis")]
pub mod connection;
pub mod event;
pub mod lane;
pub mod link;
#[cfg(feature = "redis")]
pub mod publisher;
pub mod topic;
