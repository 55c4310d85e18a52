//! Bounds on what an app and a client may use, and their defaults: [`limit_table`](super::limit_table) has their names.

use crate::config::units::MIB;
use std::time::Duration;

/// Policies that the routes of one app may have: `def`, `async def`, and what decorators add. The pool of each may grow to
/// `instances`, so the engine's address space grows with it.
pub const MAX_POOLS: usize = 8;

/// Bounds on what a request or an instance of an app may use.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Wall-clock time of a handler, its wait for an instance included.
    pub deadline: Duration,
    /// What a cancelled `async def` handler gets to clean up before its instance is ended.
    pub grace: Duration,
    /// Processor time of a handler; `None` for no limit but the deadline.
    pub max_cpu: Option<Duration>,
    /// Linear memory of one instance, in bytes.
    pub memory: usize,
    /// Requests after which an instance is retired; 0 means never.
    pub max_requests: u64,
    /// Most instances, per worker and pool.
    pub instances: usize,
    /// Requests that are served at once, per worker.
    pub concurrency: usize,
    /// Requests that may wait for that, per worker; more are refused.
    pub queue: usize,
    /// Requests in a second, of all workers; more are refused.
    pub rate: Option<u32>,
    /// Bytes that it may write to the log in a second; more is left out.
    pub log_rate: usize,
    /// Requests to other servers that an instance may have open.
    pub max_exchanges: usize,
    /// Size of a request's body, in bytes.
    pub max_body: usize,
    /// Time for a request's body to arrive.
    pub body_timeout: Duration,
    /// Size of all files of a form, in bytes.
    pub max_upload: usize,
    /// Size of a reply's body, in bytes.
    pub max_response: usize,
    /// Memory for large bodies that arrive or are sent, of all workers, in bytes.
    pub transit: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(30),
            grace: Duration::from_secs(1),
            max_cpu: None,
            memory: 128 * MIB,
            max_requests: 0,
            instances: 16,
            concurrency: 10_000,
            queue: 1000,
            rate: None,
            log_rate: 256 * 1024,
            max_exchanges: 1000,
            max_body: MIB,
            body_timeout: Duration::from_secs(30),
            max_upload: 64 * MIB,
            max_response: 64 * MIB,
            transit: 256 * MIB,
        }
    }
}

impl Limits {
    /// Those of an app among many, which waits for others more than one that is alone.
    pub(crate) fn of_tenants() -> Self {
        Self { instances: 8, concurrency: 200, ..Self::default() }
    }
}

/// Bounds on what clients may use, before it is known which app they ask for, and on what the host keeps.
#[derive(Debug, Clone)]
pub(crate) struct ServerLimits {
    /// Size of a request's head, in bytes.
    pub max_head: usize,
    /// Time for a request's head to arrive; also how long an idle connection is kept.
    pub header_timeout: Duration,
    /// Time for a client to take what it was sent.
    pub write_timeout: Duration,
    /// Most open connections, per worker.
    pub connections: usize,
    /// How long a shutdown waits for requests in flight.
    pub drain: Duration,
    /// Of what an instance wrote, the bytes that are wiped in place when it ends. What lies beyond is given back to the
    /// system, which costs page faults later and interrupts the other threads now. It is an upper bound: what was not
    /// written costs nothing, and a small reply is made 15 000 times a second with any of 256 KiB to 16 MiB.
    pub keep_resident: usize,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            max_head: 64 * 1024,
            header_timeout: Duration::from_secs(15),
            write_timeout: Duration::from_secs(30),
            connections: 10_000,
            drain: Duration::from_secs(30),
            keep_resident: 4 * MIB,
        }
    }
}

/// What one app may need: the instances of every pool, and as many again while retired ones drain.
pub(crate) fn most_instances(workers: usize, limits: &Limits) -> usize {
    workers * limits.instances * MAX_POOLS * 2
}
