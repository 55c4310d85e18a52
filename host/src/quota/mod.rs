//! What each app may use of the host at a time: requests in a second, requests at work, memory for bodies.
//!
//! Each quota belongs to one app, so an app that uses up its own takes nothing from its neighbours.

pub mod admission;
pub mod body_budget;
pub mod rate_limit;
