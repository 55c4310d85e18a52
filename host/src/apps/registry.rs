//! The apps of a host, which all workers share, and the way from a host name and path to one of them.

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
    /// An app that nobody asked for in so long is evicted.
    idle: Duration,
    reclaim: Reclaim,
}

impl AppTable {
    pub fn of_one(slot: Arc<Slot>) -> Self {
        let everywhere = VirtualHosts::new(&[Mount::default()]).unwrap_or_default();
        Self::new(vec![slot], everywhere, Duration::MAX)
    }

    /// `hosts` gives indices into `slots`.
    pub fn new(slots: Vec<Arc<Slot>>, hosts: VirtualHosts, idle: Duration) -> Self {
        Self { slots: slots.into(), hosts: Arc::new(hosts), idle, reclaim: Reclaim::default() }
    }

    /// Raised where there is no room for an instance.
    pub fn reclaim(&self) -> &Reclaim {
        &self.reclaim
    }

    pub fn slots(&self) -> &[Arc<Slot>] {
        &self.slots
    }

    /// Make the calling worker's own instances of every app that is there. The error says why there can be none.
    pub async fn open_worker(&self) -> Result<Arc<WorkerApps>, String> {
        let worker = Worker::current(self.reclaim.clone());
        WorkerApps::open(&self.slots, worker, self.hosts.clone(), self.idle).await
    }
}
