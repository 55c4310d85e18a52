//! Isolation settings of a route: which requests may share an instance.

use serde::Deserialize;

/// What a request may see of other requests in its interpreter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Isolation {
    /// A new instance for each request: it sees nothing.
    Fresh,
    /// One request at a time: it sees what earlier ones left in globals.
    Serial,
    /// Requests interleave while they wait: they share globals, and see each other's changes.
    Concurrent,
}

impl Isolation {
    /// A mode by its name. The error is a user-facing message.
    pub fn parse(name: &str) -> Result<Self, String> {
        match name {
            "fresh" => Ok(Self::Fresh),
            "serial" => Ok(Self::Serial),
            "concurrent" => Ok(Self::Concurrent),
            _ => Err(format!("{name} is not fresh, serial or concurrent")),
        }
    }
}

/// What a route declares; `None` means the host's default.
#[derive(Debug, Clone, Copy, Default)]
pub struct RouteIsolation {
    pub isolation: Option<Isolation>,
    pub max_concurrency: Option<usize>,
    pub max_requests: Option<u64>,
}
