//! Work that would block a worker's thread for too long: checking large requests, decoding large replies, and dropping
//! large instances. Encoding 64 MiB takes 50 ms and unmapping as much takes 10 ms, while every connection of the worker
//! would wait.

use crate::codec::encode_error::EncodeError;
use crate::codec::reply::{self, Body, DecodeError, Reply};
use crate::codec::work::{Stop, Watch, Work};
use crate::error::{Failure, Fault};
use crate::quota::body_budget::{BodyBudget, BodyReservation};
use crate::sandbox::instance::Instance;
use crate::util::affinity;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;
use tokio::sync::{Semaphore, oneshot};
use tokio::time::Instant;

/// Largest reply decoded, and largest body encoded, on the worker's thread: half a millisecond. In bytes.
const SHORT: usize = 256 * 1024;

/// Background threads of one app for one kind of work.
const MOST_AT_ONCE: usize = 2;

/// More than the second for which the allocator keeps freed memory for reuse.
const A_WHILE: Duration = Duration::from_millis(1500);

/// Memory growth from which on dropping an instance takes a millisecond, in bytes.
const LARGE: usize = 8 * 1024 * 1024;

/// The background threads of one app, for one kind of work.
#[derive(Debug)]
pub struct Background {
    turns: Arc<Semaphore>,
}

impl Default for Background {
    fn default() -> Self {
        Self { turns: Arc::new(Semaphore::new(MOST_AT_ONCE)) }
    }
}

impl Background {
    /// Work on a background thread until the deadline. `held` is the memory that it has reserved; it may reserve more.
    pub async fn run<T: Send + 'static>(
        &self,
        held: BodyReservation,
        deadline: Instant,
        work: impl FnOnce(&mut Work) -> T + Send + 'static,
    ) -> Result<T, Fault> {
        let lost = |why: &dyn std::fmt::Display| Fault::BadReply(format!("a thread ended early: {why}"));
        let turn = tokio::time::timeout_at(deadline, self.turns.clone().acquire_owned());
        let turn = turn.await.map_err(|_| Fault::Late)?.map_err(|e| lost(&e))?;
        let waits = Waits(Arc::new(AtomicBool::new(true)));
        let request = Request { deadline: deadline.into_std(), is_awaited: waits.0.clone(), held };
        let (done, result) = oneshot::channel();
        let thread = thread::Builder::new().name("background".into());
        let working = move || {
            affinity::enter_background();
            let mut counted = Work::background(request);
            let result = work(&mut counted);
            drop(counted);
            let _ = done.send(result);
            // Held until here: the request may be dropped while this thread still works.
            drop(turn);
            give_back();
        };
        thread.spawn(working).map_err(|e| lost(&e))?;
        result.await.map_err(|e| lost(&e))
    }
}

/// A request in the background.
struct Request {
    deadline: std::time::Instant,
    is_awaited: Arc<AtomicBool>,
    held: BodyReservation,
}

impl Watch for Request {
    fn is_over(&mut self) -> bool {
        !self.is_awaited.load(Ordering::Relaxed) || std::time::Instant::now() >= self.deadline
    }

    fn reserve(&mut self, bytes: usize) -> bool {
        self.held.grow(bytes).is_ok()
    }
}

/// Dropped with the request that waits.
struct Waits(Arc<AtomicBool>);

impl Drop for Waits {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

/// Limits for decoding one app's replies.
pub struct Decoder<'a> {
    /// Largest body of a reply, in bytes.
    pub limit: usize,
    pub background: &'a Background,
    /// The app's body budget.
    pub bodies: &'a BodyBudget,
}

impl Decoder<'_> {
    /// Decode a reply; its body counts against the budget until its last byte is sent.
    pub async fn decode(&self, text: String, deadline: Instant) -> Result<Reply, Failure> {
        let mut reply = if text.len() > SHORT {
            let held = self.hold(text.len())?;
            self.offload(held, deadline, move || reply::bytes(text)).await?
        } else {
            let data = reply::bytes(text)?;
            match reply::decode(&data, self.limit.min(SHORT), &mut Work::brief()) {
                // Back-references make a short reply a long body.
                Err(DecodeError::Unencodable(EncodeError::TooLarge)) if self.limit > SHORT => {
                    self.offload(self.hold(data.len())?, deadline, move || Ok(data)).await?
                }
                Err(DecodeError::Unencodable(EncodeError::Stopped(Stop::Long))) => {
                    self.offload(self.hold(data.len())?, deadline, move || Ok(data)).await?
                }
                outcome => outcome?,
            }
        };
        if let Body::Bytes(body) = &mut reply.body {
            *body = self.bodies.keep(std::mem::take(body))?;
        }
        Ok(reply)
    }

    fn hold(&self, bytes: usize) -> Result<BodyReservation, Failure> {
        let mut held = self.bodies.reserve();
        held.grow(bytes)?;
        Ok(held)
    }

    async fn offload(
        &self,
        held: BodyReservation,
        deadline: Instant,
        data: impl FnOnce() -> Result<Vec<u8>, DecodeError> + Send + 'static,
    ) -> Result<Reply, Failure> {
        let limit = self.limit;
        let decode = move |work: &mut Work| reply::decode(&data()?, limit, work);
        Ok(self.background.run(held, deadline, decode).await??)
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
