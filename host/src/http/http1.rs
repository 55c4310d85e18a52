//! An HTTP/1.1 connection: hyper drives it while requests come, and it takes almost no memory while idle.
//!
//! hyper keeps 16 KiB for an idle connection, and ten thousand of those cost more than the interpreters behind them. So
//! we take an idle connection from hyper after a while, and give it back with the first bytes of the next request.

use crate::apps::worker_apps::WorkerApps;
use crate::config::limits::ServerLimits;
use crate::http::connection::{Connection, Draining, drive};
use crate::http::head::Peer;
use crate::http::io::{ClientIo, Framing, HeldBody, InUse};
use crate::http::pipeline;
use crate::http::response_body::ResponseBody;
use crate::http::socket::Socket;
use crate::http::upgrade::Upgrade;
use crate::util::locks::lock;
use hyper::Request;
use hyper::body::Incoming;
use hyper::header::{CONNECTION, HeaderValue};
use hyper::server::conn::http1::{Builder, Parts};
use hyper::service::{HttpService, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

/// Most headers of a request.
const MAX_HEADERS: usize = 100;
/// A connection without traffic for this long is idle.
const QUIET: Duration = Duration::from_secs(2);

/// Serve until the connection ends.
pub async fn serve<S>(mut connection: Connection, stream: S, limits: &ServerLimits) -> hyper::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut http = Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout)
        .max_buf_size(limits.max_head)
        .max_header_size(limits.max_head)
        .max_headers(MAX_HEADERS);
    let framing = Arc::new(Framing::default());
    let mut wire = ClientIo::new(stream, framing.clone());
    let mut may_rest = true;
    let shared = Arc::new(Shared {
        apps: connection.apps.clone(),
        leaving: connection.leaving.clone(),
        closing: connection.closing.clone(),
        framing: framing.clone(),
        address: connection.peer,
        is_secure: connection.is_secure,
        upgraded: Mutex::default(),
    });
    loop {
        let mut spoken = Box::new(http.serve_connection(TokioIo::new(wire), service(&shared)));
        let speaking = drive(Pin::new(&mut *spoken), &mut connection.closing);
        let is_done = tokio::select! {
            done = speaking => {
                done?;
                true
            }
            () = rests(&framing), if may_rest => false,
        };
        let socket = lock(&shared.upgraded).take();
        let Parts { io, read_buf, .. } = spoken.into_parts();
        if let Some(socket) = socket {
            let (stream, ahead) = io.into_inner().into_parts();
            let ahead = [&*ahead, &*read_buf].concat().into();
            // Even empty it keeps 8 KiB.
            drop(read_buf);
            let draining = Some(Draining::of(&connection.closing));
            Box::pin(socket.run(stream, ahead, draining)).await;
            return Ok(());
        }
        if is_done {
            return Ok(());
        }
        wire = io.into_inner();
        if !read_buf.is_empty() {
            // An incomplete pipelined head. It has had its time to arrive, so the connection may not idle again.
            may_rest = false;
            wire.put_back(read_buf);
            continue;
        }
        // Even empty it keeps 8 KiB.
        drop(read_buf);
        tokio::select! {
            is_spoken_to = wire.is_spoken_to() => if !is_spoken_to { break },
            _ = connection.closing.wait_for(|closing| *closing) => break,
            () = sleep(limits.header_timeout.saturating_sub(QUIET)) => break,
        }
    }
    let _ = timeout(QUIET, wire.shutdown()).await;
    Ok(())
}

/// Return when nothing is in flight, and there was no traffic for a while.
async fn rests(framing: &Framing) {
    let mut before = None;
    loop {
        let passed = framing.passed();
        // Twice: a body that is dropped now may not be read to its end yet.
        let now = (passed, framing.is_between_requests());
        let seen = before.replace(now);
        if now.1 && seen == Some(now) {
            return;
        }
        sleep(QUIET).await;
    }
}

/// What all requests of a connection need.
struct Shared {
    apps: Arc<WorkerApps>,
    leaving: Arc<AtomicBool>,
    closing: watch::Receiver<bool>,
    framing: Arc<Framing>,
    address: SocketAddr,
    is_secure: bool,
    /// Set by the response to the handshake of a WebSocket, after which hyper is done.
    upgraded: Mutex<Option<Box<Socket>>>,
}

fn service(
    shared: &Arc<Shared>,
) -> impl HttpService<Incoming, ResBody = ResponseBody, Error = Infallible, Future: Send> + Unpin + use<> {
    let shared = shared.clone();
    service_fn(move |request: Request<Incoming>| {
        let (shared, in_use) = (shared.clone(), InUse::of(shared.framing.clone()));
        // Boxed, because hyper reserves room for it between requests too.
        Box::pin(async move {
            let Shared { framing, address, is_secure, .. } = &*shared;
            let request = request.map(|body| HeldBody::new(body, framing));
            let is_ambiguous = framing.is_ambiguous();
            let peer = Peer { address: *address, is_secure: *is_secure, is_ambiguous };
            let mut response = pipeline::handle(&shared.apps, peer, request).await;
            let socket = Upgrade::take(&mut response);
            // The head of a handshake's answer has a connection header of its own.
            if socket.is_none() && shared.leaving.load(Ordering::Relaxed) {
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            if socket.is_some() {
                *lock(&shared.upgraded) = socket;
            }
            response.body_mut().on(Some(in_use), &shared.closing);
            Ok::<_, Infallible>(response)
        })
    })
}
