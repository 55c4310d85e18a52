//! The host's own log: how it is written, and the line of each request.

use crate::app::App;
use crate::guestlog;
use crate::response::HttpResponse;
use clap::ValueEnum;
use hyper::Method;
use hyper::body::Body;
use hyper::http::request::Parts;
use std::sync::{Arc, OnceLock};
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
    if format != LogFormat::Json {
        guestlog::indent();
    }
    Ok(guard)
}

type SetFilter = Box<dyn Fn(&str) -> Result<(), String> + Send + Sync>;

/// Changes what is logged.
static FILTER: OnceLock<SetFilter> = OnceLock::new();

fn reloading<E: std::fmt::Display>(
    reload: impl Fn(EnvFilter) -> Result<(), E> + Send + Sync + 'static,
) -> SetFilter {
    Box::new(move |text| {
        let filter = EnvFilter::try_new(text).map_err(|e| e.to_string())?;
        reload(filter).map_err(|e| e.to_string())
    })
}

/// From now on this is logged: `info,guest=error` or `debug`. The error is a sentence.
pub fn set_filter(text: &str) -> Result<(), String> {
    FILTER.get().ok_or("nothing is logged")?(text)
}

/// What the line of a request says of the request; the request itself need not be kept until it is answered.
pub struct Line {
    request: u64,
    /// Method and path, where lines are written.
    head: Option<(Method, String)>,
    start: Instant,
    /// The app that it is for, where there are several.
    app: Option<Arc<App>>,
}

impl Line {
    /// Paths are escaped: they are a client's bytes.
    pub fn begin(request: u64, head: &Parts) -> Self {
        let logged = tracing::enabled!(target: ACCESS, tracing::Level::INFO);
        let head = logged.then(|| (head.method.clone(), head.uri.path().escape_debug().to_string()));
        Self { request, head, start: Instant::now(), app: None }
    }

    /// The request is for this one of several apps.
    pub fn of(&mut self, app: &Arc<App>) {
        self.app = self.head.is_some().then(|| app.clone());
    }

    pub fn end(self, response: &HttpResponse) {
        let Some((method, path)) = self.head else { return };
        let ms = self.start.elapsed().as_micros() as f64 / 1000.0;
        let bytes = response.body().size_hint().lower();
        let (request, method, status) = (self.request, method.as_str(), response.status().as_u16());
        let app = self.app.as_ref().map(|app| &*app.component.name);
        tracing::info!(target: ACCESS, request, app, method, path, status, ms, bytes);
    }
}
