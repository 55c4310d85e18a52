//! The vital signs of an instance: whether its guest runs, for whom, since when, and what it has used.
//!
//! They are written by the instance's driver and its host functions, and may be read from any thread.

use crate::util::locks::lock;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

/// How often a computing guest gives its thread to others: after one to two of these.
pub const TICK: Duration = Duration::from_millis(1);

/// Some guest has been at work since the last call. Written once a tick at most: workers share it.
static IS_BUSY: AtomicBool = AtomicBool::new(false);

/// Whether a guest was at work since this was asked last.
pub fn was_busy() -> bool {
    IS_BUSY.swap(false, Ordering::Relaxed)
}

fn mark_busy() {
    if !IS_BUSY.load(Ordering::Relaxed) {
        IS_BUSY.store(true, Ordering::Relaxed);
    }
}

/// Microseconds since the first call, and never 0.
fn clock() -> u64 {
    static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    START.get_or_init(std::time::Instant::now).elapsed().as_micros() as u64 + 1
}

/// Processor time of this thread.
fn thread_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// A request used more processor time than it may.
#[derive(Debug)]
pub struct CpuExhausted(pub u64);

impl std::fmt::Display for CpuExhausted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "request {} used up its processor time", self.0)
    }
}

impl std::error::Error for CpuExhausted {}

#[derive(Debug)]
pub struct Execution {
    /// When the guest was entered, in microseconds of [`clock`]; 0 while it rests.
    entered: AtomicU64,
    /// The ticks at which it was interrupted since then.
    interrupted: AtomicU32,
    /// When its driver last got the thread, in microseconds of [`clock`].
    resumed: AtomicU64,
    /// It waits for its turn to compute.
    yielding: AtomicBool,
    /// The request that it computes for.
    serving: AtomicU64,
    in_flight: AtomicUsize,
    /// The guest asked for more memory than it may have. It may be half-broken: retire it.
    exhausted: AtomicBool,
    /// Work after a reply took too long: the instance has to end.
    pub overstayed: Notify,
    /// There is work for after a reply: the guest's event loop is needed.
    pub lingers: Notify,
    turns: Arc<Semaphore>,
    turn: Mutex<Option<OwnedSemaphorePermit>>,
    meter: Option<Mutex<Meter>>,
}

/// Processor time by request. Kept only where there is a budget: reading the clock is a system call.
#[derive(Debug)]
struct Meter {
    budget: Duration,
    /// Reading of the thread's clock when the guest last got the thread.
    since: Duration,
    request: u64,
    used: HashMap<u64, Duration>,
}

impl Meter {
    fn read(&mut self) {
        let now = thread_time();
        *self.used.entry(self.request).or_default() += now.saturating_sub(self.since);
        self.since = now;
    }
}

impl Execution {
    /// `turns`: see [`Worker`](crate::pool::pool::Worker). `budget`: processor time that a request may use.
    pub fn new(turns: Arc<Semaphore>, budget: Option<Duration>) -> Arc<Self> {
        let meter = budget.map(|budget| {
            Mutex::new(Meter { budget, since: thread_time(), request: 0, used: HashMap::new() })
        });
        Arc::new(Self {
            entered: AtomicU64::new(0),
            interrupted: AtomicU32::new(0),
            resumed: AtomicU64::new(0),
            yielding: AtomicBool::new(false),
            serving: AtomicU64::new(0),
            in_flight: AtomicUsize::new(0),
            exhausted: AtomicBool::new(false),
            overstayed: Notify::new(),
            lingers: Notify::new(),
            turns,
            turn: Mutex::default(),
            meter,
        })
    }

    /// For an instance that has a thread to itself.
    pub fn alone() -> Arc<Self> {
        Self::new(Arc::new(Semaphore::new(1)), None)
    }

    /// The guest is about to run.
    pub fn entered(&self) {
        mark_busy();
        self.interrupted.store(0, Ordering::Relaxed);
        self.entered.store(clock(), Ordering::Relaxed);
    }

    /// The guest gave the thread back of its own will.
    pub fn rested(&self) {
        self.entered.store(0, Ordering::Relaxed);
    }

