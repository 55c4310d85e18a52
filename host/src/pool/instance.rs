//! An instance as its pool sees it: its state, and how many calls it has served.

use crate::pool::call::{Call, InstanceSignals};
use crate::sandbox::execution::Execution;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};

/// The state of an instance, as its pool counts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum InstanceState {
    /// It is being created, and takes calls from the queue once it is.
    Starting,
    /// It takes calls from the queue, or is about to.
    Awake,
    /// It has nothing to do and can take a call.
    Idle,
    /// Its guest has computed for long, or blocks where it should await: others have to take the queue.
    Held,
    /// It serves as many calls as it may at a time.
    Full,
    /// Retired: it takes no more calls and finishes those that it has started.
    Leaving,
}

impl InstanceState {
    pub const ALL: [Self; 6] =
        [Self::Starting, Self::Awake, Self::Idle, Self::Held, Self::Full, Self::Leaving];
}

/// An instance of a pool. Its state changes only under the pool's lock.
#[derive(Debug)]
pub struct PooledInstance {
    pub signals: Arc<InstanceSignals>,
    state: AtomicU8,
    /// Its guest was stuck midway when its driver last yielded the thread.
    held: AtomicBool,
    served: AtomicU64,
    /// It has been idle since it was created, so its first call did not wait for that.
    was_idle: AtomicBool,
    /// It was evicted: it ends once the queue is empty.
    dismissed: AtomicBool,
    /// It looked for calls while its guest was in the middle of something.
    waits_for_guest: AtomicBool,
}

impl PooledInstance {
    /// One that is about to be created, and takes calls as soon as it is.
    pub fn new(execution: Arc<Execution>) -> Arc<Self> {
        Arc::new(Self {
            signals: InstanceSignals::new(execution),
            state: AtomicU8::new(InstanceState::Starting as u8),
            held: AtomicBool::new(false),
            served: AtomicU64::new(0),
            was_idle: AtomicBool::new(false),
            dismissed: AtomicBool::new(false),
            waits_for_guest: AtomicBool::new(false),
        })
    }

    /// Start a call; false when nobody waits for it any more.
    pub fn begins(&self, call: &Call) -> bool {
        let begun = call.state.begin(&self.signals);
        self.served.fetch_add(u64::from(begun), Ordering::Relaxed);
        begun
    }

    /// Calls that it has started.
    pub fn served(&self) -> u64 {
        self.served.load(Ordering::Relaxed)
    }

    /// Whether its first call had to wait for it to be created.
    pub fn was_waited_for(&self) -> bool {
        self.served() == 1 && !self.was_idle.load(Ordering::Relaxed)
    }

    pub fn state(&self) -> InstanceState {
        InstanceState::ALL[usize::from(self.state.load(Ordering::Relaxed))]
    }

    /// Only the scheduler's `transition` calls this.
    pub(super) fn set_state(&self, state: InstanceState) {
        self.state.store(state as u8, Ordering::Relaxed);
        if state == InstanceState::Idle {
            self.was_idle.store(true, Ordering::Relaxed);
        }
    }

    pub(super) fn dismiss(&self) {
        self.dismissed.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_dismissed(&self) -> bool {
        self.dismissed.load(Ordering::Relaxed)
    }

    /// Wake it when its guest has given up the thread.
    pub fn wait_for_guest(&self) {
        self.waits_for_guest.store(true, Ordering::Relaxed);
    }

    /// Called when its driver yields the thread.
    pub fn guest_rests(&self) {
        let waits = &self.waits_for_guest;
        if waits.load(Ordering::Relaxed)
            && !self.signals.execution.is_inside()
            && waits.swap(false, Ordering::Relaxed)
        {
            self.signals.wake.notify_one();
        }
    }

    pub fn is_held(&self) -> bool {
        self.held.load(Ordering::Relaxed)
    }

    /// Returns whether it was held before.
    pub(super) fn set_held(&self, is_held: bool) -> bool {
        self.held.swap(is_held, Ordering::Relaxed)
    }
}
