//! What the host does, resolved: every default is here.

pub(crate) mod admin_address;
pub(crate) mod app_source;
pub(crate) mod cache_folder;
pub(crate) mod egress;
#[cfg(feature = "cli")]
pub(crate) mod host_file;
pub(crate) mod origin;
pub(crate) mod preopens;
pub(crate) mod units;
pub(crate) mod virtual_hosts;

pub use crate::config::egress::{Grant, Grants};
pub use crate::config::preopens::{Preopen, Preopens};

use crate::config::admin_address::Address;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// Bytes of a mebibyte.
pub const MIB: usize = 1024 * 1024;

/// Sets of rules that the routes of one app may have: `def`, `async def`, and what decorators add. Each may fill the
/// pool to `--instances`, so the pool's address space grows with it.
pub const MAX_POOLS: usize = 8;

/// Bounds on what a request or an instance of an app may use. Each has a flag of the same name.
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
    /// Most instances, per worker and lane.
    pub instances: usize,
    /// Requests that are worked on at once, per worker.
    pub concurrency: usize,
    /// Requests that may wait for that, per worker; more are sent away.
    pub queue: usize,
    /// Requests in a second, of all workers; more are sent away.
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

/// What an app may use and reach.
#[derive(Debug, Clone, Default)]
pub struct AppConfig {
    pub limits: Limits,
    /// Where it may connect to.
    pub grants: Grants,
    /// What it may read, and write.
    pub preopens: Preopens,
    /// All that it sees of an environment.
    pub env: Vec<(String, String)>,
}

/// Bounds on what a client may use, before it is known which app it asks for.
#[derive(Debug, Clone)]
pub struct ClientLimits {
    /// Size of a request's head, in bytes.
    pub max_head: usize,
    /// Time for a request's head to arrive; also how long an idle connection is kept.
    pub header_timeout: Duration,
    /// Time for a client to take what it was sent.
    pub write_timeout: Duration,
    /// Most open connections, per worker.
    pub connections: usize,
}

impl Default for ClientLimits {
    fn default() -> Self {
        Self {
            max_head: 64 * 1024,
            header_timeout: Duration::from_secs(15),
            write_timeout: Duration::from_secs(30),
            connections: 10_000,
        }
    }
}

/// Files in PEM form.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    /// The certificate, and those between it and one that clients know.
    pub cert: PathBuf,
    pub key: PathBuf,
}

/// The host itself.
#[derive(Debug, Clone)]
pub struct Config {
    pub listen: Vec<SocketAddr>,
    /// Without it, connections are not encrypted.
    pub tls: Option<TlsFiles>,
    /// Another host may listen on the same addresses, and gets its share of new connections.
    pub share_port: bool,
    /// Where operators find health and metrics.
    pub admin: Option<Address>,
    /// Threads, each with its own listener and instances.
    pub workers: usize,
    /// How long a shutdown waits for requests in flight.
    pub drain: Duration,
    /// Instances that may be alive at once, of all apps.
    pub most_instances: usize,
    /// Of what an instance wrote, the bytes that are wiped in place when it ends. What lies beyond is given back to the
    /// system, which costs page faults later and interrupts the other threads now. It is an upper bound: what was not
    /// written costs nothing, and a small reply is made 15 000 times a second with any of 256 KiB to 16 MiB.
    pub keep_resident: usize,
    pub clients: ClientLimits,
}

impl Default for Config {
    /// One worker on the default address: enough for the commands that serve nothing.
    fn default() -> Self {
        Self {
            listen: vec![SocketAddr::new(IpAddr::from([127, 0, 0, 1]), 8000)],
            tls: None,
            share_port: false,
            admin: None,
            workers: 1,
            drain: Duration::from_secs(30),
            most_instances: most_instances(1, &Limits::default()),
            keep_resident: 4 * MIB,
            clients: ClientLimits::default(),
        }
    }
}

/// What one app may need: the instances of every lane, and as many again while retired ones drain.
pub fn most_instances(workers: usize, limits: &Limits) -> usize {
    workers * limits.instances * MAX_POOLS * 2
}
