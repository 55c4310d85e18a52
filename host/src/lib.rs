//! bolt-host: an HTTP server that runs Python web apps in WebAssembly sandboxes.
//!
//! A program of your own mounts apps with [`embed`]; what they may use and reach is in [`config`].
//!
//! # The path of a request
//!
//! ```text
//!  socket ─ hyper ─ route ─ read body ─ validate ─ check out ─ guest call ─ decode ─ respond
//!  └────────────── Rust, no Python touched ──────┘ └──── one interpreter ──┘ └──── Rust ───┘
//! ```
//!
//! What each step is, and the file it is in:
//!
//! 1. `http/server` accepts a connection on one of its workers. A worker is a thread with a listener and instances of its own.
//!    `http/protocol` finds out whether the client speaks TLS (`http/tls`), HTTP/1.1 (`http/http1`) or HTTP/2 (`http/http2`), and
//!    hyper reads requests from `http/io`.
//! 2. `http/pipeline` has the path in three short functions: `answer` finds the app, `admitted` lets the request in, and `serve`
//!    is the path of a request that is served, a line a step. `http/head` refuses heads that two readers could understand in two
//!    ways. `config/virtual_hosts` says which app the request is for, and `apps/worker_apps` has this worker's share of it.
//!    `quota/admission` lets the request in or refuses it.
//! 3. `manifest/router` finds the handler. `http/body` receives the body within the app's `quota/body_budget`; files of a form go
//!    to `sandbox/uploads`.
//! 4. `validation/arguments` turns path, query, headers, body and form into the handler's arguments: `validation/validator` checks
//!    each value against its type (`manifest/types`, `manifest/constraints`), and what does not fit becomes a
//!    `validation/error_list`. The arguments are written as `codec/marshal`.
//!    A route may need no handler: `crud/statement` makes a statement of the arguments, and `http/table` answers from a database.
//! 5. `pool/instance_pool` has the instances that serve the handler. The call waits there (`pool/call`) until `pool/scheduler` gives it to
//!    an instance, on this worker or on one whose core is free. The instance's task, `pool/driver`, calls the guest
//!    (`sandbox/instance`) and records in `sandbox/execution` what the guest is doing. A handler that awaits is resumed by the
//!    guest's own event loop, which `sandbox/timer` wakes.
//! 6. The reply comes back marshalled. `codec/reply` and `codec/transcode` turn it into JSON, on a background thread
//!    (`pool/offload`) when it is large. `http/response` makes the HTTP response; `http/file_body` sends a file.
//!
//! Whatever goes wrong on the way is an `error`: a rejection (the client's fault), a fault (the app's or the host's) or an
//! overload. `telemetry/counters` counts the request, and `telemetry/access_log` writes its line.
//!
//! Data moves forward through types: `RouteMatch → ValidArgs → PendingCall → Reply → HttpResponse`.
//!
//! # How an app gets there
//!
//! `cli` reads the command line and `config/host_file` a host file. `builder/from_source` builds a component from an app's source, and
//! `builder/compiler` compiles it once, asks the app for its manifest and keeps both (`sandbox/compile_cache`).
//! `sandbox/component` loads and links it for `sandbox/engine`. `apps/registry` is the table of all apps; each `apps/slot` has the
//! version that is served now. An app may be resident, follow its source (`apps/reloader`, through `apps/source_runner`), or be
//! dormant: on disk until somebody asks for it (`apps/dormant`). `apps/reconciler` builds and replaces apps when their files
//! change, and `admin` shows operators what is served.
//!
//! # Folders
//!
//! A folder uses only folders above it in this table, which a test compares with the `use` trees of the source. Folders with † are
//! pure: they know neither wasmtime, hyper nor tokio.
//!
#![doc = include_str!("folders.md")]
#![cfg_attr(not(feature = "cli"), allow(dead_code))] // The server and dormant apps are the program's; the linker drops them.

#[cfg(feature = "cli")]
mod admin;
mod apps;
mod builder;
#[cfg(feature = "cli")]
pub mod cli;
mod codec;
pub mod config;
mod crud;
pub mod embed;
mod error;
mod http;
#[cfg(feature = "internals")]
pub mod internals;
mod kv;
mod manifest;
mod pool;
#[cfg(test)]
mod properties;
mod quota;
mod sandbox;
mod sql;
mod telemetry;
mod topics;
mod util;
mod validation;
mod websocket;
#[cfg(test)]
mod work_properties;
