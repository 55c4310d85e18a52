//! What an app may use for streams: how many are open, and how many bytes lie between its handlers and their clients.
//!
//! The bytes have half as much memory as the app's bodies, on top of it, as windows of outbound requests do: handlers that
//! each hold a large body must not wait for each other's clients.

use crate::util::locks::lock;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Waker;

/// Most bytes that one stream holds for a client that does not take them.
pub const WINDOW: usize = 64 * 1024;
/// A stream that holds nothing may always hold this much, in bytes: a busy app's clients all make progress.
pub const LEAST: usize = 4 * 1024;

/// The share of one app, over all workers.
#[derive(Debug, Clone)]
pub struct StreamQuota(Arc<Share>);

#[derive(Debug)]
struct Share {
    most: usize,
    open: AtomicUsize,
    budget: usize,
    held: AtomicUsize,
    /// Streams that wait for the budget.
    waiting: Mutex<HashMap<usize, (usize, Waker)>>,
}

/// The right to be open; dropping it gives it back.
#[derive(Debug)]
pub struct StreamPlace(StreamQuota);

impl StreamQuota {
    /// `most`: streams. `transit`: the size of the app's memory for bodies.
    pub fn new(most: usize, transit: usize) -> Self {
        Self(Arc::new(Share {
            most,
            open: AtomicUsize::new(0),
            budget: transit / 2,
            held: AtomicUsize::new(0),
            waiting: Mutex::default(),
        }))
    }

    /// A place for another stream, if there is one.
    pub fn open(&self) -> Option<StreamPlace> {
        let open = &self.0.open;
        let more = |count: usize| (count < self.0.most).then_some(count + 1);
        open.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
        Some(StreamPlace(self.clone()))
    }

    /// How many are open.
    #[cfg(any(test, feature = "internals"))]
    pub fn count(&self) -> usize {
        self.0.open.load(Ordering::Relaxed)
    }

    /// Bytes that all of them hold.
    pub fn held(&self) -> usize {
        self.0.held.load(Ordering::Relaxed)
    }

    /// Hold `bytes` more for a stream that holds `own`. False if the stream or the app holds enough.
    pub fn hold(&self, own: usize, bytes: usize) -> bool {
        if !Self::fits(own, bytes) {
            return false;
        }
        let is_little = own == 0 && bytes <= LEAST;
        self.hold_if(bytes, is_little)
    }

    /// Hold `bytes` more, whatever is held: whoever asks has looked whether there is room.
    pub fn hold_anyway(&self, bytes: usize) {
        self.0.held.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Hold `bytes` more if the app's share has room for them.
    pub fn hold_shared(&self, bytes: usize) -> bool {
        self.hold_if(bytes, false)
    }

    /// What is larger than the whole share is held alone.
    fn hold_if(&self, bytes: usize, is_little: bool) -> bool {
        let most = self.0.budget.max(bytes);
        let more = |held: usize| (is_little || held + bytes <= most).then_some(held + bytes);
        self.0.held.fetch_update(Ordering::SeqCst, Ordering::SeqCst, more).is_ok()
    }

    /// Whether the app's share is used up.
    pub fn is_used_up(&self) -> bool {
        self.0.held.load(Ordering::Relaxed) >= self.0.budget
    }

    /// Bytes were taken by a client, or will not be.
    pub fn give_back(&self, bytes: usize) {
        if bytes == 0 {
            return;
        }
        self.0.held.fetch_sub(bytes, Ordering::SeqCst);
        self.wake();
    }

    /// Wake a stream once there is room for `bytes`. `stream`: a number of its own, until it is forgotten.
    pub fn wait(&self, stream: usize, bytes: usize, waker: Waker) {
        lock(&self.0.waiting).insert(stream, (bytes, waker));
        // There may be room since.
        self.wake();
    }

    /// A stream does not wait any more.
    pub fn forget(&self, stream: usize) {
        lock(&self.0.waiting).remove(&stream);
    }

    fn wake(&self) {
        let mut waiting = lock(&self.0.waiting);
        if waiting.is_empty() {
            return;
        }
        let held = self.0.held.load(Ordering::SeqCst);
        let has_room = |bytes: usize| held + bytes <= self.0.budget.max(bytes);
        let woken: Vec<_> = waiting.extract_if(|_, (bytes, _)| has_room(*bytes)).collect();
        drop(waiting);
        woken.into_iter().for_each(|(_, (_, waker))| waker.wake());
    }

    /// Whether a stream that holds `own` has room of its own for a chunk.
    pub fn fits(own: usize, bytes: usize) -> bool {
        own == 0 || own + bytes <= WINDOW
    }
}

impl Drop for StreamPlace {
    fn drop(&mut self) {
        self.0.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::task::Wake;

    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn streams_and_their_bytes_are_bounded_and_given_back() {
        let quota = StreamQuota::new(2, 4 * WINDOW);
        let (first, second) = (quota.open().unwrap(), quota.open().unwrap());
        assert!(quota.open().is_none());
        drop(first);
        assert_eq!(quota.count(), 1);
        drop((quota.open().unwrap(), second));

        assert!(quota.hold(0, WINDOW) && quota.hold(0, WINDOW / 2) && !quota.hold(WINDOW, 1));
        assert!(quota.hold(WINDOW / 2, WINDOW / 2));
        // The app's share is used up; who holds nothing still gets a little.
        assert!(!quota.hold(0, LEAST + 1) && quota.hold(0, LEAST) && !quota.hold(LEAST, 1));
        let woken = Arc::new(Count(AtomicUsize::new(0)));
        quota.wait(1, LEAST + 1, Waker::from(woken.clone()));
        quota.wait(2, 2 * WINDOW, Waker::from(woken.clone()));
        quota.wait(3, 1, Waker::from(woken.clone()));
        quota.forget(3);
        quota.give_back(LEAST);
        assert_eq!(woken.0.load(Ordering::Relaxed), 0);
        quota.give_back(WINDOW);
        assert_eq!((woken.0.load(Ordering::Relaxed), quota.held()), (1, WINDOW));
    }
}
