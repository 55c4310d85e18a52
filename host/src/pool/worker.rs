//! What the pools of one worker share: its thread, seen from outside.

use crate::pool::reclaim::Reclaim;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::Semaphore;

/// A worker's thread.
#[derive(Debug)]
pub struct Worker {
    /// Where the worker's tasks run.
    pub runtime: tokio::runtime::Handle,
    /// Handlers that were interrupted because they compute.
    computing: AtomicUsize,
    /// The right to compute beyond the first tick: one handler at a time on a thread, so that a connection waits for
    /// one.
    pub turns: Arc<Semaphore>,
    /// The right to give back the memory of a large instance.
    pub endings: Semaphore,
    /// That of all workers.
    pub reclaim: Reclaim,
}

impl Worker {
    /// That of the runtime that calls this. A worker's has one thread.
    pub fn current(reclaim: Reclaim) -> Arc<Self> {
        Self::of(tokio::runtime::Handle::current(), reclaim)
    }

    /// That of a runtime.
    pub fn of(runtime: tokio::runtime::Handle, reclaim: Reclaim) -> Arc<Self> {
        let threads = runtime.metrics().num_workers();
        Arc::new(Self {
            runtime,
            computing: AtomicUsize::new(0),
            turns: Arc::new(Semaphore::new(threads)),
            endings: Semaphore::new(1),
            reclaim,
        })
    }

    pub fn computing(&self) -> usize {
        self.computing.load(Ordering::Relaxed)
    }

    /// So many handlers more, or fewer, compute.
    pub fn add_computing(&self, count: isize) {
        if count != 0 {
            self.computing.fetch_add(count.cast_unsigned(), Ordering::Relaxed);
        }
    }
}
