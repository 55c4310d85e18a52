//! A connection's bytes on their way to hyper: scanned for conflicting framing headers, and for whether it is idle.
//!
//! A head with both Content-Length and Transfer-Encoding is the classic shape of request smuggling. hyper drops the
//! former before anyone can see it, so we record the names here, while the head is read. Pipelined heads are not
//! scanned; hyper's own rule holds for those (the encoding counts, and the connection ends with the response).

use crate::util::locks::lock;
use bytes::{Buf, Bytes};
use hyper::body::{Body, Frame, SizeHint};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

/// The state of the head that is being read, and of the connection.
#[derive(Debug)]
pub struct Framing {
    scan: Mutex<Scan>,
    /// Changes whenever bytes are read or written.
    passed: AtomicU32,
    /// A write is blocked: the client does not read.
    is_stalled: AtomicBool,
    /// Requests in flight, and files that are being sent.
    in_use: AtomicUsize,
}

#[derive(Debug)]
struct Scan {
    /// A head is expected; bodies are not scanned.
    in_head: bool,
    /// Some of it has been read.
    begun: bool,
    /// Its request line has.
    has_line: bool,
    /// The start of an incomplete line.
    line: Vec<u8>,
    length: bool,
    encoding: bool,
}

/// How much of a line is kept: more than the longest name that is looked for.
const ENOUGH: usize = 32;

impl Default for Framing {
    fn default() -> Self {
        let (line, begun, has_line, length, encoding) = Default::default();
        let scan = Scan { in_head: true, begun, has_line, line, length, encoding };
        Self {
            scan: Mutex::new(scan),
            passed: AtomicU32::new(0),
            is_stalled: AtomicBool::new(false),
            in_use: AtomicUsize::new(0),
        }
    }
}

impl Framing {
    /// A request arrived: true when its head had both framing headers. What follows is its body.
    pub fn is_ambiguous(&self) -> bool {
        let mut scan = lock(&self.scan);
        scan.in_head = false;
        scan.length && scan.encoding
    }

    /// The request was answered, and its body read or dropped: the next bytes are a head.
    fn answered(&self) {
        let mut scan = lock(&self.scan);
        (scan.in_head, scan.begun, scan.has_line, scan.length, scan.encoding) =
            (true, false, false, false, false);
        scan.line.clear();
    }

    fn note(&self, bytes: &[u8]) {
        self.passed.fetch_add(1, Ordering::Relaxed);
        let mut scan = lock(&self.scan);
        if scan.in_head {
            scan.begun = true;
            scan.note(bytes);
        }
    }

    /// Bytes were written. A TLS stream takes up to 64 KiB that the client has not taken: only a flush tells.
    fn wrote(&self) {
        self.passed.fetch_add(1, Ordering::Relaxed);
        self.is_stalled.store(true, Ordering::Relaxed);
    }

    fn flushed<T>(&self, polled: &Poll<T>) {
        self.is_stalled.store(polled.is_pending(), Ordering::Relaxed);
    }

    /// A counter that changes whenever bytes are read or written.
    pub fn passed(&self) -> u32 {
        self.passed.load(Ordering::Relaxed)
    }

    /// True when nothing is in flight, no head has begun, and the kernel has taken all that hyper has written.
    pub fn is_between_requests(&self) -> bool {
        let scan = lock(&self.scan);
        let is_free = self.in_use.load(Ordering::Relaxed) == 0 && !self.is_stalled.load(Ordering::Relaxed);
        scan.in_head && !scan.begun && is_free
    }
}

/// While this exists, its connection is not idle.
#[derive(Debug)]
pub struct InUse(Arc<Framing>);

impl InUse {
    pub fn of(framing: Arc<Framing>) -> Self {
        framing.in_use.fetch_add(1, Ordering::Relaxed);
        Self(framing)
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        if self.0.in_use.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.answered();
        }
    }
}

/// A request's body, which keeps its connection in use until it is read or dropped: a handler may read it in parts, and a call
/// that was given up may still hold it. What follows is its bytes, not a request.
pub struct HeldBody<B> {
    body: B,
    _in_use: InUse,
}

impl<B> HeldBody<B> {
    pub fn new(body: B, framing: &Arc<Framing>) -> Self {
        Self { body, _in_use: InUse::of(framing.clone()) }
    }
}

