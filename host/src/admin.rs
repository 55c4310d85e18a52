//! The endpoint for operators, on an address of its own: health, metrics and what is served.
//!
//! It has a thread of its own, so it answers while every worker is busy.

use crate::metrics;
use crate::table::AppTable;
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::CONTENT_TYPE;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::fmt;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};

/// Time for the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// Where operators connect to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

impl Address {
    /// `127.0.0.1:9000` or `unix:/run/bolt.sock`.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text.strip_prefix("unix:") {
            Some("") => Err("unix: is followed by the path of a socket".to_owned()),
            Some(path) => Ok(Self::Unix(path.into())),
            None => text.parse().map(Self::Tcp).map_err(|_| {
                format!("{text:?} is no address: give one as 127.0.0.1:9000 or unix:/run/bolt.sock")
            }),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "http://{address}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// What the endpoint tells of.
#[derive(Clone)]
pub struct Admin {
    pub apps: AppTable,
    /// The host is ending: it should get no new requests.
    pub draining: Arc<AtomicBool>,
}

enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Admin {
    /// Open the endpoint; returns where it is. The error is a sentence.
    pub fn start(self, address: &Address) -> Result<Address, String> {
        let failed = |e: std::io::Error| format!("the admin endpoint cannot listen on {address}: {e} (--admin)");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let (listener, address) = runtime.block_on(open(address)).map_err(failed)?;
        if let Address::Tcp(address) = &address
            && !address.ip().is_loopback()
        {
            tracing::warn!("{address}, the admin endpoint, asks for no password and can be reached from outside");
        }
        let thread = std::thread::Builder::new().name("admin".into());
        thread.spawn(move || runtime.block_on(self.serve(listener))).map_err(failed)?;
        Ok(address)
    }

    async fn serve(self, listener: Listener) {
        loop {
            let accepted = match &listener {
                Listener::Tcp(listener) => listener.accept().await.map(|(stream, _)| self.spawn(stream)),
                Listener::Unix(listener) => listener.accept().await.map(|(stream, _)| self.spawn(stream)),
            };
            if let Err(error) = accepted {
                tracing::warn!("the admin endpoint cannot accept a connection: {error}");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }

    fn spawn(&self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let admin = self.clone();
        let service = service_fn(move |request| {
            let response = admin.answer(&request);
            async { Ok::<_, Infallible>(response) }
        });
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
        tokio::spawn(http.serve_connection(TokioIo::new(stream), service));
    }

    fn answer(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        if request.method() != Method::GET && request.method() != Method::HEAD {
            return text(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed\n");
        }
        match request.uri().path() {
            "/healthz" => text(StatusCode::OK, "ok\n"),
            "/readyz" => self.readiness(),
            "/metrics" => match metrics::text(&self.apps) {
                Ok(page) => typed(StatusCode::OK, metrics::MEDIA_TYPE, page),
                Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, &format!("{error}\n")),
            },
            "/" => text(StatusCode::OK, "/healthz  /readyz  /metrics\n"),
            _ => text(StatusCode::NOT_FOUND, "Not Found\n"),
        }
    }

    fn readiness(&self) -> Response<Full<Bytes>> {
        if self.draining.load(Ordering::Relaxed) {
            return text(StatusCode::SERVICE_UNAVAILABLE, "draining\n");
        }
        text(StatusCode::OK, "ready\n")
    }
}

async fn open(address: &Address) -> std::io::Result<(Listener, Address)> {
    match address {
        Address::Tcp(address) => {
            let listener = TcpListener::bind(address).await?;
            let address = Address::Tcp(listener.local_addr()?);
            Ok((Listener::Tcp(listener), address))
        }
        Address::Unix(path) => {
            // Left by a host that was killed; one that lives answers there.
            if path.exists() && tokio::net::UnixStream::connect(path).await.is_err() {
                std::fs::remove_file(path)?;
            }
            let listener = UnixListener::bind(path)?;
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
            Ok((Listener::Unix(listener), address.clone()))
        }
    }
}

fn text(status: StatusCode, text: &str) -> Response<Full<Bytes>> {
    typed(status, "text/plain; charset=utf-8", text.to_owned())
}

fn typed(status: StatusCode, media_type: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static(media_type));
    response
}
