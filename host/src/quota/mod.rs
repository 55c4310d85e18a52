//! Quotas of each app: requests per second, requests in flight, memory for bodies.
//!
//! Each quota belongs to one app, so an app that uses up its own takes nothing from the others.

pub mod admission;
pub mod body_budget;
pub mod rate_limit;
