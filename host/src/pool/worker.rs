//! What the pools of one worker share: its runtime, its core, and permits.

use crate::pool::reclaim::Reclaim;
use crate::sandbox::turn::Core;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// A worker, as its pools see it.
#[derive(Debug)]
pub struct Worker {
    /// Where the worker's tasks run.
    pub runtime: tokio::runtime::Handle,
    /// The threads for whose time the guests of this worker queue.
    pub core: Arc<Core>,
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
        Arc::new(Self { runtime, core: Core::new(threads), endings: Semaphore::new(1), reclaim })
    }
}
