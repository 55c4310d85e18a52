//! Admission control: how many requests of an app are in flight on a worker, how many may wait, and which are refused.

use crate::config::Limits;
use crate::error::Overload;
use crate::quota::rate_limit::RateLimit;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

/// The default time after which a refused client should retry.
const RETRY: Duration = Duration::from_secs(1);

/// Admission control of one app on one worker. All workers share the rate limit.
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

    /// A first check, before the host does any work for a request.
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

    /// Wait for a place among the requests in flight, at most until the deadline.
    pub async fn enter(&self, deadline: Instant) -> Result<SemaphorePermit<'_>, Overload> {
        if let Ok(place) = self.places.try_acquire() {
            return Ok(place);
        }
        self.check_queue()?;
        let _waiting = Waiting::begin(&self.waiting);
        match tokio::time::timeout_at(deadline, self.places.acquire()).await {
            Ok(Ok(place)) => Ok(place),
            // The semaphore is never closed.
            Ok(Err(_)) | Err(_) => Err(Overload::Queue(RETRY)),
        }
    }
}

/// Counts a waiting request, also if it gives up.
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
