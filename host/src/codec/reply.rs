//! Decodes a guest's reply: `(status, value)`, `(status, content type, headers, value)`, or the latter followed by how the
//! host gets the body: `"file"`, where the value is the path of a file; `"stream"`, where the handler sends it afterwards; or
//! `"events", heartbeat in milliseconds, last event`, a stream of server-sent events, which may be followed by `topic, closes`. With `"socket"` it accepts a WebSocket.
//!
//! A value without a content type becomes JSON. All input comes from a guest, so everything is checked.

use crate::codec::encode_error::EncodeError;
use crate::codec::latin1::latin1_in_place;
use crate::codec::transcode::Reader;
use crate::codec::work::Work;
use bytes::Bytes;
use std::time::Duration;

/// Maximum number of headers in a reply.
const MAX_HEADERS: usize = 100;
/// Maximum total size of their names and values, in bytes. Clients and proxies accept less.
const MAX_HEADERS_SIZE: usize = 64 * 1024;

/// The status of a reply that accepts a WebSocket, whatever the protocol of the connection.
pub const SWITCHING_PROTOCOLS: u16 = 101;
/// Longest event that the host sends by itself at the end of a stream, in bytes.
const MAX_LAST_EVENT: usize = 64 * 1024;
/// Shortest time between two heartbeats.
const MIN_HEARTBEAT: Duration = Duration::from_secs(1);

