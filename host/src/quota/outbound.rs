//! What an app may use for requests to other servers: a window of memory for each that is under way, a budget for large bodies,
//! connections, and names to resolve.
//!
//! The windows have half as much memory as the app's bodies, on top of it. Were they part of that budget, handlers that hold
//! a large body each could wait for each other's windows.

use crate::config::Limits;
use crate::quota::body_budget::BodyBudget;
use crate::quota::files::FileQuota;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Most bytes that the client buffers of a response, and of the small parts of a request. A response's head has to fit.
pub const BUFFER: usize = 32 * 1024;
/// What an exchange may hold in buffers, in bytes: a response's part that waits for the guest, the one that the client has
/// read since, the small parts of the request, and the response's head.
const WINDOW: usize = 4 * BUFFER;
/// Names that an app may have resolved at a time.
const LOOKUPS: usize = 4;

/// The memory of one app for requests to other servers, over all workers.
#[derive(Debug, Clone)]
pub struct Outbound {
    /// For parts of request bodies that are larger than a window is made for.
    pub bodies: BodyBudget,
    /// Connections count as open files.
    pub files: FileQuota,
    /// Names that may be resolved at a time.
    pub lookups: Arc<Semaphore>,
    windows: Arc<Semaphore>,
}

/// The right of an exchange to be under way.
#[derive(Debug)]
pub struct Window(#[allow(dead_code, reason = "it is held")] Option<OwnedSemaphorePermit>);

impl Outbound {
    /// `transit`: the size of `bodies`.
    pub fn new(bodies: BodyBudget, transit: usize, files: FileQuota) -> Self {
        let windows = (transit / 2 / WINDOW).clamp(1, Semaphore::MAX_PERMITS);
        let places = |count| Arc::new(Semaphore::new(count));
        Self { bodies, files, lookups: places(LOOKUPS), windows: places(windows) }
    }

    /// Wait for a window; those who have waited longest get the next ones.
    pub async fn window(&self) -> Window {
        // The semaphore is never closed.
        Window(self.windows.clone().acquire_owned().await.ok())
    }
}

impl Default for Outbound {
    fn default() -> Self {
        let Limits { transit, max_files, .. } = Limits::default();
        Self::new(BodyBudget::new(transit), transit, FileQuota::new(max_files))
    }
}
