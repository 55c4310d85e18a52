//! Work that would block a worker's thread for too long: decoding large replies, and dropping large instances. Encoding
//! 64 MiB takes 50 ms and unmapping as much takes 10 ms, while every connection of the worker would wait.

use crate::codec::encode_error::EncodeError;
use crate::codec::reply::{self, Body, DecodeError, Reply};
use crate::error::{Failure, Fault};
use crate::quota::body_budget::BodyBudget;
use crate::sandbox::instance::Instance;
use crate::util::affinity;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;
use tokio::sync::{Semaphore, oneshot};

/// Largest reply decoded, and largest body encoded, on the worker's thread: half a millisecond. In bytes.
const SHORT: usize = 256 * 1024;

/// Replies of one app that may be decoded on background threads at once.
pub const MOST_AT_ONCE: usize = 2;

/// More than the second for which the allocator keeps freed memory for reuse.
const A_WHILE: Duration = Duration::from_millis(1500);

/// Memory growth from which on dropping an instance takes a millisecond, in bytes.
const LARGE: usize = 8 * 1024 * 1024;

/// Limits for decoding one app's replies.
pub struct Decoder<'a> {
    /// Largest body of a reply, in bytes.
    pub limit: usize,
    /// Permits for background threads: [`MOST_AT_ONCE`].
    pub turns: &'a Arc<Semaphore>,
    /// The app's body budget.
    pub bodies: &'a BodyBudget,
}

impl Decoder<'_> {
    /// Decode a reply; its body counts against the budget until its last byte is sent.
    pub async fn decode(&self, text: String) -> Result<Reply, Failure> {
        let limit = self.limit;
        let mut reply = if text.len() > SHORT {
            self.offload(move || reply::decode(&reply::bytes(text)?, limit)).await?
        } else {
            let data = reply::bytes(text).map_err(Fault::from)?;
            match reply::decode(&data, limit.min(SHORT)) {
                // Back-references make a short reply a long body.
                Err(DecodeError::Unencodable(EncodeError::TooLarge)) if limit > SHORT => {
                    self.offload(move || reply::decode(&data, limit)).await?
                }
                outcome => outcome.map_err(Fault::from)?,
            }
        };
        if let Body::Bytes(body) = &mut reply.body {
            *body = self.bodies.keep(std::mem::take(body))?;
        }
        Ok(reply)
    }

    /// Run `decode` on a background thread.
    async fn offload(
        &self,
        decode: impl FnOnce() -> Result<Reply, DecodeError> + Send + 'static,
    ) -> Result<Reply, Fault> {
        let lost = |why: &dyn std::fmt::Display| Fault::BadReply(format!("it was not decoded: {why}"));
        let turn = self.turns.clone().acquire_owned().await.map_err(|e| lost(&e))?;
        let (done, decoded) = oneshot::channel();
        let thread = thread::Builder::new().name("decode".into());
        let decoding = move || {
            affinity::enter_background();
            let _ = done.send(decode());
            // Held until here: the request may be dropped while this thread still decodes.
            drop(turn);
            give_back();
        };
        thread.spawn(decoding).map_err(|e| lost(&e))?;
        Ok(decoded.await.map_err(|e| lost(&e))??)
    }
}

/// The allocator returns large blocks to the system when a thread ends, if they were freed a while before. So one
/// thread lingers until no other has come for a while. Without this 500 MB were kept after a burst of large replies.
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

/// Drop an instance and free its memory: one per worker at a time. Not on a low-priority thread, because it holds a
/// lock that every thread needs to grow a memory.
pub async fn end(guest: Instance, turns: &Semaphore) {
    if guest.store.data().grown() < LARGE {
        return drop(guest);
    }
    let _turn = turns.acquire().await;
    let _ = tokio::task::spawn_blocking(move || drop(guest)).await;
}
