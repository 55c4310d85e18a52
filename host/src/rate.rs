//! How many requests an app may get in a second, and how many of them at a time.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A bucket that fills with `per_second` requests, up to what comes in a tenth of a second. All workers take from it.
///
/// Kept as one number: the time at which the bucket is full again (GCRA).
#[derive(Debug)]
pub struct Rate {
    began: Instant,
    full_at: AtomicU64,
    interval: u64,
    burst: u64,
}

/// What may come at once, in seconds of the rate.
const BURST: f64 = 0.1;

impl Rate {
    pub fn new(per_second: u32) -> Self {
        let interval = 1_000_000_000 / u64::from(per_second.max(1));
        // One request can always come.
        let burst = ((BURST * 1e9) as u64).max(interval);
        Self { began: Instant::now(), full_at: AtomicU64::new(0), interval, burst }
    }

    /// Take one request out. The error is the time until there is one.
    pub fn take(&self) -> Result<(), Duration> {
        self.take_at(self.began.elapsed().as_nanos() as u64)
    }

    fn take_at(&self, now: u64) -> Result<(), Duration> {
        let mut full_at = self.full_at.load(Ordering::Relaxed);
        loop {
            let next = full_at.max(now) + self.interval;
            if next - now > self.burst {
                return Err(Duration::from_nanos(next - now - self.burst));
            }
            match self.full_at.compare_exchange_weak(full_at, next, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return Ok(()),
                Err(seen) => full_at = seen,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_kept_over_time_and_a_burst_passes() {
        let rate = Rate::new(100);
        let second = 1_000_000_000;
        let taken = |from: u64, to: u64| {
            (from..to).step_by(1_000_000).filter(|&now| rate.take_at(now).is_ok()).count()
        };
        let first = (0..50).filter(|_| rate.take_at(0).is_ok()).count();
        assert_eq!(first, 10);
        assert_eq!(rate.take_at(0), Err(Duration::from_millis(10)));
        let later = taken(second, 2 * second);
        assert!((100..=110).contains(&later), "{later}");
        let much_later = taken(100 * second, 101 * second);
        assert!((100..=110).contains(&much_later), "{much_later}");
    }

    #[test]
    fn the_slowest_rate_lets_one_pass() {
        let rate = Rate::new(1);
        assert!(rate.take_at(0).is_ok() && rate.take_at(1).is_err() && rate.take_at(1_000_000_000).is_ok());
    }
}
