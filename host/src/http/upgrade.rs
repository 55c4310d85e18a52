//! The handshake of a WebSocket: what a client asks for, the answer, and the hand-over of the connection.

use crate::apps::app::App;
use crate::apps::worker_apps::WorkerApps;
use crate::codec::reply::{ContentType, Reply};
use crate::error::{Fault, Rejection};
use crate::http::connection::Draining;
use crate::http::head::{self, Arrival};
use crate::http::response::{self, HttpResponse};
use crate::http::sleeping::SleepingCalls;
use crate::http::socket::Socket;
use crate::manifest::Method;
use crate::sandbox::socket::{Sleeper, SocketTerms};
use crate::telemetry::access_log;
use crate::util::locks::lock;
use crate::websocket::handshake::{self, Handshake};
use crate::websocket::origin;
use bytes::Bytes;
use hyper::ext::Protocol;
use hyper::header::{
    CONNECTION, CONTENT_TYPE, HeaderName, ORIGIN, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS,
    SEC_WEBSOCKET_PROTOCOL, UPGRADE,
};
use hyper::http::request::Parts;
use hyper::http::{Extensions, HeaderValue};
use hyper::upgrade::OnUpgrade;
use hyper::{StatusCode, Version};
use hyper_util::rt::TokioIo;
use std::sync::{Arc, Mutex};
use tokio::sync::watch;

/// Longest origin in the log, in bytes.
const MOST_SHOWN: usize = 200;

/// What a client asks for that may have a WebSocket.
pub struct Offer {
    handshake: Handshake,
    version: Version,
    /// The apps of the connection's worker, with the host and the whole path by which that of a socket that sleeps is found again.
    apps: Arc<WorkerApps>,
    address: (String, String),
}

/// Whether a request is the handshake of a WebSocket.
pub fn is_wanted(head: &Parts) -> bool {
    match head.version {
        Version::HTTP_2 => {
            head.method == hyper::Method::CONNECT
                && head.extensions.get::<Protocol>().is_some_and(|protocol| protocol.as_str() == "websocket")
        }
        Version::HTTP_11 => handshake::is_wanted(|name| values(head, name)),
        _ => false,
    }
}

fn values<'h>(head: &'h Parts, name: &'static str) -> impl Iterator<Item = &'h [u8]> {
    head.headers.get_all(HeaderName::from_static(name)).iter().map(HeaderValue::as_bytes)
}

impl Offer {
    /// What the client asks for, if the route is a WebSocket. `origins` decides which pages may open it.
    pub fn of(
        (apps, app): (&Arc<WorkerApps>, &App),
        route: usize,
        head: &Parts,
        arrival: Arrival<'_>,
    ) -> Result<Option<Self>, Rejection> {
        let route = &app.manifest.routes[route];
        if route.method != Method::WebSocket {
            return Ok(None);
        }
        let checked = match head.version {
            Version::HTTP_2 => handshake::check_http2(|name| values(head, name)),
            _ => handshake::check_http1(head.method.as_str(), |name| values(head, name)),
        };
        let handshake = checked.map_err(Rejection::Handshake)?;
        let origin = head.headers.get(ORIGIN);
        // One that is no text is nobody's.
        let origin = origin.map(|origin| origin.to_str().unwrap_or("null"));
        if !origin::is_allowed(origin, head::host(head), arrival.peer.is_secure, route.origins.as_deref()) {
            let (origin, path) = (origin.unwrap_or_default(), &route.path);
            let shown = &origin[..origin.floor_char_boundary(MOST_SHOWN)];
            let (app, request) = (&*app.component.spec.name, arrival.id);
            tracing::info!(
                app,
                request,
                "a page of {shown:?} may not open the WebSocket {path:?}: give the route origins=[...] to allow it"
            );
            return Err(Rejection::Origin);
        }
        let address = (head::host(head).to_owned(), format!("{}{}", arrival.prefix, head.uri.path()));
        Ok(Some(Self { handshake, version: head.version, apps: apps.clone(), address }))
    }

