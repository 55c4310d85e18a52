//! An HTTP/2 connection.

use crate::apps::worker_apps::WorkerApps;
use crate::config::limits::ServerLimits;
use crate::http::connection::{Connection, drive};
use crate::http::head::Peer;
use crate::http::head::RequestBody;
use crate::http::pipeline;
use crate::http::response::{self, HttpResponse};
use crate::http::upgrade::{self, Upgrade};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};

/// Most concurrent requests of a connection.
const MAX_STREAMS: u32 = 100;
/// Most bytes of a response that hyper holds for a client that does not take them.
const MAX_UNSENT: usize = 64 * 1024;
/// Most headers of a request, as over HTTP/1.1. A reference to an earlier header has one byte, and takes 100 in memory.
const MAX_HEADERS: usize = 100;

/// Serve until the connection ends. hyper bounds floods of resets, settings, headers and pings.
pub async fn serve<S>(
    mut connection: Connection,
    stream: S,
    limits: &ServerLimits,
) -> Result<(), hyper::Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut http = http2::Builder::new(TokioExecutor::new());
    http.timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(limits.max_head).unwrap_or(u32::MAX))
        .max_concurrent_streams(MAX_STREAMS)
        .max_send_buf_size(MAX_UNSENT)
        .keep_alive_interval(limits.header_timeout)
        .keep_alive_timeout(limits.write_timeout)
        // WebSockets: RFC 8441.
        .enable_connect_protocol();
    let (apps, address, is_secure) = (connection.apps, connection.peer, connection.is_secure);
    let (closing, patience) = (connection.closing.clone(), limits.write_timeout);
    let service = service_fn(move |mut request: Request<Incoming>| {
        let (apps, closing) = (apps.clone(), closing.clone());
        async move {
            if request.headers().len() > MAX_HEADERS {
                return Ok(response::without_body(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE));
            }
            let connection = upgrade::connection(request.extensions_mut());
            let is_connect = request.method() == Method::CONNECT;
            let mut response = answer(&apps, address, is_secure, request).await;
            if is_connect && response.status().is_success() && Upgrade::of(&response).is_none() {
                // The client would take the answer for an open tunnel.
                response = response::without_body(StatusCode::FORBIDDEN);
            }
            response.body_mut().on(None, &closing);
            response.body().guard(patience);
            upgrade::hand_over(&mut response, connection, Some(&closing));
            Ok::<_, Infallible>(response)
        }
    });
    drive(pin!(http.serve_connection(TokioIo::new(stream), service)), &mut connection.closing).await
}

async fn answer(
    apps: &Arc<WorkerApps>,
    address: SocketAddr,
    is_secure: bool,
    request: Request<impl RequestBody>,
) -> HttpResponse {
    pipeline::handle(apps, Peer { address, is_secure, is_ambiguous: false }, request).await
}
