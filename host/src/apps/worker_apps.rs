//! One worker's share of each app: its instances, counters and admission. An app may be replaced or evicted while
//! others are served.
//!
//! The version that a request started with serves it to its end. When an app is replaced, the instances of the old one
//! end as soon as they are done.

use crate::apps::app::App;
use crate::apps::dormant::{BuildState, DormantApp};
use crate::apps::pool_set::PoolSet;
use crate::apps::slot::{AppOrigin, Slot};
use crate::config::virtual_hosts::VirtualHosts;
use crate::error::{Failure, Fault, Rejection};
use crate::pool::worker::Worker;
use crate::quota::admission::Admission;
use crate::sandbox::compile_cache::Artifact;
use crate::sandbox::pagemap::Maps;
use crate::telemetry::counters::AppCounters;
use crate::util::locks::lock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Pause between two apps that are evicted.
const PAUSE: Duration = Duration::from_millis(1);

/// One worker's view of the app table.
pub struct WorkerApps {
    slots: Vec<Arc<WorkerSlot>>,
    hosts: Arc<VirtualHosts>,
    idle: Duration,
    began: Instant,
    /// One eviction at a time: it records the pages that instances use before it ends them.
    is_evicting: AtomicBool,
}

/// The app of a request, and the path prefix that selected it.
pub struct Found {
    pub worker_app: Arc<WorkerApp>,
    /// In bytes. The app does not see this part of the path.
    pub prefix: usize,
}

impl WorkerApps {
    /// Slots that `hosts` maps to, none of which is evicted when it is idle.
    pub fn of(slots: Vec<Arc<WorkerSlot>>, hosts: VirtualHosts) -> Self {
        Self::with(slots, Arc::new(hosts), Duration::MAX)
    }

    /// Open the slots of a table on one worker, and create its own instances of each.
    pub async fn open(
        shared: &[Arc<Slot>],
        worker: Arc<Worker>,
        hosts: Arc<VirtualHosts>,
        idle: Duration,
    ) -> Result<Arc<Self>, String> {
        let mut slots = Vec::with_capacity(shared.len());
        for shared in shared {
            let slot = Arc::new(WorkerSlot::new(shared.clone(), worker.clone()));
            let news = shared.app.subscribe();
            slot.open().await?;
            tokio::spawn(slot.clone().follow(news));
            slots.push(slot);
        }
        Ok(Arc::new(Self::with(slots, hosts, idle)))
    }

    fn with(slots: Vec<Arc<WorkerSlot>>, hosts: Arc<VirtualHosts>, idle: Duration) -> Self {
        Self { slots, hosts, idle, began: Instant::now(), is_evicting: AtomicBool::new(false) }
    }

    /// The app that serves a request for this host and path.
    pub async fn find(&self, host: &str, path: &str) -> Result<Found, Failure> {
        let (index, prefix) = self.hosts.find(host, path).ok_or(Rejection::NotFound)?;
        let slot = &self.slots[index];
        slot.used.store(self.began.elapsed().as_secs(), Ordering::Relaxed);
        let worker_app = lock(&slot.current).clone();
        let worker_app = match (&slot.shared.origin, worker_app) {
            #[cfg(feature = "build")]
            (AppOrigin::Reloading(reloader), _) => {
                let app = reloader.current().await.map_err(Fault::NotLoaded)?;
                slot.switch(app, false).await.map_err(Fault::NoInstance)?
            }
            (_, Some(worker_app)) => worker_app,
            (AppOrigin::Dormant(dormant), None) => slot.wake(dormant).await?,
            (AppOrigin::Resident, None) => return Err(Rejection::NotFound.into()),
        };
        Ok(Found { worker_app, prefix })
    }

    /// Whether there is more than one app, so that the log has to name it.
    pub fn is_many(&self) -> bool {
        self.slots.len() > 1
    }

    /// Whether responses show errors that are otherwise only logged.
    pub fn shows_errors(&self) -> bool {
        self.slots.iter().any(|slot| slot.shared.shows_errors())
    }

    /// Called once a second.
    pub fn tick(self: &Arc<Self>) {
        let mut unused = Vec::new();
        for (index, slot) in self.slots.iter().enumerate() {
            let Some(worker_app) = slot.worker_app() else { continue };
            worker_app.pools.tick();
            if self.is_unused(slot) {
                unused.push(index);
            }
        }
        if !unused.is_empty() && !self.is_evicting.swap(true, Ordering::Relaxed) {
            tokio::spawn(self.clone().evict(unused));
        }
    }

    /// True when no app got a request within the last second, and none has one in flight.
    pub fn is_quiet(&self) -> bool {
        let is_busy = |slot: &Arc<WorkerSlot>| {
            slot.worker_app().is_some_and(|worker_app| !worker_app.counters.is_idle())
        };
        self.slots.iter().all(|slot| self.unused(slot) > Duration::from_secs(1) && !is_busy(slot))
    }

    /// Time since its last request, in whole seconds.
    fn unused(&self, slot: &WorkerSlot) -> Duration {
        let now = self.began.elapsed().as_secs();
        Duration::from_secs(now.saturating_sub(slot.used.load(Ordering::Relaxed)))
    }

    fn is_unused(&self, slot: &WorkerSlot) -> bool {
        let is_idle = || slot.worker_app().is_some_and(|worker_app| worker_app.counters.is_idle());
        self.unused(slot) > self.idle && slot.shared.is_dormant() && is_idle()
    }

