//! Rate limiter for requests to an app and for bytes of its log output.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A token bucket that refills at a steady rate and holds what refills in `burst`. All threads take from it.
///
/// Its state is one number: the time at which the bucket is full again (GCRA).
#[derive(Debug)]
pub struct RateLimit {
    began: Instant,
    full_at: AtomicU64,
    /// Nanoseconds per unit.
    interval: u64,
    burst: u64,
}

impl RateLimit {
    /// At most a billion units per second.
    pub fn new(per_second: u64, burst: Duration) -> Self {
        let interval = (1_000_000_000 / per_second.max(1)).max(1);
        // The bucket must hold at least one unit.
        let burst = (burst.as_nanos() as u64).max(interval);
        Self { began: Instant::now(), full_at: AtomicU64::new(0), interval, burst }
    }

    /// Take units. The error is the time until they are available; more units than the bucket holds never are.
    pub fn take(&self, units: u64) -> Result<(), Duration> {
        self.take_at(units, self.began.elapsed().as_nanos() as u64)
    }

    fn take_at(&self, units: u64, now: u64) -> Result<(), Duration> {
        let mut full_at = self.full_at.load(Ordering::Relaxed);
        loop {
            let next = full_at.max(now).saturating_add(self.interval.saturating_mul(units));
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
        let rate = RateLimit::new(100, Duration::from_millis(100));
        let second = 1_000_000_000;
        let taken = |from: u64, to: u64| {
            (from..to).step_by(1_000_000).filter(|&now| rate.take_at(1, now).is_ok()).count()
        };
        let first = (0..50).filter(|_| rate.take_at(1, 0).is_ok()).count();
        assert_eq!(first, 10);
        assert_eq!(rate.take_at(1, 0), Err(Duration::from_millis(10)));
        let later = taken(second, 2 * second);
        assert!((100..=110).contains(&later), "{later}");
        let much_later = taken(100 * second, 101 * second);
        assert!((100..=110).contains(&much_later), "{much_later}");
    }

    #[test]
    fn the_slowest_rate_lets_one_pass() {
        let rate = RateLimit::new(1, Duration::ZERO);
        assert!(
            rate.take_at(1, 0).is_ok()
                && rate.take_at(1, 1).is_err()
                && rate.take_at(1, 1_000_000_000).is_ok()
        );
    }

    #[test]
    fn units_are_taken_together() {
        let rate = RateLimit::new(1000, Duration::from_secs(1));
        assert!(
            rate.take_at(900, 0).is_ok() && rate.take_at(200, 0).is_err() && rate.take_at(100, 0).is_ok()
        );
        assert!(rate.take_at(1001, 100_000_000_000).is_err());
        assert!(rate.take_at(u64::MAX, 100_000_000_000).is_err());
    }
}
