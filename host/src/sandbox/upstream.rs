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
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
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
    /// The use that sent the last request: an earlier one may still read a response of which hyper has all.
    user: AtomicU64,
    /// The head of its response has arrived, and bytes that were read since it began.
    is_answered: AtomicBool,
    unanswered: AtomicUsize,
    /// The server has not taken all that was written.
    is_blocked: AtomicBool,
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
    /// Differs from that of every other use; never 0.
    id: u64,
}

impl ConnectionUse {
    /// By a request that is about to be sent.
    pub fn of<B>(request: &mut Request<B>) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self { connection: capture_connection(request), id: NEXT.fetch_add(1, Ordering::Relaxed) }
    }

    /// To be called after each poll of the request, which may have got a connection, or another one.
    pub fn begin(&self) {
        if let Some(Link(link)) = self.link()
            && link.user.swap(self.id, Ordering::AcqRel) != self.id
        {
            link.unanswered.store(0, Ordering::Relaxed);
            link.is_answered.store(false, Ordering::Release);
        }
    }

    /// The head of the response has arrived. From now on hyper may keep the connection for other requests.
    pub fn answered(&self) {
        if let Some(link) = self.own_link() {
            link.0.is_answered.store(true, Ordering::Release);
        }
    }

    /// Unless another request was sent on the connection since.
    fn own_link(&self) -> Option<Link> {
        self.link().filter(|link| link.0.user.load(Ordering::Acquire) == self.id)
    }

    fn link(&self) -> Option<Link> {
        let mut extras = Extensions::new();
        self.connection.connection_metadata().as_ref()?.get_extras(&mut extras);
        extras.remove()
    }
}

impl Drop for ConnectionUse {
    fn drop(&mut self) {
        let Some(link) = self.own_link() else { return };
        if !link.0.is_answered.load(Ordering::Acquire) || link.0.is_blocked.load(Ordering::Acquire) {
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

#[cfg(test)]
mod tests {
    use crate::config::egress::{Grant, Grants};
    use crate::sandbox::http_client::{HttpClient, Sending, next_part};
    use hyper::Request;
    use std::sync::Arc;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    const LARGE: usize = 1 << 20;

    /// A guest may take its time with a response that hyper has read whole. Another exchange has the connection then.
    #[tokio::test]
    async fn an_exchange_that_ends_late_does_not_touch_the_next_one_on_its_connection() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            // One connection for both requests: another one would never be served.
            let (mut stream, _) = listener.accept().await.unwrap();
            for length in [2, LARGE] {
                let _ = stream.read(&mut [0; 4096]).await.unwrap();
                let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n");
                stream.write_all(head.as_bytes()).await.unwrap();
                stream.write_all(&vec![b'x'; length]).await.unwrap();
            }
            std::future::pending::<()>().await;
        });
        let client =
            HttpClient::new(Arc::new(Grants::new(vec![Grant::parse(&address.to_string()).unwrap()])));
        let request =
            || Request::builder().uri(format!("http://{address}/")).body(Sending::Whole(None)).unwrap();
        let (first, late) = client.send(request()).await.ok().unwrap();
        let mut body = first.into_body();
        while next_part(&mut body).await.is_some() {}
        let (second, _using) = client.send(request()).await.ok().unwrap();
        drop(late);
        let (mut body, mut received) = (second.into_body(), 0);
        while let Some(part) = next_part(&mut body).await {
            received += part.ok().unwrap().len();
        }
        assert_eq!(received, LARGE);
    }
}
