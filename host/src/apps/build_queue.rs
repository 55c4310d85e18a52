//! Which app is built next: one that cannot be served before one that can, a small one before a large one, one whose last build
//! failed after all others. An app that was built rests in proportion to what its build took, so nobody can have all builders.
//!
//! Times are those since any fixed moment.

use std::collections::BTreeMap;
use std::time::Duration;

/// An app whose build took longer leaves one builder to others.
const SLOW: Duration = Duration::from_secs(60);
/// An app that fails again and again rests for at most so many times what its build took.
const MOST_RESTS: u32 = 8;

/// What is known of an app that wants to be built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// It can be served meanwhile.
    pub has_version: bool,
    /// Of its files, in bytes.
    pub size: u64,
}

#[derive(Debug, Default)]
struct Record {
    /// What is wanted, and since when.
    wanted: Option<(Wanted, Duration)>,
    is_running: bool,
    /// Failed builds since the last one that did not.
    failures: u32,
    took: Duration,
    /// It is not built again before.
    rests_until: Duration,
}

impl Record {
    fn is_slow(&self) -> bool {
        self.failures > 0 || self.took > SLOW
    }
}

/// The apps by number, and how many are built at a time.
#[derive(Debug)]
pub struct BuildQueue {
    records: BTreeMap<usize, Record>,
    builders: usize,
}

impl BuildQueue {
    pub fn new(builders: usize) -> Self {
        Self { records: BTreeMap::new(), builders }
    }

    /// An app has to be built. It may say so again while it waits.
    pub fn want(&mut self, app: usize, wanted: Wanted, now: Duration) {
        let record = self.records.entry(app).or_default();
        let since = record.wanted.map_or(now, |(_, since)| since);
        record.wanted = Some((wanted, since));
    }

    /// The app to build now, if there is one.
    pub fn next(&mut self, now: Duration) -> Option<usize> {
        let running = |slow: bool| {
            self.records.values().filter(|record| record.is_running && (!slow || record.is_slow())).count()
        };
        if running(false) >= self.builders {
            return None;
        }
        let has_room_for_slow = running(true) < self.builders.saturating_sub(1).max(1);
        let waiting = self.records.iter().filter_map(|(app, record)| {
            let (wanted, since) = record.wanted.filter(|_| !record.is_running)?;
            let may = record.rests_until <= now && (has_room_for_slow || !record.is_slow());
            // A large app gets smaller with time, so small ones cannot keep it waiting.
            let size = wanted.size / (1 + now.saturating_sub(since).as_secs());
            may.then_some(((record.failures, wanted.has_version, size, since), *app))
        });
        let (_, app) = waiting.min()?;
        let record = self.records.get_mut(&app)?;
        (record.wanted, record.is_running) = (None, true);
        Some(app)
    }

    /// A build has ended.
    pub fn done(&mut self, app: usize, is_good: bool, took: Duration, now: Duration) {
        let record = self.records.entry(app).or_default();
        record.failures = if is_good { 0 } else { record.failures.saturating_add(1) };
        (record.is_running, record.took) = (false, took);
        record.rests_until = now + took * record.failures.clamp(1, MOST_RESTS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn of(has_version: bool, size: u64) -> Wanted {
        Wanted { has_version, size }
    }

    #[test]
    fn the_neediest_and_smallest_comes_first_and_one_that_failed_last() {
        let mut queue = BuildQueue::new(10);
        queue.want(9, of(false, 1), at(0));
        assert_eq!(queue.next(at(0)), Some(9));
        queue.done(9, false, at(0), at(0));
        for (app, wanted) in
            [(9, of(false, 1)), (1, of(true, 5)), (2, of(false, 9)), (3, of(false, 3)), (4, of(true, 2))]
        {
            queue.want(app, wanted, at(1));
        }
        let order: Vec<_> = std::iter::from_fn(|| queue.next(at(1))).collect();
        assert_eq!(order, [3, 2, 4, 1, 9]);
    }

    #[test]
    fn no_more_run_than_there_are_builders_and_none_twice() {
        let mut queue = BuildQueue::new(2);
        (0..3).for_each(|app| queue.want(app, of(false, 0), at(0)));
        assert_eq!((queue.next(at(0)), queue.next(at(0)), queue.next(at(0))), (Some(0), Some(1), None));
        queue.want(0, of(true, 0), at(1));
        queue.done(1, true, at(1), at(1));
        assert_eq!((queue.next(at(1)), queue.next(at(1))), (Some(2), None));
    }

    #[test]
    fn an_app_rests_after_its_build_and_longer_after_failures() {
        let mut queue = BuildQueue::new(1);
        let mut now = at(0);
        for (is_good, rests) in [(true, 10), (false, 10), (false, 20), (false, 30), (true, 10)] {
            queue.want(1, of(true, 0), now);
            assert_eq!(queue.next(now), Some(1));
            now += at(10);
            queue.done(1, is_good, at(10), now);
            queue.want(1, of(true, 0), now);
            assert_eq!(queue.next(now + at(rests - 1)), None);
            now += at(rests);
        }
    }

    #[test]
    fn slow_apps_leave_a_builder_to_others() {
        let mut queue = BuildQueue::new(2);
        for app in [1, 2] {
            queue.want(app, of(false, 0), at(0));
            assert_eq!(queue.next(at(0)), Some(app));
        }
        (1..=2).for_each(|app| queue.done(app, app == 1, at(300), at(300)));
        (1..=2).for_each(|app| queue.want(app, of(false, 0), at(900)));
        assert_eq!((queue.next(at(900)), queue.next(at(900))), (Some(1), None));
        queue.want(3, of(true, 1 << 40), at(901));
        assert_eq!(queue.next(at(901)), Some(3));
        // With one builder they get it all the same.
        let mut one = BuildQueue::new(1);
        one.done(1, false, at(1), at(0));
        one.want(1, of(false, 0), at(1));
        assert_eq!(one.next(at(1)), Some(1));
    }

    /// Small apps that change all the time, each as often as it may.
    #[test]
    fn a_large_app_gets_its_turn() {
        let mut queue = BuildQueue::new(1);
        queue.want(0, of(true, 1000), at(0));
        for second in 0..2000 {
            (1..50).for_each(|app| queue.want(app, of(true, 1), at(second)));
            match queue.next(at(second)) {
                Some(0) => return,
                Some(app) => queue.done(app, true, at(1), at(second + 1)),
                None => {}
            }
        }
        panic!("it starved");
    }
}
