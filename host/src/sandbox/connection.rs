//! A TCP connection of a guest to another server: a task moves its bytes, and does TLS.

use crate::config::egress::Grants;
use crate::config::limit_name;
use crate::config::limit_table::Limit;
use crate::quota::connections::ConnectionQuota;
use crate::quota::files::FilePlace;
use crate::sandbox::connection_problem::{Kind, TcpProblem};
use crate::sandbox::connection_tls::{self, Duplex, Ready, TlsOptions};
use crate::sandbox::news::Progress;
use crate::sandbox::resolver;
use crate::sandbox::this_machine;
use crate::sandbox::upstream;
use crate::util::locks::lock;
use bytes::{Buf, Bytes, BytesMut};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::task::Wake;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Notify, OwnedSemaphorePermit};

/// Bytes that wait in each direction.
const BUFFER: usize = 64 * 1024;
/// How long connecting and a TLS handshake may take.
const LONGEST: Duration = Duration::from_secs(30);
/// How long what was written before `close` may take to go out.
const GOODBYE: Duration = Duration::from_secs(5);

/// How far `connect` or `start-tls` is.
#[derive(Debug, Clone)]
pub enum Phase {
    Pending,
    Ready(Ready),
    Failed(TcpProblem),
}

/// The result of a read.
#[derive(Debug)]
pub enum Part {
    Pending,
    Data(Vec<u8>),
    End,
    Failed(TcpProblem),
}

/// The guest's end. Dropping it closes the connection.
pub struct Connection(Arc<Shared>);

/// What both ends know.
struct Shared {
    state: Mutex<State>,
    /// The task has something to do.
    work: Notify,
    told: Arc<Told>,
}

/// Tells the guest of progress, and whoever blocks for it.
pub struct Told {
    pub progress: Arc<Progress>,
    pub changed: Notify,
    /// Of any connection of the instance.
    pub any: Arc<Notify>,
}

impl Told {
    fn tell(&self) {
        self.changed.notify_one();
        self.any.notify_one();
        self.progress.clone().wake();
    }
}

struct State {
    phase: Phase,
    incoming: BytesMut,
    outgoing: BytesMut,
    /// The server has ended its side.
    has_ended: bool,
    /// Why nothing more is read.
    failure: Option<TcpProblem>,
    /// To be done once all has gone out.
    tls: Option<TlsOptions>,
    ends: bool,
    is_closed: bool,
    /// A write found no room.
    is_awaited: bool,
}

/// Where to connect, on whose account.
pub struct Target {
    pub host: String,
    pub port: u16,
    pub grants: Arc<Grants>,
    pub quota: ConnectionQuota,
}

type Places = (FilePlace, OwnedSemaphorePermit);

impl Connection {
    /// Begin to connect, in the runtime of this thread.
    pub fn begin(target: Target, told: Arc<Told>) -> Self {
        let state = State {
            phase: Phase::Pending,
            incoming: BytesMut::new(),
            outgoing: BytesMut::new(),
            has_ended: false,
            failure: None,
            tls: None,
            ends: false,
            is_closed: false,
            is_awaited: false,
        };
        let shared = Arc::new(Shared { state: Mutex::new(state), work: Notify::new(), told });
        let task = shared.clone();
        tokio::spawn(async move { run(target, &task).await });
        Self(shared)
    }

    pub fn told(&self) -> &Told {
        &self.0.told
    }

    pub fn phase(&self) -> Phase {
        lock(&self.0.state).phase.clone()
    }

    /// Begin TLS once all has gone out.
    pub fn start_tls(&self, options: TlsOptions) {
        let mut state = lock(&self.0.state);
        match &state.phase {
            Phase::Ready(ready) if ready.tls.is_empty() => {
                state.phase = Phase::Pending;
                state.tls = Some(options);
            }
            Phase::Failed(_) => {}
            _ => state.phase = Phase::Failed(TcpProblem::new(Kind::Tls, "TLS cannot begin now")),
        }
        drop(state);
        self.0.work.notify_one();
    }

