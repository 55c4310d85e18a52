//! What a route says of the instances that may serve it.

use serde::Deserialize;

/// What one request may find of another one in its interpreter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Isolation {
    /// A new instance for each request: nothing.
    Fresh,
    /// One request at a time: what earlier ones left in globals.
    Serial,
    /// Requests interleave: globals, and each other while they wait.
    Concurrent,
}

/// What a route asks for, where it asks.
#[derive(Debug, Clone, Copy, Default)]
pub struct RouteIsolation {
    pub isolation: Option<Isolation>,
    pub max_concurrency: Option<usize>,
    pub max_requests: Option<u64>,
}
