//! Counts the host's work for one request: what clients send and apps declare decides how much that is, so it must be
//! able to stop.

/// Work that a worker's thread does in one piece, in units: about a millisecond.
pub const BRIEF: u64 = 1_000_000;
/// Work between two looks at the clock, in units.
const SLICE: u64 = 100_000;

/// Why work stopped before it was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// It is too much for a worker's thread. Nothing of it is done: it has to be done again in the background.
    Long,
    /// Its deadline passed, or nobody waits for it any more.
    Late,
    /// It is more than this input may cost.
    Spent,
    /// The memory that it needs is refused.
    Room,
}

/// What background work asks between two slices.
pub trait Watch: Send {
    /// Whether its deadline passed, or nobody waits for it any more.
    fn is_over(&mut self) -> bool;
    /// Reserve memory; false when there is none.
    fn reserve(&mut self, bytes: usize) -> bool;
}

/// The work of one request. A unit is about a nanosecond.
///
/// Counting is a subtraction. The clock is read only in the background, between two slices.
pub struct Work {
    /// Units until the next look.
    left: u64,
    /// Units after that.
    rest: u64,
    /// `None` on a worker's thread.
    watch: Option<Box<dyn Watch>>,
    stopped: Option<Stop>,
}

impl Work {
    /// Work on a worker's thread, which stops after [`BRIEF`].
    pub fn brief() -> Self {
        Self { left: BRIEF, rest: u64::MAX - BRIEF, watch: None, stopped: None }
    }

    /// Work on a background thread.
    pub fn background(watch: impl Watch + 'static) -> Self {
        Self { left: 0, rest: u64::MAX, watch: Some(Box::new(watch)), stopped: None }
    }

    /// Work that stops only at its own bound: for tools, where nobody else waits.
    pub fn alone() -> Self {
        Self { left: u64::MAX, rest: 0, watch: None, stopped: None }
    }

    /// Bound all work from now on.
    pub fn bound(&mut self, units: u64) {
        self.left = self.left.min(units);
        self.rest = self.rest.min(units - self.left);
    }

    /// Why it stopped, if it did.
    pub fn stopped(&self) -> Option<Stop> {
        self.stopped
    }

    /// Count units; once this has failed, it always fails.
    #[inline]
    pub fn spend(&mut self, units: u64) -> Result<(), Stop> {
        match self.left.checked_sub(units) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => self.look(units),
        }
    }

    /// Reserve memory for what is about to be allocated. On a worker's thread, only [`BRIEF`] bounds it.
    pub fn reserve(&mut self, bytes: usize) -> Result<(), Stop> {
        if let Some(watch) = &mut self.watch
            && !watch.reserve(bytes)
        {
            return Err(self.stop(Stop::Room));
        }
        Ok(())
    }

    /// Stop because the next step alone would cost too much.
    pub fn exhaust(&mut self) -> Stop {
        self.stopped.unwrap_or_else(|| self.stop(Stop::Spent))
    }

    #[cold]
    fn look(&mut self, units: u64) -> Result<(), Stop> {
        if let Some(stop) = self.stopped {
            return Err(stop);
        }
        let Some(rest) = self.rest.checked_sub(units - self.left) else { return Err(self.stop(Stop::Spent)) };
        let Some(watch) = &mut self.watch else { return Err(self.stop(Stop::Long)) };
        if watch.is_over() {
            return Err(self.stop(Stop::Late));
        }
        self.left = rest.min(SLICE);
        self.rest = rest - self.left;
        Ok(())
    }

    fn stop(&mut self, stop: Stop) -> Stop {
        (self.left, self.stopped) = (0, Some(stop));
        stop
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    /// Over after some looks.
    struct Looks(Arc<AtomicU64>, u64);

    impl Watch for Looks {
        fn is_over(&mut self) -> bool {
            self.0.fetch_add(1, Ordering::Relaxed) >= self.1
        }

        fn reserve(&mut self, bytes: usize) -> bool {
            bytes <= 10
        }
    }

    /// Units spent in steps until it stops, and why it did.
    fn until_stopped(mut work: Work, step: u64) -> (u64, Stop) {
        let mut spent = 0;
        loop {
            match work.spend(step) {
                Ok(()) => spent += step,
                Err(stop) => {
                    assert_eq!(work.spend(1), Err(stop), "it goes on");
                    assert_eq!(work.stopped(), Some(stop));
                    return (spent, stop);
                }
            }
        }
    }

    #[test]
    fn no_more_is_spent_than_there_is() {
        for step in [1, 7, 100, SLICE - 1, SLICE, SLICE + 1, 3 * SLICE] {
            let (spent, stop) = until_stopped(Work::brief(), step);
            assert!(spent <= BRIEF && spent + step > BRIEF && stop == Stop::Long, "{step}: {spent} {stop:?}");
            for bound in [0, 1, 1000, BRIEF, 10 * BRIEF] {
                let bounded = |mut work: Work| {
                    work.bound(bound);
                    until_stopped(work, step)
                };
                let looks = Looks(Arc::default(), u64::MAX);
                for (spent, stop) in [bounded(Work::background(looks)), bounded(Work::alone())] {
                    assert!(spent <= bound && spent + step > bound, "{step}, {bound}: {spent}");
                    assert_eq!(stop, Stop::Spent);
                }
                let (_, stop) = bounded(Work::brief());
                assert_eq!(stop, if bound > BRIEF { Stop::Long } else { Stop::Spent }, "{step}, {bound}");
            }
        }
    }

    #[test]
    fn background_work_looks_at_the_clock_after_each_slice() {
        let seen = Arc::<AtomicU64>::default();
        let (spent, stop) = until_stopped(Work::background(Looks(seen.clone(), 5)), 10);
        assert_eq!((spent, stop), (5 * SLICE + 50, Stop::Late));
        assert_eq!(seen.load(Ordering::Relaxed), 6);
    }

    #[test]
    fn refused_memory_stops_background_work() {
        let mut work = Work::background(Looks(Arc::default(), 5));
        assert_eq!((work.reserve(10), work.reserve(11)), (Ok(()), Err(Stop::Room)));
        assert_eq!(work.spend(1), Err(Stop::Room));
        assert_eq!(Work::brief().reserve(usize::MAX), Ok(()));
    }
}
