//! What a pool knows of one of its instances, from outside: its state, and what it has served.

use crate::pool::call::{Call, InstanceSignals};
use crate::sandbox::execution::Execution;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};

/// What an instance does, as its pool counts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum InstanceState {
    /// It is about to look at the queue, or works through it.
    Awake,
    /// It has nothing to do and could take a call.
    Idle,
    /// Its guest computes, or blocks where it should await: the queue is for others.
    Held,
    /// It serves as many calls as it may at a time.
    Full,
    /// Retired: it takes no more calls and finishes those that it has begun.
    Leaving,
}

impl InstanceState {
    pub const ALL: [Self; 5] = [Self::Awake, Self::Idle, Self::Held, Self::Full, Self::Leaving];
}

/// An instance of a pool. Its state changes under the pool's lock only.
#[derive(Debug)]
pub struct PooledInstance {
    pub signals: Arc<InstanceSignals>,
    state: AtomicU8,
    /// Its guest was suspended in the middle of something when its driver last gave the thread back.
    held: AtomicBool,
    /// It is held because its guest computes, and is counted as such for its worker.
    computing: AtomicBool,
    served: AtomicU64,
    /// It has been idle since it was made: what it is given did not wait for it to be made.
    was_idle: AtomicBool,
    /// It is not needed any more.
    dismissed: AtomicBool,
}

impl PooledInstance {
    /// One that is about to be made, and will look at the queue as soon as it is.
    pub fn new(execution: Arc<Execution>) -> Arc<Self> {
        Arc::new(Self {
            signals: InstanceSignals::new(execution),
            state: AtomicU8::new(InstanceState::Awake as u8),
            held: AtomicBool::new(false),
            computing: AtomicBool::new(false),
            served: AtomicU64::new(0),
            was_idle: AtomicBool::new(false),
            dismissed: AtomicBool::new(false),
        })
    }

    /// True when the call is its own now; false when nobody waits for it any more.
    pub fn begins(&self, call: &Call) -> bool {
        let begun = call.state.begin(&self.signals);
        self.served.fetch_add(u64::from(begun), Ordering::Relaxed);
        begun
    }

    /// Calls that it has begun.
    pub fn served(&self) -> u64 {
        self.served.load(Ordering::Relaxed)
    }

    /// Its first call, which was there before it was made.
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

    pub fn is_held(&self) -> bool {
        self.held.load(Ordering::Relaxed)
    }

    /// Returns whether it was held before.
    pub(super) fn set_held(&self, is_held: bool) -> bool {
        self.held.swap(is_held, Ordering::Relaxed)
    }

    /// Returns whether it was counted as computing before.
    pub(super) fn set_computing(&self, is_computing: bool) -> bool {
        self.computing.swap(is_computing, Ordering::Relaxed)
    }
}
