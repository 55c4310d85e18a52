//! A guest's reply, decoded: `(status, value)` or `(status, content type, headers, value)`.
//!
//! Values without a content type are JSON. Everything in here was written by a guest and is checked.

use crate::fault::Fault;
use crate::json::{EncodeError, Reader};

/// Most headers a reply may set.
const MAX_HEADERS: usize = 100;

/// What a handler answered, ready to be sent.
#[derive(Debug, PartialEq, Eq)]
pub struct Reply {
    pub status: u16,
    pub content_type: ContentType,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

#[derive(Debug, PartialEq, Eq)]
pub enum ContentType {
    Json,
    Other(String),
}

/// Decode a reply. `limit` bounds the body, in bytes.
pub fn decode(text: String, limit: usize) -> Result<Reply, Fault> {
    let data = latin1_bytes(text).ok_or_else(|| malformed("it has a character above U+00FF"))?;
    let mut reader = Reader::new(&data);
    let parts = reader.tuple()?;
    if parts != 2 && parts != 4 {
        return Err(malformed(&format!("it has {parts} parts")));
    }
    let status = reader.int()?;
    let status = match u16::try_from(status) {
        Ok(status @ 200..=599) => status,
        _ => return Err(malformed(&format!("its status is {status}"))),
    };
    let mut reply = Reply { status, content_type: ContentType::Json, headers: Vec::new(), body: Vec::new() };
    if parts == 2 {
        reader.json(&mut reply.body, limit)?;
    } else {
        read_response(&mut reader, &mut reply, limit)?;
    }
    if !reader.at_end() {
        return Err(malformed("it goes on after its end"));
    }
    Ok(reply)
}

fn malformed(why: &str) -> Fault {
    Fault::BadReply(why.to_owned())
}

fn read_response(reader: &mut Reader<'_>, reply: &mut Reply, limit: usize) -> Result<(), Fault> {
    let content_type = text(reader)?;
    headers(reader, reply)?;
    match content_type {
        None => reader.json(&mut reply.body, limit)?,
        Some(content_type) => {
            reply.content_type = ContentType::Other(content_type);
            reply.body = reader.raw()?.unwrap_or_default().to_vec();
            if reply.body.len() > limit {
                return Err(EncodeError::TooLarge.into());
            }
        }
    }
    Ok(())
}

fn headers(reader: &mut Reader<'_>, reply: &mut Reply) -> Result<(), Fault> {
    let count = reader.list()?;
    if count > MAX_HEADERS {
        return Err(malformed(&format!("it has more than {MAX_HEADERS} headers")));
    }
    for _ in 0..count {
        if reader.tuple()? != 2 {
            return Err(malformed("a header is a name and a value"));
        }
        match (text(reader)?, text(reader)?) {
            (Some(name), Some(value)) => reply.headers.push((name, value)),
            _ => return Err(malformed("a header is a name and a value")),
        }
    }
    Ok(())
}

fn text(reader: &mut Reader<'_>) -> Result<Option<String>, Fault> {
    let Some(raw) = reader.raw()? else { return Ok(None) };
    String::from_utf8(raw.to_vec()).map(Some).map_err(|_| malformed("a header is not text"))
}

/// Undo the latin-1 decoding of a reply in place: each character becomes the byte of its number.
/// `None` when a character is above U+00FF, which no reply of the SDK has.
pub fn latin1_bytes(text: String) -> Option<Vec<u8>> {
    let mut bytes = text.into_bytes();
    // Nothing moves before the first character above U+007F.
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
