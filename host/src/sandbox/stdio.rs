//! Guest output: logged line by line, with the id of the request that printed it; records of its `logging` with their fields.

use crate::config::limit_name;
use crate::config::limit_table::Limit;
use crate::quota::rate_limit::RateLimit;
use crate::sandbox::log_record::{LogRecord, Severity};
use crate::util::locks::lock;
use crate::util::printable;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};

/// Longest text of one log entry, in bytes. Longer text is truncated: a guest must not fill the disk with one line.
const MAX_TEXT: usize = 4 * 1024;

/// Longest last line of a traceback that is kept, in bytes.
const MAX_LAST_ERROR: usize = 200;

/// Overhead of a log line besides the guest's text, in bytes.
const LINE: u64 = 100;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GuestStream {
    Stdout,
    Stderr,
    Error,
}

impl GuestStream {
    fn name(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
            Self::Error => "error",
        }
    }
}

/// Log rate limit of all instances of an app, and how many texts were dropped since the last one that was logged.
#[derive(Debug)]
pub struct LogRate {
    rate: RateLimit,
    left_out: AtomicU64,
    /// Bytes that were logged, and bytes that were dropped by the rate limit or by truncation.
    pub written: AtomicU64,
    pub dropped: AtomicU64,
}

/// Burst allowance, as time at the rate: the output of a starting app, or a traceback, passes.
const BURST: Duration = Duration::from_secs(16);

impl LogRate {
    pub fn new(bytes_per_second: usize) -> Arc<Self> {
        let (left_out, written, dropped) = Default::default();
        Arc::new(Self { rate: RateLimit::new(bytes_per_second as u64, BURST), left_out, written, dropped })
    }
}

/// Writes a guest's output to the host's log.
#[derive(Debug, Clone)]
pub struct GuestOutput {
    app: Arc<str>,
    rate: Arc<LogRate>,
    /// The last line of the last traceback, for those who read no log.
    last_error: Arc<Mutex<Option<String>>>,
    /// The request that the instance started last; only exact for raw output in `def` pools.
    serving: Arc<AtomicU64>,
}

impl GuestOutput {
    pub fn new(app: Arc<str>, rate: Arc<LogRate>) -> Self {
        Self { app, rate, last_error: Arc::default(), serving: Arc::default() }
    }

    /// What the last exception says that nobody caught.
    pub fn last_error(&self) -> Option<String> {
        lock(&self.last_error).clone()
    }

    pub fn serving(&self, request: u64) {
        self.serving.store(request, Ordering::Relaxed);
    }

    /// Log `text`, without trailing line breaks.
    pub fn write(&self, request: u64, stream: GuestStream, text: &str) {
        // Cut before anything is computed: a guest logs as much at a time as it has memory.
        let part = printable::cut(text, MAX_TEXT);
        let cut = part.len() < text.len();
        let part = part.trim_end_matches(['\n', '\r']);
        if part.is_empty() {
            return;
        }
        let whole = if cut { text.len() } else { part.len() } as u64;
        // What a guest prints is never a record: a client may have a hand in it.
        let record = if stream == GuestStream::Error { LogRecord::read(part) } else { None };
        if stream == GuestStream::Error && record.is_none() {
            let line = part.lines().rev().find(|line| !line.is_empty() && !line.starts_with("hint: "));
            *lock(&self.last_error) = line.map(|line| printable::line(line, MAX_LAST_ERROR));
        }
        if record.as_ref().is_some_and(|record| !is_logged(record.level)) {
            return;
        }
        let (message, traceback) =
            record.as_ref().map_or((part, ""), |record| (record.message, record.traceback));
        let (text, read) = printable::text(message, MAX_TEXT);
        let (traced, traced_of) = printable::text(traceback, MAX_TEXT.saturating_sub(text.len()));
        let unread = (message.len() - read) + (traceback.len() - traced_of);
        let (cut, read) = (cut || unread > 0, (part.len() - unread) as u64);
        // The rest of the log line counts too.
        let fields = record.as_ref().map_or(0, LogRecord::field_bytes);
        if self.rate.rate.take((text.len() + traced.len() + fields) as u64 + LINE).is_err() {
            self.rate.left_out.fetch_add(1, Ordering::Relaxed);
            self.rate.dropped.fetch_add(whole, Ordering::Relaxed);
            return;
        }
        self.rate.written.fetch_add(read, Ordering::Relaxed);
        self.rate.dropped.fetch_add(whole - read, Ordering::Relaxed);
        let left_out = self.rate.left_out.swap(0, Ordering::Relaxed);
        if left_out > 0 {
            let limit = limit_name::of(Limit::LogRate);
            tracing::warn!(target: "guest", app = &*self.app, "{left_out} texts were left out of the log ({limit})");
        }
        // Only what says something is a field.
        let (app, request, cut) = (&*self.app, (request > 0).then_some(request), cut.then_some(true));
        match record {
            Some(record) => log_record(app, request, cut, &record, &text, &traced),
            None => {
                let name = stream.name();
                match stream {
                    GuestStream::Error => {
                        tracing::error!(target: "guest", app, request, stream = name, cut, "{text}")
                    }
                    _ => tracing::info!(target: "guest", app, request, stream = name, cut, "{text}"),
                }
            }
        }
    }

