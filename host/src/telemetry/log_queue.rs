//! Log lines on their way to standard error, which a thread writes: a reader that stalls stops no worker, and what waits for it
//! is bounded in bytes.

use crate::util::progress;
use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;
use tracing_subscriber::fmt::MakeWriter;

/// Most bytes that wait, and again as many that are being written.
const MOST: usize = 8 * 1024 * 1024;
/// A buffer of this size is used again, in bytes.
const KEPT: usize = 256 * 1024;
/// How long the end of the program waits for a reader that takes nothing.
const PATIENCE: Duration = Duration::from_secs(1);

/// The queue, as a writer of whole lines.
#[derive(Clone)]
pub struct LogQueue(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    /// Something waits, or nothing will any more.
    filled: Condvar,
    written: Condvar,
}

#[derive(Default)]
struct State {
    waiting: Vec<u8>,
    /// Lines that did not fit.
    dropped: u64,
    is_writing: bool,
    /// Writes that ended.
    writes: u64,
}

/// Writes what waits when it is dropped.
#[must_use]
pub struct LogGuard(Arc<Shared>);

impl Shared {
    fn locked(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LogQueue {
    /// Start the thread that writes to `sink`.
    pub fn start(sink: impl Write + Send + 'static) -> io::Result<(Self, LogGuard)> {
        let (filled, written) = Default::default();
        let shared = Arc::new(Shared { state: Mutex::default(), filled, written });
        let writing = shared.clone();
        std::thread::Builder::new().name("log".into()).spawn(move || write_out(&writing, sink))?;
        Ok((Self(shared.clone()), LogGuard(shared)))
    }

    fn push(&self, line: &[u8]) {
        let mut state = self.0.locked();
        if state.waiting.len() + line.len() > MOST {
            state.dropped += 1;
            return;
        }
        let was_empty = state.waiting.is_empty();
        state.waiting.extend_from_slice(line);
        drop(state);
        if was_empty {
            self.0.filled.notify_one();
        }
    }
}

fn write_out(shared: &Shared, mut sink: impl Write) {
    let mut buffer = Vec::new();
    loop {
        let mut state = shared.locked();
        state.is_writing = false;
        state.writes += 1;
        shared.written.notify_all();
        while state.waiting.is_empty() {
            state = shared.filled.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        std::mem::swap(&mut state.waiting, &mut buffer);
        state.is_writing = true;
        let dropped = std::mem::take(&mut state.dropped);
        drop(state);
        // Whoever reads the log may be gone; the host goes on.
        let _ = sink.write_all(&buffer).and_then(|()| sink.flush());
        buffer.clear();
        buffer.shrink_to(KEPT);
        if dropped > 0 {
            tracing::warn!("{dropped} lines were left out of the log: they came faster than it is read");
        }
    }
}

impl Drop for LogGuard {
    fn drop(&mut self) {
        // What is told from now on would wait for the log in vain.
        progress::set_in_log(false);
        let mut state = self.0.locked();
        while state.is_writing || !state.waiting.is_empty() {
            let writes = state.writes;
            let waited = self.0.written.wait_timeout(state, PATIENCE);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
            if state.writes == writes {
                return;
            }
        }
    }
}

impl Write for LogQueue {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for LogQueue {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    /// A reader that takes nothing until it is told to.
    struct Stalled(mpsc::Receiver<()>, Arc<Mutex<usize>>);

    impl Write for Stalled {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.0.recv();
            *self.1.lock().unwrap() += bytes.len();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_stalled_reader_blocks_nobody_and_what_waits_is_bounded() {
        let ((go, stalled), taken) = (mpsc::channel(), Arc::<Mutex<usize>>::default());
        let (queue, guard) = LogQueue::start(Stalled(stalled, taken.clone())).unwrap();
        let line = [b'x'; 100_000];
        queue.push(&line);
        // The count of what was dropped begins again when the thread takes what waits.
        while !queue.0.locked().is_writing {
            std::thread::yield_now();
        }
        for _ in 1..1000 {
            queue.push(&line);
        }
        let state = queue.0.locked();
        assert!(
            state.waiting.len() <= MOST && state.waiting.capacity() <= 2 * MOST,
            "{}",
            state.waiting.capacity()
        );
        assert!(state.dropped >= 999 - (MOST / line.len()) as u64, "{}", state.dropped);
        drop(state);
        // The writer reads no more requests to go on: it takes everything now.
        drop(go);
        drop(guard);
        assert!(*taken.lock().unwrap() >= MOST - line.len());
        assert!(queue.0.locked().waiting.is_empty());
    }

    #[test]
    fn the_end_of_the_program_does_not_wait_for_a_reader_that_takes_nothing() {
        let (_go, stalled) = mpsc::channel();
        let (queue, guard) = LogQueue::start(Stalled(stalled, Arc::default())).unwrap();
        queue.push(b"a line\n");
        drop(guard);
    }
}
