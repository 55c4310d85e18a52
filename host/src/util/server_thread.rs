//! The thread that connections to servers of databases are on. Statements and commands come from any worker, and it makes rows of
//! what the servers send.

#![cfg(any(feature = "postgres", feature = "redis"))]

use crate::util::affinity;
use std::sync::OnceLock;
use tokio::runtime::{Builder, Handle};

/// The runtime of the thread, which starts when it is first asked for. None if it cannot.
pub fn runtime() -> Option<&'static Handle> {
    static THREAD: OnceLock<Option<Handle>> = OnceLock::new();
    let started = THREAD.get_or_init(|| {
        let runtime = Builder::new_current_thread().enable_all().build().ok()?;
        let handle = runtime.handle().clone();
        let thread = std::thread::Builder::new().name("servers".to_owned());
        let spawned = thread.spawn(move || {
            affinity::roam();
            runtime.block_on(std::future::pending::<()>());
        });
        spawned.is_ok().then_some(handle)
    });
    started.as_ref()
}
