//! Limits on what apps and clients may use, and their defaults. [`limit_table`](super::limit_table) has their names.

use crate::config::units::MIB;
use std::time::Duration;

/// Maximum number of pools per app: `def`, `async def`, and what decorators add. Each pool may grow to `instances`, so
/// the engine's address space grows with this number.
pub const MAX_POOLS: usize = 8;

/// Limits on what a request or an instance of an app may use.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Wall-clock time of a handler, including its wait for an instance.
    pub deadline: Duration,
    /// Time for a cancelled `async def` handler to clean up before the host ends its instance.
    pub grace: Duration,
    /// Wall-clock time for an instance to start: to be created, and to load its app if it runs from source.
    pub start_timeout: Duration,
    /// CPU time of a handler; `None` for no limit except the deadline.
    pub max_cpu: Option<Duration>,
    /// Share of the processor beside other apps: one with twice the weight gets twice the time, when both want it.
    pub weight: u32,
    /// Linear memory of one instance, in bytes.
    pub memory: usize,
    /// Requests after which an instance is retired; 0 means never.
    pub max_requests: u64,
    /// Maximum number of instances, per worker and pool.
    pub instances: usize,
    /// Maximum number of requests in flight, per worker.
    pub concurrency: usize,
    /// Maximum number of requests that wait for that, per worker; the host refuses more.
    pub queue: usize,
    /// Maximum requests per second, over all workers; the host refuses more.
    pub rate: Option<u32>,
    /// Maximum bytes per second that the app may write to the log; the host drops more.
    pub log_rate: usize,
    /// Maximum requests to other servers that an instance may have in flight.
    pub max_exchanges: usize,
    /// Maximum number of TCP connections to other servers, over all instances.
    pub max_tcp: usize,
    /// Maximum number of open files, uploads on disk and outbound connections, over all workers.
    pub max_files: usize,
    /// Maximum size of everything in the folders that it may write to, in bytes.
    pub files_quota: usize,
    /// Maximum number of files and folders in them.
    pub stored_files: usize,
    /// Maximum size of a request body, in bytes.
    pub max_body: usize,
    /// Time for a request's body to arrive.
    pub body_timeout: Duration,
    /// Maximum size of all files of a form, in bytes.
    pub max_upload: usize,
    /// Maximum size of a response body, in bytes.
    pub max_response: usize,
    /// Maximum number of streamed responses and WebSockets that have not ended, over all workers.
    pub max_streams: usize,
    /// Maximum size of a WebSocket's message, in bytes.
    pub max_message: usize,
    /// Maximum number of connections that read a database at a time, over all workers.
    pub sql_readers: usize,
    /// Maximum number of connections to a Postgres database, over all workers.
    pub sql_connections: usize,
    /// Maximum number of rows of a query's result.
    pub sql_rows: usize,
    /// Maximum size of a query's result, in bytes.
    pub sql_result: usize,
    /// Maximum size of a SQLite database, in bytes.
    pub sql_size: usize,
    /// Maximum size of a store of keys and values, in bytes.
    pub kv_size: usize,
    /// Maximum size of a value in it, in bytes.
    pub kv_value: usize,
    /// Time between two chunks of a streamed response.
    pub stream_idle: Duration,
    /// Time for all of a streamed response.
    pub stream_max: Duration,
    /// Memory for large bodies in transit, in both directions, over all workers, in bytes.
    pub transit: usize,
    /// Maximum size of the component, in bytes.
    pub max_component: usize,
    /// Maximum size of the manifest that describes the app, in bytes.
    pub max_manifest: usize,
    /// Maximum size of all files of a build, those of the app's folder and those it makes, in bytes.
    pub build_disk: usize,
    /// Maximum number of deployed components that the host keeps.
    pub kept_versions: usize,
    /// Time for an app to be built, compiled and described. Programs that embed the host do this in a thread of their own,
    /// without this limit and the next.
    pub build_timeout: Duration,
    /// Memory of each process of a build, in bytes.
    pub build_memory: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(30),
            grace: Duration::from_secs(1),
            start_timeout: Duration::from_secs(10),
            max_cpu: None,
            weight: 100,
            memory: 128 * MIB,
            max_requests: 0,
            instances: 16,
            concurrency: 10_000,
            queue: 1000,
            rate: None,
            log_rate: 256 * 1024,
            max_exchanges: 1000,
            max_tcp: 100,
            max_files: 1000,
            files_quota: 1024 * MIB,
            stored_files: 100_000,
            max_body: MIB,
            body_timeout: Duration::from_secs(30),
            max_upload: 64 * MIB,
            max_response: 64 * MIB,
            max_streams: 10_000,
            sql_readers: 4,
            sql_connections: 10,
            sql_rows: 100_000,
            sql_result: 64 * MIB,
            sql_size: 1024 * MIB,
            kv_size: 1024 * MIB,
            kv_value: MIB,
            max_message: MIB,
            stream_idle: Duration::from_secs(60),
            stream_max: Duration::from_secs(24 * 3600),
            transit: 256 * MIB,
            max_component: 512 * MIB,
            max_manifest: 4 * MIB,
            build_disk: 1024 * MIB,
            kept_versions: 10,
            build_timeout: Duration::from_secs(300),
            build_memory: 2048 * MIB,
        }
    }
}

impl Limits {
    /// Defaults for one of many apps, which waits for the others more than a single app does.
    pub(crate) fn of_tenants() -> Self {
        Self { instances: 8, concurrency: 200, ..Self::default() }
    }
}

/// Limits on what clients may use before the app of a request is known, and on what the host itself keeps.
#[derive(Debug, Clone)]
pub(crate) struct ServerLimits {
    /// Maximum size of a request head, in bytes.
    pub max_head: usize,
    /// Time for a request's head to arrive; also how long an idle connection is kept.
    pub header_timeout: Duration,
    /// Time for a client to read its response.
    pub write_timeout: Duration,
    /// Maximum number of open connections, per worker.
    pub connections: usize,
    /// How long a shutdown waits for requests in flight.
    pub drain: Duration,
    /// Bytes of an instance's written memory that are reset in place when it ends. The rest is returned to the system,
    /// which costs page faults later and interrupts the other threads now. It is an upper bound: unwritten memory costs
    /// nothing, and small replies reach 15 000 a second with any value from 256 KiB to 16 MiB.
    pub keep_resident: usize,
    /// Size of the cache folder, in bytes.
    pub cache_size: usize,
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
            cache_size: 20 * 1024 * MIB,
        }
    }
}

/// Maximum number of instances of one app: those of every pool, and as many again while retired ones drain.
pub(crate) fn most_instances(workers: usize, limits: &Limits) -> usize {
    workers * limits.instances * MAX_POOLS * 2
}
