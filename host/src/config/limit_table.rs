//! The table of all limits: flag, host-file key, meaning, and place of the value. The command line, host files, the
//! flags page and refusals all read this table.

pub use crate::config::limit::Limit;
pub use crate::config::limit_kind::Kind;
use crate::config::limits::{Limits, ServerLimits};
use std::time::Duration;

impl Limit {
    pub fn row(self) -> &'static Row {
        &TABLE[self as usize]
    }
}

/// Accessors of a limit's value; `None` means no limit.
pub enum Place {
    App { get: fn(&Limits) -> Option<u64>, set: fn(&mut Limits, u64) },
    Server { get: fn(&ServerLimits) -> Option<u64>, set: fn(&mut ServerLimits, u64) },
}

pub struct Row {
    #[allow(dead_code, reason = "a test holds the rows to the order of the limits")]
    pub limit: Limit,
    /// The flag of `run` and `dev`, without its dashes.
    pub flag: &'static str,
    /// In `[server.limits]` and `[app.NAME.limits]` of a host file, or in `[server]` for a limit of the server.
    pub key: &'static str,
    pub kind: Kind,
    pub place: Place,
    /// A sentence without its full stop.
    pub help: &'static str,
}

impl Row {
    /// The default of `run`.
    pub fn default(&self) -> Option<u64> {
        match self.place {
            Place::App { get, .. } => get(&Limits::default()),
            Place::Server { get, .. } => get(&ServerLimits::default()),
        }
    }
}

/// Maximum of a count that is stored in 32 bits.
const COUNT: u64 = u32::MAX as u64;

