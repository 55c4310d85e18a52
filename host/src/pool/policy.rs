//! Policy for instances, without the mechanism: who may share one, when one is retired, and how many are kept warm.

use crate::manifest::isolation::{Isolation, RouteIsolation};

/// How instances serve the routes of one pool. Routes with equal policies share a pool and its instances.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PoolPolicy {
    /// The handlers are `async def`: they may wait, and be cancelled.
    pub is_async: bool,
    pub isolation: Isolation,
    /// Most requests in flight on one instance.
    pub concurrency: usize,
    /// Requests after which an instance is retired; 0 means never.
    pub max_requests: u64,
    /// The fewest idle instances that are kept warm. See [`WarmTarget`].
    pub spares: usize,
}

/// Requests in flight on one interpreter before another one is created. They share its event loop: beyond this many,
/// queueing costs latency; below, sharing saves memory.
const ENOUGH: usize = 2000;
/// Fresh instances kept warm per worker before anything is known of the load.
const SPARES: usize = 2;

impl PoolPolicy {
    /// The policy of a route. `max_requests` is the host's limit, which a route may only lower.
    pub fn new(is_async: bool, wishes: RouteIsolation, max_requests: u64) -> Self {
        let isolation = match wishes.isolation {
            // A `def` handler blocks its interpreter: nothing can interleave.
            Some(Isolation::Concurrent) | None if !is_async => Isolation::Serial,
            wish => wish.unwrap_or(Isolation::Concurrent),
        };
        let lowest =
            [wishes.max_requests.unwrap_or(0), max_requests].into_iter().filter(|&most| most > 0).min();
        let (concurrency, max_requests, spares) = match isolation {
            Isolation::Fresh => (1, 1, SPARES),
            Isolation::Serial => (1, lowest.unwrap_or(0), 1),
            Isolation::Concurrent => {
                (wishes.max_concurrency.unwrap_or(ENOUGH).max(1), lowest.unwrap_or(0), 1)
            }
        };
        Self { is_async, isolation, concurrency, max_requests, spares }
    }

    /// True when the instance must not serve another request. `exhausted`: it was denied memory.
    pub fn retire(&self, served: u64, exhausted: bool) -> bool {
        exhausted || (self.max_requests > 0 && served >= self.max_requests)
    }

    /// True when an instance with this many requests in flight cannot take another one. Never for `def` handlers: a
    /// call blocks the interpreter, and ends before the next one starts.
    pub fn is_full(&self, in_flight: usize) -> bool {
        self.is_async && in_flight >= self.concurrency
    }
}

/// The worker that gets a request: `None` for the one that received it, otherwise an index into `others`. `here`: handlers
/// that compute on this worker's core for longer than a tick. `others`: the same, and the requests that wait there. Only an
/// idle worker gets a request: between two busy ones it would lose its place in the queue, and wait as long.
pub fn relief(here: usize, mut others: impl Iterator<Item = usize>) -> Option<usize> {
    if here == 0 {
        return None;
    }
    others.position(|load| load == 0)
}

/// How many instances of a pool are kept warm. Pools of fresh instances keep as many as requests came at once lately.
/// Other pools keep instances that were needed, and evict those that were not for a while.
#[derive(Debug, Clone, Copy)]
pub struct WarmTarget {
    least: usize,
    most: usize,
    want: usize,
    /// Most requests that waited at once, since the last tick.
    peak: usize,
    /// Fewest instances that were idle at once, since the last eviction.
    unused: usize,
    looks: u32,
}

/// Ticks between two evictions.
const LOOKS: u32 = 10;

impl WarmTarget {
    pub fn new(least: usize, most: usize) -> Self {
        let least = least.min(most);
        Self { least, most, want: least, peak: 0, unused: usize::MAX, looks: 0 }
    }

    /// How many instances to keep warm.
    pub fn want(&self) -> usize {
        self.want
    }

    /// This many requests wait now.
    pub fn waiting(&mut self, requests: usize) {
        self.peak = self.peak.max(requests);
        self.want = self.want.max(self.peak.min(self.most));
    }

