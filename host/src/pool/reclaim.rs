//! The engine's pool of instances is one for all apps. When it is used up, idle instances make room for those that somebody
//! waits for.

use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::sleep;

/// How long an instance that somebody waits for may wait for room.
pub const TIMEOUT: Duration = Duration::from_secs(5);
/// How often it looks whether there is some: others take a millisecond to end.
const RETRY: Duration = Duration::from_millis(5);

/// Asked for where room is wanted, and seen by all workers of a host.
#[derive(Debug, Clone, Default)]
pub struct Reclaim(Arc<watch::Sender<u64>>);

impl Reclaim {
    /// Ask for room, and give other workers the time to make it.
    pub async fn ask(&self) {
        self.0.send_modify(|times| *times += 1);
        sleep(RETRY).await;
    }

    /// Changes whenever room is wanted.
    pub fn requests(&self) -> watch::Receiver<u64> {
        self.0.subscribe()
    }
}
