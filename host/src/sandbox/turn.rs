//! An instance's turn to compute: the mechanism that carries out what [`Processor`] decides.
//!
//! A guest has the turn whenever it is entered, and keeps it until it gives up the thread by itself or the policy lets
//! another guest go first. While it yields at a tick, for the sockets' sake, the turn stays with it.

use crate::quota::processor::{Processor, ShareId, Verdict, quantum};
use crate::util::locks::lock;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Notify;

/// The threads of one worker, for whose time guests queue.
#[derive(Debug)]
pub struct Core {
    policy: Mutex<Processor<Arc<Seat>>>,
    /// Guests that have been interrupted while computing, and compute or wait for their turn.
    computing: AtomicUsize,
}

/// One app's share of a core.
#[derive(Debug)]
pub struct CoreShare {
    core: Arc<Core>,
    id: ShareId,
}

impl Core {
    /// `threads`: how many guests compute at a time.
    pub fn new(threads: usize) -> Arc<Self> {
        Arc::new(Self { policy: Mutex::new(Processor::new(threads)), computing: AtomicUsize::new(0) })
    }

    /// A share for another app.
    pub fn share(self: &Arc<Self>, weight: u32) -> Arc<CoreShare> {
        let id = lock(&self.policy).open(weight);
        Arc::new(CoreShare { core: self.clone(), id })
    }

    /// Guests that have been interrupted while computing, and compute or wait for their turn.
    pub fn computing(&self) -> usize {
        self.computing.load(Ordering::Relaxed)
    }
}

impl Drop for CoreShare {
    fn drop(&mut self) {
        lock(&self.core.policy).close(self.id);
    }
}

const AWAY: u8 = 0;
const WAITS: u8 = 1;
const HAS_TURN: u8 = 2;

/// An instance, as the policy knows it. Its state changes under the policy's lock.
#[derive(Debug, Default)]
struct Seat {
    state: AtomicU8,
    granted: Notify,
}

impl Seat {
    fn state(&self) -> u8 {
        self.state.load(Ordering::Relaxed)
    }

    fn set(&self, state: u8) {
        self.state.store(state, Ordering::Relaxed);
    }

    fn grant(&self) {
        self.set(HAS_TURN);
        self.granted.notify_waiters();
    }
}

/// Seats are compared by identity.
impl PartialEq for Seat {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

/// Processor time of this thread.
pub(super) fn thread_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// Processor time of this thread since a reading in microseconds.
fn spent_since(slice: u64) -> Duration {
    thread_time().saturating_sub(Duration::from_micros(slice))
}

/// One instance's place in the queue for its core.
#[derive(Debug)]
pub struct Turn {
    share: Arc<CoreShare>,
    seat: Arc<Seat>,
    /// The level of the job, and the processor time that it used there, in microseconds.
    level: AtomicU8,
    in_level: AtomicU64,
    /// The thread's processor time when the guest resumed after its last tick; 0 before the first tick of a job, so that
    /// short jobs read no clock.
    slice: AtomicU64,
    /// How much of the slice it had used when its poll ended in the middle of a call, in microseconds.
    paused: AtomicU64,
    /// It was interrupted, and counts as computing.
    is_counted: AtomicBool,
}

impl Turn {
    pub fn new(share: Arc<CoreShare>) -> Self {
        Self {
            share,
            seat: Arc::default(),
            level: AtomicU8::new(0),
            in_level: AtomicU64::new(0),
            slice: AtomicU64::new(0),
            paused: AtomicU64::new(0),
            is_counted: AtomicBool::new(false),
        }
    }

    fn has_it(&self) -> bool {
        self.seat.state() == HAS_TURN
    }

    /// It has used up its first quantum, so jobs that came later may overtake it.
    pub fn is_long(&self) -> bool {
        let in_level = Duration::from_micros(self.in_level.load(Ordering::Relaxed));
        self.level.load(Ordering::Relaxed) > 0 || in_level >= quantum(0)
    }

    /// Return when it is this instance's turn.
    pub async fn take(&self) {
        loop {
            let granted = self.seat.granted.notified();
            if self.has_it() || self.enter() {
                return;
            }
            granted.await;
        }
    }

    fn enter(&self) -> bool {
        let mut policy = lock(&self.share.core.policy);
        if self.seat.state() == AWAY {
            let has_turn = policy.enter(self.share.id, &self.seat);
            self.seat.set(if has_turn { HAS_TURN } else { WAITS });
        }
        self.has_it()
    }

    /// The guest has given up the thread by itself. `since`: how long it computed, if no tick has interrupted it.
    pub fn give_up(&self, since: impl FnOnce() -> Duration) {
        if !self.has_it() {
            return;
        }
        let slice = self.slice.swap(0, Ordering::Relaxed);
        let used = match slice {
            0 => since(),
            slice => spent_since(slice),
        };
        self.level.store(0, Ordering::Relaxed);
        self.in_level.store(0, Ordering::Relaxed);
        self.discount();
        let mut policy = lock(&self.share.core.policy);
        self.seat.set(AWAY);
        if let Some(next) = policy.leave(self.share.id, used) {
            next.grant();
        }
    }

