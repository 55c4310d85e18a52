//! The execution state of an instance: whether its guest runs, for which request, since when, and its processor time.
//!
//! The instance's driver and host functions write it; any thread may read it.

use crate::util::locks::lock;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

/// Time slice of a computing guest: it yields its thread after one to two of these.
pub const TICK: Duration = Duration::from_millis(1);

/// Whether a guest has run since the last [`was_busy`]. Written at most once a tick, because workers share it.
static IS_BUSY: AtomicBool = AtomicBool::new(false);

/// Whether a guest has run since the last call.
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

/// A request exceeded its processor budget.
#[derive(Debug, thiserror::Error)]
#[error("request {0} used up its processor time")]
pub struct CpuExhausted(pub u64);

#[derive(Debug)]
pub struct Execution {
    /// When the guest was entered, in microseconds of [`clock`]; 0 while it does not run.
    entered: AtomicU64,
    /// A tick found it running although it was noted as resting, and set `entered`.
    is_unnoted: AtomicBool,
    /// How many ticks have interrupted it since then.
    interrupted: AtomicU32,
    /// When its driver was last polled, in microseconds of [`clock`].
    resumed: AtomicU64,
    /// It waits for its turn to compute.
    yielding: AtomicBool,
    /// The request that the guest works on.
    serving: AtomicU64,
    in_flight: AtomicUsize,
    /// The guest was denied memory, so its state may be inconsistent: retire it.
    exhausted: AtomicBool,
    /// Work after a reply exceeded the deadline: the instance has to end.
    pub overstayed: Notify,
    /// A handler left work for after its reply: the guest's event loop has to run.
    pub lingers: Notify,
    turns: Arc<Semaphore>,
    turn: Mutex<Option<OwnedSemaphorePermit>>,
    meter: Option<Mutex<Meter>>,
}

