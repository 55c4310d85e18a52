//! Wakes an instance's event loop: by a timer that the guest sets, or by the host.

use crate::util::locks::lock;
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

    /// Return when it rings. The SDK parks once; a guest that parks a million times must not make the host hold a
    /// million timers, so every call but the first waits forever.
    pub async fn park(&self) {
        if self.parked.swap(true, Ordering::Relaxed) {
            return std::future::pending().await;
        }
        self.ring().await;
        self.parked.store(false, Ordering::Relaxed);
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
