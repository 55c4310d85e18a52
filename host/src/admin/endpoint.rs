//! The admin endpoint, on a separate address: health, metrics, the list of apps, and deployments.
//!
//! It has its own thread, so it answers while every worker is busy.

use crate::admin::connections::{Connections, PATIENCE, Place};
use crate::admin::guard::{Guard, Refusal};
use crate::admin::metrics;
use crate::apps::dormant::{BuildState, Version};
use crate::apps::reconciler;
use crate::apps::registry::AppTable;
use crate::apps::slot::Slot;
use crate::config::admin_access::AdminAccess;
use crate::config::admin_address::Address;
use crate::config::limit_name;
use crate::config::limit_table::Limit;
use crate::telemetry::log_output;
use crate::util::affinity;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{CONNECTION, CONTENT_TYPE, HeaderValue, WWW_AUTHENTICATE};
use hyper::http::request::Parts;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::fmt;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, UNIX_EPOCH};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, UnixListener};
use tokio::runtime::Runtime;

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 128;

/// Longest wait for the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// Largest head of a request, in bytes.
const LARGEST_HEAD: usize = 16 << 10;

/// Most of a body that is read in vain, in bytes.
const MOST_DISCARDED: usize = 512 << 20;

/// Longest log filter, in bytes.
const LONGEST_FILTER: usize = 1000;

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
            (&Method::POST, Some((name, "deploy"))) => self.deploy(name, body).await,
            (&Method::POST, None) if path == "/loglevel" => match set_log(body).await {
                Ok(()) => text(StatusCode::OK, "done\n"),
                Err(sentence) => text(StatusCode::BAD_REQUEST, &(sentence + "\n")),
            },
            (&Method::POST, Some((name, "rollback"))) => {
                let Some(slot) = self.slot(name) else { return unknown(name) };
                outcome(name, tokio::task::spawn_blocking(move || reconciler::roll_back(&slot)).await)
            }
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
        let apps: Vec<_> = self.apps.slots().iter().map(|slot| describe(slot)).collect();
        format!("{:#}\n", serde_json::json!({ "apps": apps }))
    }

    /// Store the received component next to the app's own, and deploy it.
    async fn deploy(&self, name: &str, body: Incoming) -> Answer {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let slot = self.slot(name);
        let beside =
            slot.as_deref().map(|slot| reconciler::beside(slot, NEXT.fetch_add(1, Ordering::Relaxed)));
        let (slot, file) = match (slot, beside) {
            (Some(slot), Some(Ok(file))) => (slot, file),
            (_, Some(Err(sentence))) => {
                discard(body).await;
                return text(StatusCode::CONFLICT, &(sentence + "\n"));
            }
            _ => {
                discard(body).await;
                return unknown(name);
            }
        };
        let most = slot.as_dormant().map_or(0, |app| app.tenant.config.limits.max_component);
        let answer = match receive(body, &file, most).await {
            Ok(()) => {
                let file = file.clone();
                outcome(name, tokio::task::spawn_blocking(move || reconciler::deploy(&slot, &file)).await)
            }
            Err(sentence) => text(StatusCode::BAD_REQUEST, &(sentence + "\n")),
        };
        let _ = std::fs::remove_file(&file);
        answer
    }
}

type Answer = Response<Full<Bytes>>;

/// The next part of a body; `None` at its end. Trailers are empty parts. Errors are sentences for people.
async fn next_part(body: &mut Incoming) -> Result<Option<Bytes>, String> {
    match tokio::time::timeout(PATIENCE, body.frame()).await {
        Ok(None) => Ok(None),
        Ok(Some(Ok(frame))) => Ok(Some(frame.into_data().unwrap_or_default())),
        Ok(Some(Err(error))) => Err(format!("the body did not arrive: {error}")),
        Err(_) => Err(format!("no more of the body arrived within {} s", PATIENCE.as_secs())),
    }
}