    /// Its poll ends in the middle of a call: until [`resume`](Self::resume) other tasks use the thread.
    pub fn pause(&self) {
        let slice = self.slice.load(Ordering::Relaxed);
        if slice > 0 {
            self.paused.store(spent_since(slice).as_micros() as u64, Ordering::Relaxed);
        }
    }

    pub fn resume(&self) {
        if self.slice.load(Ordering::Relaxed) > 0 {
            let used = self.paused.load(Ordering::Relaxed);
            let now = thread_time().as_micros() as u64;
            self.slice.store(now.saturating_sub(used).max(1), Ordering::Relaxed);
        }
    }

    fn discount(&self) {
        if self.is_counted.swap(false, Ordering::Relaxed) {
            self.share.core.computing.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// A tick interrupts the guest. Returns the processor time since the last one; `tick`: that of the first.
    pub fn interrupted(&self, tick: Duration) -> Duration {
        if !self.is_counted.swap(true, Ordering::Relaxed) {
            self.share.core.computing.fetch_add(1, Ordering::Relaxed);
        }
        match self.slice.load(Ordering::Relaxed) {
            0 => tick,
            slice => spent_since(slice),
        }
    }

    /// Return when the interrupted guest may resume. `used`: its processor time since the last tick.
    pub async fn retake(&self, used: Duration) {
        if self.has_it() {
            self.reconsider(used);
        }
        self.take().await;
        self.slice.store((thread_time().as_micros() as u64).max(1), Ordering::Relaxed);
    }

    fn reconsider(&self, used: Duration) {
        let level = usize::from(self.level.load(Ordering::Relaxed));
        let in_level = Duration::from_micros(self.in_level.load(Ordering::Relaxed)) + used;
        let mut policy = lock(&self.share.core.policy);
        let (now, is_new_quantum) = match policy.reconsider(self.share.id, &self.seat, level, used, in_level)
        {
            Verdict::Keeps { level: now } => (now, now != level),
            Verdict::Waits { level: now, next } => {
                self.seat.set(WAITS);
                next.grant();
                // Otherwise another app goes first, and the rest of the quantum is left.
                (now, in_level >= quantum(level))
            }
        };
        let in_level = if is_new_quantum { 0 } else { in_level.as_micros() as u64 };
        self.level.store(now as u8, Ordering::Relaxed);
        self.in_level.store(in_level, Ordering::Relaxed);
    }
}

/// An instance that ends while it waits or computes must not keep the turn.
impl Drop for Turn {
    fn drop(&mut self) {
        self.end();
    }
}

impl Turn {
    /// The instance has ended, whatever it was doing.
    pub fn end(&self) {
        self.discount();
        let mut policy = lock(&self.share.core.policy);
        match self.seat.state() {
            WAITS => policy.remove(self.share.id, &self.seat),
            HAS_TURN => {
                if let Some(next) = policy.leave(self.share.id, Duration::ZERO) {
                    next.grant();
                }
            }
            _ => {}
        }
        self.seat.set(AWAY);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[test]
    fn one_guest_computes_at_a_time_and_the_others_wait_in_order() {
        let core = Core::new(1);
        let share = core.share(100);
        let turns: Vec<_> = (0..3).map(|_| Turn::new(share.clone())).collect();
        assert!(turns[0].take().now_or_never().is_some());
        let mut second = Box::pin(turns[1].take());
        let mut third = Box::pin(turns[2].take());
        assert!(second.as_mut().now_or_never().is_none());
        assert!(third.as_mut().now_or_never().is_none());
        turns[0].give_up(|| Duration::from_micros(10));
        assert!(third.as_mut().now_or_never().is_none());
        assert!(second.as_mut().now_or_never().is_some());
        drop((second, third));
        // The third one ends while it waits.
        turns[2].end();
        turns[1].give_up(|| Duration::ZERO);
        assert!(turns[0].take().now_or_never().is_some());
    }

    #[test]
    fn a_long_job_lets_others_go_first_once_its_quantum_is_used_up() {
        let core = Core::new(1);
        let share = core.share(100);
        let (long, short) = (Turn::new(share.clone()), Turn::new(share));
        assert!(long.take().now_or_never().is_some());
        let used = long.interrupted(Duration::from_millis(1));
        assert_eq!((used, core.computing()), (Duration::from_millis(1), 1));
        assert!(short.take().now_or_never().is_none());
        assert!(long.retake(used).now_or_never().is_some(), "it goes on to its end");
        let mut waiting = Box::pin(long.retake(Duration::from_millis(20)));
        assert!(waiting.as_mut().now_or_never().is_none());
        assert!(long.is_long());
        assert!(short.take().now_or_never().is_some());
        short.give_up(|| Duration::ZERO);
        assert!(waiting.as_mut().now_or_never().is_some());
        drop(waiting);
        long.give_up(|| Duration::ZERO);
        assert!(!long.is_long());
        assert_eq!(core.computing(), 0);
    }

    #[test]
    fn the_turn_of_an_instance_that_ends_goes_to_the_next() {
        let core = Core::new(1);
        let (first, second) = (Turn::new(core.share(1)), Turn::new(core.share(1)));
        assert!(first.take().now_or_never().is_some());
        assert!(second.take().now_or_never().is_none());
        drop(first);
        assert!(second.take().now_or_never().is_some());
    }
}
