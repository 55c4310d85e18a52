//! What long work says of itself, on standard error.

use std::time::Instant;

/// Tells the user what is being done, one line a step.
pub struct Progress {
    start: Instant,
}

impl Progress {
    /// Say what begins.
    pub fn begin(step: &str) -> Self {
        eprintln!("  {step} …");
        Self { start: Instant::now() }
    }

    /// Say that it is done, and how long it took.
    pub fn done(self, result: &str) {
        eprintln!("    {result} in {:.1} s", self.start.elapsed().as_secs_f64());
    }
}
