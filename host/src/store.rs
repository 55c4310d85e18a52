//! What one instance owns on the host's side: WASI, its limits, its alarm, the replies it owes.
//!
//! The host functions of `wit/bolt.wit` are implemented here. A guest sees no network and no
//! arguments; it sees the environment and the files it was granted, and a runner those of its app until they are loaded.

use crate::alarm::Alarm;
use crate::bindings::bolt::host::host::{Host, HostWithStore, Level};
use crate::component::Loaded;
use crate::exchanges::Exchanges;
use crate::guestlog::{GuestLog, GuestStream};
use crate::outbound::Outbound;
use crate::source;
use crate::uploads::Uploads;
use crate::vitals::Vitals;
use async_trait::async_trait;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use wasmtime::component::{Accessor, HasData, Linker, ResourceTable};
use wasmtime::{ResourceLimiterAsync, Store, UpdateDeadline};
use wasmtime_wasi::{FsPerms, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

/// Largest table of a guest; a CPython component has about 5 700 entries.
pub const TABLE_ELEMENTS: usize = 50_000;

/// By so much a memory grows before its guest gives the thread to others: the kernel takes half a millisecond to clear it,
/// and no tick interrupts that. In bytes.
const SHARE: usize = 1024 * 1024;

/// The data of an instance's store.
pub struct GuestState {
    wasi: WasiCtx,
    table: ResourceTable,
    memory_limit: usize,
    /// By how much its memory has grown, in bytes.
    grown: usize,
    pub vitals: Arc<Vitals>,
    alarm: Arc<Alarm>,
    /// Where the replies of handlers that were begun go, by request.
    replies: HashMap<u64, oneshot::Sender<String>>,
    /// The files that those requests came with.
    uploads: HashMap<u64, Arc<Uploads>>,
    /// Requests that are answered and have something left to be done, each with the timer that bounds it.
    lingering: HashMap<u64, AbortOnDrop>,
    linger: Duration,
    log: GuestLog,
    pub exchanges: Exchanges,
}

impl GuestState {
    /// A store with a fresh state.
    pub fn store(
        component: &Loaded,
        vitals: Arc<Vitals>,
        outbound: Arc<Outbound>,
    ) -> wasmtime::Result<Store<Self>> {
        let log = GuestLog::new(component.name.clone(), component.log_rate.clone());
        let alarm = Arc::<Alarm>::default();
        let mut wasi = WasiCtxBuilder::new();
        wasi.stdout(log.stream(GuestStream::Stdout));
        wasi.stderr(log.stream(GuestStream::Stderr));
        wasi.envs(&component.env);
        // The first one: the guest closes it by its number.
        if let Some(source) = &component.source {
            wasi.preopened_dir(&source.app.folder, source::APP_FOLDER, FsPerms::ReadOnly)?;
        }
        for folder in component.folders.iter() {
            let perms = if folder.write { FsPerms::ReadWrite } else { FsPerms::ReadOnly };
            wasi.preopened_dir(&folder.place, &folder.name, perms)?;
        }
        let state = Self {
            wasi: wasi.build(),
            table: ResourceTable::new(),
            memory_limit: component.memory_limit,
            grown: 0,
            vitals,
            exchanges: Exchanges::new(outbound, component.max_exchanges, alarm.clone()),
            alarm,
            replies: HashMap::new(),
            uploads: HashMap::new(),
            lingering: HashMap::new(),
            linger: component.linger,
            log,
        };
        let mut store = Store::new(&component.engine, state);
        store.limiter_async(|state| state);
        store.set_epoch_deadline(1);
        // At each tick a computing guest lets the thread go, so other connections are served and deadlines fire.
        store.epoch_deadline_callback(|store| {
            let vitals = &store.data().vitals;
            vitals.check_budget()?;
            if !vitals.is_due() {
                return Ok(UpdateDeadline::Continue(1));
            }
            Ok(UpdateDeadline::YieldCustom(1, Box::pin(vitals.clone().give_way())))
        });
        Ok(store)
    }

    /// By how much its memory has grown, in bytes.
    pub fn grown(&self) -> usize {
        self.grown
    }

    pub fn alarm(&self) -> Arc<Alarm> {
        self.alarm.clone()
    }

    /// A handler is about to be started; `reply` is where its reply goes.
    pub fn begin(&mut self, request: u64, reply: oneshot::Sender<String>, uploads: Option<Arc<Uploads>>) {
        self.serve(request);
        self.replies.insert(request, reply);
        self.uploads.extend(uploads.map(|uploads| (request, uploads)));
        self.count();
    }

    fn count(&self) {
        self.vitals.set_in_flight(self.replies.len() + self.lingering.len());
    }

    /// From now on the guest computes for `request`.
    fn serve(&mut self, request: u64) {
        self.log.serving(request);
        self.vitals.serve(request);
    }

    /// A handler has replied. Nobody may wait any more: the client hung up, or the deadline passed.
    pub fn answer(&mut self, request: u64, reply: String) {
        if let Some(waiting) = self.replies.remove(&request) {
            self.vitals.settle(request);
            self.uploads.remove(&request);
            self.count();
            let _ = waiting.send(reply);
        }
    }
}

/// Offer WASI and the host's functions to every component.
pub fn link(linker: &mut Linker<GuestState>) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_async(linker)?;
    crate::bindings::bolt::host::host::add_to_linker::<_, GuestData>(linker, |state| state)?;
    crate::bindings::bolt::host::http::add_to_linker::<_, GuestData>(linker, |state| state)
}