    pub fn terms(&self, app: &App) -> SocketTerms {
        let deflate = self.handshake.compression.as_ref().map(|agreed| agreed.deflate);
        SocketTerms { deflate, most_message: app.limits.max_message }
    }

    /// The answer to a handshake that the app accepts.
    pub fn accept(
        self,
        mut reply: Reply,
        mut socket: Socket,
        sleeper: Option<Arc<Sleeper>>,
    ) -> Result<HttpResponse, Fault> {
        let (host, path) = self.address;
        socket.sleeping = sleeper.map(|sleeper| SleepingCalls::new(sleeper, self.apps, &host, path));
        let chosen = match std::mem::replace(&mut reply.content_type, ContentType::Json) {
            ContentType::Other(name) if !name.is_empty() => Some(name),
            _ => None,
        };
        if let Some(name) = &chosen
            && !self.handshake.protocols.contains(name)
        {
            let shown: String = name.chars().take(100).collect();
            return Err(Fault::BadReply(format!("the client does not offer the subprotocol {shown:?}")));
        }
        let is_http2 = self.version == Version::HTTP_2;
        reply.status = 200;
        let mut answer = response::from_reply(reply)?;
        *answer.status_mut() = if is_http2 { StatusCode::OK } else { StatusCode::SWITCHING_PROTOCOLS };
        let headers = answer.headers_mut();
        headers.remove(CONTENT_TYPE);
        for name in [SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_PROTOCOL] {
            headers.remove(name);
        }
        let mut set = |name, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(name, value);
            }
        };
        if let Some(accept) = self.handshake.accept.filter(|_| !is_http2) {
            set(SEC_WEBSOCKET_ACCEPT, &accept);
            set(CONNECTION, "upgrade");
            set(UPGRADE, "websocket");
        }
        chosen.inspect(|name| set(SEC_WEBSOCKET_PROTOCOL, name));
        if let Some(agreed) = &self.handshake.compression {
            set(SEC_WEBSOCKET_EXTENSIONS, &agreed.header);
            socket.inflate();
        }
        answer.extensions_mut().insert(Upgrade(Arc::new(Mutex::new(Some(Box::new(socket))))));
        Ok(answer)
    }
}

/// In the extensions of a response: the socket that gets the connection.
#[derive(Clone)]
pub struct Upgrade(Arc<Mutex<Option<Box<Socket>>>>);

impl Upgrade {
    /// The socket that a response hands the connection to.
    pub fn take(response: &mut HttpResponse) -> Option<Box<Socket>> {
        let upgrade = response.extensions_mut().remove::<Self>()?;
        lock(&upgrade.0).take()
    }

    /// The one of a response.
    pub fn of(response: &HttpResponse) -> Option<&Self> {
        response.extensions().get::<Self>()
    }

    /// Log the socket when it has ended.
    pub fn log(&self, line: access_log::Line, status: u16) {
        if let Some(socket) = &mut *lock(&self.0) {
            socket.record.log(line, status);
        }
    }
}

/// The connection of a request, once hyper lets go of it.
pub fn connection(extensions: &mut Extensions) -> Option<OnUpgrade> {
    extensions.remove::<OnUpgrade>()
}

/// Serve the socket of a response on a connection that hyper lets go of.
pub fn hand_over(
    response: &mut HttpResponse,
    connection: Option<OnUpgrade>,
    closing: Option<&watch::Receiver<bool>>,
) {
    let (Some(socket), Some(connection)) = (Upgrade::take(response), connection) else { return };
    let draining = closing.map(Draining::of);
    tokio::spawn(async move {
        match connection.await {
            Ok(io) => socket.run(TokioIo::new(io), Bytes::new(), draining).await,
            // Its client left before it had the answer.
            Err(_) => drop(socket),
        }
    });
}