#[rustfmt::skip]
pub const TABLE: [Row; 46] = [
    Row {
        limit: Limit::Deadline,
        flag: "deadline",
        key: "deadline",
        kind: Kind::Time,
        place: Place::App { get: |l| Some(l.deadline.as_millis() as u64), set: |l, v| l.deadline = Duration::from_millis(v) },
        help: "End a request after this time in the app; the client gets 504",
    },
    Row {
        limit: Limit::Grace,
        flag: "grace",
        key: "grace",
        kind: Kind::Time,
        place: Place::App { get: |l| Some(l.grace.as_millis() as u64), set: |l, v| l.grace = Duration::from_millis(v) },
        help: "Give a cancelled async handler this time to clean up before its instance is ended",
    },
    Row {
        limit: Limit::StartTimeout,
        flag: "start-timeout",
        key: "start-timeout",
        kind: Kind::Time,
        place: Place::App { get: |l| Some(l.start_timeout.as_millis() as u64), set: |l, v| l.start_timeout = Duration::from_millis(v) },
        help: "Give up an instance that takes longer to start",
    },
    Row {
        limit: Limit::MaxCpu,
        flag: "max-cpu-ms",
        key: "cpu",
        kind: Kind::Millis,
        place: Place::App { get: |l| l.max_cpu.map(|time| time.as_millis() as u64), set: |l, v| l.max_cpu = Some(Duration::from_millis(v)) },
        help: "End a request after this much processor time, in milliseconds; the client gets 503",
    },
    Row {
        limit: Limit::Weight,
        flag: "weight",
        key: "weight",
        kind: Kind::Count { least: 1, most: 10_000 },
        place: Place::App { get: |l| Some(u64::from(l.weight)), set: |l, v| l.weight = v as u32 },
        help: "Give the app this share of the processor beside others: twice the weight, twice the time, while both want it",
    },
    Row {
        limit: Limit::Memory,
        flag: "memory",
        key: "memory",
        kind: Kind::Size,
        place: Place::App { get: |l| Some(l.memory as u64), set: |l, v| l.memory = v as usize },
        help: "Give an instance this much memory; beyond it Python raises MemoryError and the instance is replaced",
    },
    Row {
        limit: Limit::MaxRequests,
        flag: "max-requests",
        key: "requests",
        kind: Kind::Count { least: 0, most: u64::MAX },
        place: Place::App { get: |l| Some(l.max_requests), set: |l, v| l.max_requests = v },
        help: "Retire an instance after this many requests; 0: never",
    },
    Row {
        limit: Limit::Instances,
        flag: "instances",
        key: "instances",
        kind: Kind::Count { least: 1, most: 4096 },
        place: Place::App { get: |l| Some(l.instances as u64), set: |l, v| l.instances = v as usize },
        help: "Run at most this many instances of the app, per worker and pool; with 1, all async requests of a worker share one interpreter",
    },
    Row {
        limit: Limit::Concurrency,
        flag: "concurrency",
        key: "concurrency",
        kind: Kind::Count { least: 1, most: COUNT },
        place: Place::App { get: |l| Some(l.concurrency as u64), set: |l, v| l.concurrency = v as usize },
        help: "Serve at most this many requests at once, per worker; more wait",
    },
    Row {
        limit: Limit::Queue,
        flag: "queue",
        key: "queue",
        kind: Kind::Count { least: 0, most: COUNT },
        place: Place::App { get: |l| Some(l.queue as u64), set: |l, v| l.queue = v as usize },
        help: "Let at most this many requests wait for that, per worker; more get 503 at once",
    },
    Row {
        limit: Limit::Rate,
        flag: "rate",
        key: "rate",
        kind: Kind::Count { least: 1, most: COUNT },
        place: Place::App { get: |l| l.rate.map(u64::from), set: |l, v| l.rate = u32::try_from(v).ok() },
        help: "Serve at most this many requests a second, over all workers, in bursts of a tenth of that; more get 429",
    },
    Row {
        limit: Limit::LogRate,
        flag: "log-rate",
        key: "log-rate",
        kind: Kind::Size,
        place: Place::App { get: |l| Some(l.log_rate as u64), set: |l, v| l.log_rate = v as usize },
        help: "Log at most this much of the app's output a second, on average over 16 seconds; more is dropped",
    },
    Row {
        limit: Limit::MaxExchanges,
        flag: "max-exchanges",
        key: "exchanges",
        kind: Kind::Count { least: 0, most: COUNT },
        place: Place::App { get: |l| Some(l.max_exchanges as u64), set: |l, v| l.max_exchanges = v as usize },
        help: "Let an instance have at most this many requests to other servers that are not closed; more are refused",
    },
    Row {
        limit: Limit::MaxTcp,
        flag: "max-tcp",
        key: "tcp",
        kind: Kind::Count { least: 0, most: COUNT },
        place: Place::App { get: |l| Some(l.max_tcp as u64), set: |l, v| l.max_tcp = v as usize },
        help: "Let the app have at most this many TCP connections to other servers, over all instances",
    },
    Row {
        limit: Limit::MaxFiles,
        flag: "max-files",
        key: "open-files",
        kind: Kind::Count { least: 0, most: COUNT },
        place: Place::App { get: |l| Some(l.max_files as u64), set: |l, v| l.max_files = v as usize },
        help: "Let the app have at most this many files, uploads on disk and outbound connections open, over all workers",
    },
    Row {
        limit: Limit::FilesQuota,
        flag: "files-quota",
        key: "files-quota",
        kind: Kind::Size,
        place: Place::App { get: |l| Some(l.files_quota as u64), set: |l, v| l.files_quota = v as usize },
        help: "Let the folders that the app may write to hold at most this much, and its uploads on disk as much again",
    },
    Row {
        limit: Limit::StoredFiles,
        flag: "stored-files",
        key: "stored-files",
        kind: Kind::Count { least: 0, most: COUNT },
        place: Place::App { get: |l| Some(l.stored_files as u64), set: |l, v| l.stored_files = v as usize },
        help: "Let these folders hold at most this many files and folders; it cannot make more",
    },
    Row {
        limit: Limit::MaxBody,
        flag: "max-body",
        key: "body",
        kind: Kind::Size,
        place: Place::App { get: |l| Some(l.max_body as u64), set: |l, v| l.max_body = v as usize },
        help: "Refuse a larger request body with 413",
    },
    Row {
        limit: Limit::BodyTimeout,
        flag: "body-timeout",
        key: "body-timeout",
        kind: Kind::Time,
        place: Place::App { get: |l| Some(l.body_timeout.as_millis() as u64), set: |l, v| l.body_timeout = Duration::from_millis(v) },
        help: "Wait this long for a request body, then answer 408",
    },
    Row {
        limit: Limit::MaxUpload,
        flag: "max-upload",
        key: "upload",
        kind: Kind::Size,
        place: Place::App { get: |l| Some(l.max_upload as u64), set: |l, v| l.max_upload = v as usize },
        help: "Refuse a multipart form whose files are larger together with 413",
    },
    Row {
        limit: Limit::MaxResponse,
        flag: "max-response",
        key: "response",
        kind: Kind::Size,
        place: Place::App { get: |l| Some(l.max_response as u64), set: |l, v| l.max_response = v as usize },
        help: "Refuse to send a larger response body; the client gets 500",
    },
    Row {
        limit: Limit::MaxStreams,
        flag: "max-streams",
        key: "streams",
        kind: Kind::Count { least: 0, most: COUNT },
        place: Place::App { get: |l| Some(l.max_streams as u64), set: |l, v| l.max_streams = v as usize },
        help: "Let the app have at most this many streamed responses and WebSockets open, over all workers; more get 503",
    },
    Row {
        limit: Limit::MaxMessage,
        flag: "max-message",
        key: "message",
        kind: Kind::Size,
        place: Place::App { get: |l| Some(l.max_message as u64), set: |l, v| l.max_message = v as usize },
        help: "Close a WebSocket with 1009 for a larger message, in either direction",
    },
    Row {
        limit: Limit::SqlReaders,
        flag: "sql-readers",
        key: "sql-readers",
        kind: Kind::Count { least: 1, most: 100 },
        place: Place::App { get: |l| Some(l.sql_readers as u64), set: |l, v| l.sql_readers = v as usize },
        help: "Read a database over at most this many connections, of all workers; one more writes",
    },
    Row {
        limit: Limit::SqlConnections,
        flag: "sql-connections",
        key: "sql-connections",
        kind: Kind::Count { least: 1, most: 1000 },
        place: Place::App { get: |l| Some(l.sql_connections as u64), set: |l, v| l.sql_connections = v as usize },
        help: "Use a Postgres database over at most this many connections, of all workers",
    },
    Row {
        limit: Limit::SqlRows,
        flag: "sql-rows",
        key: "sql-rows",
        kind: Kind::Count { least: 1, most: COUNT },
        place: Place::App { get: |l| Some(l.sql_rows as u64), set: |l, v| l.sql_rows = v as usize },
        help: "Let a query's result have at most this many rows",
    },
    Row {
        limit: Limit::SqlResult,
        flag: "sql-result",
        key: "sql-result",
        kind: Kind::Size,
        place: Place::App { get: |l| Some(l.sql_result as u64), set: |l, v| l.sql_result = v as usize },
        help: "Let a query's result have at most this size",
    },
    Row {
        limit: Limit::SqlSize,
        flag: "sql-size",
        key: "sql-size",
        kind: Kind::DiskSize,
        place: Place::App { get: |l| Some(l.sql_size as u64), set: |l, v| l.sql_size = v as usize },
        help: "Let a SQLite database grow to at most this size",
    },
    Row {
        limit: Limit::KvSize,
        flag: "kv-size",
        key: "kv-size",
        kind: Kind::DiskSize,
        place: Place::App { get: |l| Some(l.kv_size as u64), set: |l, v| l.kv_size = v as usize },
        help: "Let a store of keys and values grow to at most this size",
    },
    Row {
        limit: Limit::KvValue,
        flag: "kv-value",
        key: "kv-value",
        kind: Kind::Size,
        place: Place::App { get: |l| Some(l.kv_value as u64), set: |l, v| l.kv_value = v as usize },
        help: "Let a value of such a store have at most this size",
    },
    Row {
        limit: Limit::StreamIdle,
        flag: "stream-idle",
        key: "stream-idle",
        kind: Kind::Time,
        place: Place::App { get: |l| Some(l.stream_idle.as_millis() as u64), set: |l, v| l.stream_idle = Duration::from_millis(v) },
        help: "Break off a streamed response, other than one of events, when its handler sends nothing for this long",
    },
    Row {
        limit: Limit::StreamMax,
        flag: "stream-max",
        key: "stream-max",
        kind: Kind::Time,
        place: Place::App { get: |l| Some(l.stream_max.as_millis() as u64), set: |l, v| l.stream_max = Duration::from_millis(v) },
        help: "End a streamed response or a WebSocket after this long",
    },
    Row {
        limit: Limit::Transit,
        flag: "transit",
        key: "transit",
        kind: Kind::Size,
        place: Place::App { get: |l| Some(l.transit as u64), set: |l, v| l.transit = v as usize },
        help: "Hold at most this much of large bodies in memory, over all workers; more get 503",
    },
    Row {
        limit: Limit::MaxComponent,
        flag: "max-component",
        key: "component",
        kind: Kind::Size,
        place: Place::App { get: |l| Some(l.max_component as u64), set: |l, v| l.max_component = v as usize },
        help: "Refuse to load a larger component",
    },
    Row {
        limit: Limit::MaxManifest,
        flag: "max-manifest",
        key: "manifest",
        kind: Kind::Size,
        place: Place::App { get: |l| Some(l.max_manifest as u64), set: |l, v| l.max_manifest = v as usize },
        help: "Refuse to load an app whose routes, types and OpenAPI description are larger as JSON",
    },
    Row {
        limit: Limit::BuildTimeout,
        flag: "build-timeout",
        key: "build-timeout",
        kind: Kind::Time,
        place: Place::App { get: |l| Some(l.build_timeout.as_millis() as u64), set: |l, v| l.build_timeout = Duration::from_millis(v) },
        help: "End the build of an app after this time, with its compilation and its import",
    },
    Row {
        limit: Limit::BuildMemory,
        flag: "build-memory",
        key: "build-memory",
        kind: Kind::Size,
        place: Place::App { get: |l| Some(l.build_memory as u64), set: |l, v| l.build_memory = v as usize },
        help: "Give each process of a build this much memory",
    },
    Row {
        limit: Limit::BuildDisk,
        flag: "build-disk",
        key: "build-disk",
        kind: Kind::Size,
        place: Place::App { get: |l| Some(l.build_disk as u64), set: |l, v| l.build_disk = v as usize },
        help: "Let a build have at most this much of files, with the copy of the app's folder",
    },
    Row {
        limit: Limit::KeptVersions,
        flag: "kept-versions",
        key: "versions",
        kind: Kind::Count { least: 1, most: 1000 },
        place: Place::App { get: |l| Some(l.kept_versions as u64), set: |l, v| l.kept_versions = v as usize },
        help: "Keep this many deployed components, of which the oldest go first",
    },
    Row {
        limit: Limit::MaxHead,
        flag: "max-head",
        key: "max-head",
        kind: Kind::Size,
        place: Place::Server { get: |l| Some(l.max_head as u64), set: |l, v| l.max_head = v as usize },
        help: "Refuse a larger request head, which is the request line and the headers, with 431",
    },
    Row {
        limit: Limit::HeaderTimeout,
        flag: "header-timeout",
        key: "header-timeout",
        kind: Kind::Time,
        place: Place::Server { get: |l| Some(l.header_timeout.as_millis() as u64), set: |l, v| l.header_timeout = Duration::from_millis(v) },
        help: "Wait this long for a request head, and for the next request of a connection",
    },
    Row {
        limit: Limit::WriteTimeout,
        flag: "write-timeout",
        key: "write-timeout",
        kind: Kind::Time,
        place: Place::Server { get: |l| Some(l.write_timeout.as_millis() as u64), set: |l, v| l.write_timeout = Duration::from_millis(v) },
        help: "Wait this long for a client to read its response, then close the connection",
    },
    Row {
        limit: Limit::Connections,
        flag: "connections",
        key: "connections",
        kind: Kind::Count { least: 1, most: COUNT },
        place: Place::Server { get: |l| Some(l.connections as u64), set: |l, v| l.connections = v as usize },
        help: "Keep at most this many connections open, per worker; more wait",
    },
    Row {
        limit: Limit::Drain,
        flag: "drain",
        key: "drain",
        kind: Kind::Time,
        place: Place::Server { get: |l| Some(l.drain.as_millis() as u64), set: |l, v| l.drain = Duration::from_millis(v) },
        help: "Let requests in flight finish for this long at shutdown",
    },
    Row {
        limit: Limit::KeepResident,
        flag: "keep-resident",
        key: "keep-resident",
        kind: Kind::Size,
        place: Place::Server { get: |l| Some(l.keep_resident as u64), set: |l, v| l.keep_resident = v as usize },
        help: "Wipe up to this much of an ended instance's memory in place; the rest goes back to the system, which takes longer",
    },
    Row {
        limit: Limit::CacheSize,
        flag: "cache-size",
        key: "cache-size",
        kind: Kind::DiskSize,
        place: Place::Server { get: |l| Some(l.cache_size as u64), set: |l, v| l.cache_size = v as usize },
        help: "Keep at most this much of built and compiled apps in the cache folder; what was used longest ago goes first",
    },
];

/// The table of limits on the flags page, in Markdown.
#[cfg(test)]
fn page() -> String {
    let mut page = "| flag | in `host.toml` | default | meaning |\n|---|---|---|---|\n".to_owned();
    for row in &TABLE {
        let key = match row.place {
            Place::App { .. } => format!("`{}`", row.key),
            Place::Server { .. } => format!("`[server] {}`", row.key),
        };
        let show = |value: Option<u64>| value.map_or("none".to_owned(), |value| row.kind.show(value));
        let mut default = show(row.default());
        if let Place::App { get, .. } = row.place
            && get(&Limits::of_tenants()) != row.default()
        {
            default += &format!("; `serve`: {}", show(get(&Limits::of_tenants())));
        }
        let placeholder = row.kind.placeholder();
        page += &format!("| `--{} {placeholder}` | {key} | {default} | {} |\n", row.flag, row.help);
    }
    page
}

#[cfg(test)]
#[path = "limit_table_tests.rs"]
mod tests;
