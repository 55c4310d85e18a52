//! A connection to another server: it counts as an open file of its app, and ends with the exchange that uses it.
//!
//! When a request is dropped, hyper writes what it has buffered before it closes the connection. To a server that reads
//! nothing, that takes for ever, and the buffer is as large as the request's body.

use crate::quota::files::FilePlace;
use futures_util::task::AtomicWaker;
use hyper::Request;
use hyper::http::Extensions;
use hyper_util::client::legacy::connect::{CaptureConnection, Connected, Connection, capture_connection};
use hyper_util::rt::TokioIo;
use std::io;
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::{TcpSocket, TcpStream};

/// The socket's buffers, in bytes; the kernel doubles this. Left alone, it gives megabytes to each socket, which no
/// budget of the app has.
const SOCKET_BUFFER: u32 = 256 * 1024;

/// Most bytes that a server sends before the head of its answer is complete: other heads (1xx) and a TLS handshake are among
/// them. hyper reads any number of 1xx heads in one go, during which a worker does nothing else.
const MOST_UNANSWERED: usize = 128 * 1024;
/// Bytes that are read at a time.
const PART: usize = 16 * 1024;

/// Whether an exchange needs a connection. The connection and its exchange share it.
#[derive(Debug, Clone, Default)]
struct Link(Arc<LinkState>);

#[derive(Debug, Default)]
struct LinkState {
    /// The server has not taken all that was written.
    is_blocked: AtomicBool,
    /// Bytes that were read since the last exchange ended, while the head of a response is awaited.
    unanswered: AtomicUsize,
    is_answered: AtomicBool,
    is_abandoned: AtomicBool,
    writer: AtomicWaker,
}

impl Link {
    fn abandon(&self) {
        self.0.is_abandoned.store(true, Ordering::Release);
        self.0.writer.wake();
    }
}

/// The use of a connection by one exchange. Dropping it ends a connection that still has something to write.
pub struct ConnectionUse {
    connection: CaptureConnection,
    is_answered: bool,
}

impl ConnectionUse {
    /// By a request that is about to be sent.
    pub fn of<B>(request: &mut Request<B>) -> Self {
        Self { connection: capture_connection(request), is_answered: false }
    }

    /// The head of the response has arrived. From now on hyper may keep the connection for other requests.
    pub fn answered(&mut self) {
        self.is_answered = true;
        if let Some(link) = self.link() {
            link.0.is_answered.store(true, Ordering::Release);
        }
    }

    fn link(&self) -> Option<Link> {
        let mut extras = Extensions::new();
        self.connection.connection_metadata().as_ref()?.get_extras(&mut extras);
        extras.remove()
    }
}

impl Drop for ConnectionUse {
    fn drop(&mut self) {
        let Some(link) = self.link() else { return };
        link.0.unanswered.store(0, Ordering::Relaxed);
        link.0.is_answered.store(false, Ordering::Release);
        if !self.is_answered || link.0.is_blocked.load(Ordering::Acquire) {
            link.abandon();
        }
    }
}

/// A connection.
pub struct Upstream {
    stream: TokioIo<TcpStream>,
    link: Link,
    _place: FilePlace,
}

/// Connect a socket.
pub async fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_send_buffer_size(SOCKET_BUFFER)?;
    socket.set_recv_buffer_size(SOCKET_BUFFER)?;
    let stream = socket.connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

impl Upstream {
    pub fn new(stream: TcpStream, place: FilePlace) -> Self {
        Self { stream: TokioIo::new(stream), link: Link::default(), _place: place }
    }

    /// Write, unless nobody needs the connection any more.
    fn write<T>(
        &mut self,
        cx: &mut Context<'_>,
        write: impl FnOnce(Pin<&mut TokioIo<TcpStream>>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let link = &self.link.0;
        // First registered, then looked at: an exchange that ends in between wakes this task.
        link.writer.register(cx.waker());
        if link.is_abandoned.load(Ordering::Acquire) {
            // The kernel would keep what it has for minutes, and go on sending.
            let _ = self.stream.inner().set_zero_linger();
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        let poll = write(Pin::new(&mut self.stream), cx);
        link.is_blocked.store(poll.is_pending(), Ordering::Release);
        poll
    }
}

impl Connection for Upstream {
    fn connected(&self) -> Connected {
        self.stream.inner().connected().extra(self.link.clone())
    }
}

impl hyper::rt::Read for Upstream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut into: hyper::rt::ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        // hyper's cursor does not tell how much was read, so this goes through a buffer of ours.
        let mut part = [MaybeUninit::uninit(); PART];
        let most = into.remaining().min(PART);
        let mut part = ReadBuf::uninit(&mut part[..most]);
        ready!(Pin::new(self.stream.inner_mut()).poll_read(cx, &mut part))?;
        into.put_slice(part.filled());
        let read = part.filled().len();
        let link = &self.link.0;
        let unanswered = link.unanswered.fetch_add(read, Ordering::Relaxed) + read;
        if unanswered > MOST_UNANSWERED && !link.is_answered.load(Ordering::Acquire) {
            return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
        }
        Poll::Ready(Ok(()))
    }
}

impl hyper::rt::Write for Upstream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.write(cx, |stream, cx| stream.poll_write(cx, bytes))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.write(cx, |stream, cx| stream.poll_write_vectored(cx, bytes))
    }
}
