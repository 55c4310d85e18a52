//! One instance: its engine, its component, and the host functions that its guest can call.
//!
//! Apart from the driver and the compiler, only this folder uses wasmtime. Every host function is here with its bounds.

pub mod bindings;
pub mod body_stream;
pub mod by_app;
pub mod code_seal;
pub mod compile_cache;
pub mod component;
pub mod connection;
pub mod connection_problem;
pub mod connection_tls;
pub mod engine;
pub mod exchange;
pub mod execution;
pub mod file_streams;
pub mod guest_files;
pub mod host_functions;
pub mod host_state;
pub mod hot_pages;
pub mod http_client;
pub mod http_host;
pub mod instance;
pub mod instance_spec;
pub mod kv_host;
pub mod log_record;
pub mod news;
pub mod pagemap;
pub mod populate;
pub mod problem;
pub mod proxied;
#[cfg(any(test, feature = "internals"))]
pub mod random_calls;
#[cfg(any(test, feature = "internals"))]
pub mod random_streams;
pub mod request_head;
pub mod resolver;
pub mod rows;
pub mod socket;
pub mod sql_host;
pub mod stdio;
pub mod stream;
pub mod streams_host;
pub mod tcp_host;
pub mod this_machine;
pub mod timer;
pub mod topics_host;
pub mod turn;
pub mod uploads;
pub mod upstream;