/// Read and drop a body: a client that is still sending would not see the response.
async fn discard(mut body: Incoming) {
    let mut size = 0;
    while let Ok(Some(data)) = next_part(&mut body).await {
        size += data.len();
        if size > MOST_DISCARDED {
            return;
        }
    }
}

async fn set_log(mut body: Incoming) -> Result<(), String> {
    let mut filter = Vec::new();
    while let Some(data) = next_part(&mut body).await? {
        if filter.len() + data.len() > LONGEST_FILTER {
            return Err(format!("a log filter has at most {LONGEST_FILTER} bytes"));
        }
        filter.extend_from_slice(&data);
    }
    log_output::set_filter(String::from_utf8_lossy(&filter).trim())
}

/// Write a body of at most so many bytes to a file.
async fn receive(mut body: Incoming, path: &Path, most: usize) -> Result<(), String> {
    let failed = |e: std::io::Error| format!("{} cannot be stored: {e}", path.display());
    let mut file = tokio::fs::File::create(path).await.map_err(failed)?;
    let mut size = 0;
    while let Some(data) = next_part(&mut body).await? {
        size += data.len();
        if size > most {
            let limit = limit_name::of(Limit::MaxComponent);
            return Err(format!("a component of this app has at most {most} bytes ({limit})"));
        }
        file.write_all(&data).await.map_err(failed)?;
    }
    file.sync_all().await.map_err(failed)
}

fn outcome<E: fmt::Display>(name: &str, done: Result<Result<Version, String>, E>) -> Answer {
    match done.map_err(|e| e.to_string()).and_then(|done| done) {
        Ok(version) => text(StatusCode::OK, &format!("{name} is now {}\n", version.id)),
        Err(sentence) => {
            text(StatusCode::UNPROCESSABLE_ENTITY, &format!("{name} stays as it is: {sentence}\n"))
        }
    }
}

fn unknown(name: &str) -> Answer {
    text(StatusCode::NOT_FOUND, &format!("there is no app {name:?}\n"))
}

fn describe(slot: &Slot) -> serde_json::Value {
    let app = slot.app();
    let counts: Vec<_> = app.iter().flat_map(|app| app.pools().map(|pool| pool.counts())).collect();
    let in_flight = app.iter().flat_map(|app| app.counters());
    let mut shown = serde_json::json!({
        "app": slot.name,
        "loaded": app.is_some(),
        "instances": counts.iter().map(|now| now.idle + now.busy + now.leaving).sum::<usize>(),
        "queued": counts.iter().map(|now| now.queued).sum::<usize>(),
        "in_flight": in_flight.map(|stats| stats.in_flight.load(Ordering::Relaxed)).sum::<usize>(),
    });
    if let (Some(stored), Some(shown)) = (slot.as_dormant(), shown.as_object_mut()) {
        let tenant = &stored.tenant;
        shown.insert("source".into(), tenant.origin.path.display().to_string().into());
        shown.insert("hosts".into(), tenant.mount.hosts.clone().into());
        shown.insert("prefix".into(), format!("{}/", tenant.mount.prefix).into());
        let (state, version, problem) = match stored.state() {
            BuildState::Unbuilt => ("unbuilt", None, None),
            BuildState::Ready(version) => ("ready", Some(version), stored.refused()),
            BuildState::Broken(why) => ("broken", None, Some(why)),
        };
        shown.insert("state".into(), state.into());
        shown.insert("problem".into(), problem.into());
        let since = |version: &Version| Some(version.since.duration_since(UNIX_EPOCH).ok()?.as_secs());
        shown.insert("since".into(), version.as_ref().and_then(since).into());
        shown.insert("version".into(), version.map(|version| version.id).into());
    }
    shown
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

fn text(status: StatusCode, text: &str) -> Answer {
    typed(status, "text/plain; charset=utf-8", text.to_owned())
}

fn typed(status: StatusCode, media_type: &'static str, body: String) -> Answer {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}
