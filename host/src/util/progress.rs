//! Progress messages of slow steps, on standard error; in the log, if programs read that.

use crate::util::printable;
use std::fmt::Display;
use std::io::{BufRead, BufReader, Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// Most bytes of a message.
const MOST: usize = 256 * 1024;

/// Most bytes of all messages of a child process, and of one of its lines.
const MOST_RELAYED: u64 = 256 * 1024;
const LONGEST_LINE: usize = 4 * 1024;

/// Messages are records of the log.
static IN_LOG: AtomicBool = AtomicBool::new(false);

/// From now on messages are records of the log, or lines again.
pub fn set_in_log(is: bool) {
    IN_LOG.store(is, Ordering::Relaxed);
}

pub fn is_in_log() -> bool {
    IN_LOG.load(Ordering::Relaxed)
}

/// Print a line for the user, who may read there what an app said. Write errors are ignored: the host goes on if the pipe is
/// closed or the disk is full.
pub fn tell(text: impl Display) {
    let (text, _) = printable::text(&text.to_string(), MOST);
    if is_in_log() {
        return tracing::info!(target: "bolt_host", "{}", text.trim());
    }
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Log the lines that a child process writes, until their end. `app`: whose they are.
pub fn relay(lines: impl Read, app: Option<&str>) {
    let mut lines = BufReader::new(lines.take(MOST_RELAYED));
    let mut line = Vec::new();
    while matches!(lines.read_until(b'\n', &mut line), Ok(1..)) {
        let text = String::from_utf8_lossy(&line);
        let text = printable::line(text.trim(), LONGEST_LINE);
        if !text.is_empty() {
            tracing::info!(target: "build", app, "{text}");
        }
        line.clear();
    }
    // A child that writes more does not wait for somebody who reads it.
    let _ = std::io::copy(&mut lines.into_inner().into_inner(), &mut std::io::sink());
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
