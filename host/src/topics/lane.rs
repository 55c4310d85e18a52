//! Who waits for the next event of a topic on one thread.
//!
//! Whoever publishes wakes nobody: a task of the thread does, some at a time, so that ten thousand subscribers do not hold up the
//! other connections there.

use crate::util::locks::lock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Waker;
use std::thread::ThreadId;
use tokio::runtime::Handle;

/// Subscribers that are woken before others may run.
const AT_ONCE: usize = 32;

/// The subscribers of a topic on one thread.
#[derive(Debug)]
pub struct Lane {
    thread: ThreadId,
    runtime: Option<Handle>,
    waiting: Mutex<Waiting>,
    /// A task wakes them.
    is_waking: AtomicBool,
    /// There was an event since it last began.
    is_due: AtomicBool,
}

#[derive(Debug, Default)]
struct Waiting {
    slots: Vec<Option<Waker>>,
    free: Vec<usize>,
}

impl Lane {
    /// The lane of this thread.
    pub fn new() -> Self {
        Self {
            thread: std::thread::current().id(),
            runtime: Handle::try_current().ok(),
            waiting: Mutex::default(),
            is_waking: AtomicBool::new(false),
            is_due: AtomicBool::new(false),
        }
    }

    /// Whether it is that of this thread.
    pub fn is_here(&self) -> bool {
        self.thread == std::thread::current().id()
    }

    /// A slot for another subscriber.
    pub fn enter(&self) -> usize {
        let mut waiting = lock(&self.waiting);
        waiting.free.pop().unwrap_or_else(|| {
            waiting.slots.push(None);
            waiting.slots.len() - 1
        })
    }

    /// Wake whoever has this slot after the next event.
    pub fn wait(&self, slot: usize, waker: &Waker) {
        let mut waiting = lock(&self.waiting);
        if let Some(slot) = waiting.slots.get_mut(slot)
            && !slot.as_ref().is_some_and(|known| known.will_wake(waker))
        {
            *slot = Some(waker.clone());
        }
    }

    pub fn leave(&self, slot: usize) {
        let mut waiting = lock(&self.waiting);
        waiting.slots[slot] = None;
        waiting.free.push(slot);
        if waiting.free.len() == waiting.slots.len() {
            *waiting = Waiting::default();
        }
    }

    /// How many subscribers there are.
    pub fn count(&self) -> usize {
        let waiting = lock(&self.waiting);
        waiting.slots.len() - waiting.free.len()
    }

    /// Wake all who wait, soon.
    pub fn wake(self: &Arc<Self>) {
        self.is_due.store(true, Ordering::SeqCst);
        if self.is_waking.swap(true, Ordering::SeqCst) {
            return;
        }
        match &self.runtime {
            Some(runtime) => drop(runtime.spawn(self.clone().wake_all())),
            None => {
                lock(&self.waiting).slots.iter_mut().filter_map(Option::take).for_each(Waker::wake);
                self.is_waking.store(false, Ordering::SeqCst);
            }
        }
    }

    async fn wake_all(self: Arc<Self>) {
        loop {
            self.is_due.store(false, Ordering::SeqCst);
            // Subscribers that were woken have to run, also if somebody publishes all the time.
            tokio::task::yield_now().await;
            let mut at = 0;
            loop {
                let some: Vec<Waker> = {
                    let mut waiting = lock(&self.waiting);
                    let slots = waiting.slots.get_mut(at..).unwrap_or_default();
                    if slots.is_empty() {
                        break;
                    }
                    slots.iter_mut().take(AT_ONCE).filter_map(Option::take).collect()
                };
                at += AT_ONCE;
                if !some.is_empty() {
                    some.into_iter().for_each(Waker::wake);
                    // They run, and whoever else has something to do on this worker.
                    tokio::task::yield_now().await;
                }
            }
            self.is_waking.store(false, Ordering::SeqCst);
            if !self.is_due.load(Ordering::SeqCst) || self.is_waking.swap(true, Ordering::SeqCst) {
                return;
            }
        }
    }
}
