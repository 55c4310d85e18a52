//! What the host does, resolved: every default is here.

use std::net::IpAddr;
use std::time::Duration;

pub const MIB: usize = 1024 * 1024;

/// Bounds on what a request, an instance or a client may use. Each has a flag of the same name.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Wall-clock time of a handler, its wait for an instance included.
    pub deadline: Duration,
    /// What a cancelled `async def` handler gets to clean up before its instance is ended.
    pub grace: Duration,
    /// Linear memory of one instance, in bytes.
    pub memory: usize,
    /// Requests after which an instance is retired; 0 means never.
    pub max_requests: u64,
    /// Most instances, per worker and lane.
    pub instances: usize,
    /// Size of a request's body, in bytes.
    pub max_body: usize,
    /// Size of a reply's body, in bytes.
    pub max_response: usize,
    /// Size of a request's head, in bytes.
    pub max_head: usize,
    /// Time for a request's head to arrive; also how long an idle connection is kept.
    pub header_timeout: Duration,
    /// Time for a request's body to arrive.
    pub body_timeout: Duration,
    /// Time for a client to take what it was sent.
    pub write_timeout: Duration,
    /// Most open connections, per worker.
    pub connections: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(30),
            grace: Duration::from_secs(1),
            memory: 128 * MIB,
            max_requests: 0,
            instances: 16,
            max_body: MIB,
            max_response: 64 * MIB,
            max_head: 64 * 1024,
            header_timeout: Duration::from_secs(15),
            body_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(30),
            connections: 10_000,
        }
    }
}

/// Everything `run` needs to know.
#[derive(Debug, Clone)]
pub struct Config {
    pub host: IpAddr,
    pub port: u16,
    /// Threads, each with its own listener and instances.
    pub workers: usize,
    /// How long a shutdown waits for requests in flight.
    pub drain: Duration,
    pub limits: Limits,
}

impl Default for Config {
    /// One worker on the default address: enough for the commands that serve nothing.
    fn default() -> Self {
        Self {
            host: IpAddr::from([127, 0, 0, 1]),
            port: 8000,
            workers: 1,
            drain: Duration::from_secs(30),
            limits: Limits::default(),
        }
    }
}

impl Config {
    /// Instances that may be alive at once: two lanes a worker, and as many again while retired ones drain.
    pub fn most_instances(&self) -> usize {
        self.workers * self.limits.instances * 2 * 2
    }
}
