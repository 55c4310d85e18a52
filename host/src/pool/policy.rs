//! Decisions about instances, apart from the mechanism: who may share one, and when one is retired.

use crate::manifest::isolation::{Isolation, RouteIsolation};

/// How instances serve the routes of one lane. Routes with equal rules share a lane and its instances.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PoolPolicy {
    /// The handlers are `async def`: they may wait, and be cancelled.
    pub is_async: bool,
    pub isolation: Isolation,
    /// Requests that one instance takes up before they end.
    pub concurrency: usize,
    /// Requests after which an instance is retired; 0 means never.
    pub max_requests: u64,
    /// The fewest instances that are kept ready beyond those in use. See [`WarmTarget`].
    pub spares: usize,
}

/// Requests that one interpreter takes up before another one is made. Its event loop is shared, so a queue
/// behind it costs latency; below this many the sharing is what saves memory.
const ENOUGH: usize = 2000;
/// Fresh instances made ahead, per worker, when nothing is known of the load.
const SPARES: usize = 2;

impl PoolPolicy {
    /// The rules for a route. `max_requests` is the host's own, which a route may only lower.
    pub fn new(is_async: bool, wishes: RouteIsolation, max_requests: u64) -> Self {
        let isolation = match wishes.isolation {
            // A `def` handler holds its interpreter: there is nothing to interleave.
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

    /// True when the instance must not serve another request. `exhausted`: it was refused memory.
    pub fn retire(&self, served: u64, exhausted: bool) -> bool {
        exhausted || (self.max_requests > 0 && served >= self.max_requests)
    }

    /// True when an instance with so many unanswered requests has no place for another one. The ones of `def`
    /// handlers never count: a call holds the interpreter, and ends before the next one begins.
    pub fn is_full(&self, in_flight: usize) -> bool {
        self.is_async && in_flight >= self.concurrency
    }
}

/// The worker that a request goes to: `None` for the one it came to, otherwise an index into `others`. Each is
/// known by the number of its handlers that compute: a core with fewer of them is the freer one.
pub fn relief(here: usize, others: impl Iterator<Item = usize>) -> Option<usize> {
    if here == 0 {
        return None;
    }
    let freest = others.enumerate().min_by_key(|&(_, computing)| computing)?;
    (freest.1 < here).then_some(freest.0)
}

/// How many instances of a lane are kept ready: as many as came at once lately, for lanes whose instances serve one
/// request only. Others are kept once they were needed, and let go when they were not for a while.
#[derive(Debug, Clone, Copy)]
pub struct WarmTarget {
    least: usize,
    most: usize,
    want: usize,
    /// Most requests that waited at once, since the last look.
    peak: usize,
    /// Fewest instances that rested at once, since the last time some were let go.
    unused: usize,
    looks: u32,
}

/// Looks between two times that instances are let go.
const LOOKS: u32 = 10;

impl WarmTarget {
    pub fn new(least: usize, most: usize) -> Self {
        let least = least.min(most);
        Self { least, most, want: least, peak: 0, unused: usize::MAX, looks: 0 }
    }

    /// Instances to be kept ready.
    pub fn want(&self) -> usize {
        self.want
    }

    /// So many requests wait now.
    pub fn waiting(&mut self, requests: usize) {
        self.peak = self.peak.max(requests);
        self.want = self.want.max(self.peak.min(self.most));
    }

    /// So many instances rest now.
    pub fn resting(&mut self, instances: usize) {
        self.unused = self.unused.min(instances);
    }

    /// Called once a second, with the number that rest: how many of them to let go.
    pub fn look(&mut self, resting: usize) -> usize {
        // A burst is remembered for a while, and forgotten one by one.
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
    fn requests_go_to_a_freer_core_and_stay_otherwise() {
        assert_eq!(relief(0, [0].into_iter()), None);
        assert_eq!(relief(1, [0].into_iter()), Some(0));
        assert_eq!(relief(1, [1].into_iter()), None);
        assert_eq!(relief(3, [2, 1, 2].into_iter()), Some(1));
        assert_eq!(relief(1, [].into_iter()), None);
    }
}
