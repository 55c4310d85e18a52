//! Shares of the process's file descriptors: a reserve for the host itself, half for clients, and the rest for apps, each of
//! which has a limit of its own.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::io;
use std::sync::{Arc, OnceLock};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What the host keeps for itself at least and at most: listeners, code of apps, the log, deployments.
const RESERVE: (usize, usize) = (32, 1024);

/// Blocking threads that one app keeps busy at a time, of the hundreds that a worker has.
const WORK: usize = 32;

/// How the descriptors are divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileShares {
    /// For connections of clients.
    pub clients: usize,
    /// For files, uploads and outbound connections of all apps.
    pub apps: usize,
}

impl FileShares {
    fn of(all: usize) -> Self {
        let reserve = (all / 8).clamp(RESERVE.0, RESERVE.1).min(all / 2);
        let clients = (all - reserve) / 2;
        Self { clients, apps: all - reserve - clients }
    }

    /// The shares of this process. Read once, so raise the limit before.
    pub fn get() -> Self {
        static SHARES: OnceLock<FileShares> = OnceLock::new();
        *SHARES.get_or_init(|| {
            let all = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
            Self::of(usize::try_from(all).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS))
        })
    }
}

/// Raise the limit of this process as far as the system allows: the default is low.
pub fn raise_limit() {
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}

/// The share of one app, over all its instances and workers.
#[derive(Debug, Clone)]
pub struct FileQuota {
    own: Arc<Semaphore>,
    all: Arc<Semaphore>,
    /// Work on disks at a time.
    work: Arc<Semaphore>,
}

/// The right to one descriptor, given back on drop.
#[derive(Debug)]
pub struct FilePlace(#[allow(dead_code, reason = "they are held")] [OwnedSemaphorePermit; 2]);

impl FileQuota {
    /// At most `most`, and at most half of what all apps have.
    pub fn new(most: usize) -> Self {
        static ALL: OnceLock<Arc<Semaphore>> = OnceLock::new();
        let shares = FileShares::get();
        let all = ALL.get_or_init(|| Arc::new(Semaphore::new(shares.apps)));
        Self::within(most.min(shares.apps / 2), all.clone())
    }

    fn within(most: usize, all: Arc<Semaphore>) -> Self {
        Self { own: Arc::new(Semaphore::new(most)), all, work: Arc::new(Semaphore::new(WORK)) }
    }

    /// A descriptor, if there is one left.
    pub fn try_take(&self) -> Option<FilePlace> {
        let own = self.own.clone().try_acquire_owned().ok()?;
        Some(FilePlace([own, self.all.clone().try_acquire_owned().ok()?]))
    }

    /// A descriptor, as soon as one is given back.
    pub async fn take(&self) -> Option<FilePlace> {
        // The semaphores are never closed.
        let own = self.own.clone().acquire_owned().await.ok()?;
        Some(FilePlace([own, self.all.clone().acquire_owned().await.ok()?]))
    }

    /// Do work on a disk, which may be slow, on a blocking thread. Work that nobody waits for any more counts until it is done.
    pub async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let turn = self.turn().await;
        let working = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            work()
        });
        working.await.map_err(io::Error::other)?
    }

    /// The right to work on a disk, for as long as it is held.
    pub async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        self.work.clone().acquire_owned().await.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_leave_a_reserve_whatever_the_limit() {
        for all in [0, 1, 40, 256, 1024, 20_000, 1 << 20, Semaphore::MAX_PERMITS] {
            let FileShares { clients, apps } = FileShares::of(all);
            assert!(clients + apps <= all, "{all}");
            assert!(all < 64 || all - clients - apps >= RESERVE.0, "{all}");
            assert!(all < 64 || clients > 0 && apps > 0, "{all}");
        }
        assert_eq!(FileShares::of(1024), FileShares { clients: 448, apps: 448 });
    }

    #[tokio::test]
    async fn an_app_has_its_own_share_and_all_together_have_one() {
        let all = Arc::new(Semaphore::new(5));
        let (a, b) = (FileQuota::within(3, all.clone()), FileQuota::within(3, all));
        let of_a: Vec<_> = std::iter::from_fn(|| a.try_take()).collect();
        let mut of_b: Vec<_> = std::iter::from_fn(|| b.try_take()).collect();
        assert_eq!(
            (of_a.len(), of_b.len(), a.own.available_permits(), b.own.available_permits()),
            (3, 2, 0, 1)
        );
        let mut waiting = std::pin::pin!(b.take());
        tokio::select! {
            biased;
            _ = &mut waiting => unreachable!("none was left"),
            () = async {} => {}
        }
        of_b.pop();
        assert!(waiting.await.is_some());
    }
}
