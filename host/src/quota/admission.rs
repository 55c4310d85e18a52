//! How many requests of an app are worked on at once on a worker, how many may wait for that, and who is sent away.

use crate::config::Limits;
use crate::error::Overload;
use crate::quota::rate_limit::RateLimit;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

/// What a client that was sent away should wait when nobody knows better.
const RETRY: Duration = Duration::from_secs(1);

/// One app's gate on one worker. The rate is shared by all workers.
pub struct Admission {
    places: Semaphore,
    waiting: AtomicUsize,
    most_waiting: usize,
    rate: Option<Arc<RateLimit>>,
}

impl Admission {
    pub fn new(limits: &Limits, rate: Option<Arc<RateLimit>>) -> Self {
        let places = Semaphore::new(limits.concurrency.min(Semaphore::MAX_PERMITS));
        Self { places, waiting: AtomicUsize::new(0), most_waiting: limits.queue, rate }
    }

    /// Before anything is done for a request: may it come in?
    pub fn check(&self) -> Result<(), Overload> {
        if let Some(rate) = &self.rate {
            rate.take(1).map_err(Overload::Rate)?;
        }
        if self.places.available_permits() == 0 { self.check_queue() } else { Ok(()) }
    }

    fn check_queue(&self) -> Result<(), Overload> {
        if self.waiting.load(Ordering::Relaxed) < self.most_waiting {
            return Ok(());
        }
        Err(Overload::Queue(RETRY))
    }

    /// Wait for a place among those that are worked on, at most until the deadline.
    pub async fn enter(&self, deadline: Instant) -> Result<SemaphorePermit<'_>, Overload> {
        if let Ok(place) = self.places.try_acquire() {
            return Ok(place);
        }
        self.check_queue()?;
        let _waiting = Waiting::begin(&self.waiting);
        match tokio::time::timeout_at(deadline, self.places.acquire()).await {
            Ok(Ok(place)) => Ok(place),
            // It is never closed.
            Ok(Err(_)) | Err(_) => Err(Overload::Queue(RETRY)),
        }
    }
}

/// Counts one who waits, who may give up.
struct Waiting<'g>(&'g AtomicUsize);

impl<'g> Waiting<'g> {
    fn begin(counter: &'g AtomicUsize) -> Self {
        counter.fetch_add(1, Ordering::Relaxed);
        Self(counter)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
