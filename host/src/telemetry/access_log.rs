//! The access log: one line per request.

use crate::config::limit_name;
use crate::config::limit_table::Limit;
use hyper::Method;
use hyper::http::request::Parts;
use std::sync::Arc;
use tokio::time::Instant;

/// The tracing target of access log lines.
const ACCESS: &str = "access";

/// Most bytes of a path in a line: clients choose it, and a head may have 64 KiB of it.
const MOST_PATH: usize = 500;

/// The fields of a request's log line, so that the request itself need not be kept until the response.
pub struct Line {
    request: u64,
    /// If the access log is on.
    head: Option<Head>,
    /// The app's name, if there are several apps.
    app: Option<Arc<str>>,
    /// The limit that caused a refusal.
    limit: Option<Limit>,
}

struct Head {
    method: Method,
    path: String,
    start: Instant,
}

/// Escaped, because clients control its bytes.
fn shown(path: &str) -> String {
    let most = path.floor_char_boundary(MOST_PATH);
    let shown = path[..most].escape_debug();
    if most < path.len() { format!("{shown}… ({} bytes)", path.len()) } else { shown.to_string() }
}

impl Line {
    pub fn begin(request: u64, head: &Parts) -> Self {
        let logged = tracing::enabled!(target: ACCESS, tracing::Level::INFO);
        let head = logged.then(|| Head {
            method: head.method.clone(),
            path: shown(head.uri.path()),
            start: Instant::now(),
        });
        Self { request, head, app: None, limit: None }
    }

    /// Set the app of the request, if there are several apps.
    pub fn of(&mut self, app: &Arc<str>) {
        self.app = self.head.is_some().then(|| app.clone());
    }

    /// Record that the request was refused because it, or the load, reached this limit.
    pub fn refused(&mut self, limit: Limit) {
        self.limit = Some(limit);
    }

    /// `bytes`: the size of the body, as far as it is known when the head is sent.
    pub fn end(self, status: u16, bytes: u64) {
        let Some(Head { method, path, start }) = self.head else { return };
        let ms = start.elapsed().as_micros() as f64 / 1000.0;
        let (request, method) = (self.request, method.as_str());
        let app = self.app.as_deref();
        let limit = self.limit.map(limit_name::of);
        tracing::info!(target: ACCESS, request, app, method, path, status, ms, bytes, limit);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_shown_in_a_line_of_bounded_length() {
        assert_eq!(shown("/a\u{202e}\n"), "/a\\u{202e}\\n");
        let long = shown(&"/é".repeat(20_000));
        assert!(long.len() < 600 && long.ends_with("… (60000 bytes)"), "{long}");
    }
}