/// Processor time by request. Kept only if there is a budget: reading the clock is a system call.
#[derive(Debug)]
struct Meter {
    budget: Duration,
    /// Reading of the thread's clock when the guest last resumed.
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
    /// `turns`: see [`Worker`](crate::pool::worker::Worker). `budget`: processor time that a request may use.
    pub fn new(turns: Arc<Semaphore>, budget: Option<Duration>) -> Arc<Self> {
        let meter = budget.map(|budget| {
            Mutex::new(Meter { budget, since: thread_time(), request: 0, used: HashMap::new() })
        });
        Arc::new(Self {
            entered: AtomicU64::new(0),
            is_unnoted: AtomicBool::new(false),
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

    /// For an instance that does not share its thread.
    pub fn alone() -> Arc<Self> {
        Self::new(Arc::new(Semaphore::new(1)), None)
    }

    /// The guest is about to run.
    pub fn entered(&self) {
        mark_busy();
        self.interrupted.store(0, Ordering::Relaxed);
        self.is_unnoted.store(false, Ordering::Relaxed);
        self.entered.store(clock(), Ordering::Relaxed);
    }

    /// The guest gave up the thread voluntarily.
    pub fn rested(&self) {
        self.entered.store(0, Ordering::Relaxed);
    }

    /// True while the guest runs. Between two polls of its driver this means that it was suspended midway.
    pub fn is_inside(&self) -> bool {
        self.entered.load(Ordering::Relaxed) != 0
    }

    /// How many ticks have interrupted the guest since it was entered.
    pub fn interrupted(&self) -> u32 {
        self.interrupted.load(Ordering::Relaxed)
    }

    /// It was interrupted once and waits to resume: a burst of short handlers may take that long.
    pub fn may_be_a_burst(&self) -> bool {
        self.yielding.load(Ordering::Relaxed) && self.interrupted() == 1
    }

    /// How long the guest has run without giving up the thread.
    pub fn held(&self) -> Duration {
        match self.entered.load(Ordering::Relaxed) {
            0 => Duration::ZERO,
            entered => Duration::from_micros(clock().saturating_sub(entered)),
        }
    }

    /// Requests that were started and are not finished, including work after their reply.
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

    /// The request that the guest works on.
    pub fn serving(&self) -> u64 {
        self.serving.load(Ordering::Relaxed)
    }

    /// The guest now works on `request`.
    pub fn serve(&self, request: u64) {
        self.serving.store(request, Ordering::Relaxed);
        if let Some(meter) = &self.meter {
            let mut meter = lock(meter);
            meter.read();
            meter.request = request;
        }
    }

    /// Drop the processor time of `request`.
    pub fn settle(&self, request: u64) {
        if let Some(meter) = &self.meter {
            lock(meter).used.remove(&request);
        }
    }

    /// The driver is being polled.
    pub fn resumed(&self) {
        self.resumed.store(clock(), Ordering::Relaxed);
        if let Some(meter) = &self.meter {
            lock(meter).since = thread_time();
        }
    }

    /// True when the driver has had the thread for a tick and should yield to others.
    pub fn has_had_enough(&self) -> bool {
        clock().saturating_sub(self.resumed.load(Ordering::Relaxed)) >= TICK.as_micros() as u64
    }

    /// The driver's poll ends, and the next instance gets the turn to compute.
    pub fn suspended(&self) {
        // No call will note that such a guest rests. Unless a tick has suspended it midway, it does now.
        if self.is_unnoted.load(Ordering::Relaxed) && !self.yielding.load(Ordering::Relaxed) {
            self.is_unnoted.store(false, Ordering::Relaxed);
            self.rested();
        }
        if let Some(meter) = &self.meter {
            lock(meter).read();
        }
        lock(&self.turn).take();
    }

    /// At a tick: fail if the current request has exceeded its budget.
    pub fn check_budget(&self) -> Result<(), CpuExhausted> {
        let Some(meter) = &self.meter else { return Ok(()) };
        let mut meter = lock(meter);
        meter.read();
        let request = meter.request;
        let used = meter.used.get(&request).copied().unwrap_or_default();
        // Request 0 is the guest's own work before its first request.
        if request != 0 && used > meter.budget { Err(CpuExhausted(request)) } else { Ok(()) }
    }

    /// At a tick: whether the guest has run for a time slice. A guest at a tick runs, whatever was noted: the event loop may
    /// have parked after a call had been noted as entered and before the guest began it. Without this such a call computed
    /// for ever. From this tick on its time counts. It may also be about to rest, because it parks before it returns: see
    /// [`suspended`](Self::suspended).
    pub fn is_due(&self) -> bool {
        if !self.is_inside() {
            self.entered();
            self.is_unnoted.store(true, Ordering::Relaxed);
        }
        self.held() >= TICK
    }

    /// Yield the thread, and return when the guest may resume. Computing handlers take turns, and the thread polls its
    /// sockets between two turns: another connection waits for one slice, however many handlers compute. `yield_now`
    /// lets tokio's I/O driver run first; after a plain wake-up sockets would be polled only at every 61st poll.
    pub async fn give_way(self: Arc<Self>) {
        mark_busy();
        self.interrupted.fetch_add(1, Ordering::Relaxed);
        self.yielding.store(true, Ordering::Relaxed);
        drop(lock(&self.turn).take());
        let turn = self.turns.clone().acquire_owned().await.ok();
        tokio::task::yield_now().await;
        // A request that arrived has woken its instance, which is behind this one in the worker's run queue.
        tokio::task::yield_now().await;
        *lock(&self.turn) = turn;
        self.yielding.store(false, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::pin;
    use std::task::{Context, Waker};

    #[tokio::test]
    async fn a_guest_that_was_noted_as_resting_has_to_yield_all_the_same() {
        let execution = Execution::alone();
        execution.entered();
        execution.rested();
        assert!(!execution.is_due());
        assert!(execution.is_inside() && was_busy());
        std::thread::sleep(2 * TICK);
        assert!(execution.is_due());
        let mut way = pin!(execution.clone().give_way());
        assert!(way.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        execution.suspended();
        assert!(execution.is_inside());
        way.await;
        execution.suspended();
        assert!(!execution.is_inside());
    }

    #[test]
    fn a_tick_while_the_guest_parks_does_not_make_it_busy() {
        let execution = Execution::alone();
        execution.rested();
        assert!(!execution.is_due());
        execution.suspended();
        assert!(!execution.is_inside());
        // A call that was noted stays so: it may wait for the host within a call.
        assert!(!execution.is_due());
        execution.entered();
        execution.suspended();
        assert!(execution.is_inside());
    }
}