    pub fn read(&self, most: usize) -> Part {
        let mut state = lock(&self.0.state);
        if state.tls.is_some() {
            return Part::Pending;
        }
        if !state.incoming.is_empty() {
            let size = state.incoming.len().min(most.clamp(1, BUFFER));
            let taken = state.incoming.split_to(size).to_vec();
            if state.incoming.is_empty() {
                // A connection that rests keeps no buffer.
                state.incoming = BytesMut::new();
            }
            drop(state);
            self.0.work.notify_one();
            return Part::Data(taken);
        }
        match &state.failure {
            Some(problem) => Part::Failed(problem.clone()),
            None if state.has_ended => Part::End,
            None => Part::Pending,
        }
    }

    /// How many bytes were taken.
    pub fn write(&self, data: &[u8]) -> usize {
        let mut state = lock(&self.0.state);
        let is_open = matches!(state.phase, Phase::Ready(_)) && state.tls.is_none() && !state.ends;
        if !is_open || state.failure.is_some() {
            return 0;
        }
        let size = data.len().min(BUFFER - state.outgoing.len());
        state.outgoing.extend_from_slice(&data[..size]);
        state.is_awaited = size < data.len();
        drop(state);
        self.0.work.notify_one();
        size
    }

    /// Send nothing more.
    pub fn shutdown(&self) {
        lock(&self.0.state).ends = true;
        self.0.work.notify_one();
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        lock(&self.0.state).is_closed = true;
        self.0.told.progress.end();
        self.0.work.notify_one();
    }
}

impl Shared {
    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut lock(&self.state));
        self.told.tell();
    }

    fn fail(&self, problem: TcpProblem) {
        self.change(|state| {
            if !matches!(state.phase, Phase::Ready(_)) {
                state.phase = Phase::Failed(problem.clone());
            }
            state.tls = None;
            state.outgoing = BytesMut::new();
            state.failure = Some(problem);
        });
    }

    fn is_closed(&self) -> bool {
        lock(&self.state).is_closed
    }

    async fn closed(&self) {
        while !self.is_closed() {
            self.work.notified().await;
        }
    }
}

async fn run(target: Target, shared: &Shared) {
    let connecting = tokio::time::timeout(LONGEST, connect(&target));
    let (stream, _places) = tokio::select! {
        // Nobody waits for it any more.
        () = shared.closed() => return,
        connected = connecting => match connected {
            Ok(Ok(connected)) => connected,
            Ok(Err(problem)) => return shared.fail(problem),
            Err(_) => {
                let told = format!("{}:{} does not answer", target.host, target.port);
                return shared.fail(TcpProblem::new(Kind::Timeout, told));
            }
        },
    };
    let shown = |address: io::Result<SocketAddr>| address.map_or_else(|_| String::new(), |a| a.to_string());
    let (peer, local) = (shown(stream.peer_addr()), shown(stream.local_addr()));
    let ready = Ready { peer, local, ..Ready::default() };
    shared.change(|state| state.phase = Phase::Ready(ready.clone()));
    let mut stream: Box<dyn Duplex> = Box::new(stream);
    while let Moved::StartsTls(options) = move_bytes(&mut *stream, shared).await {
        let read = std::mem::take(&mut lock(&shared.state).incoming).freeze();
        let handshake = connection_tls::handshake(stream, read, &options);
        let done = tokio::select! {
            () = shared.closed() => return,
            done = tokio::time::timeout(LONGEST, handshake) => done,
        };
        match done {
            Ok(Ok((encrypted, about))) => {
                stream = encrypted;
                let (peer, local) = (ready.peer.clone(), ready.local.clone());
                shared.change(|state| {
                    state.tls = None;
                    state.phase = Phase::Ready(Ready { peer, local, ..about });
                });
            }
            Ok(Err(problem)) => return shared.fail(problem),
            Err(_) => return shared.fail(TcpProblem::new(Kind::Timeout, "the TLS handshake took too long")),
        }
    }
}

