//! Decodes a guest's reply: `(status, value)`, `(status, content type, headers, value)`, or the latter followed by
//! `"file"`, where the value is the path of a file.
//!
//! A value without a content type becomes JSON. All input comes from a guest, so everything is checked.

use crate::codec::encode_error::EncodeError;
use crate::codec::transcode::Reader;
use crate::codec::work::Work;
use bytes::Bytes;

/// Maximum number of headers in a reply.
const MAX_HEADERS: usize = 100;
/// Maximum total size of their names and values, in bytes. Clients and proxies accept less.
const MAX_HEADERS_SIZE: usize = 64 * 1024;

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
    latin1_bytes(text).ok_or_else(|| malformed("it has a character above U+00FF"))
}

/// Decode a reply. `limit` bounds the body, in bytes, and thereby the work.
pub fn decode(data: &[u8], limit: usize, work: &mut Work) -> Result<Reply, DecodeError> {
    let mut reader = Reader::new(data, limit, work);
    let parts = reader.tuple()?;
    if !matches!(parts, 2 | 4 | 5) {
        return Err(malformed(&format!("it has {parts} parts")));
    }
    let status = reader.int()?;
    let status = match u16::try_from(status) {
        Ok(status @ 200..=599) => status,
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
    if parts == 5 {
        reply.body = file(&mut reader, reply.body)?;
    }
    if !reader.at_end() {
        return Err(malformed("it has trailing data"));
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

/// The body of a reply with `"file"` is a path.
fn file(reader: &mut Reader<'_, '_>, body: Body) -> Result<Body, DecodeError> {
    if text(reader)?.as_deref() != Some("file") {
        return Err(malformed("its last part is unknown"));
    }
    match body {
        Body::Bytes(path) => {
            let path = String::from_utf8(path.into());
            path.map(Body::File).map_err(|_| malformed("the path of a file is not text"))
        }
        Body::File(_) => Ok(body),
    }
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

/// Encode a reply as latin-1 in place: each character becomes the byte with its code point.
/// `None` if a character is above U+00FF, which the SDK never sends.
pub fn latin1_bytes(text: String) -> Option<Vec<u8>> {
    let mut bytes = text.into_bytes();
    // Bytes before the first character above U+007F stay in place.
    let mut write = bytes.iter().position(|byte| *byte >= 0x80).unwrap_or(bytes.len());
    let mut read = write;
    while read < bytes.len() {
        let byte = bytes[read];
        if byte < 0x80 {
            bytes[write] = byte;
            read += 1;
        } else if byte <= 0xc3 {
            bytes[write] = (byte << 6) | (bytes[read + 1] & 0x3f);
            read += 2;
        } else {
            return None;
        }
        write += 1;
    }
    bytes.truncate(write);
    Some(bytes)
}
