//! What has changed for a guest since it last asked, by number. Its event loop wakes up for it.

use crate::sandbox::timer::GuestTimer;
use crate::util::locks::lock;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Wake;

/// The numbers of exchanges, or of requests with streams, that have changed.
pub struct News {
    numbers: Mutex<BTreeSet<u64>>,
    timer: Arc<GuestTimer>,
}

impl News {
    /// `timer` rings when there are news.
    pub fn new(timer: Arc<GuestTimer>) -> Arc<Self> {
        Arc::new(Self { numbers: Mutex::default(), timer })
    }

    /// `number` has changed. `is_known`: whether the guest still knows it, asked under the lock.
    pub fn tell(&self, number: u64, is_known: impl FnOnce() -> bool) -> bool {
        let mut numbers = lock(&self.numbers);
        if !is_known() {
            return false;
        }
        numbers.insert(number);
        drop(numbers);
        self.timer.ring_now();
        true
    }

    /// `number` is not known any more, once `forget` has run.
    pub fn forget(&self, number: u64, forget: impl FnOnce()) {
        let mut numbers = lock(&self.numbers);
        forget();
        numbers.remove(&number);
    }

    pub fn take(&self) -> Vec<u64> {
        std::mem::take(&mut *lock(&self.numbers)).into_iter().collect()
    }
}

/// Tells the guest that something with this number has progressed, while it is open.
pub struct Progress {
    number: u64,
    news: Arc<News>,
    is_open: AtomicBool,
}

impl Progress {
    pub fn new(number: u64, news: Arc<News>) -> Arc<Self> {
        Arc::new(Self { number, news, is_open: AtomicBool::new(true) })
    }

    /// The guest knows the number no more.
    pub fn end(&self) {
        self.news.forget(self.number, || self.is_open.store(false, Ordering::Relaxed));
    }
}

impl Wake for Progress {
    fn wake(self: Arc<Self>) {
        self.news.tell(self.number, || self.is_open.load(Ordering::Relaxed));
    }
}