/// A handler's reply, ready to send.
#[derive(Debug, PartialEq, Eq)]
pub struct Reply {
    pub status: u16,
    pub content_type: ContentType,
    pub headers: Vec<(String, String)>,
    pub body: Body,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Body {
    Bytes(Bytes),
    /// The path, as the app sees it, of a file for the host to send.
    File(String),
    /// The handler sends it in parts.
    Stream(Flow),
    /// None: the reply accepts a WebSocket. Its content type is the chosen subprotocol, or empty.
    Socket,
}

/// A body that its handler sends in parts.
#[derive(Debug, PartialEq, Eq)]
pub enum Flow {
    Plain,
    /// Server-sent events, with a comment of the host when there was none for `heartbeat`, and `last` when the host drains.
    Events {
        heartbeat: Option<Duration>,
        last: Bytes,
        /// Those of a topic, which the host has: its name, and whether the stream ends when its client is too slow.
        topic: Option<(String, bool)>,
    },
}

#[derive(Debug, PartialEq, Eq)]
pub enum ContentType {
    Json,
    Other(String),
}

/// Why a reply cannot be sent.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// It violates the contract in this way.
    #[error("{0}")]
    Malformed(String),
    /// It contains a value that JSON cannot represent.
    #[error(transparent)]
    Unencodable(#[from] EncodeError),
}

/// The bytes of a reply. The guest sends them as text, with one character per byte.
pub fn bytes(text: String) -> Result<Vec<u8>, DecodeError> {
    latin1_in_place(text).ok_or_else(|| malformed("it has a character above U+00FF"))
}

/// Decode a reply. `limit` bounds the body, in bytes, and thereby the work.
pub fn decode(data: &[u8], limit: usize, work: &mut Work) -> Result<Reply, DecodeError> {
    let mut reader = Reader::new(data, limit, work);
    let parts = reader.tuple()?;
    if !matches!(parts, 2 | 4 | 5 | 7 | 9) {
        return Err(malformed(&format!("it has {parts} parts")));
    }
    let status = reader.int()?;
    let status = match u16::try_from(status) {
        Ok(status @ (SWITCHING_PROTOCOLS | 200..=599)) => status,
        _ => return Err(malformed(&format!("its status is {status}"))),
    };
    let mut reply = Reply {
        status,
        content_type: ContentType::Json,
        headers: Vec::new(),
        body: Body::Bytes(Bytes::new()),
    };
    if parts == 2 {
        reply.body = json(&mut reader, limit)?;
    } else {
        read_response(&mut reader, &mut reply, limit)?;
    }
    match parts {
        5 => reply.body = elsewhere(&mut reader, reply.body)?,
        7 | 9 => reply.body = Body::Stream(events(&mut reader, parts == 9)?),
        _ => {}
    }
    if !reader.at_end() {
        return Err(malformed("it has trailing data"));
    }
    if (reply.status == SWITCHING_PROTOCOLS) != (reply.body == Body::Socket) {
        return Err(malformed("its status is 101 and it accepts no WebSocket, or the other way round"));
    }
    Ok(reply)
}

fn malformed(why: &str) -> DecodeError {
    DecodeError::Malformed(why.to_owned())
}

fn read_response(reader: &mut Reader<'_, '_>, reply: &mut Reply, limit: usize) -> Result<(), DecodeError> {
    let content_type = text(reader)?;
    headers(reader, reply)?;
    match content_type {
        None => reply.body = json(reader, limit)?,
        Some(content_type) => {
            reply.content_type = ContentType::Other(content_type);
            let body = reader.raw()?.unwrap_or_default();
            if body.len() > limit {
                return Err(EncodeError::TooLarge.into());
            }
            reply.body = Body::Bytes(Bytes::copy_from_slice(body));
        }
    }
    Ok(())
}

fn json(reader: &mut Reader<'_, '_>, limit: usize) -> Result<Body, DecodeError> {
    let mut body = Vec::new();
    reader.json(&mut body, limit)?;
    Ok(Body::Bytes(body.into()))
}

/// The body of a reply whose last part says that it is not in the reply.
fn elsewhere(reader: &mut Reader<'_, '_>, value: Body) -> Result<Body, DecodeError> {
    match (text(reader)?.as_deref(), value) {
        (Some("stream"), _) => Ok(Body::Stream(Flow::Plain)),
        (Some("socket"), _) => Ok(Body::Socket),
        (Some("file"), Body::Bytes(path)) => {
            let path = String::from_utf8(path.into());
            path.map(Body::File).map_err(|_| malformed("the path of a file is not text"))
        }
        _ => Err(malformed("its last part is unknown")),
    }
}

fn events(reader: &mut Reader<'_, '_>, of_topic: bool) -> Result<Flow, DecodeError> {
    if text(reader)?.as_deref() != Some("events") {
        return Err(malformed("its fifth part is unknown"));
    }
    let heartbeat = match u64::try_from(reader.int()?) {
        Ok(0) => None,
        Ok(millis) => Some(Duration::from_millis(millis).max(MIN_HEARTBEAT)),
        Err(_) => return Err(malformed("its heartbeat is negative")),
    };
    let last = reader.raw()?.unwrap_or_default();
    if last.len() > MAX_LAST_EVENT {
        return Err(malformed(&format!("its last event has more than {MAX_LAST_EVENT} bytes")));
    }
    let last = Bytes::copy_from_slice(last);
    let topic = if of_topic {
        let name = text(reader)?.ok_or_else(|| malformed("its topic has no name"))?;
        Some((name, reader.int()? != 0))
    } else {
        None
    };
    Ok(Flow::Events { heartbeat, last, topic })
}

fn headers(reader: &mut Reader<'_, '_>, reply: &mut Reply) -> Result<(), DecodeError> {
    let count = reader.list()?;
    if count > MAX_HEADERS {
        return Err(malformed(&format!("it has more than {MAX_HEADERS} headers")));
    }
    let mut size = 0;
    for _ in 0..count {
        if reader.tuple()? != 2 {
            return Err(malformed("a header is a name and a value"));
        }
        let (Some(name), Some(value)) = (text(reader)?, text(reader)?) else {
            return Err(malformed("a header is a name and a value"));
        };
        size += name.len() + value.len();
        if size > MAX_HEADERS_SIZE {
            return Err(malformed(&format!("its headers have more than {MAX_HEADERS_SIZE} bytes")));
        }
        reply.headers.push((name, value));
    }
    Ok(())
}

fn text(reader: &mut Reader<'_, '_>) -> Result<Option<String>, DecodeError> {
    let Some(raw) = reader.raw()? else { return Ok(None) };
    String::from_utf8(raw.to_vec()).map(Some).map_err(|_| malformed("a header is not text"))
}
