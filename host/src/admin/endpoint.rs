//! The admin endpoint, on a separate address: health, metrics, the list of apps, and deployments.
//!
//! It has its own thread, so it answers while every worker is busy.

use crate::admin::answer::{Answer, text, typed};
use crate::admin::app_list;
use crate::admin::bodies;
use crate::admin::connections::{Connections, Place};
use crate::admin::guard::{Guard, Refusal};
use crate::admin::metrics;
use crate::admin::orders;
use crate::apps::dormant::BuildState;
use crate::apps::registry::AppTable;
use crate::apps::slot::Slot;
use crate::config::admin_access::AdminAccess;
use crate::config::admin_address::Address;
use crate::config::limit_name;
use crate::util::affinity;
use hyper::body::Incoming;
use hyper::header::{CONNECTION, HeaderValue, WWW_AUTHENTICATE};
use hyper::http::request::Parts;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::runtime::Runtime;

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 128;

/// Longest wait for the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// Largest head of a request, in bytes.
const LARGEST_HEAD: usize = 16 << 10;

/// The state that the endpoint reports.
#[derive(Clone)]
pub struct Admin {
    pub apps: AppTable,
    /// The host is draining: it should get no new requests.
    pub draining: Arc<AtomicBool>,
}

enum Socket {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// An endpoint that has its address, and answers once it is started.
pub struct Endpoint {
    pub address: Address,
    listener: Socket,
    runtime: Runtime,
}

impl Endpoint {
    /// Listen. The error is a user-facing message.
    pub fn bind(address: &Address) -> Result<Self, String> {
        let failed = not_listening(address);
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime =
            runtime.enable_all().on_thread_start(affinity::enter_background).build().map_err(&failed)?;
        let (listener, address) = runtime.block_on(open(address)).map_err(failed)?;
        if let Address::Tcp(address) = &address
            && !address.ip().is_loopback()
        {
            tracing::warn!(
                "the admin endpoint on {address} is reachable from other machines, and its token is sent unencrypted"
            );
        }
        Ok(Self { address, listener, runtime })
    }

