//! The server: workers, their listeners and connections, and how they shut down.
//!
//! Each worker is a thread with a runtime, a listener (SO_REUSEPORT) and instances of its own; workers share nothing on
//! the request path.

use crate::apps::registry::AppTable;
use crate::apps::worker_apps::WorkerApps;
use crate::config::Config;
use crate::config::limit_name;
use crate::config::limit_table::Limit;
use crate::config::limits::ServerLimits;
use crate::http::connection::Connection;
use crate::http::protocol;
use crate::http::tls;
use crate::quota::files::FileShares;
use crate::util::affinity;
use crate::util::memory_trim::MemoryTrim;
use socket2::{Domain, Protocol, SockFilter, Socket, Type};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_rustls::TlsAcceptor;

/// How long a draining host waits for the next requests of idle connections, to answer them with `Connection: close`.
/// Closing a connection at once would break a request that is on its way.
const FAREWELL: Duration = Duration::from_millis(500);
/// How long a closing listener waits for connections whose handshake has begun.
const LAST_CALL: Duration = Duration::from_millis(100);
/// Most unsent bytes that the kernel buffers for a connection.
const MOST_UNSENT: u32 = 128 * 1024;
/// The listen backlog: connections that the kernel holds until they are accepted.
const BACKLOG: i32 = 4096;
/// Connections accepted in a row before others get their turn: in a flood of new ones, open connections waited 15 ms.
const AT_ONCE: usize = 8;

/// Wait after a connection could not be accepted.
const PAUSE: Duration = Duration::from_millis(50);
/// One of so many failures in a row is logged.
const FAILURES_TOLD: u32 = 200;

/// A running server.
pub struct Server {
    pub addresses: Vec<SocketAddr>,
    stop: watch::Sender<bool>,
    workers: Vec<JoinHandle<()>>,
}

impl Server {
    /// Open the sockets, start the workers, and return when every worker has its instances. The error is a user-facing
    /// message.
    pub fn start(config: &Config, apps: &AppTable) -> Result<Self, String> {
        let limits = within_shares(&config.limits, config.workers);
        let mut addresses = Vec::with_capacity(config.listen.len());
        let mut of_workers: Vec<Vec<TcpListener>> = (0..config.workers).map(|_| Vec::new()).collect();
        for &wanted in &config.listen {
            let (address, listeners) =
                listeners(wanted, config.workers, config.share_port).map_err(|e| explain(wanted, &e))?;
            addresses.push(address);
            of_workers.iter_mut().zip(listeners).for_each(|(all, listener)| all.push(listener));
        }
        let tls = config.tls.as_ref().map(tls::acceptor).transpose()?;
        let (stop, stopping) = watch::channel(false);
        let (ready, readiness) = mpsc::channel();
        let mut workers = Vec::with_capacity(config.workers);
        for (index, listeners) in of_workers.into_iter().enumerate() {
            let worker = Worker {
                listeners,
                apps: apps.clone(),
                limits: limits.clone(),
                tls: tls.clone(),
                drain: config.limits.drain,
                stopping: stopping.clone(),
                place: (index, config.workers),
            };
            let ready = ready.clone();
            let thread = std::thread::Builder::new().name(format!("worker-{index}"));
            let thread = thread
                .spawn(move || worker.run(&ready))
                .map_err(|e| format!("a worker cannot start: {e}"))?;
            workers.push(thread);
        }
        drop(ready);
        for _ in &workers {
            readiness.recv().map_err(|_| "a worker ended before it was ready".to_owned())??;
        }
        Ok(Self { addresses, stop, workers })
    }

    /// Stop accepting, and let requests in flight finish.
    pub fn stop(&self) {
        let _ = self.stop.send(true);
    }

    /// Return when all workers have ended.
    pub fn stopped(self) {
        for worker in self.workers {
            let _ = worker.join();
        }
    }
}

/// Each connection needs a file descriptor, and those of apps and of the host itself must be left.
fn within_shares(limits: &ServerLimits, workers: usize) -> ServerLimits {
    let most = (FileShares::get().clients / workers.max(1)).max(1);
    if limits.connections > most {
        let limit = limit_name::of(Limit::Connections);
        tracing::info!("each worker keeps {most} connections open, for want of file descriptors ({limit})");
    }
    ServerLimits { connections: limits.connections.min(most), ..limits.clone() }
}

