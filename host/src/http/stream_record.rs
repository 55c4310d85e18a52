//! What is told of a stream or a WebSocket: the app and request in log lines, the line of the access log when it has ended, and
//! the gauge of open ones.

use crate::telemetry::access_log;
use crate::telemetry::counters::OpenStream;
use std::sync::Arc;

pub struct Record {
    pub app: Arc<str>,
    pub request: u64,
    /// Bytes to the client.
    pub sent: u64,
    line: Option<(access_log::Line, u16)>,
    _open: OpenStream,
}

impl Record {
    pub fn new(app: Arc<str>, request: u64, open: OpenStream) -> Self {
        Self { app, request, sent: 0, line: None, _open: open }
    }

    /// The line to write when it has ended.
    pub fn log(&mut self, line: access_log::Line, status: u16) {
        self.line = Some((line, status));
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        if let Some((line, status)) = self.line.take() {
            line.end(status, self.sent);
        }
    }
}
