//! The bytes of a connection on their way to hyper, looked at for one thing that hyper does not tell.
//!
//! A head with both Content-Length and Transfer-Encoding is the classic shape of request smuggling. hyper drops the
//! former before anyone can see it, so the names are noted here, while the head is read. Of heads that a client
//! pipelines behind another one nothing is noted; for those hyper's own rule holds (the encoding counts, and the
//! connection ends with the answer).

use crate::sync::lock;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What is known of the head that is being read.
#[derive(Debug)]
pub struct Framing(Mutex<Scan>);

#[derive(Debug)]
struct Scan {
    /// A head is expected; bytes of bodies are not looked at.
    in_head: bool,
    /// The start of a line whose end has not been read.
    line: Vec<u8>,
    length: bool,
    encoding: bool,
}

/// More of a line than the longest name that is looked for.
const ENOUGH: usize = 32;

impl Default for Framing {
    fn default() -> Self {
        Self(Mutex::new(Scan { in_head: true, line: Vec::new(), length: false, encoding: false }))
    }
}

impl Framing {
    /// A request arrived: true when its head had both framings. What follows is its body.
    pub fn is_ambiguous(&self) -> bool {
        let mut scan = lock(&self.0);
        scan.in_head = false;
        scan.length && scan.encoding
    }

    /// The request was answered: the next bytes are a head.
    pub fn answered(&self) {
        let mut scan = lock(&self.0);
        (scan.in_head, scan.length, scan.encoding) = (true, false, false);
        scan.line.clear();
    }

    fn note(&self, bytes: &[u8]) {
        let mut scan = lock(&self.0);
        if scan.in_head {
            scan.note(bytes);
        }
    }
}

impl Scan {
    fn note(&mut self, bytes: &[u8]) {
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', bytes) {
            self.extend(&bytes[start..end]);
            start = end + 1;
            let line = self.line.strip_suffix(b"\r").unwrap_or(&self.line);
            let named =
                |name: &[u8]| line.len() > name.len() && line[..name.len()].eq_ignore_ascii_case(name);
            self.length |= named(b"content-length");
            self.encoding |= named(b"transfer-encoding");
            let head_ended = line.is_empty();
            self.line.clear();
            if head_ended {
                self.in_head = false;
                return;
            }
        }
        self.extend(&bytes[start..]);
    }

    fn extend(&mut self, part: &[u8]) {
        let room = ENOUGH.saturating_sub(self.line.len());
        self.line.extend_from_slice(&part[..part.len().min(room)]);
    }
}

/// A client's connection.
pub struct Wire<S> {
    stream: S,
    framing: Arc<Framing>,
}

impl<S> Wire<S> {
    pub fn new(stream: S, framing: Arc<Framing>) -> Self {
        Self { stream, framing }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Wire<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        let read = &buf.filled()[before..];
        if !read.is_empty() {
            self.framing.note(read);
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Wire<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ambiguous(reads: &[&str]) -> bool {
        let framing = Framing::default();
        reads.iter().for_each(|read| framing.note(read.as_bytes()));
        framing.is_ambiguous()
    }

    #[test]
    fn both_framings_are_seen_however_the_head_is_cut() {
        let head = "POST / HTTP/1.1\r\nhost: a\r\nContent-Length: 3\r\nTRANSFER-ENCODING: chunked\r\n\r\n";
        for cut in 0..head.len() {
            assert!(ambiguous(&[&head[..cut], &head[cut..]]), "{cut}");
        }
        assert!(ambiguous(&[&head.replace("\r\n", "\n")]));
    }

    #[test]
    fn one_framing_and_bodies_that_name_two_are_fine() {
        assert!(!ambiguous(&[
            "POST / HTTP/1.1\r\ncontent-length: 60\r\n\r\nx\r\ntransfer-encoding: chunked\r\n\r\n"
        ]));
        assert!(!ambiguous(&[
            "GET /content-length: HTTP/1.1\r\nx: transfer-encoding: a\r\ntransfer-encoding: chunked\r\n\r\n"
        ]));
        let framing = Framing::default();
        framing.note(b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n");
        assert!(!framing.is_ambiguous());
        framing.note(b"content-length: 3\r\n");
        framing.answered();
        framing.note(b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n");
        assert!(!framing.is_ambiguous());
    }
}
