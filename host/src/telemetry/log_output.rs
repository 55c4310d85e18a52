//! Sets up the program's log.

use crate::telemetry::log_lines::Lines;
use crate::telemetry::log_queue::{LogGuard, LogQueue};
use crate::util::progress;
use clap::ValueEnum;
use std::sync::OnceLock;
use tracing_subscriber::EnvFilter;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Lines for people.
    Human,
    /// One JSON object per line.
    Json,
    /// Only warnings and errors, for people; no access log.
    Off,
}

/// Start logging to standard error, on a separate thread. Dropping the guard writes the queued lines.
pub fn start(format: LogFormat, filter: Option<&str>) -> Result<LogGuard, String> {
    let default = match format {
        LogFormat::Off => "warn,guest=error",
        LogFormat::Human | LogFormat::Json => "info",
    };
    let filter = EnvFilter::try_new(filter.unwrap_or(default)).map_err(|e| format!("--log-filter: {e}"))?;
    let (writer, guard) =
        LogQueue::start(std::io::stderr()).map_err(|e| format!("the log cannot be started: {e}"))?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(writer)
        .event_format(Lines { is_json: format == LogFormat::Json })
        .with_filter_reloading();
    let filter = lines.reload_handle();
    lines.init();
    progress::set_in_log(format == LogFormat::Json);
    let set = reloading(move |wanted| filter.reload(wanted));
    let _ = FILTER.set(set);
    Ok(guard)
}

type SetFilter = Box<dyn Fn(&str) -> Result<(), String> + Send + Sync>;

/// Replaces the log filter.
static FILTER: OnceLock<SetFilter> = OnceLock::new();

fn reloading<E: std::fmt::Display>(
    reload: impl Fn(EnvFilter) -> Result<(), E> + Send + Sync + 'static,
) -> SetFilter {
    Box::new(move |text| {
        let filter = EnvFilter::try_new(text).map_err(|e| e.to_string())?;
        reload(filter).map_err(|e| e.to_string())
    })
}

/// Replace the log filter, for example by `info,guest=error` or `debug`. Errors are sentences for people.
pub fn set_filter(text: &str) -> Result<(), String> {
    FILTER.get().ok_or("the log is not set up")?(text)
}
