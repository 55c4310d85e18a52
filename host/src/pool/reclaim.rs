//! Reclaiming instances: all apps share the engine's pool. When it is exhausted, idle instances are evicted for those
//! that a request waits for.

use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::sleep;

/// How long a new instance may wait for room.
pub const TIMEOUT: Duration = Duration::from_secs(5);
/// Interval between attempts: evicted instances take a millisecond to end.
const RETRY: Duration = Duration::from_millis(5);

/// Tells all workers of a host that an instance needs room.
#[derive(Debug, Clone, Default)]
pub struct Reclaim(Arc<watch::Sender<u64>>);

impl Reclaim {
    /// Ask for room, and give the workers time to evict instances.
    pub async fn ask(&self) {
        self.0.send_modify(|times| *times += 1);
        sleep(RETRY).await;
    }

    /// Changes whenever an instance needs room.
    pub fn requests(&self) -> watch::Receiver<u64> {
        self.0.subscribe()
    }
}