fn explain(address: SocketAddr, error: &io::Error) -> String {
    let port = limit_name::pick("--port", "port of listen in [server]", "port");
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            let share = limit_name::pick("--share-port", "share-port = true in [server]", "share_port");
            format!(
                "{address} is in use by another program: choose another {port} (0 picks a free one), or give \
                 {share} to listen beside it"
            )
        }
        io::ErrorKind::PermissionDenied => {
            format!("this user may not listen on {address}: choose a {port} above 1023")
        }
        io::ErrorKind::AddrNotAvailable => {
            let host = limit_name::pick("--host", "listen in [server]", "the address");
            format!("this machine has no address {}: check {host}", address.ip())
        }
        _ => format!("cannot listen on {address}: {error}"),
    }
}

/// One listener per worker, all on one address.
fn listeners(
    wanted: SocketAddr,
    count: usize,
    is_shared: bool,
) -> io::Result<(SocketAddr, Vec<TcpListener>)> {
    // With SO_REUSEPORT a second host would silently take half of the first one's connections: check first.
    if !is_shared {
        drop(listener(wanted, false)?);
    }
    let first = listener(wanted, true)?;
    let address = first.local_addr()?;
    let mut all = vec![first];
    for _ in 1..count {
        all.push(listener(address, true)?);
    }
    Ok((address, all))
}

