//! What a kind of database does for the host.

use crate::sql::job::Job;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// Runs statements on connections. What it is given is counted (`Database`), and fails without room.
pub trait Engine: Send + Sync {
    /// Its SQL: `sqlite` or `postgres`.
    fn dialect(&self) -> &'static str;

    /// Run a statement on any connection, in its own transaction.
    fn submit(self: Arc<Self>, job: Job);

    /// A connection of its own for a request, at the latest until `end`. What is open then is rolled back.
    fn session(self: Arc<Self>, writes: bool, request: u64, end: Instant) -> Box<dyn Session>;
}

/// A connection that one request has until it drops this.
pub trait Session: Send + Sync {
    /// Run a statement after those before it. Returned if the connection is closed.
    fn run(&self, job: Job) -> Result<(), Box<Job>>;
}

/// A database in the log.
pub struct Label {
    pub app: Arc<str>,
    pub database: String,
    /// The last request of which the log has said that it left a transaction open. One may leave any number.
    careless: AtomicU64,
}

impl Label {
    pub fn new(app: Arc<str>, database: String) -> Arc<Self> {
        Arc::new(Self { app, database, careless: AtomicU64::new(u64::MAX) })
    }

    /// A request has left a transaction open.
    pub fn left_open(&self, request: u64) {
        if self.careless.swap(request, Ordering::Relaxed) != request {
            let (app, database) = (&*self.app, &*self.database);
            tracing::warn!(app, request, database, "a transaction was not ended, and is rolled back");
        }
    }
}