    /// One by one: hundreds of apps may become idle in the same second, and ending their instances blocks the thread.
    async fn evict(self: Arc<Self>, unused: Vec<usize>) {
        let slots = unused.into_iter().map(|index| &self.slots[index]);
        let versions = slots.clone().filter_map(|slot| match slot.shared.as_dormant()?.state() {
            BuildState::Ready(version) => Some(version.artifact),
            _ => None,
        });
        note_use(versions.filter(Artifact::begin_noting).collect()).await;
        for slot in slots {
            if self.is_unused(slot) {
                slot.leave();
                tokio::time::sleep(PAUSE).await;
            }
        }
        self.is_evicting.store(false, Ordering::Relaxed);
    }

    /// Make room for other instances: evict a quarter of the idle ones, of the least recently used apps first.
    pub fn reclaim(&self) {
        let mut slots: Vec<_> = self.slots.iter().collect();
        slots.sort_by_key(|slot| slot.used.load(Ordering::Relaxed));
        let apps: Vec<_> = slots.iter().filter_map(|slot| slot.worker_app()).collect();
        let resting =
            apps.iter().flat_map(|worker_app| worker_app.pools.counts()).map(|now| now.idle).sum::<usize>();
        let mut made = 0;
        for worker_app in apps {
            if made >= resting.div_ceil(4) {
                return;
            }
            made += worker_app.pools.evict_idle();
        }
    }

    /// Drain all pools, and return when all instances have ended.
    pub async fn close(&self) {
        for slot in &self.slots {
            let worker_app = lock(&slot.current).take();
            if let Some(worker_app) = worker_app {
                worker_app.pools.close();
                worker_app.pools.closed().await;
            }
        }
    }
}

/// Record the pages that apps use while their instances are alive. The record from the build only covers describing
/// their routes: requests use more.
async fn note_use(apps: Vec<Artifact>) {
    if apps.is_empty() {
        return;
    }
    let noting = tokio::task::spawn_blocking(move || {
        let Some(maps) = Maps::look() else { return };
        for app in apps {
            if let Err(error) = app.note_pages(&maps) {
                tracing::debug!("the pages that {} uses cannot be recorded: {error}", app.code.display());
            }
        }
    });
    let _ = noting.await;
}

/// An app, and one worker's instances of it.
pub struct WorkerApp {
    pub app: Arc<App>,
    pub pools: PoolSet,
    pub counters: Arc<AppCounters>,
    pub admission: Admission,
}

/// One worker's view of a slot.
pub struct WorkerSlot {
    shared: Arc<Slot>,
    worker: Arc<Worker>,
    current: Mutex<Option<Arc<WorkerApp>>>,
    /// Time of the last request, in seconds since the worker started.
    used: AtomicU64,
}

impl WorkerSlot {
    pub fn new(shared: Arc<Slot>, worker: Arc<Worker>) -> Self {
        Self { shared, worker, current: Mutex::default(), used: AtomicU64::new(0) }
    }

    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// The app and this worker's instances of it, if it has any.
    pub fn worker_app(&self) -> Option<Arc<WorkerApp>> {
        lock(&self.current).clone()
    }

    pub fn app(&self) -> Option<Arc<App>> {
        self.worker_app().map(|worker_app| worker_app.app.clone())
    }

    /// Create instances of the slot's app, if it is loaded. The error says why that failed.
    pub async fn open(&self) -> Result<(), String> {
        match self.shared.app() {
            Some(app) => self.switch(app, true).await.map(|_| ()),
            None => Ok(()),
        }
    }

    /// Serve `app` from now on; with `warm`, only once there are instances of it.
    async fn switch(&self, app: Arc<App>, warm: bool) -> Result<Arc<WorkerApp>, String> {
        if let Some(worker_app) = &*lock(&self.current)
            && Arc::ptr_eq(&worker_app.app, &app)
        {
            return Ok(worker_app.clone());
        }
        let pools = PoolSet::new(&app, &self.worker);
        if warm {
            pools.warm().await?;
        }
        let (counters, admission) = (app.new_counters(), Admission::new(&app.limits, app.rate.clone()));
        let worker_app = Arc::new(WorkerApp { app, pools, counters, admission });
        let old = lock(&self.current).replace(worker_app.clone());
        match old {
            Some(old) => {
                old.pools.close();
                self.shared.switched();
            }
            None => self.shared.begin_use(&worker_app.app),
        }
        Ok(worker_app)
    }

    /// Serve a dormant app, which is loaded first if no worker serves it.
    async fn wake(&self, dormant: &DormantApp) -> Result<Arc<WorkerApp>, Fault> {
        let _one_at_a_time = dormant.loading.lock().await;
        let app = match self.shared.app() {
            Some(app) => app,
            None => {
                let app = Arc::new(dormant.load().await?);
                match lock(&self.shared.counted).take() {
                    Some((image, counted)) if image == app.component.image => app.resume(counted),
                    _ => {}
                }
                app
            }
        };
        self.switch(app, false).await.map_err(Fault::NoInstance)
    }

    /// Stop serving the app on this worker, and drain its pools.
    pub fn leave(&self) {
        if let Some(worker_app) = lock(&self.current).take() {
            worker_app.pools.close();
            self.shared.end_use();
        }
    }

    /// Switch whenever the app is replaced.
    async fn follow(self: Arc<Self>, mut news: watch::Receiver<Option<Arc<App>>>) {
        while news.changed().await.is_ok() {
            let app = news.borrow_and_update().clone();
            // A worker that does not serve the app loads it when a request comes.
            let is_needed = lock(&self.current).is_some();
            if let Some(app) = app
                && is_needed
                && let Err(why) = self.switch(app, true).await
            {
                tracing::error!(
                    app = self.shared.name,
                    "no instance of the new version can be created, so the old one stays: {why}"
                );
            }
        }
    }
}
