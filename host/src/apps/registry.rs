//! The app table of a host, which all workers share, and the mapping of host names and paths to apps.

use crate::apps::slot::Slot;
use crate::apps::worker_apps::WorkerApps;
use crate::config::virtual_hosts::{Mount, VirtualHosts};
use crate::pool::reclaim::Reclaim;
use crate::pool::worker::Worker;
use std::sync::Arc;
use std::time::Duration;

/// The apps of a host. `run` serves a table of one.
#[derive(Clone)]
pub struct AppTable {
    slots: Arc<[Arc<Slot>]>,
    hosts: Arc<VirtualHosts>,
    /// An app without a request for this long is evicted.
    idle: Duration,
    reclaim: Reclaim,
}

impl AppTable {
    pub fn of_one(slot: Arc<Slot>) -> Self {
        let everywhere = VirtualHosts::new(&[Mount::default()]).unwrap_or_default();
        Self::new(vec![slot], everywhere, Duration::MAX)
    }

    /// `hosts` maps to indices into `slots`.
    pub fn new(slots: Vec<Arc<Slot>>, hosts: VirtualHosts, idle: Duration) -> Self {
        Self { slots: slots.into(), hosts: Arc::new(hosts), idle, reclaim: Reclaim::default() }
    }

    /// Signalled when there is no room for an instance.
    pub fn reclaim(&self) -> &Reclaim {
        &self.reclaim
    }

    pub fn slots(&self) -> &[Arc<Slot>] {
        &self.slots
    }

    /// Create the calling worker's own instances of every loaded app. The error says why that failed.
    pub async fn open_worker(&self) -> Result<Arc<WorkerApps>, String> {
        let worker = Worker::current(self.reclaim.clone());
        WorkerApps::open(&self.slots, worker, self.hosts.clone(), self.idle).await
    }
}