impl<B: Body + Unpin> Body for HeldBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Scan {
    fn note(&mut self, bytes: &[u8]) {
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', bytes) {
            self.extend(&bytes[start..end]);
            start = end + 1;
            let line = self.line.strip_suffix(b"\r").unwrap_or(&self.line);
            let named = |name: &[u8]| {
                line.split_at_checked(name.len()).is_some_and(|(start, rest)| {
                    start.eq_ignore_ascii_case(name) && rest.trim_ascii_start().starts_with(b":")
                })
            };
            self.length |= named(b"content-length");
            self.encoding |= named(b"transfer-encoding");
            // Empty lines before the request line count for nothing, as for hyper.
            let head_ended = line.is_empty() && self.has_line;
            self.has_line |= !line.is_empty();
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
pub struct ClientIo<S> {
    stream: S,
    /// Read before; returned before anything else.
    ahead: Bytes,
    framing: Arc<Framing>,
}

/// How much is read of an idle connection before it gets buffers again.
const FIRST: usize = 16;

impl<S> ClientIo<S> {
    pub fn new(stream: S, framing: Arc<Framing>) -> Self {
        Self { stream, ahead: Bytes::new(), framing }
    }

    /// The stream, and what was put back.
    pub fn into_parts(self) -> (S, Bytes) {
        (self.stream, self.ahead)
    }

    /// Return `bytes` before all others.
    pub fn put_back(&mut self, bytes: Bytes) {
        self.ahead = bytes;
    }
}

impl<S: AsyncRead + Unpin> ClientIo<S> {
    /// Wait for bytes without consuming them. False when there will be none.
    pub async fn is_spoken_to(&mut self) -> bool {
        let mut first = [0; FIRST];
        let read = self.stream.read(&mut first).await.unwrap_or(0);
        self.put_back(Bytes::copy_from_slice(&first[..read]));
        read > 0
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for ClientIo<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = if self.ahead.is_empty() {
            Pin::new(&mut self.stream).poll_read(cx, buf)
        } else {
            let part = self.ahead.len().min(buf.remaining());
            buf.put_slice(&self.ahead[..part]);
            self.ahead.advance(part);
            Poll::Ready(Ok(()))
        };
        let read = &buf.filled()[before..];
        if !read.is_empty() {
            self.framing.note(read);
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for ClientIo<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.framing.wrote();
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_flush(cx);
        self.framing.flushed(&polled);
        polled
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.framing.wrote();
        polled
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncWriteExt;

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
        assert!(!ambiguous(&[
            "POST / HTTP/1.1\r\ncontent-length-hint: 60\r\ntransfer-encoding: chunked\r\n\r\n"
        ]));
        assert!(ambiguous(&[
            "\r\n",
            "\nPOST / HTTP/1.1\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n"
        ]));
        assert!(ambiguous(&["POST / HTTP/1.1\r\ncontent-length:3\r\ntransfer-encoding : chunked\r\n\r\n"]));
        let framing = Framing::default();
        framing.note(b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n");
        assert!(!framing.is_ambiguous());
        framing.note(b"content-length: 3\r\n");
        framing.answered();
        framing.note(b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n");
        assert!(!framing.is_ambiguous());
    }

    #[tokio::test]
    async fn what_is_put_back_is_read_first_and_looked_at() {
        let framing = Arc::new(Framing::default());
        let (mut client, stream) = tokio::io::duplex(1024);
        let mut wire = ClientIo::new(stream, framing.clone());
        let head = b"POST / HTTP/1.1\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n";
        client.write_all(head).await.unwrap();
        assert!(wire.is_spoken_to().await && framing.is_between_requests());
        let mut read = [0; 4];
        wire.read_exact(&mut read).await.unwrap();
        assert!(!framing.is_between_requests());
        let mut rest = vec![0; head.len() - read.len()];
        wire.read_exact(&mut rest).await.unwrap();
        assert_eq!([&read[..], &rest].concat(), head);
        assert!(framing.is_ambiguous() && !framing.is_between_requests());
        framing.answered();
        assert!(framing.is_between_requests());
        drop(client);
        assert!(!wire.is_spoken_to().await);
    }

    #[tokio::test]
    async fn a_connection_whose_client_takes_nothing_is_in_use() {
        let framing = Arc::new(Framing::default());
        let (mut client, stream) = tokio::io::duplex(8);
        let mut wire = ClientIo::new(stream, framing.clone());
        let sending = tokio::spawn(async move {
            wire.write_all(&[b'x'; 12]).await?;
            wire.flush().await.map(|()| wire)
        });
        tokio::task::yield_now().await;
        assert!(!framing.is_between_requests());
        client.read_exact(&mut [0; 12]).await.unwrap();
        let _wire = sending.await.unwrap().unwrap();
        assert!(framing.is_between_requests());
    }

    /// As TLS streams do: they take what is written, and the client has not.
    #[tokio::test]
    async fn a_connection_whose_stream_has_bytes_of_its_own_is_in_use() {
        let framing = Arc::new(Framing::default());
        let (mut client, stream) = tokio::io::duplex(8);
        let mut wire = ClientIo::new(tokio::io::BufWriter::new(stream), framing.clone());
        wire.write_all(&[b'x'; 12]).await.unwrap();
        assert!(!framing.is_between_requests());
        let sending = tokio::spawn(async move { wire.flush().await.map(|()| wire) });
        tokio::task::yield_now().await;
        assert!(!framing.is_between_requests());
        client.read_exact(&mut [0; 12]).await.unwrap();
        let _wire = sending.await.unwrap().unwrap();
        assert!(framing.is_between_requests());
    }
}
