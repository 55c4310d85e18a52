//! One instance: the engine that runs it, the component it is made from, and everything the host offers to its guest.
//!
//! This folder and the driver are the only places that know wasmtime. Every host function lives here, with its bound.

pub mod bindings;
pub mod compile_cache;
pub mod component;
pub mod engine;
pub mod execution;
pub mod host_functions;
pub mod host_state;
pub mod http_client;
pub mod http_host;
pub mod instance;
pub mod pagemap;
pub mod stdio;
pub mod timer;
pub mod uploads;