async fn connect(target: &Target) -> Result<(TcpStream, Places), TcpProblem> {
    let Target { host, port, grants, quota } = target;
    let denied = |why| TcpProblem::new(Kind::Denied, why);
    grants.check_host(host, *port).map_err(denied)?;
    let found = resolver::addresses(&quota.lookups, host, *port).await;
    let found = found.map_err(|problem| TcpProblem::new(Kind::Name, problem.message))?;
    let limit = |limit| {
        let told = format!("this app may open no further connection ({})", limit_name::of(limit));
        TcpProblem::new(Kind::Limit, told)
    };
    let connection = quota.places.clone().try_acquire_owned();
    let connection = connection.map_err(|_| limit(Limit::MaxTcp))?;
    let file = quota.files.try_take().ok_or_else(|| limit(Limit::MaxFiles))?;
    let mut problem = TcpProblem::new(Kind::Name, format!("{host} has no address"));
    for address in found {
        if let Err(why) = grants.check_address(host, address.ip(), *port, this_machine::is_at(address)) {
            problem = denied(why);
            continue;
        }
        match upstream::connect(address).await {
            Ok(stream) => return Ok((stream, (file, connection))),
            Err(error) => problem = TcpProblem::of(&error),
        }
    }
    Err(problem)
}

/// Why bytes are moved no more.
enum Moved {
    /// Both sides have ended, or the guest has closed it.
    Over,
    StartsTls(TlsOptions),
}

/// What the task may do next.
struct Todo {
    reads: bool,
    sending: Option<Bytes>,
    ends: bool,
}

async fn move_bytes(stream: &mut dyn Duplex, shared: &Shared) -> Moved {
    let (mut reader, mut writer) = tokio::io::split(stream);
    let mut incoming = BytesMut::new();
    let mut is_shut = false;
    // What was taken out of the state, and has not gone out.
    let mut sending = Bytes::new();
    loop {
        let todo = {
            let mut state = lock(&shared.state);
            if sending.is_empty() && !state.outgoing.is_empty() {
                sending = state.outgoing.split().freeze();
                state.outgoing = BytesMut::new();
            }
            if state.is_closed {
                break;
            }
            if sending.is_empty()
                && let Some(options) = &state.tls
            {
                return Moved::StartsTls(options.clone());
            }
            Todo {
                // Whoever begins TLS is to have all that was read.
                reads: !state.has_ended && state.incoming.len() < BUFFER && state.tls.is_none(),
                ends: state.ends && sending.is_empty() && !is_shut,
                sending: (!sending.is_empty()).then(|| sending.clone()),
            }
        };
        if todo.ends {
            is_shut = true;
            let _ = writer.shutdown().await;
            continue;
        }
        if is_shut && lock(&shared.state).has_ended {
            shared.closed().await;
            return Moved::Over;
        }
        tokio::select! {
            read = reader.read_buf(&mut incoming), if todo.reads => match read {
                Ok(0) => shared.change(|state| state.has_ended = true),
                // Many servers end TLS without saying so.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    shared.change(|state| state.has_ended = true);
                }
                Ok(_) => {
                    let read = std::mem::take(&mut incoming);
                    shared.change(|state| {
                        if state.incoming.is_empty() { state.incoming = read } else { state.incoming.extend_from_slice(&read) }
                    });
                }
                Err(error) => {
                    shared.fail(TcpProblem::of(&error));
                    return Moved::Over;
                }
            },
            sent = send(&mut writer, todo.sending.as_deref().unwrap_or_default()), if todo.sending.is_some() => match sent {
                Ok(count) => {
                    sending.advance(count);
                    let mut state = lock(&shared.state);
                    let is_awaited = std::mem::take(&mut state.is_awaited);
                    drop(state);
                    if is_awaited {
                        shared.told.tell();
                    }
                }
                Err(error) => {
                    shared.fail(TcpProblem::of(&error));
                    return Moved::Over;
                }
            },
            () = shared.work.notified() => {}
        }
    }
    let goodbye = async {
        writer.write_all(&sending).await?;
        writer.shutdown().await
    };
    let _ = tokio::time::timeout(GOODBYE, goodbye).await;
    Moved::Over
}

/// Write some bytes. TLS keeps what does not make a record until it is flushed.
async fn send(writer: &mut (impl AsyncWrite + Unpin), data: &[u8]) -> io::Result<usize> {
    let count = writer.write(data).await?;
    writer.flush().await?;
    Ok(count)
}