    /// This many instances are idle now.
    pub fn resting(&mut self, instances: usize) {
        self.unused = self.unused.min(instances);
    }

    /// Called once a second with the number of idle instances; returns how many of them to evict.
    pub fn look(&mut self, resting: usize) -> usize {
        // After a burst the target falls by one a second.
        self.want = self.want.saturating_sub(1).max(self.peak.min(self.most)).max(self.least);
        self.peak = 0;
        self.looks += 1;
        if self.looks < LOOKS {
            return 0;
        }
        let unused = self.unused.min(resting);
        (self.looks, self.unused) = (0, usize::MAX);
        unused.saturating_sub(self.want)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spares_follow_the_load_up_at_once_and_down_slowly() {
        let mut spares = WarmTarget::new(2, 16);
        assert_eq!(spares.want(), 2);
        spares.waiting(9);
        assert_eq!(spares.want(), 9);
        spares.waiting(40);
        assert_eq!(spares.want(), 16);
        assert_eq!(spares.look(16), 0);
        assert_eq!(spares.want(), 16);
        let let_go: Vec<_> = (0..20).map(|_| spares.look(16)).collect();
        assert_eq!(spares.want(), 2);
        assert_eq!(let_go.iter().filter(|&&instances| instances > 0).count(), 2);
        assert_eq!(let_go.last(), Some(&0));
    }

    #[test]
    fn instances_that_were_needed_in_between_are_kept() {
        let mut spares = WarmTarget::new(1, 16);
        for second in 0..9 {
            assert_eq!(spares.look(8), 0);
            spares.resting(if second == 4 { 3 } else { 8 });
        }
        assert_eq!(spares.look(8), 2);
    }

    fn wishes(isolation: Option<Isolation>) -> RouteIsolation {
        RouteIsolation { isolation, ..RouteIsolation::default() }
    }

    #[test]
    fn defaults_are_serial_for_def_and_concurrent_for_async() {
        assert_eq!(PoolPolicy::new(false, wishes(None), 0).isolation, Isolation::Serial);
        assert_eq!(PoolPolicy::new(true, wishes(None), 0).isolation, Isolation::Concurrent);
        assert_eq!(
            PoolPolicy::new(false, wishes(Some(Isolation::Concurrent)), 0).isolation,
            Isolation::Serial
        );
        let serial = PoolPolicy::new(true, wishes(Some(Isolation::Serial)), 0);
        assert!(serial.is_full(1) && !serial.is_full(0));
        assert!(!PoolPolicy::new(true, wishes(None), 0).is_full(100));
        assert!(!PoolPolicy::new(false, wishes(None), 0).is_full(1));
    }

    #[test]
    fn an_instance_is_retired_when_it_is_worn_or_hurt() {
        let rules = PoolPolicy::new(true, wishes(None), 0);
        assert!(!rules.retire(1_000_000, false) && rules.retire(1, true));
        assert!(PoolPolicy::new(true, wishes(None), 10).retire(10, false));
        assert!(PoolPolicy::new(true, wishes(Some(Isolation::Fresh)), 0).retire(1, false));
    }

    #[test]
    fn a_route_lowers_the_hosts_limit_and_never_raises_it() {
        let ask = |wish, host| {
            PoolPolicy::new(true, RouteIsolation { max_requests: wish, ..RouteIsolation::default() }, host)
                .max_requests
        };
        assert_eq!((ask(Some(5), 0), ask(Some(5), 3), ask(Some(3), 5), ask(None, 7)), (5, 3, 3, 7));
    }

    #[test]
    fn requests_go_to_an_idle_worker_and_stay_otherwise() {
        assert_eq!(relief(0, [0].into_iter()), None);
        assert_eq!(relief(1, [0].into_iter()), Some(0));
        assert_eq!(relief(1, [1].into_iter()), None);
        assert_eq!(relief(3, [2, 1, 0].into_iter()), Some(2));
        assert_eq!(relief(3, [2, 1, 2].into_iter()), None);
        assert_eq!(relief(1, [].into_iter()), None);
    }
}
