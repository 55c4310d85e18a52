//! One connection: TLS if the host has a certificate, then HTTP/1.1 or HTTP/2, as the client speaks.

use crate::config::ClientLimits;
use crate::http1;
use crate::pipeline::{self, Peer};
use crate::request::RequestBody;
use crate::response::HttpResponse;
use crate::table::Staffed;
use hyper::Request;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulConnection;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::TlsAcceptor;

/// Most requests of one HTTP/2 connection at a time.
const MAX_STREAMS: u32 = 200;
/// How every HTTP/2 connection begins.
const PREFACE: &[u8; 4] = b"PRI ";
/// How often a client that has sent less than that is looked at again.
const GLANCE: Duration = Duration::from_millis(10);

pub struct Connection {
    pub apps: Arc<Staffed>,
    pub peer: SocketAddr,
    pub is_secure: bool,
    /// The host is ending: what is answered now is the last on its connection.
    pub leaving: Arc<AtomicBool>,
    /// Becomes true when what rests is to end. The worker waits for all who hold this.
    pub closing: watch::Receiver<bool>,
}

impl Connection {
    /// Serve until it ends. One that ends badly is the client's affair; its requests are logged already.
    pub async fn serve(self, stream: TcpStream, tls: Option<TlsAcceptor>, limits: &ClientLimits) {
        let peer = self.peer;
        if let Err(error) = self.try_serve(stream, tls, limits).await {
            tracing::debug!("connection of {peer}: {error}");
        }
    }

    async fn try_serve(
        self,
        stream: TcpStream,
        tls: Option<TlsAcceptor>,
        limits: &ClientLimits,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        // Each way has its own box: thousands of connections wait, and none needs room for what others are.
        if let Some(tls) = tls {
            return Box::pin(self.serve_tls(stream, tls, limits)).await;
        }
        let begun = begins_http2(&stream, limits.header_timeout);
        let mut closing = self.closing.clone();
        let is_http2 = tokio::select! {
            is_http2 = begun => is_http2?,
            _ = closing.wait_for(|closing| *closing) => return Ok(()),
        };
        if is_http2 {
            Ok(Box::pin(self.serve_http2(stream, limits)).await?)
        } else {
            Ok(Box::pin(http1::serve(self, stream, limits)).await?)
        }
    }

    async fn serve_tls(
        self,
        stream: TcpStream,
        tls: TlsAcceptor,
        limits: &ClientLimits,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let stream = timeout(limits.header_timeout, tls.accept(stream)).await??;
        if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
            Ok(self.serve_http2(stream, limits).await?)
        } else {
            Ok(http1::serve(self, stream, limits).await?)
        }
    }

    /// Floods of resets, settings and headers are bounded by the library, as are pings.
    async fn serve_http2<S>(mut self, stream: S, limits: &ClientLimits) -> Result<(), hyper::Error>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let mut http = http2::Builder::new(TokioExecutor::new());
        http.timer(TokioTimer::new())
            .max_header_list_size(u32::try_from(limits.max_head).unwrap_or(u32::MAX))
            .max_concurrent_streams(MAX_STREAMS)
            .keep_alive_interval(limits.header_timeout)
            .keep_alive_timeout(limits.write_timeout);
        let (apps, address, is_secure) = (self.apps, self.peer, self.is_secure);
        let service = service_fn(move |request| {
            let apps = apps.clone();
            async move { Ok::<_, Infallible>(of_http2(&apps, address, is_secure, request).await) }
        });
        drive(pin!(http.serve_connection(TokioIo::new(stream), service)), &mut self.closing).await
    }
}

/// Drive a connection. When the host ends it answers what it has begun, and no more.
pub async fn drive<C: GracefulConnection>(
    mut connection: Pin<&mut C>,
    closing: &mut watch::Receiver<bool>,
) -> Result<(), C::Error> {
    tokio::select! {
        done = &mut connection => return done,
        _ = closing.wait_for(|closing| *closing) => {}
    }
    connection.as_mut().graceful_shutdown();
    connection.await
}

async fn of_http2(
    apps: &Staffed,
    address: SocketAddr,
    is_secure: bool,
    request: Request<impl RequestBody>,
) -> HttpResponse {
    pipeline::handle(apps, Peer { address, is_secure, is_ambiguous: false }, request).await
}

/// Whether the client speaks HTTP/2 without having asked. Nothing is read.
async fn begins_http2(stream: &TcpStream, patience: Duration) -> std::io::Result<bool> {
    let until = Instant::now() + patience;
    let mut start = [0; PREFACE.len()];
    loop {
        let Ok(peeked) = tokio::time::timeout_at(until, stream.peek(&mut start)).await else {
            return Ok(false);
        };
        let start = &start[..peeked?];
        if start == PREFACE {
            return Ok(true);
        }
        if start.is_empty() || !PREFACE.starts_with(start) || Instant::now() > until {
            return Ok(false);
        }
        sleep(GLANCE).await;
    }
}
