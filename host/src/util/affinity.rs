//! Which core a thread runs on, and how urgent it is: each worker has a core of its own, when there are as many workers
//! as cores; background threads run anywhere and give way.
//!
//! Left to itself, the kernel let two workers share one core for 30 ms at a time while clients of the same machine, of the
//! lowest priority, kept the other one.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use std::sync::OnceLock;

/// The cores that this process may use, as they were when they were first asked for.
fn allowed() -> Option<&'static CpuSet> {
    static ALLOWED: OnceLock<Option<CpuSet>> = OnceLock::new();
    ALLOWED.get_or_init(|| sched_getaffinity(None).ok()).as_ref()
}

/// Give the calling thread, the `index`th of `workers`, a core of its own.
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

/// Let the calling thread run where it may. Threads begin on the core of the one that made them.
pub fn roam() {
    if let Some(allowed) = allowed() {
        let _ = sched_setaffinity(None, allowed);
    }
}

/// A background thread gets a third of a worker's time when both want one core.
const BACKGROUND_NICE: i32 = 5;

/// Make the calling thread a background thread. Where cores are few it would take a worker's for milliseconds at a time.
pub fn enter_background() {
    roam();
    let _ = rustix::process::setpriority_process(None, BACKGROUND_NICE);
}
