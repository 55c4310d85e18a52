//! The pool of instances is one for all apps. When it is used up, those that rest make room for those that are asked for.

use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::sleep;

/// How long an instance that somebody waits for may wait for room.
pub const PATIENCE: Duration = Duration::from_secs(5);
/// How often it looks whether there is some: others take a millisecond to end.
const LOOK: Duration = Duration::from_millis(5);

/// Raised where room is wanted, and felt by all workers of a host.
#[derive(Debug, Clone, Default)]
pub struct Pressure(Arc<watch::Sender<u64>>);

impl Pressure {
    /// Ask for room, and give others the time to make it.
    pub async fn raise(&self) {
        self.0.send_modify(|times| *times += 1);
        sleep(LOOK).await;
    }

    /// Waits for the next time that room is wanted.
    pub fn felt(&self) -> watch::Receiver<u64> {
        self.0.subscribe()
    }
}
