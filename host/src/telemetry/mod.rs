//! What the host tells operators about requests: counters, and the log.

pub mod access_log;
pub mod counters;
#[cfg(feature = "cli")]
pub mod log_output;
