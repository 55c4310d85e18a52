//! What an app may use for TCP connections to other servers: places, descriptors, and names to resolve.

use crate::quota::files::FileQuota;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Names that an app may have resolved at a time.
const LOOKUPS: usize = 4;

/// The connections of one app, over all workers.
#[derive(Debug, Clone)]
pub struct ConnectionQuota {
    /// Connections count as open files.
    pub files: FileQuota,
    pub lookups: Arc<Semaphore>,
    /// Each has buffers in both directions.
    pub places: Arc<Semaphore>,
}

impl ConnectionQuota {
    pub fn new(most: usize, files: FileQuota) -> Self {
        let places = Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS)));
        Self { files, lookups: Arc::new(Semaphore::new(LOOKUPS)), places }
    }
}
