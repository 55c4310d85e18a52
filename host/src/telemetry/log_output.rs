//! Sets up the program's log.

use clap::ValueEnum;
use std::sync::OnceLock;
use tracing_appender::non_blocking::WorkerGuard;
use tracing_subscriber::EnvFilter;

/// Maximum number of queued lines; with the longest text of a guest, they take 80 MB.
const LINES: usize = 20_000;
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
pub fn start(format: LogFormat, filter: Option<&str>) -> Result<WorkerGuard, String> {
    let default = match format {
        LogFormat::Off => "warn,guest=error",
        LogFormat::Human | LogFormat::Json => "info",
    };
    let filter = EnvFilter::try_new(filter.unwrap_or(default)).map_err(|e| format!("--log-filter: {e}"))?;
    let (writer, guard) = tracing_appender::non_blocking::NonBlockingBuilder::default()
        // If the reader of the log stalls, we drop lines: blocking would stop every worker.
        .lossy(true)
        .buffered_lines_limit(LINES)
        .finish(std::io::BufWriter::with_capacity(64 * 1024, std::io::stderr()));
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer);
    let set = match format {
        LogFormat::Json => {
            let lines = lines.json().flatten_event(true).with_current_span(false).with_span_list(false);
            let lines = lines.with_filter_reloading();
            let filter = lines.reload_handle();
            lines.init();
            reloading(move |wanted| filter.reload(wanted))
        }
        LogFormat::Human | LogFormat::Off => {
            let lines = lines.compact().with_ansi(false).with_filter_reloading();
            let filter = lines.reload_handle();
            lines.init();
            reloading(move |wanted| filter.reload(wanted))
        }
    };
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