    /// Answer those whom `access` lets in. The error is a user-facing message.
    pub fn start(self, admin: Admin, access: AdminAccess) -> Result<(), String> {
        let guard = match &self.address {
            Address::Tcp(_) => Guard::of_tcp(access),
            Address::Unix(_) => Guard::of_socket(),
        };
        let door = Arc::new(Door { admin, guard, connections: Connections::default() });
        let thread = std::thread::Builder::new().name("admin".into());
        let Self { address, listener, runtime } = self;
        thread.spawn(move || runtime.block_on(door.serve(listener))).map_err(not_listening(&address))?;
        Ok(())
    }
}

fn not_listening(address: &Address) -> impl Fn(std::io::Error) -> String {
    let place = limit_name::pick("--admin", "[server] admin", "admin");
    move |e| format!("the admin endpoint cannot listen on {address}: {e} ({place})")
}

/// Where requests come in.
struct Door {
    admin: Admin,
    guard: Guard,
    connections: Connections,
}

impl Door {
    async fn serve(self: Arc<Self>, listener: Socket) {
        loop {
            let accepted = match &listener {
                Socket::Tcp(listener) => listener.accept().await.map(|(stream, _)| {
                    let local = stream.local_addr().ok().map(|local| local.ip());
                    self.spawn(stream, local);
                }),
                Socket::Unix(listener) => listener.accept().await.map(|(stream, _)| self.spawn(stream, None)),
            };
            if let Err(error) = accepted {
                tracing::warn!("the admin endpoint cannot accept a connection: {error}");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }

    fn spawn(
        self: &Arc<Self>,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        local: Option<IpAddr>,
    ) {
        let Some(place) = self.connections.enter().map(Arc::new) else { return };
        let (door, answering) = (self.clone(), place.clone());
        let service = service_fn(move |request| {
            let (door, place) = (door.clone(), answering.clone());
            async move { Ok::<_, Infallible>(door.answer(request, local, &place).await) }
        });
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).max_buf_size(LARGEST_HEAD);
        let connection = http.serve_connection(TokioIo::new(stream), service);
        tokio::spawn(async move {
            tokio::select! {
                _ = connection => {}
                () = place.is_lost() => {}
            }
        });
    }

    async fn answer(&self, request: Request<Incoming>, local: Option<IpAddr>, place: &Place) -> Answer {
        let (head, body) = request.into_parts();
        if let Err(refusal) = self.guard.check(&head, local) {
            return refused(&refusal);
        }
        place.works();
        let answer = self.admin.answer(&head, body).await;
        place.rests();
        answer
    }
}

/// The body of such a request is not read.
fn refused(refusal: &Refusal) -> Answer {
    let mut answer = text(refusal.status(), &(refusal.sentence() + "\n"));
    answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    if *refusal == Refusal::Token {
        answer.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    answer
}

impl Admin {
    async fn answer(&self, head: &Parts, body: Incoming) -> Answer {
        let path = head.uri.path();
        let order = path.strip_prefix("/apps/").and_then(|rest| rest.split_once('/'));
        match (&head.method, order) {
            (&Method::POST, Some((name, order))) => {
                orders::obey(self.slot(name), name, order, head.uri.query(), body).await
            }
            (&Method::GET, Some((name, "versions"))) => match self.slot(name) {
                Some(slot) => orders::versions(&slot),
                None => orders::unknown(name),
            },
            (&Method::POST, None) if path == "/loglevel" => match bodies::set_log(body).await {
                Ok(()) => text(StatusCode::OK, "done\n"),
                Err(sentence) => text(StatusCode::BAD_REQUEST, &(sentence + "\n")),
            },
            (&Method::GET | &Method::HEAD, _) => self.page(path),
            _ => text(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed\n"),
        }
    }

    fn page(&self, path: &str) -> Answer {
        match path {
            "/healthz" => text(StatusCode::OK, "ok\n"),
            "/readyz" => self.readiness(),
            "/metrics" => match metrics::text(&self.apps) {
                Ok(page) => typed(StatusCode::OK, metrics::MEDIA_TYPE, page),
                Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, &format!("{error}\n")),
            },
            "/apps" => typed(StatusCode::OK, "application/json", self.list()),
            "/" => text(StatusCode::OK, "/healthz  /readyz  /metrics  /apps  POST /loglevel\n"),
            _ => text(StatusCode::NOT_FOUND, "Not Found\n"),
        }
    }

    fn slot(&self, name: &str) -> Option<Arc<Slot>> {
        self.apps.slots().iter().find(|slot| slot.name == name).cloned()
    }

    /// Ready: every app can be served or is known to be broken, and the host is not draining.
    fn readiness(&self) -> Answer {
        if self.draining.load(Ordering::Relaxed) {
            return text(StatusCode::SERVICE_UNAVAILABLE, "draining\n");
        }
        let unbuilt = |slot: &&Arc<Slot>| {
            slot.as_dormant().is_some_and(|kept| matches!(kept.state(), BuildState::Unbuilt))
        };
        match self.apps.slots().iter().filter(unbuilt).count() {
            0 => text(StatusCode::OK, "ready\n"),
            count => text(StatusCode::SERVICE_UNAVAILABLE, &format!("{count} apps are not built yet\n")),
        }
    }

    /// The apps and their state, as JSON.
    fn list(&self) -> String {
        let apps: Vec<_> = self.apps.slots().iter().map(|slot| app_list::describe(slot)).collect();
        format!("{:#}\n", serde_json::json!({ "apps": apps }))
    }
}

async fn open(address: &Address) -> std::io::Result<(Socket, Address)> {
    match address {
        Address::Tcp(address) => {
            let listener = TcpListener::bind(address).await?;
            let address = Address::Tcp(listener.local_addr()?);
            Ok((Socket::Tcp(listener), address))
        }
        Address::Unix(path) => {
            // Nobody accepts on a socket that a killed host left; a live host does.
            if path.exists() && tokio::net::UnixStream::connect(path).await.is_err() {
                std::fs::remove_file(path)?;
            }
            // Nobody can connect before it listens, and then only its owner.
            let socket = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None)?;
            socket.bind(&socket2::SockAddr::unix(path)?)?;
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
            socket.listen(BACKLOG)?;
            socket.set_nonblocking(true)?;
            let listener = UnixListener::from_std(std::os::fd::OwnedFd::from(socket).into())?;
            Ok((Socket::Unix(listener), address.clone()))
        }
    }
}
