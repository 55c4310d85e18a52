//! CPU affinity and priority of threads: with as many workers as cores, each worker is pinned to its own core;
//! background threads run on any core, at a lower priority.
//!
//! Without pinning, the kernel let two workers share one core for 30 ms at a time, while clients on the same machine
//! kept the other core, although they had the lowest priority.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use std::sync::OnceLock;

/// The cores that this process may use, read at first use.
fn allowed() -> Option<&'static CpuSet> {
    static ALLOWED: OnceLock<Option<CpuSet>> = OnceLock::new();
    ALLOWED.get_or_init(|| sched_getaffinity(None).ok()).as_ref()
}

/// Pin the calling thread, worker `index` of `workers`, to its own core if there are as many cores as workers.
pub fn claim(index: usize, workers: usize) {
    let Some(allowed) = allowed() else { return };
    if allowed.count() as usize != workers {
        return;
    }
    if let Some(core) = (0..CpuSet::MAX_CPU).filter(|&core| allowed.is_set(core)).nth(index) {
        let mut own = CpuSet::new();
        own.set(core);
        let _ = sched_setaffinity(None, &own);
    }
}

/// Let the calling thread run on any allowed core. A thread inherits the affinity of the thread that spawned it.
pub fn roam() {
    if let Some(allowed) = allowed() {
        let _ = sched_setaffinity(None, allowed);
    }
}

/// Gives a background thread a third of the time of a worker that competes for the same core.
const BACKGROUND_NICE: i32 = 5;

/// Make the calling thread a background thread. At normal priority, it would take a worker's core for milliseconds at a
/// time where cores are few.
pub fn enter_background() {
    roam();
    let _ = rustix::process::setpriority_process(None, BACKGROUND_NICE);
}