    /// Between entering and resting. Seen from outside a poll of its driver: it was suspended midway.
    pub fn is_inside(&self) -> bool {
        self.entered.load(Ordering::Relaxed) != 0
    }

    /// The ticks at which the guest was interrupted since it was entered.
    pub fn interrupted(&self) -> u32 {
        self.interrupted.load(Ordering::Relaxed)
    }

    /// It was interrupted for the first time and waits to go on: a burst of short handlers may take that long.
    pub fn may_be_a_burst(&self) -> bool {
        self.yielding.load(Ordering::Relaxed) && self.interrupted() == 1
    }

    /// How long the guest has been running without a rest.
    pub fn held(&self) -> Duration {
        match self.entered.load(Ordering::Relaxed) {
            0 => Duration::ZERO,
            entered => Duration::from_micros(clock().saturating_sub(entered)),
        }
    }

    /// Requests that were begun and have no reply yet.
    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    pub fn set_in_flight(&self, count: usize) {
        self.in_flight.store(count, Ordering::Relaxed);
    }

    pub fn exhaust(&self) {
        self.exhausted.store(true, Ordering::Relaxed);
    }

    pub fn is_exhausted(&self) -> bool {
        self.exhausted.load(Ordering::Relaxed)
    }

    /// The request that the guest computes for.
    pub fn serving(&self) -> u64 {
        self.serving.load(Ordering::Relaxed)
    }

    /// From now on the guest computes for `request`.
    pub fn serve(&self, request: u64) {
        self.serving.store(request, Ordering::Relaxed);
        if let Some(meter) = &self.meter {
            let mut meter = lock(meter);
            meter.read();
            meter.request = request;
        }
    }

    /// The account of `request` is closed.
    pub fn settle(&self, request: u64) {
        if let Some(meter) = &self.meter {
            lock(meter).used.remove(&request);
        }
    }

    /// The driver gets the thread.
    pub fn resumed(&self) {
        self.resumed.store(clock(), Ordering::Relaxed);
        if let Some(meter) = &self.meter {
            lock(meter).since = thread_time();
        }
    }

    /// True when the driver has had the thread for a while: others want to be served, too.
    pub fn has_had_enough(&self) -> bool {
        clock().saturating_sub(self.resumed.load(Ordering::Relaxed)) >= TICK.as_micros() as u64
    }

    /// The driver gives the thread back, and whoever waits for a turn to compute gets it.
    pub fn suspended(&self) {
        if let Some(meter) = &self.meter {
            lock(meter).read();
        }
        lock(&self.turn).take();
    }

    /// At a tick: an error when the request that the guest computes for has used up its budget.
    pub fn check_budget(&self) -> Result<(), CpuExhausted> {
        let Some(meter) = &self.meter else { return Ok(()) };
        let mut meter = lock(meter);
        meter.read();
        let request = meter.request;
        let used = meter.used.get(&request).copied().unwrap_or_default();
        // Before the first request the guest computes for itself.
        if request != 0 && used > meter.budget { Err(CpuExhausted(request)) } else { Ok(()) }
    }

    /// At a tick: true when the guest has run for a while. It may have been entered just before the tick, or have
    /// rested for many.
    pub fn is_due(&self) -> bool {
        self.held() >= TICK
    }

    /// Return when the guest may go on. Handlers that compute take turns, and between two turns the thread looks at
    /// its sockets once: another connection waits for one slice, however many compute. Tokio's own yield is used
    /// because it lets the I/O driver run first; after a plain wake-up sockets would be looked at only at every
    /// 61st poll.
    pub async fn give_way(self: Arc<Self>) {
        mark_busy();
        self.interrupted.fetch_add(1, Ordering::Relaxed);
        self.yielding.store(true, Ordering::Relaxed);
        drop(lock(&self.turn).take());
        let turn = self.turns.clone().acquire_owned().await.ok();
        tokio::task::yield_now().await;
        // A request that came in has woken the instance it is for, which is behind this one in the worker's queue.
        tokio::task::yield_now().await;
        *lock(&self.turn) = turn;
        self.yielding.store(false, Ordering::Relaxed);
    }
}