    /// For output that bypasses the SDK: C code and fatal errors of the interpreter.
    pub fn stream(&self, stream: GuestStream) -> RawOutput {
        RawOutput { log: self.clone(), stream }
    }
}

/// Whether the log has records of this level. Those that it has not cost the app nothing of its rate.
fn is_logged(level: Severity) -> bool {
    match level {
        Severity::Error => tracing::enabled!(target: "guest", tracing::Level::ERROR),
        Severity::Warn => tracing::enabled!(target: "guest", tracing::Level::WARN),
        Severity::Info => tracing::enabled!(target: "guest", tracing::Level::INFO),
        Severity::Debug => tracing::enabled!(target: "guest", tracing::Level::DEBUG),
    }
}

/// Log a record, whose message and traceback are `text` and `traceback`.
fn log_record(
    app: &str,
    request: Option<u64>,
    cut: Option<bool>,
    record: &LogRecord,
    text: &str,
    traceback: &str,
) {
    let (logger, extra) = (record.logger.as_str(), record.extra.as_deref());
    let left_out = (record.left_out > 0).then_some(record.left_out);
    let traceback = (!traceback.is_empty()).then_some(traceback);
    // The level of an event is a constant of its place in the program.
    macro_rules! at {
        ($level:ident) => {
            tracing::event!(
                target: "guest",
                tracing::Level::$level,
                { app, request, logger, extra, left_out, cut, traceback },
                "{text}"
            )
        };
    }
    match record.level {
        Severity::Error => at!(ERROR),
        Severity::Warn => at!(WARN),
        Severity::Info => at!(INFO),
        Severity::Debug => at!(DEBUG),
    }
}

/// The guest's standard output or standard error.
pub struct RawOutput {
    log: GuestOutput,
    stream: GuestStream,
}

impl IsTerminal for RawOutput {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for RawOutput {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(Lines { log: self.log.clone(), stream: self.stream, pending: Mutex::default() })
    }
}

/// Buffers raw output until a line is complete.
struct Lines {
    log: GuestOutput,
    stream: GuestStream,
    pending: Mutex<Vec<u8>>,
}

impl Lines {
    fn emit(&self, bytes: &[u8]) {
        self.log.write(
            self.log.serving.load(Ordering::Relaxed),
            self.stream,
            &String::from_utf8_lossy(bytes),
        );
    }
}

impl AsyncWrite for Lines {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        let mut pending = lock(&self.pending);
        // The rest is offered again.
        let bytes = &bytes[..bytes.len().min(MAX_TEXT - pending.len())];
        pending.extend_from_slice(bytes);
        let whole = pending.iter().rposition(|&byte| byte == b'\n').map(|at| at + 1);
        let whole = whole.or((pending.len() >= MAX_TEXT).then_some(pending.len()));
        if let Some(end) = whole {
            let rest = pending.split_off(end);
            let lines = std::mem::replace(&mut *pending, rest);
            self.emit(&lines);
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        let rest = std::mem::take(&mut *lock(&self.pending));
        self.emit(&rest);
    }
}
