//! The host's own log: how it is written, and the line of each request.

use crate::guestlog;
use crate::response::HttpResponse;
use clap::ValueEnum;
use hyper::body::Body;
use hyper::http::request::Parts;
use tokio::time::Instant;
use tracing_appender::non_blocking::WorkerGuard;
use tracing_subscriber::EnvFilter;

/// Lines that wait to be written; with the longest text of a guest, 80 MB.
const LINES: usize = 20_000;
/// The target of request lines.
const ACCESS: &str = "access";

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Lines for people.
    Human,
    /// One JSON object a line.
    Json,
    /// Only warnings and errors, for people; no line a request.
    Off,
}

/// Start logging to standard error, from a thread of its own. What is still queued is written when the guard
/// is dropped.
pub fn start(format: LogFormat, filter: Option<&str>) -> Result<WorkerGuard, String> {
    let default = match format {
        LogFormat::Off => "warn,guest=error",
        LogFormat::Human | LogFormat::Json => "info",
    };
    let filter = EnvFilter::try_new(filter.unwrap_or(default)).map_err(|e| format!("--log-filter: {e}"))?;
    let (writer, guard) = tracing_appender::non_blocking::NonBlockingBuilder::default()
        // When whoever reads the log stalls, lines are lost: waiting would stop every worker.
        .lossy(true)
        .buffered_lines_limit(LINES)
        .finish(std::io::BufWriter::with_capacity(64 * 1024, std::io::stderr()));
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer);
    match format {
        LogFormat::Json => {
            lines.json().flatten_event(true).with_current_span(false).with_span_list(false).init()
        }
        LogFormat::Human | LogFormat::Off => lines.compact().with_ansi(false).init(),
    }
    if format != LogFormat::Json {
        guestlog::indent();
    }
    Ok(guard)
}

/// Log one request. Paths are escaped: they are a client's bytes.
pub fn line(request: u64, head: &Parts, response: &HttpResponse, start: Instant) {
    if !tracing::enabled!(target: ACCESS, tracing::Level::INFO) {
        return;
    }
    let ms = start.elapsed().as_micros() as f64 / 1000.0;
    let bytes = response.body().size_hint().lower();
    let (method, status) = (head.method.as_str(), response.status().as_u16());
    let path = head.uri.path().escape_debug().to_string();
    tracing::info!(target: ACCESS, request, method, path, status, ms, bytes);
}
