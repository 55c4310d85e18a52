//! The execution state of an instance: whether its guest runs, for which request, since when, and its processor time.
//!
//! The instance's driver and host functions write it; any thread may read it.

use crate::quota::processor::WEIGHT;
use crate::sandbox::turn::{Core, CoreShare, Turn, thread_time};
use crate::util::locks::lock;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Notify;

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

/// A request exceeded its processor budget; 0: the guest did, between requests.
#[derive(Debug, thiserror::Error)]
#[error("request {0} used up its processor time")]
pub struct CpuExhausted(pub u64);

#[derive(Debug)]
pub struct Execution {
    /// When the guest was entered, in microseconds of [`clock`]; 0 while it does not run.
    entered: AtomicU64,
    /// A tick found it running although it was noted as resting, and set `entered`.
    is_unnoted: AtomicBool,
    /// When its driver was last polled, in microseconds of [`clock`].
    resumed: AtomicU64,
    /// A tick has interrupted it, and it has not resumed.
    yielding: AtomicBool,
    /// The last poll ended in the middle of a call that goes on at once.
    goes_on: AtomicBool,
    /// How long it had had the thread by then, in microseconds.
    elapsed: AtomicU64,
    /// The request that the guest works on.
    serving: AtomicU64,
    in_flight: AtomicUsize,
    /// The guest was denied memory, so its state may be inconsistent: retire it.
    exhausted: AtomicBool,
    /// It is about to be ended.
    condemned: AtomicBool,
    /// Work after a reply exceeded the deadline: the instance has to end.
    pub overstayed: Notify,
    /// A handler left work for after its reply: the guest's event loop has to run.
    pub lingers: Notify,
    turn: Turn,
    meter: Option<Mutex<Meter>>,
}

/// Processor time by request. Kept only if there is a budget: reading the clock is a system call.
#[derive(Debug)]
struct Meter {
    budget: Duration,
    /// Reading of the thread's clock when the guest last resumed.
    since: Duration,
    /// The request that the guest works on; 0 for none.
    request: u64,
    /// Of the requests in flight.
    used: HashMap<u64, Duration>,
    /// Of the guest outside of requests, less a budget for each request that began. `None` before the first one: a start may
    /// take longer than a request, and has a limit of its own.
    unowned: Option<Duration>,
}

impl Meter {
    fn read(&mut self) {
        let now = thread_time();
        let spent = now.saturating_sub(self.since);
        self.since = now;
        match self.used.get_mut(&self.request) {
            Some(used) => *used += spent,
            None => self.unowned = self.unowned.map(|used| used + spent),
        }
    }

    fn is_exceeded(&self) -> bool {
        let used = self.used.get(&self.request).copied().or(self.unowned);
        used.is_some_and(|used| used > self.budget)
    }
}

impl Execution {
    /// `share`: its app's share of its worker's core. `budget`: processor time that a request may use.
    pub fn new(share: Arc<CoreShare>, budget: Option<Duration>) -> Arc<Self> {
        let meter = budget.map(|budget| {
            Mutex::new(Meter {
                budget,
                since: thread_time(),
                request: 0,
                used: HashMap::new(),
                unowned: None,
            })
        });
        Arc::new(Self {
            entered: AtomicU64::new(0),
            is_unnoted: AtomicBool::new(false),
            resumed: AtomicU64::new(0),
            yielding: AtomicBool::new(false),
            goes_on: AtomicBool::new(false),
            elapsed: AtomicU64::new(0),
            serving: AtomicU64::new(0),
            in_flight: AtomicUsize::new(0),
            exhausted: AtomicBool::new(false),
            condemned: AtomicBool::new(false),
            overstayed: Notify::new(),
            lingers: Notify::new(),
            turn: Turn::new(share),
            meter,
        })
    }

    /// For an instance that does not share its thread.
    pub fn alone() -> Arc<Self> {
        Self::new(Core::new(1).share(WEIGHT), None)
    }

