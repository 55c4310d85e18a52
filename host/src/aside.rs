//! What would hold a worker's thread for too long, and is done beside it: the decoding of large replies, and the end of
//! large instances. To encode 64 MiB takes 50 ms, to unmap as much 10 ms, and every connection of the worker waits.

use crate::app::App;
use crate::cores;
use crate::fault::{Failure, Fault};
use crate::guest::Instance;
use crate::json::EncodeError;
use crate::reply::{self, Body, Reply};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;
use tokio::sync::{Semaphore, oneshot};

/// Largest reply that is decoded, and largest body that is encoded, at once: half a millisecond. In bytes.
const SHORT: usize = 256 * 1024;

/// Replies of one app that may be decoded aside at once.
pub const MOST_AT_ONCE: usize = 2;

/// More than the second that the allocator keeps what was freed for, in case it is wanted again.
const A_WHILE: Duration = Duration::from_millis(1500);

/// Of a thread beside the workers: it gets a third of the time of one that serves, when both want a core.
const NICE: i32 = 5;

/// Memory of an instance from which on its end takes a millisecond, in bytes.
const LARGE: usize = 8 * 1024 * 1024;

/// Have the calling thread give way to workers. Where cores are few it would take a worker's for milliseconds at a time.
pub fn give_way() {
    cores::roam();
    let _ = rustix::process::setpriority_process(None, NICE);
}

/// Decode the reply of one of the app's handlers; its body gets a share of the app's memory for bodies.
pub async fn decode(text: String, app: &App) -> Result<Reply, Failure> {
    let limit = app.limits.max_response;
    let mut reply = if text.len() > SHORT {
        beside(move || reply::decode(&reply::bytes(text)?, limit), app).await?
    } else {
        let data = reply::bytes(text)?;
        match reply::decode(&data, limit.min(SHORT)) {
            // It unfolds to a long body.
            Err(Fault::Unencodable(EncodeError::TooLarge)) if limit > SHORT => {
                beside(move || reply::decode(&data, limit), app).await?
            }
            outcome => outcome?,
        }
    };
    if let Body::Bytes(body) = &mut reply.body {
        *body = app.transit.keep(std::mem::take(body))?;
    }
    Ok(reply)
}

async fn beside(
    decode: impl FnOnce() -> Result<Reply, Fault> + Send + 'static,
    app: &App,
) -> Result<Reply, Fault> {
    let lost = |why: &dyn std::fmt::Display| Fault::BadReply(format!("it was not decoded: {why}"));
    let turn = app.decoding.clone().acquire_owned().await.map_err(|e| lost(&e))?;
    let (done, decoded) = oneshot::channel();
    let thread = thread::Builder::new().name("decode".into());
    let decoding = move || {
        give_way();
        let _ = done.send(decode());
        // Not before: whoever waits for it may hang up, which does not end it.
        drop(turn);
        give_back();
    };
    thread.spawn(decoding).map_err(|e| lost(&e))?;
    decoded.await.map_err(|e| lost(&e))?
}

/// The allocator gives large blocks back to the system when a thread ends, if they were freed a while before. So one of the
/// threads stays until none has come for a while. Without this 500 MB were kept after a burst of large replies.
fn give_back() {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    static IS_SEEN_TO: AtomicBool = AtomicBool::new(false);
    COUNT.fetch_add(1, Ordering::SeqCst);
    if IS_SEEN_TO.swap(true, Ordering::SeqCst) {
        return;
    }
    let mut before = 0;
    while COUNT.load(Ordering::SeqCst) != before {
        before = COUNT.load(Ordering::SeqCst);
        thread::sleep(A_WHILE);
    }
    IS_SEEN_TO.store(false, Ordering::SeqCst);
}

/// End an instance: its memory is given back. One of a worker at a time, and not by a thread that gives way: it holds what
/// every thread needs that grows a memory.
pub async fn end(guest: Instance, turns: &Semaphore) {
    if guest.store.data().grown() < LARGE {
        return drop(guest);
    }
    let _turn = turns.acquire().await;
    let _ = tokio::task::spawn_blocking(move || drop(guest)).await;
}
