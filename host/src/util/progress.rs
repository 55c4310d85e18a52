//! Progress messages of slow steps, on standard error.

use crate::util::printable;
use std::fmt::Display;
use std::io::Write;
use std::time::Instant;

/// Most bytes of a message.
const MOST: usize = 256 * 1024;

/// Print a line for the user, who may read there what an app said. Write errors are ignored: the host goes on if the pipe is
/// closed or the disk is full.
pub fn tell(text: impl Display) {
    let (text, _) = printable::text(&text.to_string(), MOST);
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// A step in progress: prints its name, then its result and how long it took.
pub struct Progress {
    start: Instant,
}

impl Progress {
    pub fn begin(step: &str) -> Self {
        tell(format_args!("  {step} …"));
        Self { start: Instant::now() }
    }

    pub fn done(self, result: &str) {
        tell(format_args!("    {result} in {:.1} s", self.start.elapsed().as_secs_f64()));
    }
}