    /// The guest is about to run.
    pub fn entered(&self) {
        mark_busy();
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

    /// It was suspended midway, and others should take the calls that wait for it: it waits for the host, or has computed
    /// for long. One that only yields to the sockets soon ends.
    pub fn is_stuck(&self) -> bool {
        let (yields, goes_on) = (self.yielding.load(Ordering::Relaxed), self.goes_on.load(Ordering::Relaxed));
        self.is_inside() && (!yields && !goes_on || self.turn.is_long())
    }

    /// Return when it is this instance's turn to compute. To be awaited before the guest is entered.
    pub async fn turn(&self) {
        self.turn.take().await;
    }

    /// The instance has ended.
    pub fn ended(&self) {
        self.turn.end();
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

    /// The guest now works on `request`, which it has begun and not finished; 0 for none.
    pub fn serve(&self, request: u64) {
        self.serving.store(request, Ordering::Relaxed);
        if let Some(meter) = &self.meter {
            let mut meter = lock(meter);
            meter.read();
            meter.request = request;
        }
    }

    /// The guest begins to work on a new request.
    pub fn begin(&self, request: u64) {
        if let Some(meter) = &self.meter {
            let mut meter = lock(meter);
            meter.read();
            meter.used.insert(request, Duration::ZERO);
            meter.unowned = Some(meter.unowned.unwrap_or_default().saturating_sub(meter.budget));
        }
        self.serve(request);
    }

    /// The budget of `request` begins anew.
    pub fn renew(&self, request: u64) {
        if let Some(meter) = &self.meter {
            let mut meter = lock(meter);
            meter.read();
            if let Some(used) = meter.used.get_mut(&request) {
                *used = Duration::ZERO;
            }
        }
    }

    /// The work on `request` is over. What the guest computes from now on is its own.
    pub fn settle(&self, request: u64) {
        if self.serving() == request {
            self.serve(0);
        }
        if let Some(meter) = &self.meter {
            lock(meter).used.remove(&request);
        }
    }

    /// Nobody waits for the reply that the guest gave: its instance is about to be ended.
    pub fn condemn(&self) {
        self.condemned.store(true, Ordering::Relaxed);
    }

    /// Its instance is about to be ended, so it must not begin another request.
    pub fn is_condemned(&self) -> bool {
        self.condemned.load(Ordering::Relaxed)
    }

    /// The driver is being polled.
    pub fn resumed(&self) {
        // After a tick it still has the turn, and lets others have theirs once the call is over: else it would never be due for
        // that, and be taken for one long job.
        if self.goes_on.load(Ordering::Relaxed) {
            let elapsed = self.elapsed.load(Ordering::Relaxed);
            self.resumed.store(clock().saturating_sub(elapsed), Ordering::Relaxed);
            self.turn.resume();
        } else if !self.yielding.load(Ordering::Relaxed) {
            self.resumed.store(clock(), Ordering::Relaxed);
        }
        if let Some(meter) = &self.meter {
            lock(meter).since = thread_time();
        }
    }

    /// True when the driver has had the thread for a tick and should yield to others.
    pub fn has_had_enough(&self) -> bool {
        clock().saturating_sub(self.resumed.load(Ordering::Relaxed)) >= TICK.as_micros() as u64
    }

    /// The driver's poll ends. Unless a tick has suspended the guest midway, the next instance has the turn to compute.
    /// `is_woken`: the driver is polled again at once. wasmtime ends a poll so in the middle of a call, about once after a
    /// tick; if another instance had the turn then, the call would wait for all instances that wait, which was the tail of
    /// equal jobs: 6 % of them took three times as long.
    pub fn suspended(&self, is_woken: bool) {
        let goes_on = is_woken && self.is_inside() && !self.is_unnoted.load(Ordering::Relaxed);
        self.goes_on.store(goes_on, Ordering::Relaxed);
        if goes_on {
            let elapsed = clock().saturating_sub(self.resumed.load(Ordering::Relaxed));
            self.elapsed.store(elapsed, Ordering::Relaxed);
            self.turn.pause();
        }
        if !self.yielding.load(Ordering::Relaxed) && !goes_on {
            // No call will note that such a guest rests.
            if self.is_unnoted.swap(false, Ordering::Relaxed) {
                self.rested();
            }
            let resumed = self.resumed.load(Ordering::Relaxed);
            self.turn.give_up(|| Duration::from_micros(clock().saturating_sub(resumed)));
        }
        if let Some(meter) = &self.meter {
            lock(meter).read();
        }
    }

    /// At a tick: fail if the current request has exceeded its budget.
    pub fn check_budget(&self) -> Result<(), CpuExhausted> {
        let Some(meter) = &self.meter else { return Ok(()) };
        let mut meter = lock(meter);
        meter.read();
        if meter.is_exceeded() { Err(CpuExhausted(meter.request)) } else { Ok(()) }
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

    /// Yield the thread, and return when the guest may resume. The worker looks at its sockets meanwhile: `yield_now` lets
    /// tokio's I/O driver run first; after a plain wake-up sockets would be polled only at every 61st poll.
    pub async fn give_way(self: Arc<Self>) {
        mark_busy();
        let used = self.turn.interrupted(TICK);
        self.yielding.store(true, Ordering::Relaxed);
        tokio::task::yield_now().await;
        // A request that arrived has woken its instance, which is behind this one in the worker's run queue. It asks for
        // its turn before this guest is asked whether it goes on.
        tokio::task::yield_now().await;
        self.turn.retake(used).await;
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
        execution.suspended(false);
        assert!(execution.is_inside());
        way.await;
        execution.suspended(false);
        assert!(!execution.is_inside());
    }

    #[test]
    fn a_tick_while_the_guest_parks_does_not_make_it_busy() {
        let execution = Execution::alone();
        execution.rested();
        assert!(!execution.is_due());
        execution.suspended(false);
        assert!(!execution.is_inside());
        // A call that was noted stays so: it may wait for the host within a call.
        assert!(!execution.is_due());
        execution.entered();
        execution.suspended(false);
        assert!(execution.is_inside());
    }
}
