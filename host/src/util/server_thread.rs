//! The thread that connections to servers of databases are on. Statements and commands come from any worker, and it makes rows of
//! what the servers send.

#![cfg(any(feature = "postgres", feature = "redis"))]

use crate::util::affinity;
use crate::util::memory_trim::MemoryTrim;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::runtime::{Builder, Handle};

/// How often the runtime was asked for.
static USES: AtomicU64 = AtomicU64::new(0);

/// The runtime of the thread, which starts when it is first asked for. None if it cannot.
///
/// A thread inherits the priority of the one that starts it, so a host asks before it has background threads: the first database was
/// opened by one of them, and its server's thread had a third of a worker's time.
pub fn runtime() -> Option<&'static Handle> {
    static THREAD: OnceLock<Option<Handle>> = OnceLock::new();
    USES.fetch_add(1, Ordering::Relaxed);
    let started = THREAD.get_or_init(|| {
        let runtime = Builder::new_current_thread().enable_all().build().ok()?;
        let handle = runtime.handle().clone();
        let thread = std::thread::Builder::new().name("servers".to_owned());
        let spawned = thread.spawn(move || {
            affinity::roam();
            runtime.block_on(trim());
        });
        spawned.is_ok().then_some(handle)
    });
    started.as_ref()
}

/// Return the memory of large rows while nobody uses the thread.
async fn trim() {
    let (mut trim, mut before) = (MemoryTrim::default(), 0);
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let now = USES.load(Ordering::Relaxed);
        trim.tick(now == std::mem::replace(&mut before, now));
    }
}
