//! The HTTP client for outbound requests of apps: it connects to granted addresses only.
//!
//! TLS, name resolution and sockets stay in the host. It checks the app's [`grants`](crate::config::egress) after name
//! resolution, and connects to the very address that it checked.

use crate::config::egress::Grants;
use crate::config::limit_name;
use crate::config::limit_table::Limit;
use crate::quota::files::FilePlace;
use crate::quota::outbound::{self, Outbound};
use crate::sandbox::problem::{Problem, explain};
use crate::sandbox::resolver;
use crate::sandbox::this_machine;
use crate::sandbox::upstream::{self, ConnectionUse, Upstream};
use crate::util::client_tls::{self, Trust};
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming};
use hyper::{Request, Response, Uri};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::mpsc;

/// How long an idle connection is kept. It counts as one of the app's open files.
const IDLE: Duration = Duration::from_secs(20);
/// How long connecting to one address may take, and waiting for the right to another open file.
const CONNECTING: Duration = Duration::from_secs(30);
/// Most idle connections kept per server.
const IDLE_CONNECTIONS: usize = 32;

/// Most headers of a response.
const MOST_HEADERS: usize = 200;
/// The client of one app on one worker: its grants and its connection pool.
pub struct HttpClient {
    pub grants: Arc<Grants>,
    /// Memory for its exchanges.
    pub outbound: Outbound,
    /// Created for the first request.
    client: OnceLock<Result<Client<HttpsConnector<Checked>, Sending>, String>>,
}

impl HttpClient {
    /// For an instance that serves nobody.
    pub fn new(grants: Arc<Grants>) -> Arc<Self> {
        Self::within(grants, Outbound::default())
    }

    pub fn within(grants: Arc<Grants>, outbound: Outbound) -> Arc<Self> {
        Arc::new(Self { grants, outbound, client: OnceLock::new() })
    }

    /// Send a request whose host and port are granted; returns once the response head has arrived.
    pub async fn send(
        &self,
        mut request: Request<Sending>,
    ) -> Result<(Response<Incoming>, ConnectionUse), Problem> {
        let client = self.client.get_or_init(|| {
            let tls = hyper_rustls::HttpsConnectorBuilder::new()
                .with_tls_config(client_tls::config(&Trust::System, true)?);
            let connector = tls
                .https_or_http()
                .enable_http1()
                .wrap_connector(Checked(self.grants.clone(), self.outbound.clone()));
            Ok(Client::builder(TokioExecutor::new())
                .pool_timer(TokioTimer::new())
                .pool_idle_timeout(IDLE)
                .pool_max_idle_per_host(IDLE_CONNECTIONS)
                .http1_max_buf_size(outbound::BUFFER)
                .http1_max_headers(MOST_HEADERS)
                .build(connector))
        });
        let client = client.as_ref().map_err(|why| Problem::new("connect", why.clone()))?;
        let connection = ConnectionUse::of(&mut request);
        let mut sending = pin!(client.request(request));
        let response = poll_fn(|cx| {
            let poll = sending.as_mut().poll(cx);
            connection.begin();
            poll
        })
        .await;
        let response = response.map_err(|error| explain(&error, error.is_connect()))?;
        connection.answered();
        Ok((response, connection))
    }
}

/// Connects to granted addresses only.
#[derive(Clone)]
pub struct Checked(Arc<Grants>, Outbound);

impl tower_service::Service<Uri> for Checked {
    type Response = Upstream;
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Upstream, Problem>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Problem>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let Self(grants, outbound) = self.clone();
        Box::pin(async move {
            let (host, port) = target(&uri)?;
            grants.check_host(&host, port).map_err(|why| Problem::new("denied", why))?;
            let found = resolver::addresses(&outbound.lookups, &host, port).await?;
            let place = tokio::time::timeout(CONNECTING, outbound.files.take()).await.ok().flatten();
            let place = place.ok_or_else(|| {
                let limit = limit_name::of(Limit::MaxFiles);
                Problem::new("limit", format!("this app may open no further connection ({limit})"))
            })?;
            connect(&grants, &host, port, found, place).await
        })
    }
}

/// The host, without brackets, and the port that a URI names.
pub fn target(uri: &Uri) -> Result<(String, u16), Problem> {
    let port = match uri.scheme_str() {
        Some("http") => 80,
        Some("https") => 443,
        _ => return Err(Problem::new("invalid", "a URL begins with http:// or https://")),
    };
    let host = uri.host().filter(|host| !host.is_empty());
    let host = host.ok_or_else(|| Problem::new("invalid", "the URL has no host"))?;
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    Ok((host, uri.port_u16().unwrap_or(port)))
}

async fn connect(
    grants: &Grants,
    host: &str,
    port: u16,
    found: Vec<SocketAddr>,
    place: FilePlace,
) -> Result<Upstream, Problem> {
    let mut problem = Problem::new("resolve", format!("{host} has no address"));
    for address in found {
        if let Err(why) = grants.check_address(host, address.ip(), port, this_machine::is_at(address)) {
            problem = Problem::new("denied", why);
            continue;
        }
        match tokio::time::timeout(CONNECTING, upstream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(Upstream::new(stream, place)),
            Err(_) => problem = Problem::new("connect", format!("{host}:{port} does not answer")),
            Ok(Err(e)) => problem = Problem::new("connect", format!("{host}:{port} cannot be reached: {e}")),
        }
    }
    Err(problem)
}

/// An outbound request body: whole, or chunk by chunk.
pub enum Sending {
    Whole(Option<Bytes>),
    Chunks(Chunks),
}

/// The chunks of a body as the guest writes them.
pub struct Chunks {
    pub parts: mpsc::Receiver<Bytes>,
    /// Whether the end of `parts` is that of the body. Otherwise the request is aborted.
    pub is_whole: Arc<AtomicBool>,
    /// Called when there is room for another chunk.
    pub taken: Box<dyn Fn() + Send + Sync>,
    pub is_over: bool,
}

impl Chunks {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Problem>>> {
        self.parts.poll_recv(cx).map(|next| {
            (self.taken)();
            self.is_over = next.is_none() && self.is_whole.load(Ordering::Acquire);
            match next {
                Some(bytes) => Some(Ok(bytes)),
                None if self.is_over => None,
                None => Some(Err(Problem::new("protocol", "the app aborted the request"))),
            }
        })
    }
}

impl Body for Sending {
    type Data = Bytes;
    type Error = Problem;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Problem>>> {
        match &mut *self {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Chunks(Chunks { is_over: true, .. }) => Poll::Ready(None),
            Self::Chunks(chunks) => chunks.poll_next(cx).map(|next| next.map(|part| part.map(Frame::data))),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(None) | Self::Chunks(Chunks { is_over: true, .. }))
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        match self {
            Self::Whole(bytes) => {
                hyper::body::SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Self::Chunks(_) => hyper::body::SizeHint::default(),
        }
    }
}

/// The next part of a response's body; `None` at its end.
pub async fn next_part(body: &mut Incoming) -> Option<Result<Bytes, Problem>> {
    loop {
        match body.frame().await? {
            Ok(frame) => match frame.into_data() {
                Ok(data) if data.is_empty() => {}
                Ok(data) => return Some(Ok(data)),
                // Trailers.
                Err(_) => {}
            },
            Err(error) => return Some(Err(explain(&error, false))),
        }
    }
}
