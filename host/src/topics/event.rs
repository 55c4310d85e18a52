//! An event of a topic, encoded once for all who get it, and how many are kept.

use crate::websocket::encoder;
use bytes::Bytes;
use std::sync::OnceLock;

/// Topics of an app.
pub const MOST_TOPICS: usize = 1000;
/// Events that a topic keeps, for slow subscribers and those who come back.
pub const MOST_KEPT: usize = 128;
/// Bytes of them.
pub const MOST_BYTES: usize = 256 * 1024;
/// Bytes of all topics of an app.
pub const MOST_BYTES_OF_APP: usize = 16 * 1024 * 1024;
/// What an event costs besides its text, in bytes. It may be encoded twice.
const OVERHEAD: usize = 200;

/// An event, encoded once for all who get it.
#[derive(Debug)]
pub struct Event {
    pub id: u64,
    /// Its type, or "".
    pub kind: String,
    /// JSON on one line.
    pub data: String,
    as_sse: OnceLock<Bytes>,
    as_frame: OnceLock<Bytes>,
}

impl Event {
    pub fn new(id: u64, kind: String, data: String) -> Self {
        Self { id, kind, data, as_sse: OnceLock::new(), as_frame: OnceLock::new() }
    }

    /// For a stream of server-sent events.
    pub fn sse(&self) -> Bytes {
        let encode = || {
            let kind = if self.kind.is_empty() { String::new() } else { format!("event: {}\n", self.kind) };
            format!("{kind}data: {}\nid: {}\n\n", self.data, self.id).into()
        };
        self.as_sse.get_or_init(encode).clone()
    }

    /// For a WebSocket: a string is its text.
    pub fn frame(&self) -> Bytes {
        let encode = || {
            let text = serde_json::from_str::<String>(&self.data);
            encoder::message(true, text.as_deref().unwrap_or(&self.data).as_bytes(), None).into()
        };
        self.as_frame.get_or_init(encode).clone()
    }

    /// What it costs, in bytes.
    pub fn size(&self) -> usize {
        size(&self.kind, &self.data)
    }
}

/// What an event costs, in bytes.
pub fn size(kind: &str, data: &str) -> usize {
    OVERHEAD + 3 * (data.len() + kind.len())
}
