//! Wakes an instance's event loop: by a timer that the guest sets, or by the host.

use crate::util::locks::lock;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// The single timer of an instance, and the host's wake-up flag.
#[derive(Debug, Default)]
pub struct GuestTimer {
    at: std::sync::Mutex<Option<Instant>>,
    /// The host wants the guest to wake up, whatever the timer says.
    rung: AtomicBool,
    changed: Notify,
    parked: AtomicBool,
    /// Notified when it is set or rung: the event loop has to run.
    used: Notify,
}

impl GuestTimer {
    /// A century stands for "never" and keeps the addition from overflowing.
    const FAR: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

    pub fn set(&self, delay: Duration) {
        *lock(&self.at) = Some(Instant::now() + delay.min(Self::FAR));
        self.changed.notify_one();
        self.used.notify_one();
    }

    /// Wake the instance from the host. The guest may set its timer at the same time, so this is a separate flag.
    pub fn ring_now(&self) {
        self.rung.store(true, Ordering::Relaxed);
        self.changed.notify_one();
        self.used.notify_one();
    }

    /// Return when it is first set or rung.
    pub async fn used(&self) {
        self.used.notified().await;
    }

    /// Begin to park; `None` while the guest parks already. An event loop parks once at a time, and what the host holds
    /// for a guest that parks a million times would have no bound.
    pub fn parking(self: &Arc<Self>) -> Option<Parking> {
        let is_parked = self.parked.swap(true, Ordering::Relaxed);
        (!is_parked).then(|| Parking(self.clone()))
    }

    async fn ring(&self) {
        loop {
            let at = *lock(&self.at);
            let changed = self.changed.notified();
            if self.rung.swap(false, Ordering::Relaxed) {
                return;
            }
            match at {
                None => changed.await,
                Some(at) => {
                    if tokio::time::timeout_at(at, changed).await.is_err() {
                        *lock(&self.at) = None;
                        return;
                    }
                }
            }
        }
    }
}

/// A guest that parks, until this is dropped.
pub struct Parking(Arc<GuestTimer>);

impl Parking {
    /// Return when the timer rings.
    pub async fn wait(self) {
        self.0.ring().await;
    }
}

impl Drop for Parking {
    fn drop(&mut self) {
        self.0.parked.store(false, Ordering::Relaxed);
    }
}
