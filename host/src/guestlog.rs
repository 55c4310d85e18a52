//! What a guest prints, line by line, under the id of the request that printed it.

use crate::store::lock;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};

/// Longest text logged in one piece, in bytes. What is longer is cut: a guest must not fill the disk with
/// one line.
const MAX_TEXT: usize = 16 * 1024;

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

/// Writes a guest's output to the host's log.
#[derive(Debug, Clone)]
pub struct GuestLog {
    app: Arc<str>,
    /// The request that the instance took up last; right for raw output of the `def` lane.
    serving: Arc<AtomicU64>,
}

impl GuestLog {
    pub fn new(app: Arc<str>) -> Self {
        Self { app, serving: Arc::default() }
    }

    pub fn serving(&self, request: u64) {
        self.serving.store(request, Ordering::Relaxed);
    }

    /// Log `text`, without its last line end.
    pub fn write(&self, request: u64, stream: GuestStream, text: &str) {
        let mut text = text.trim_end_matches(['\n', '\r']);
        if text.is_empty() {
            return;
        }
        let cut = text.len() > MAX_TEXT;
        if cut {
            text = &text[..text.floor_char_boundary(MAX_TEXT)];
        }
        let text = printable(text);
        let (app, stream, name) = (&*self.app, stream, stream.name());
        match stream {
            GuestStream::Error => {
                tracing::error!(target: "guest", app, request, stream = name, cut, "{text}")
            }
            _ => tracing::info!(target: "guest", app, request, stream = name, cut, "{text}"),
        }
    }

    /// For output that bypasses the SDK: C code and the interpreter's last words.
    pub fn stream(&self, stream: GuestStream) -> RawOutput {
        RawOutput { log: self.clone(), stream }
    }
}

/// Control characters other than tabs and line ends are escaped: a log is read in terminals.
fn printable(text: &str) -> std::borrow::Cow<'_, str> {
    let harmful = |c: char| c.is_control() && c != '\n' && c != '\t';
    if !text.contains(harmful) {
        return text.into();
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if harmful(c) { safe.extend(c.escape_default()) } else { safe.push(c) }
    }
    safe.into()
}

/// A file descriptor of the guest.
pub struct RawOutput {
    log: GuestLog,
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

/// Collects raw output until a line is whole.
struct Lines {
    log: GuestLog,
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
        pending.extend_from_slice(bytes);
        let whole = pending.iter().rposition(|&byte| byte == b'\n').map(|at| at + 1);
        let whole = whole.or((pending.len() > MAX_TEXT).then_some(pending.len()));
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
