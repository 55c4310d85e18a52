//! The end of the process: it drains at the first signal and ends at the second one. It also ends when the time of the
//! drain is over, whatever its threads do: one may compute, or wait for a file or for the reader of its output.

use crate::cli::parent;
use crate::config::limit_name;
use crate::config::limit_table::Limit;
use crate::util::blocking::block_on;
use std::sync::mpsc;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// What workers need to close after their drain, which may end a little later than it should.
const CLOSING: Duration = Duration::from_secs(2);
/// For the last lines of the log, which another thread writes.
const LAST_LINES: Duration = Duration::from_millis(200);

/// The error is a message for people.
type Outcome = Result<(), String>;

/// Receives signals from now on.
pub struct Shutdown {
    begun: mpsc::Receiver<Outcome>,
}

impl Shutdown {
    /// The thread is made now: there may be no room for one later. The error is a user-facing message.
    pub fn watch(drain: Duration) -> Result<Self, String> {
        let (begin, begun) = mpsc::channel();
        let watching = move || {
            if let Err(sentence) = block_on(watch(drain, &begin)).and_then(|outcome| outcome) {
                let _ = begin.send(Err(sentence));
            }
        };
        let thread = std::thread::Builder::new().name("signals".to_owned());
        thread.spawn(watching).map_err(|e| format!("signals cannot be received: {e}"))?;
        Ok(Self { begun })
    }

    /// Wait until the process is asked to end.
    pub fn begun(&self) -> Outcome {
        self.begun.recv().map_err(|_| "signals are not received any more".to_owned())?
    }
}

async fn watch(drain: Duration, begin: &mpsc::Sender<Outcome>) -> Outcome {
    let mut signals = Signals::new()?;
    tokio::select! {
        () = signals.next() => {}
        () = parent::stdin_closed() => {}
    }
    let _ = begin.send(Ok(()));
    tokio::select! {
        () = signals.next() => std::process::exit(1),
        () = tokio::time::sleep(drain + CLOSING) => {}
    }
    tracing::warn!("a thread was stuck after the drain and was cut off ({})", limit_name::of(Limit::Drain));
    tokio::time::sleep(LAST_LINES).await;
    std::process::exit(0)
}

/// SIGINT, SIGTERM, and SIGHUP unless it is ignored, as below `nohup`.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Option<Signal>,
}

impl Signals {
    fn new() -> Result<Self, String> {
        let failed = |e: std::io::Error| format!("signals cannot be received: {e}");
        let interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
        let hangup = SignalKind::hangup();
        let hangup = if is_ignored(hangup) { None } else { Some(signal(hangup).map_err(failed)?) };
        Ok(Self { interrupt, terminate: signal(SignalKind::terminate()).map_err(failed)?, hangup })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = async {
                match &mut self.hangup {
                    Some(hangup) => hangup.recv().await,
                    None => std::future::pending().await,
                }
            } => {}
        }
    }
}

/// Whether whoever started this process had it ignore the signal.
fn is_ignored(signal: SignalKind) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    mask >> (signal.as_raw_value() - 1) & 1 == 1
}
