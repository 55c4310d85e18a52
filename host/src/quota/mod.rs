//! Quotas of each app: requests per second, requests in flight, memory for bodies and outbound requests, processor time, open
//! files, storage.
//!
//! Each quota belongs to one app, so an app that uses up its own takes nothing from the others.

pub mod admission;
pub mod body_budget;
pub mod connections;
pub mod files;
pub mod instance_places;
pub mod outbound;
pub mod processor;
pub mod rate_limit;
pub mod storage;
pub mod streams;