fn listener(address: SocketAddr, shared: bool) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if shared {
        socket.set_reuse_port(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// A worker thread of the server.
struct Worker {
    listeners: Vec<TcpListener>,
    apps: AppTable,
    limits: ServerLimits,
    tls: Option<TlsAcceptor>,
    drain: Duration,
    stopping: watch::Receiver<bool>,
    /// Its index, and the number of workers.
    place: (usize, usize),
}

impl Worker {
    fn run(self, ready: &mpsc::Sender<Result<(), String>>) {
        let (index, workers) = self.place;
        affinity::claim(index, workers);
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        // For the threads of the blocking pool.
        runtime.on_thread_start(affinity::roam);
        let runtime = match runtime.enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => {
                let _ = ready.send(Err(format!("a worker cannot start: {error}")));
                return;
            }
        };
        runtime.block_on(async {
            let started = async {
                let apps = self
                    .apps
                    .open_worker()
                    .await
                    .map_err(|why| format!("no instance could be created: {why}"))?;
                let listeners = self.listeners.into_iter().map(tokio::net::TcpListener::from_std);
                let listeners = listeners.collect::<Result<Vec<_>, _>>().map_err(|e| e.to_string())?;
                Ok((apps, listeners))
            };
            let (apps, listeners) = match started.await {
                Ok(started) => started,
                Err(sentence) => {
                    let _ = ready.send(Err(sentence));
                    return;
                }
            };
            let _ = ready.send(Ok(()));
            tokio::spawn(heartbeat(apps.clone(), self.apps.reclaim().requests()));
            serve(listeners, apps, (&self.limits, self.tls), self.stopping, self.drain).await;
        });
        // The remaining tasks hold guests; do not wait for them.
        runtime.shutdown_background();
    }
}

/// Serve until the host stops, and then drain what is in flight, within the drain limit.
async fn serve(
    listeners: Vec<tokio::net::TcpListener>,
    apps: Arc<WorkerApps>,
    (limits, tls): (&ServerLimits, Option<TlsAcceptor>),
    stopping: watch::Receiver<bool>,
    drain: Duration,
) {
    let (close, closing) = watch::channel(false);
    let places = Arc::new(Semaphore::new(limits.connections));
    let leaving = Arc::<AtomicBool>::default();
    let accepting = listeners.into_iter().map(|listener| {
        let door = Listener {
            listener,
            apps: apps.clone(),
            limits: limits.clone(),
            closing: closing.clone(),
            places: places.clone(),
            tls: tls.clone(),
            leaving: leaving.clone(),
        };
        tokio::spawn(door.accept(stopping.clone()))
    });
    let accepting = accepting.collect::<Vec<_>>();
    drop(closing);
    for task in accepting {
        let _ = task.await;
    }
    let end = async {
        if places.available_permits() < limits.connections {
            tokio::time::sleep(FAREWELL).await;
        }
        close.send_replace(true);
        close.closed().await;
        apps.close().await;
    };
    if tokio::time::timeout(drain, end).await.is_err() {
        let limit = limit_name::of(Limit::Drain);
        tracing::warn!("requests still in flight after {} s were cut off ({limit})", drain.as_secs());
    }
}

/// Maintain the worker's instances once a second, and evict idle ones when an instance needs room. This also keeps a
/// timer that is earlier than those that hyper creates for each request. When a timer becomes the earliest of all,
/// tokio interrupts its I/O driver with a system call: measured for four of five requests without this.
async fn heartbeat(apps: Arc<WorkerApps>, mut reclaim: watch::Receiver<u64>) {
    let mut beats = tokio::time::interval(Duration::from_secs(1));
    let mut trim = MemoryTrim::default();
    loop {
        tokio::select! {
            _ = beats.tick() => {
                apps.tick();
                trim.tick(apps.is_quiet());
            }
            Ok(()) = reclaim.changed() => apps.reclaim(),
        }
    }
}

/// Have the kernel drop SYN packets. Clients repeat them after a second, when the listener is gone, and reach a host
/// that shares the port, if there is one. Handshakes that have begun are completed.
fn turn_away(listener: &tokio::net::TcpListener) {
    const LOAD_BYTE: u16 = 0x30;
    const AND: u16 = 0x54;
    const JUMP_IF_EQUAL: u16 = 0x15;
    const RETURN: u16 = 0x06;
    const FLAGS: u32 = 13;
    const SYN: u32 = 0x02;
    const ACK: u32 = 0x10;
    let filter = [
        SockFilter::new(LOAD_BYTE, 0, 0, FLAGS),
        SockFilter::new(AND, 0, 0, SYN | ACK),
        SockFilter::new(JUMP_IF_EQUAL, 0, 1, SYN),
        SockFilter::new(RETURN, 0, 0, 0),
        SockFilter::new(RETURN, 0, 0, u32::MAX),
    ];
    if let Err(error) = socket2::SockRef::from(listener).attach_filter(&filter) {
        tracing::debug!("new connections cannot be turned away: {error}");
    }
}

/// A listener of a worker, and what its connections share with those of the worker's other listeners.
struct Listener {
    listener: tokio::net::TcpListener,
    apps: Arc<WorkerApps>,
    limits: ServerLimits,
    closing: watch::Receiver<bool>,
    places: Arc<Semaphore>,
    tls: Option<TlsAcceptor>,
    /// The host is draining: each response is the last on its connection.
    leaving: Arc<AtomicBool>,
}

impl Listener {
    async fn accept(self, mut stopping: watch::Receiver<bool>) {
        let mut failed = 0u32;
        for number in 1.. {
            if number % AT_ONCE == 0 {
                tokio::task::yield_now().await;
            }
            let next = async {
                // At the limit, new connections wait in the kernel until one ends.
                let place = self.places.clone().acquire_owned().await;
                (place, self.listener.accept().await)
            };
            let (place, accepted) = tokio::select! {
                next = next => next,
                _ = stopping.wait_for(|stop| *stop) => break,
            };
            match accepted {
                Ok(accepted) => {
                    failed = 0;
                    self.begin(accepted, place.ok());
                }
                Err(error) => {
                    if failed.is_multiple_of(FAILURES_TOLD) {
                        tracing::warn!("a connection could not be accepted: {error}");
                    }
                    failed = failed.wrapping_add(1);
                    // Mostly for want of descriptors or memory in the whole system: trying again at once would only spin.
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
        self.leaving.store(true, Ordering::Relaxed);
        turn_away(&self.listener);
        // The kernel resets connections that have not been accepted when the listener closes.
        let last_call = async {
            while let Ok(accepted) = self.listener.accept().await {
                self.begin(accepted, None);
            }
        };
        let _ = tokio::time::timeout(LAST_CALL, last_call).await;
    }

    /// Serve a connection in its own task.
    fn begin(&self, (stream, peer): (TcpStream, SocketAddr), place: Option<OwnedSemaphorePermit>) {
        let _ = stream.set_nodelay(true);
        let socket = socket2::SockRef::from(&stream);
        // A client that never reads would hold its response forever.
        let _ = socket.set_tcp_user_timeout(Some(self.limits.write_timeout));
        // What the kernel buffers for slow clients counts against no app's budget.
        let _ = socket.set_tcp_notsent_lowat(MOST_UNSENT);
        let connection = Connection {
            apps: self.apps.clone(),
            peer,
            is_secure: self.tls.is_some(),
            leaving: self.leaving.clone(),
            closing: self.closing.clone(),
        };
        let (tls, limits) = (self.tls.clone(), self.limits.clone());
        tokio::spawn(async move {
            protocol::serve(connection, stream, tls, &limits).await;
            drop(place);
        });
    }
}
