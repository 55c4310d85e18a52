//! What long work says of itself, on standard error.

use std::fmt::Display;
use std::io::Write;
use std::time::Instant;

/// Tell the user. Where nobody listens, or the disk is full, the host goes on.
pub fn tell(text: impl Display) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Tells the user what is being done, one line a step.
pub struct Progress {
    start: Instant,
}

impl Progress {
    /// Say what begins.
    pub fn begin(step: &str) -> Self {
        tell(format_args!("  {step} …"));
        Self { start: Instant::now() }
    }

    /// Say that it is done, and how long it took.
    pub fn done(self, result: &str) {
        tell(format_args!("    {result} in {:.1} s", self.start.elapsed().as_secs_f64()));
    }
}
