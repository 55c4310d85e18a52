//! Telemetry about requests for operators: counters, and the log.

pub mod access_log;
pub mod counters;
#[cfg(feature = "cli")]
pub mod log_lines;
#[cfg(feature = "cli")]
pub mod log_output;
#[cfg(feature = "cli")]
pub mod log_queue;