/// A task that goes with whoever asked for it.
struct AbortOnDrop(AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

struct GuestData;

impl HasData for GuestData {
    type Data<'a> = &'a mut GuestState;
}

impl WasiView for GuestState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

/// Growth is denied, not trapped: Python raises MemoryError in the handler that asked, and requests that
/// share the instance may still finish before it is retired.
#[async_trait]
impl ResourceLimiterAsync for GuestState {
    async fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _max: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let granted = desired <= self.memory_limit;
        // The first growth is that from nothing to what it begins with.
        if granted && current > 0 {
            let before = self.grown;
            self.grown += desired - current;
            // The memory that was given before has been used since: that took time, between two ticks.
            if before / SHARE < self.grown / SHARE {
                self.vitals.clone().give_way().await;
            }
        }
        if !granted {
            self.vitals.exhaust();
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

impl Host for GuestState {
    fn log(&mut self, request: u64, level: Level, text: String) -> wasmtime::Result<()> {
        self.log.write(request, level.into(), &text);
        Ok(())
    }

    fn reply(&mut self, request: u64, reply: String) -> wasmtime::Result<()> {
        self.answer(request, reply);
        Ok(())
    }

    fn serving(&mut self, request: u64) -> wasmtime::Result<()> {
        self.serve(request);
        Ok(())
    }

    fn linger(&mut self, request: u64, done: bool) -> wasmtime::Result<()> {
        if done {
            self.lingering.remove(&request);
        } else if request == 0 || self.replies.contains_key(&request) {
            let (vitals, linger) = (self.vitals.clone(), self.linger);
            vitals.lingers.notify_one();
            let timer = tokio::spawn(async move {
                tokio::time::sleep(linger).await;
                tracing::error!(
                    request,
                    "the work after the reply took longer than the deadline, and its instance was ended (--deadline)"
                );
                vitals.overstayed.notify_one();
            });
            self.lingering.insert(request, AbortOnDrop(timer.abort_handle()));
        }
        self.count();
        Ok(())
    }

    fn upload(&mut self, request: u64, file: u32, offset: u64, size: u32) -> wasmtime::Result<Vec<u8>> {
        let uploads = self.uploads.get(&request);
        Ok(uploads.map(|uploads| uploads.read(file as usize, offset, size as usize)).unwrap_or_default())
    }

    fn alarm(&mut self, delay: u64) -> wasmtime::Result<()> {
        self.alarm.set(Duration::from_nanos(delay));
        Ok(())
    }
}

impl HostWithStore<GuestState> for GuestData {
    async fn park(accessor: &Accessor<GuestState, Self>) {
        let (alarm, vitals) = accessor.with(|mut access| {
            let state = access.get();
            (state.alarm.clone(), state.vitals.clone())
        });
        vitals.rested();
        alarm.park().await;
        vitals.entered();
    }
}

impl From<Level> for GuestStream {
    fn from(level: Level) -> Self {
        match level {
            Level::Stdout => Self::Stdout,
            Level::Stderr => Self::Stderr,
            Level::Error => Self::Error,
        }
    }
}
