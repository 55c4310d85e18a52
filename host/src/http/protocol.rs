//! Protocol detection: TLS if the host has a certificate, then HTTP/1.1 or HTTP/2.

use crate::config::limit_name;
use crate::config::limit_table::Limit;
use crate::config::limits::ServerLimits;
use crate::http::connection::Connection;
use crate::http::{http1, http2};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::TlsAcceptor;

/// How every HTTP/2 connection begins.
const PREFACE: &[u8; 4] = b"PRI ";
/// How often we look again at a client that has sent less than that.
const GLANCE: Duration = Duration::from_millis(10);

/// Serve until it ends. A connection error is the client's problem; its requests are already logged.
pub async fn serve(
    connection: Connection,
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    limits: &ServerLimits,
) {
    let peer = connection.peer;
    if let Err(error) = try_serve(connection, stream, tls, limits).await {
        let http = error.downcast_ref::<hyper::Error>();
        match http.and_then(refused) {
            // hyper has answered, before there was a request.
            Some(limit) => tracing::info!(limit = limit_name::of(limit), "a request of {peer} was refused"),
            None => tracing::debug!("connection of {peer}: {error}"),
        }
    }
}

/// The limit that a client reached with the head of a request.
fn refused(error: &hyper::Error) -> Option<Limit> {
    if error.is_parse_too_large() { Some(Limit::MaxHead) } else { None }
}

async fn try_serve(
    connection: Connection,
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    limits: &ServerLimits,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    // Each protocol has its own box: thousands of connections wait, and none should have the size of the largest.
    if let Some(tls) = tls {
        return Box::pin(serve_tls(connection, stream, tls, limits)).await;
    }
    let begun = begins_http2(&stream, limits.header_timeout);
    let mut closing = connection.closing.clone();
    let is_http2 = tokio::select! {
        is_http2 = begun => is_http2?,
        _ = closing.wait_for(|closing| *closing) => return Ok(()),
    };
    if is_http2 {
        Ok(Box::pin(http2::serve(connection, stream, limits)).await?)
    } else {
        Ok(Box::pin(http1::serve(connection, stream, limits)).await?)
    }
}

async fn serve_tls(
    connection: Connection,
    stream: TcpStream,
    tls: TlsAcceptor,
    limits: &ServerLimits,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let stream = timeout(limits.header_timeout, tls.accept(stream)).await??;
    if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
        Ok(http2::serve(connection, stream, limits).await?)
    } else {
        Ok(http1::serve(connection, stream, limits).await?)
    }
}

/// Whether the client starts with the HTTP/2 preface. Peeks, without consuming bytes.
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
