//! What one instance owns on the host's side: WASI, its limits, its alarm, the replies it owes.
//!
//! The host functions of `wit/bolt.wit` are implemented here. A guest sees no files, no network, no
//! environment and no arguments.

use crate::bindings::bolt::host::host::{Host, HostWithStore, Level};
use crate::component::TICK;
use crate::guestlog::{GuestLog, GuestStream};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;
use wasmtime::component::{Accessor, HasData, Linker, ResourceTable};
use wasmtime::{Engine, ResourceLimiter, Store, UpdateDeadline};
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

/// Largest table of a guest; a CPython component has about 5 700 entries.
pub const TABLE_ELEMENTS: usize = 50_000;

/// Microseconds since the first call, and never 0.
fn clock() -> u64 {
    static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    START.get_or_init(std::time::Instant::now).elapsed().as_micros() as u64 + 1
}

/// Seen from outside while the guest runs.
#[derive(Debug, Default)]
pub struct Vitals {
    /// When the guest was entered, in microseconds of [`clock`]; 0 while it rests.
    entered: AtomicU64,
    /// The guest asked for more memory than it may have. It may be half-broken: retire it.
    exhausted: AtomicBool,
}

impl Vitals {
    /// The guest has held on for longer than a tick: it computes, or it blocks where it should await.
    pub fn is_busy(&self) -> bool {
        self.held() > 2 * TICK
    }

    /// How long the guest has been running without a rest.
    pub fn held(&self) -> Duration {
        match self.entered.load(Ordering::Relaxed) {
            0 => Duration::ZERO,
            entered => Duration::from_micros(clock().saturating_sub(entered)),
        }
    }

    /// The guest is about to run.
    pub fn entered(&self) {
        self.entered.store(clock(), Ordering::Relaxed);
    }

    pub fn is_exhausted(&self) -> bool {
        self.exhausted.load(Ordering::Relaxed)
    }

    /// The guest gave the thread back of its own will.
    pub fn rested(&self) {
        self.entered.store(0, Ordering::Relaxed);
    }
}

/// The data of an instance's store.
pub struct GuestState {
    wasi: WasiCtx,
    table: ResourceTable,
    memory_limit: usize,
    pub vitals: Arc<Vitals>,
    alarm: Arc<Alarm>,
    /// Where the replies of waiting `async def` handlers go, by request.
    pub replies: HashMap<u64, oneshot::Sender<String>>,
    log: GuestLog,
}

impl GuestState {
    /// A store with a fresh state. `app` names the guest in the log.
    pub fn store(engine: &Engine, app: Arc<str>, memory_limit: usize) -> Store<Self> {
        let log = GuestLog::new(app);
        let mut wasi = WasiCtxBuilder::new();
        wasi.stdout(log.stream(GuestStream::Stdout));
        wasi.stderr(log.stream(GuestStream::Stderr));
        let state = Self {
            wasi: wasi.build(),
            table: ResourceTable::new(),
            memory_limit,
            vitals: Arc::default(),
            alarm: Arc::default(),
            replies: HashMap::new(),
            log,
        };
        let mut store = Store::new(engine, state);
        store.limiter(|state| state);
        store.set_epoch_deadline(1);
        // At each tick a computing guest lets the thread go, so other connections are served and deadlines
        // fire. Tokio's own yield is used because it lets the I/O driver run first: a plain wake-up would put
        // the guest back in the run queue and sockets would be looked at only every 61st time.
        store.epoch_deadline_callback(|_| {
            Ok(UpdateDeadline::YieldCustom(1, Box::pin(tokio::task::yield_now())))
        });
        store
    }

    /// Attribute raw output of the guest to `request`.
    pub fn serving(&mut self, request: u64) {
        self.log.serving(request);
    }
}

/// Offer WASI and the host's functions to every component.
pub fn link(linker: &mut Linker<GuestState>) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_async(linker)?;
    crate::bindings::bolt::host::host::add_to_linker::<_, GuestData>(linker, |state| state)
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
impl ResourceLimiter for GuestState {
    fn memory_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _max: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let granted = desired <= self.memory_limit;
        if !granted {
            self.vitals.exhausted.store(true, Ordering::Relaxed);
        }
        Ok(granted)
    }

    fn table_growing(
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
        // Nobody waits any more when the client hung up or the deadline passed.
        if let Some(waiting) = self.replies.remove(&request) {
            let _ = waiting.send(reply);
        }
        Ok(())
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
        // The SDK parks once. A guest that parks a million times must not make the host hold a million timers.
        if alarm.parked.swap(true, Ordering::Relaxed) {
            return std::future::pending().await;
        }
        vitals.rested();
        alarm.ring().await;
        alarm.parked.store(false, Ordering::Relaxed);
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

/// The one timer of an instance.
#[derive(Debug, Default)]
struct Alarm {
    at: std::sync::Mutex<Option<Instant>>,
    changed: Notify,
    parked: AtomicBool,
}

impl Alarm {
    /// A century stands for "never" and keeps the addition from overflowing.
    const FAR: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

    fn set(&self, delay: Duration) {
        *lock(&self.at) = Some(Instant::now() + delay.min(Self::FAR));
        self.changed.notify_one();
    }

    async fn ring(&self) {
        loop {
            let at = *lock(&self.at);
            let changed = self.changed.notified();
            match at {
                None => changed.await,
                Some(at) => {
                    if tokio::time::timeout_at(at, changed).await.is_err() {
                        *lock(&self.at) = None;
                        return;
                    }
                }
            }
        }
    }
}

/// No code panics while it holds one of these locks, and the data stays whole if it did.
pub fn lock<T>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
