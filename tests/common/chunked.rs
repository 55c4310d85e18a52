//! Chunked bodies, a chunk at a time.
#![allow(dead_code, clippy::unwrap_used)]

use super::{Connection, Response};
use std::io::{BufRead, Read, Write};

/// The connection ended within a body.
#[derive(Debug, PartialEq, Eq)]
pub struct Broken;

impl Response {
    pub fn is_chunked(&self) -> bool {
        self.headers.get("transfer-encoding").is_some_and(|encoding| encoding == "chunked")
    }
}

impl Connection {
    /// The next chunk of a response's body; `None` at its end.
    pub fn chunk(&mut self) -> Result<Option<Vec<u8>>, Broken> {
        let mut line = String::new();
        self.stream.read_line(&mut line).map_err(|_| Broken)?;
        let size = usize::from_str_radix(line.trim_end(), 16).map_err(|_| Broken)?;
        let mut chunk = vec![0; size + 2];
        self.stream.read_exact(&mut chunk).map_err(|_| Broken)?;
        assert!(chunk.ends_with(b"\r\n"), "{chunk:?}");
        chunk.truncate(size);
        Ok((size > 0).then_some(chunk))
    }

    /// The rest of a body, and whether it came to its end.
    pub fn rest(&mut self) -> (Vec<u8>, bool) {
        let mut body = Vec::new();
        loop {
            match self.chunk() {
                Ok(Some(chunk)) => body.extend(chunk),
                Ok(None) => return (body, true),
                Err(Broken) => return (body, false),
            }
        }
    }

    /// Ask, and read the head of the response.
    pub fn open(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Response {
        self.start(method, path, headers, body);
        self.head()
    }

    /// Send a chunk of a request's body; an empty one ends it. False if the connection is gone.
    pub fn send_chunk(&mut self, chunk: &[u8]) -> bool {
        let framed = [format!("{:x}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat();
        self.stream.get_mut().write_all(&framed).is_ok()
    }
}
