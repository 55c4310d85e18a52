//! What the pools of one worker share: its runtime, permits and load.

use crate::pool::reclaim::Reclaim;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::Semaphore;

/// A worker, as its pools see it.
#[derive(Debug)]
pub struct Worker {
    /// Where the worker's tasks run.
    pub runtime: tokio::runtime::Handle,
    /// Handlers that were interrupted while computing.
    computing: AtomicUsize,
    /// Permits to compute beyond the first tick: one handler at a time per thread, so that a connection waits for one
    /// only.
    pub turns: Arc<Semaphore>,
    /// Permit to free the memory of a large instance.
    pub endings: Semaphore,
    /// Shared by all workers.
    pub reclaim: Reclaim,
}

impl Worker {
    /// The worker of the current runtime. A worker's runtime has one thread.
    pub fn current(reclaim: Reclaim) -> Arc<Self> {
        Self::of(tokio::runtime::Handle::current(), reclaim)
    }

    /// The worker of a runtime.
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

    /// Change the number of computing handlers.
    pub fn add_computing(&self, count: isize) {
        if count != 0 {
            self.computing.fetch_add(count.cast_unsigned(), Ordering::Relaxed);
        }
    }
}
