//! Request counters: each worker counts for itself, and the host adds them up on demand.

use crate::error::{FAULTS, Fault, OVERLOADS, Overload};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Upper bounds of the latency histogram's buckets, in seconds; one more bucket counts everything above.
pub const BOUNDS: [f64; 14] =
    [0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];
/// Outcomes of requests: the client hung up, then status classes.
pub const OUTCOMES: [&str; 6] = ["gone", "1xx", "2xx", "3xx", "4xx", "5xx"];

/// The counters of one app on one worker.
pub struct AppCounters {
    /// By route; the last is for requests that matched none.
    pub routes: Vec<RouteCounters>,
    pub in_flight: AtomicUsize,
    /// Responses that flow.
    pub streams: AtomicUsize,
    /// Indexed like [`FAULTS`].
    pub faults: [AtomicU64; FAULTS.len()],
    /// Requests refused because of overload, indexed like [`OVERLOADS`].
    pub overloads: [AtomicU64; OVERLOADS.len()],
}

#[derive(Default)]
pub struct RouteCounters {
    /// Indexed like [`OUTCOMES`].
    pub outcomes: [AtomicU64; OUTCOMES.len()],
    pub times: [AtomicU64; BOUNDS.len() + 1],
    pub micros: AtomicU64,
    /// Responses that flow now, and those that did.
    pub streams: [AtomicU64; 2],
}

impl AppCounters {
    pub fn new(routes: usize) -> Self {
        Self {
            routes: std::iter::repeat_with(RouteCounters::default).take(routes + 1).collect(),
            in_flight: AtomicUsize::new(0),
            streams: AtomicUsize::new(0),
            faults: Default::default(),
            overloads: Default::default(),
        }
    }

    /// The sum of several workers' counters.
    pub fn sum(parts: &[Arc<Self>]) -> Option<Self> {
        let whole = Self::new(parts.first()?.routes.len() - 1);
        for part in parts {
            add(&whole.faults, &part.faults);
            add(&whole.overloads, &part.overloads);
            for (into, route) in whole.routes.iter().zip(&part.routes) {
                add(&into.outcomes, &route.outcomes);
                add(&into.times, &route.times);
                add(std::slice::from_ref(&into.micros), std::slice::from_ref(&route.micros));
                add(&into.streams, &route.streams);
            }
        }
        Some(whole)
    }

    /// Whether no request is in flight, and no response flows.
    pub fn is_idle(&self) -> bool {
        self.in_flight.load(Ordering::Relaxed) + self.streams.load(Ordering::Relaxed) == 0
    }

    /// The response of a route begins to flow. It is counted until this is dropped.
    pub fn stream(self: &Arc<Self>, route: usize) -> OpenStream {
        let route = route.min(self.routes.len() - 1);
        self.streams.fetch_add(1, Ordering::Relaxed);
        self.routes[route].streams[0].fetch_add(1, Ordering::Relaxed);
        OpenStream { stats: self.clone(), route }
    }

    /// Begin a request for this app.
    pub fn begin(&self) -> RequestInFlight<'_> {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        RequestInFlight { stats: self, route: self.routes.len() - 1, outcome: 0, began: Instant::now() }
    }
}

fn add(into: &[AtomicU64], counted: &[AtomicU64]) {
    for (into, counted) in into.iter().zip(counted) {
        into.fetch_add(counted.load(Ordering::Relaxed), Ordering::Relaxed);
    }
}

/// A response that flows.
pub struct OpenStream {
    stats: Arc<AppCounters>,
    route: usize,
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        let [open, ended] = &self.stats.routes[self.route].streams;
        open.fetch_sub(1, Ordering::Relaxed);
        ended.fetch_add(1, Ordering::Relaxed);
        self.stats.streams.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A request in flight. It is counted on drop; without an outcome, its client hung up.
pub struct RequestInFlight<'s> {
    stats: &'s AppCounters,
    route: usize,
    outcome: usize,
    began: Instant,
}

impl RequestInFlight<'_> {
    pub fn found(&mut self, route: usize) {
        self.route = route;
    }

    pub fn faulted(&self, fault: &Fault) {
        self.stats.faults[fault.kind()].fetch_add(1, Ordering::Relaxed);
    }

    pub fn sent_away(&self, overload: Overload) {
        self.stats.overloads[overload.kind()].fetch_add(1, Ordering::Relaxed);
    }

    pub fn end(mut self, status: u16) {
        self.outcome = usize::from(status / 100).min(OUTCOMES.len() - 1);
    }
}

impl Drop for RequestInFlight<'_> {
    fn drop(&mut self) {
        let took = self.began.elapsed();
        let route = &self.stats.routes[self.route];
        let class = BOUNDS.partition_point(|&bound| bound < took.as_secs_f64());
        route.times[class].fetch_add(1, Ordering::Relaxed);
        route.micros.fetch_add(took.as_micros() as u64, Ordering::Relaxed);
        route.outcomes[self.outcome].fetch_add(1, Ordering::Relaxed);
        self.stats.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The counters of one pool of instances.
#[derive(Default)]
pub struct PoolCounters {
    /// Requests that found an existing instance.
    pub hits: AtomicU64,
    /// Requests that waited for a new instance.
    pub misses: AtomicU64,
    /// Instances that ended, and the time it took to reset their memory.
    pub ended: AtomicU64,
    pub wiping_nanos: AtomicU64,
}

impl PoolCounters {
    /// Whether the pool has ever served a request.
    pub fn is_used(&self) -> bool {
        self.hits.load(Ordering::Relaxed) + self.misses.load(Ordering::Relaxed) > 0
    }

    pub fn took(&self, waited: bool) {
        let counter = if waited { &self.misses } else { &self.hits };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub fn ended(&self, wiping: Duration) {
        self.ended.fetch_add(1, Ordering::Relaxed);
        self.wiping_nanos.fetch_add(wiping.as_nanos() as u64, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(counter: &AtomicU64) -> u64 {
        counter.load(Ordering::Relaxed)
    }

    #[test]
    fn a_request_is_counted_once_by_route_outcome_and_time() {
        let stats = AppCounters::new(2);
        let mut served = stats.begin();
        served.found(1);
        served.faulted(&Fault::Deadline);
        assert_eq!(stats.in_flight.load(Ordering::Relaxed), 1);
        served.end(504);
        drop(stats.begin());
        assert_eq!(stats.in_flight.load(Ordering::Relaxed), 0);
        assert_eq!(count(&stats.routes[1].outcomes[5]), 1);
        assert_eq!(count(&stats.routes[2].outcomes[0]), 1);
        assert_eq!(stats.routes[1].times.iter().map(count).sum::<u64>(), 1);
        assert_eq!(stats.faults.iter().map(count).sum::<u64>(), 1);

        let stats = Arc::new(stats);
        let sum = AppCounters::sum(&[stats.clone(), stats]).unwrap();
        assert_eq!((count(&sum.routes[1].outcomes[5]), count(&sum.faults[0])), (2, 2));
        assert_eq!(sum.routes[1].times.iter().map(count).sum::<u64>(), 2);
        assert!(sum.is_idle());
    }
}
