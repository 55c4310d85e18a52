//! Host-side state of one instance: WASI context, limits, timer, and pending replies.
//!
//! A guest has no network and no arguments. It sees the environment and files that it was granted; a runner also sees
//! its app's files until they are loaded.

use crate::config::limit_name;
use crate::config::limit_table::Limit;
use crate::sandbox::bindings::bolt::host::streams::Taken;
use crate::sandbox::body_stream::BodyStream;
use crate::sandbox::engine::{Engine, TABLE_ELEMENTS};
use crate::sandbox::execution::Execution;
use crate::sandbox::guest_files::{GuestFiles, OpenFiles};
use crate::sandbox::http_client::HttpClient;
use crate::sandbox::http_host::Exchanges;
use crate::sandbox::instance_spec::InstanceSpec;
use crate::sandbox::kv_host::Kv;
use crate::sandbox::socket::{Sleeper, SocketTerms};
use crate::sandbox::sql_host::Sql;
use crate::sandbox::stdio::{GuestOutput, GuestStream};
use crate::sandbox::streams_host::{Flowing, Streams};
use crate::sandbox::tcp_host::Tcp;
use crate::sandbox::timer::GuestTimer;
use crate::sandbox::topics_host::Subscriptions;
use crate::sandbox::uploads::Uploads;
use async_trait::async_trait;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use wasmtime::component::ResourceTable;
use wasmtime::{ResourceLimiterAsync, Store, UpdateDeadline};
use wasmtime_wasi::filesystem::WasiFilesystemCtxView;
use wasmtime_wasi::{FsPerms, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

/// A guest yields each time its memory has grown by this much, in bytes: the kernel takes half a millisecond to zero
/// it, and no tick interrupts that.
const SHARE: usize = 1024 * 1024;

/// Requests of an instance that may have work left after their replies, each of which holds a timer.
const MOST_LINGERING: usize = 2000;
/// Most resources of WASI that a guest holds: descriptors, streams, pollables, errors. One more traps.
const MOST_RESOURCES: usize = 4096;

/// What a handler replies.
#[derive(Debug)]
pub struct GuestReply {
    /// As the guest encoded it.
    pub text: String,
    /// The response's body, if it flows, or the WebSocket that it accepts.
    pub stream: Option<Flowing>,
}

/// What comes with a request besides its arguments.
#[derive(Debug, Default)]
pub struct Attachments {
    pub uploads: Option<Arc<Uploads>>,
    /// The body, if the handler reads it in parts.
    pub body: Option<BodyStream>,
    /// If the request is the handshake of a WebSocket.
    pub socket: Option<SocketTerms>,
    /// If it is a message of a WebSocket that sleeps, or its end.
    pub sleeper: Option<Arc<Sleeper>>,
}

/// The data of an instance's store.
pub struct HostState {
    /// The app's name in the log.
    name: Arc<str>,
    wasi: WasiCtx,
    table: ResourceTable,
    files: OpenFiles,
    memory_limit: usize,
    /// Growth of its memory since it was created, in bytes.
    grown: usize,
    pub execution: Arc<Execution>,
    timer: Arc<GuestTimer>,
    /// Reply channels of the handlers in progress, by request.
    replies: HashMap<u64, oneshot::Sender<GuestReply>>,
    /// Uploaded files of those requests.
    uploads: HashMap<u64, Arc<Uploads>>,
    /// Requests with work left after their reply, each with the timer that bounds it.
    lingering: HashMap<u64, AbortOnDrop>,
    linger: Duration,
    /// It was told to leave, and has not said yet whether that takes time.
    is_leaving: bool,
    pub(super) output: GuestOutput,
    pub exchanges: Exchanges,
    pub streams: Streams,
    pub subscriptions: Subscriptions,
    pub sql: Sql,
    pub tcp: Tcp,
    pub kv: Kv,
}

impl HostState {
    /// Create the store of a new instance.
    pub fn store(
        engine: &Engine,
        spec: &InstanceSpec,
        execution: Arc<Execution>,
        client: Arc<HttpClient>,
    ) -> wasmtime::Result<Store<Self>> {
        let output = GuestOutput::new(spec.name.clone(), spec.log_rate.clone());
        let timer = Arc::<GuestTimer>::default();
        let mut wasi = WasiCtxBuilder::new();
        wasi.stdout(output.stream(GuestStream::Stdout));
        wasi.stderr(output.stream(GuestStream::Stderr));
        wasi.envs(&spec.env);
        // Otherwise a guest may create sockets, which it may not connect. Servers are reached through `http`.
        wasi.allow_tcp(false).allow_udp(false);
        for folder in spec.preopens.iter() {
            let perms = if folder.write { FsPerms::ReadWrite } else { FsPerms::ReadOnly };
            wasi.preopened_dir(folder.path(), &folder.name, perms)?;
        }
        let mut table = ResourceTable::new();
        table.set_max_capacity(MOST_RESOURCES);
        let state = Self {
            name: spec.name.clone(),
            wasi: wasi.build(),
            table,
            files: OpenFiles::new(
                spec.name.clone(),
                spec.files.clone(),
                spec.storage.clone(),
                spec.preopens.iter().count(),
            ),
            memory_limit: spec.memory_limit,
            grown: 0,
            execution,
            exchanges: Exchanges::new(client, spec.max_exchanges, timer.clone()),
            subscriptions: Subscriptions::new(spec.topics.clone(), spec.max_message, timer.clone()),
            sql: Sql::new(spec.databases.clone(), timer.clone()),
            kv: Kv::new(spec.stores.clone(), timer.clone()),
            tcp: Tcp::new(spec.tcp.0.clone(), spec.tcp.1.clone(), timer.clone()),
            streams: Streams::new(spec.streams.clone(), spec.linger, timer.clone()),
            timer,
            replies: HashMap::new(),
            uploads: HashMap::new(),
            lingering: HashMap::new(),
            linger: spec.linger,
            is_leaving: false,
            output,
        };
        let mut store = Store::new(engine, state);
        store.limiter_async(|state| state);
        store.set_epoch_deadline(1);
        // At each tick a computing guest yields the thread, so other connections are served and deadlines fire.
        store.epoch_deadline_callback(|store| {
            let execution = &store.data().execution;
            execution.check_budget()?;
            if !execution.is_due() {
                return Ok(UpdateDeadline::Continue(1));
            }
            Ok(UpdateDeadline::YieldCustom(1, Box::pin(execution.clone().give_way())))
        });
        Ok(store)
    }

    /// Growth of its memory since it was created, in bytes.
    pub fn grown(&self) -> usize {
        self.grown
    }

    pub fn timer(&self) -> Arc<GuestTimer> {
        self.timer.clone()
    }

    /// What a guest has open.
    pub fn files(&mut self) -> GuestFiles<'_> {
        let wasi = WasiFilesystemCtxView { ctx: self.wasi.filesystem(), table: &mut self.table };
        GuestFiles { wasi, open: &mut self.files }
    }

    /// A handler is about to start; its reply goes to `reply`.
    pub fn begin(&mut self, request: u64, reply: oneshot::Sender<GuestReply>, attachments: Attachments) {
        let Attachments { uploads, body, socket, sleeper } = attachments;
        self.replies.insert(request, reply);
        self.uploads.extend(uploads.map(|uploads| (request, uploads)));
        if let Some(body) = body {
            self.streams.take_body(request, body);
        }
        if let Some(terms) = socket {
            self.streams.offer(request, terms);
        }
        if let Some(sleeper) = sleeper {
            self.streams.wake(request, &sleeper, &self.execution);
        }
        self.output.serving(request);
        self.execution.begin(request);
        self.count();
    }

    /// Nothing is left to do for a request.
    fn settle(&mut self, request: u64) {
        self.sql.end(request);
        self.kv.end(request);
        self.execution.settle(request);
    }

    fn count(&self) {
        self.execution.set_in_flight(self.replies.len() + self.lingering.len() + self.streams.count());
    }

    /// Whether the instance has begun `request` and not finished it. Guests name requests; they own these only.
    pub fn owns(&self, request: u64) -> bool {
        self.replies.contains_key(&request) || self.is_unfinished(request)
    }

    /// Whether there is work left for `request` after its reply.
    fn is_unfinished(&self, request: u64) -> bool {
        self.lingering.contains_key(&request) || self.streams.is_open(request)
    }

    /// The guest now works on `request`, or on none of its own.
    pub fn serve(&mut self, request: u64) {
        let request = if self.owns(request) { request } else { 0 };
        self.output.serving(request);
        self.execution.serve(request);
    }

    /// A handler has replied. The caller may be gone: the client hung up, or the deadline passed.
    pub fn answer(&mut self, request: u64, text: String) {
        let Some(waiting) = self.replies.remove(&request) else { return };
        self.uploads.remove(&request);
        let stream = self.streams.answered(request);
        if !self.is_unfinished(request) {
            self.settle(request);
        }
        self.count();
        // Whoever stopped waiting for a handler holds this channel until it ends, or ends the instance.
        if waiting.send(GuestReply { text, stream }).is_err() {
            self.execution.condemn();
        }
    }

    /// The response to `request`, which has none yet, will flow. It counts as in flight until it ends.
    pub fn open_stream(&mut self, request: u64) -> bool {
        if !self.replies.contains_key(&request) {
            return false;
        }
        let is_open = self.streams.open(request, &self.execution);
        self.opened(request, is_open)
    }

    /// The response to `request`, which has none yet, is what another server sends.
    pub fn proxy_response(&mut self, exchange: u64, request: u64) -> bool {
        let Self { replies, streams, exchanges, .. } = self;
        let take = |place| exchanges.hand_over(exchange, place).map(Flowing::Proxied);
        replies.contains_key(&request) && streams.hand_over(request, take)
    }

    /// The response to `request`, which has none yet, is what a statement gives.
    pub fn send_rows(&mut self, request: u64, database: &str, text: String, arguments: String) -> bool {
        let Self { replies, streams, sql, .. } = self;
        let take = |place| Some(Flowing::Rows(sql.rows(request, database, text, arguments, place)));
        replies.contains_key(&request) && streams.hand_over(request, take)
    }

    /// The reply to `request` will accept a WebSocket.
    pub fn open_socket(&mut self, request: u64) -> bool {
        if !self.replies.contains_key(&request) {
            return false;
        }
        let is_open = self.streams.open_socket(request, &self.execution);
        self.opened(request, is_open)
    }

    fn opened(&mut self, request: u64, is_open: bool) -> bool {
        if is_open {
            self.execution.lingers.notify_one();
            self.count();
        } else {
            let limit = limit_name::of(Limit::MaxStreams);
            let told = format!("another stream or WebSocket was refused: the app has too many ({limit})");
            // As the app's own output, so that it counts against its rate.
            self.output.write(request, GuestStream::Error, &told);
        }
        is_open
    }

    /// Send a chunk. A handler may stream for ever, so its processor budget is for the time between two chunks.
    pub fn write_stream(&mut self, request: u64, chunk: String) -> Taken {
        let taken = self.streams.write(request, chunk);
        if matches!(taken, Taken::More | Taken::Pause) {
            self.execution.renew(request);
        }
        taken
    }

    /// Send a message over a WebSocket; the processor budget is as for chunks.
    pub fn send_message(&mut self, request: u64, is_text: bool, data: String) -> Taken {
        let taken = self.streams.send(request, is_text, data);
        if matches!(taken, Taken::More | Taken::Pause) {
            self.execution.renew(request);
        }
        taken
    }

    /// The handler of a WebSocket has ended.
    pub fn close_socket(&mut self, request: u64, code: u16, reason: &str) {
        if self.streams.close_socket(request, code, reason) && !self.owns(request) {
            self.settle(request);
        }
        self.count();
    }

    /// A response has ended.
    pub fn close_stream(&mut self, request: u64, has_failed: bool) {
        if self.streams.close(request, has_failed) && !self.owns(request) {
            self.settle(request);
        }
        self.count();
    }

    /// The instance is told to leave: it may linger once for that.
    pub fn leaves(&mut self) {
        self.is_leaving = true;
    }

    /// A request starts or finishes work after its reply. The deadline bounds such work, from its beginning.
    pub fn linger_for(&mut self, request: u64, is_done: bool) {
        if is_done {
            if self.lingering.remove(&request).is_some() && !self.owns(request) {
                self.settle(request);
            }
        } else if self.replies.contains_key(&request)
            || self.streams.is_open(request)
            || request == 0 && std::mem::take(&mut self.is_leaving)
        {
            let (execution, linger) = (self.execution.clone(), self.linger);
            execution.lingers.notify_one();
            if self.lingering.len() >= MOST_LINGERING {
                tracing::error!(
                    request,
                    "{MOST_LINGERING} requests have work left after their replies, and their instance was ended"
                );
                return execution.overstayed.notify_one();
            }
            self.lingering.entry(request).or_insert_with(|| {
                let timer = tokio::spawn(async move {
                    tokio::time::sleep(linger).await;
                    let limit = limit_name::of(Limit::Deadline);
                    tracing::error!(
                        request,
                        "the work after the reply took longer than the deadline, and its instance was ended ({limit})"
                    );
                    execution.overstayed.notify_one();
                });
                AbortOnDrop(timer.abort_handle())
            });
        }
        self.count();
    }

    /// Read part of an uploaded file; empty for a request of another instance.
    pub fn read_upload(&self, request: u64, file: usize, offset: u64, size: usize) -> Vec<u8> {
        self.uploads.get(&request).map(|uploads| uploads.read(file, offset, size)).unwrap_or_default()
    }
}

/// Aborts a task when dropped.
struct AbortOnDrop(AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl WasiView for HostState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

/// Growth is denied, not trapped: Python raises MemoryError in the handler that allocates, and other requests in the
/// instance may still finish before it is retired.
#[async_trait]
impl ResourceLimiterAsync for HostState {
    async fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _max: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let granted = desired <= self.memory_limit;
        // The first growth, from zero, is the initial memory.
        if granted && current > 0 {
            let before = self.grown;
            self.grown += desired - current;
            // The guest has used the previous growth since, and zeroing it took time between two ticks.
            if before / SHARE < self.grown / SHARE {
                self.execution.clone().give_way().await;
            }
        }
        if !granted && !self.execution.is_exhausted() {
            self.execution.exhaust();
            let (request, limit) = (self.execution.serving(), limit_name::of(Limit::Memory));
            tracing::warn!(
                app = &*self.name,
                request,
                "an instance was refused memory, and ends when it has finished its requests ({limit})"
            );
        }
        Ok(granted)
    }

    async fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _max: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(desired <= TABLE_ELEMENTS)
    }
}
