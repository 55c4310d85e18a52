//! The parent process: when it exits, its end of our standard input is closed.

use std::io::{Read, stdin};
use std::sync::OnceLock;
use tokio::sync::watch;

/// Becomes true when standard input is closed.
static CLOSED: OnceLock<watch::Sender<bool>> = OnceLock::new();

/// Watch standard input from now on. A thread waits for its end, because tokio cannot read a pipe without one.
pub fn watch_stdin() {
    let closed = CLOSED.get_or_init(|| watch::Sender::new(false));
    std::thread::spawn(move || {
        let mut ignored = [0; 1024];
        while stdin().lock().read(&mut ignored).is_ok_and(|read| read > 0) {}
        closed.send_replace(true);
    });
}

/// Return when standard input is closed; never if it is not watched.
pub async fn stdin_closed() {
    match CLOSED.get() {
        Some(closed) => {
            let _ = closed.subscribe().wait_for(|is_closed| *is_closed).await;
        }
        None => std::future::pending().await,
    }
}
