//! The line of each request in the log.

use crate::config::limit_name;
use crate::config::limit_table::Limit;
use hyper::Method;
use hyper::http::request::Parts;
use std::sync::Arc;
use tokio::time::Instant;

/// The target of request lines.
const ACCESS: &str = "access";

/// What the line of a request says of the request; the request itself need not be kept until it is answered.
pub struct Line {
    request: u64,
    /// Method and path, where lines are written.
    head: Option<(Method, String)>,
    start: Instant,
    /// The app that it is for, where there are several.
    app: Option<Arc<str>>,
    /// The limit for which it was refused.
    limit: Option<Limit>,
}

impl Line {
    /// Paths are escaped: they are a client's bytes.
    pub fn begin(request: u64, head: &Parts) -> Self {
        let logged = tracing::enabled!(target: ACCESS, tracing::Level::INFO);
        let head = logged.then(|| (head.method.clone(), head.uri.path().escape_debug().to_string()));
        Self { request, head, start: Instant::now(), app: None, limit: None }
    }

    /// The request is for this one of several apps.
    pub fn of(&mut self, app: &Arc<str>) {
        self.app = self.head.is_some().then(|| app.clone());
    }

    /// The request was refused because it, or the load, has reached this limit.
    pub fn refused(&mut self, limit: Limit) {
        self.limit = Some(limit);
    }

    /// `bytes`: of the body, as far as they are known when the head is sent.
    pub fn end(self, status: u16, bytes: u64) {
        let Some((method, path)) = self.head else { return };
        let ms = self.start.elapsed().as_micros() as f64 / 1000.0;
        let (request, method) = (self.request, method.as_str());
        let app = self.app.as_deref();
        let limit = self.limit.map(limit_name::of);
        tracing::info!(target: ACCESS, request, app, method, path, status, ms, bytes, limit);
    }
}
