//! The apps of a host, and what each worker has of them. An app may be replaced, or put away, while others are served.
//!
//! A request is served to its end by the app it began with. When an app is replaced, the instances of the old one end as
//! soon as they are done.

use crate::app::{App, Lanes};
use crate::artifact::Artifact;
use crate::fault::{Failure, Fault, Rejection};
use crate::gate::Gate;
use crate::hosts::{Hosts, Mount};
use crate::lane::Core;
use crate::pages::Maps;
use crate::pressure::Pressure;
use crate::slot::{Kept, Slot};
use crate::stats::AppStats;
use crate::stored::{State, Stored};
use crate::sync::lock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Between two apps that are put away.
const BREATH: Duration = Duration::from_millis(1);

/// The apps of a host. `run` serves a table of one.
#[derive(Clone)]
pub struct AppTable {
    slots: Arc<[Arc<Slot>]>,
    hosts: Arc<Hosts>,
    /// An app that nobody asked for in so long is put away.
    idle: Duration,
    pressure: Pressure,
}

impl AppTable {
    pub fn of_one(slot: Arc<Slot>) -> Self {
        let everywhere = Hosts::new(&[Mount::default()]).unwrap_or_default();
        let (hosts, pressure) = (Arc::new(everywhere), Pressure::default());
        Self { slots: [slot].into(), hosts, idle: Duration::MAX, pressure }
    }

    /// `hosts` gives indices into `slots`.
    pub fn new(slots: Vec<Arc<Slot>>, hosts: Hosts, idle: Duration) -> Self {
        Self { slots: slots.into(), hosts: Arc::new(hosts), idle, pressure: Pressure::default() }
    }

    /// Raised where there is no room for an instance.
    pub fn pressure(&self) -> &Pressure {
        &self.pressure
    }

    pub fn slots(&self) -> &[Arc<Slot>] {
        &self.slots
    }

    /// Make the calling worker's own instances of every app that is there. The error says why there can be none.
    pub async fn staff(&self) -> Result<Arc<Staffed>, String> {
        let core = Core::current(self.pressure.clone());
        let mut places = Vec::with_capacity(self.slots.len());
        for slot in self.slots.iter() {
            let place = Arc::new(Place::new(slot.clone(), core.clone()));
            let news = slot.app.subscribe();
            place.open().await?;
            tokio::spawn(place.clone().follow(news));
            places.push(place);
        }
        Ok(Arc::new(Staffed::with(places, self.hosts.clone(), self.idle)))
    }
}

/// The table as one worker has it.
pub struct Staffed {
    places: Vec<Arc<Place>>,
    hosts: Arc<Hosts>,
    idle: Duration,
    began: Instant,
    /// Instances must not end while somebody looks at what they use.
    is_putting_away: AtomicBool,
}

/// The app of a request, and the part of its path that led there.
pub struct Found {
    pub staff: Arc<Staff>,
    /// Bytes of the path; the app does not see them.
    pub prefix: usize,
}

impl Staffed {
    /// Places that `hosts` has indices of, none of which is put away when it is idle.
    pub fn of(places: Vec<Arc<Place>>, hosts: Hosts) -> Self {
        Self::with(places, Arc::new(hosts), Duration::MAX)
    }

    fn with(places: Vec<Arc<Place>>, hosts: Arc<Hosts>, idle: Duration) -> Self {
        Self { places, hosts, idle, began: Instant::now(), is_putting_away: AtomicBool::new(false) }
    }

    /// The app that serves a request for this host and path.
    pub async fn find(&self, host: &str, path: &str) -> Result<Found, Failure> {
        let (index, prefix) = self.hosts.find(host, path).ok_or(Rejection::NotFound)?;
        let place = &self.places[index];
        place.used.store(self.began.elapsed().as_secs(), Ordering::Relaxed);
        let staff = lock(&place.staff).clone();
        let staff = match (&place.slot.origin, staff) {
            (Kept::Reloading(reloader), _) => {
                let app = reloader.current().await.map_err(Fault::NotLoaded)?;
                place.switch(app, false).await.map_err(Fault::NoInstance)?
            }
            (_, Some(staff)) => staff,
            (Kept::Stored(stored), None) => place.wake(stored).await?,
            (Kept::Here, None) => return Err(Rejection::NotFound.into()),
        };
        Ok(Found { staff, prefix })
    }

    /// There is more than one app, so it has to be said which one is meant.
    pub fn is_many(&self) -> bool {
        self.places.len() > 1
    }

    /// Clients are told what only the log is told otherwise.
    pub fn shows_errors(&self) -> bool {
        self.places.iter().any(|place| place.slot.reloader().is_some())
    }

    /// Called once a second.
    pub fn tend(self: &Arc<Self>) {
        let mut unused = Vec::new();
        for (index, place) in self.places.iter().enumerate() {
            let Some(staff) = place.staff() else { continue };
            staff.lanes.tend();
            if self.is_unused(place) {
                unused.push(index);
            }
        }
        if !unused.is_empty() && !self.is_putting_away.swap(true, Ordering::Relaxed) {
            tokio::spawn(self.clone().put_away(unused));
        }
    }

    /// No app was asked for within the last second, and none has a request to answer.
    pub fn is_quiet(&self) -> bool {
        let is_busy = |place: &Arc<Place>| place.staff().is_some_and(|staff| !staff.stats.is_idle());
        self.places.iter().all(|place| self.unused(place) > Duration::from_secs(1) && !is_busy(place))
    }

    /// How long it has not been asked for, in whole seconds.
    fn unused(&self, place: &Place) -> Duration {
        let now = self.began.elapsed().as_secs();
        Duration::from_secs(now.saturating_sub(place.used.load(Ordering::Relaxed)))
    }

    fn is_unused(&self, place: &Place) -> bool {
        let is_idle = || place.staff().is_some_and(|staff| staff.stats.is_idle());
        self.unused(place) > self.idle && place.slot.kept().is_some() && is_idle()
    }

    /// One by one: hundreds of apps may become idle in the same second, and to end their instances takes the thread.
    async fn put_away(self: Arc<Self>, unused: Vec<usize>) {
        let places = unused.into_iter().map(|index| &self.places[index]);
        let versions = places.clone().filter_map(|place| match place.slot.kept()?.state() {
            State::Ready(version) => Some(version.artifact),
            _ => None,
        });
        note_use(versions.filter(Artifact::begin_noting).collect()).await;
        for place in places {
            if self.is_unused(place) {
                place.leave();
                tokio::time::sleep(BREATH).await;
            }
        }
        self.is_putting_away.store(false, Ordering::Relaxed);
    }

    /// Instances of apps that were not asked for longest make room for others: a quarter of those that rest.
    pub fn make_room(&self) {
        let mut places: Vec<_> = self.places.iter().collect();
        places.sort_by_key(|place| place.used.load(Ordering::Relaxed));
        let staffs: Vec<_> = places.iter().filter_map(|place| place.staff()).collect();
        let resting = staffs.iter().flat_map(|staff| staff.lanes.census()).map(|now| now.idle).sum::<usize>();
        let mut made = 0;
        for staff in staffs {
            if made >= resting.div_ceil(4) {
                return;
            }
            made += staff.lanes.make_room();
        }
    }

    /// Return when all instances have ended.
    pub async fn close(&self) {
        for place in &self.places {
            let staff = lock(&place.staff).take();
            if let Some(staff) = staff {
                staff.lanes.close();
                staff.lanes.closed().await;
            }
        }
    }
}

/// Note what was used of apps while their instances are there. What was noted when they were built is what it takes to tell
/// their routes: requests use more.
async fn note_use(apps: Vec<Artifact>) {
    if apps.is_empty() {
        return;
    }
    let noting = tokio::task::spawn_blocking(move || {
        let Some(maps) = Maps::look() else { return };
        for app in apps {
            if let Err(error) = app.note_pages(&maps) {
                tracing::debug!("what a start of {} uses cannot be noted: {error}", app.code.display());
            }
        }
    });
    let _ = noting.await;
}

/// An app, and the instances of it that one worker has.
pub struct Staff {
    pub app: Arc<App>,
    pub lanes: Lanes,
    pub stats: Arc<AppStats>,
    pub gate: Gate,
}

/// A slot, seen from one worker.
pub struct Place {
    slot: Arc<Slot>,
    core: Arc<Core>,
    staff: Mutex<Option<Arc<Staff>>>,
    /// When a request came last, in seconds of the worker's life.
    used: AtomicU64,
}

impl Place {
    pub fn new(slot: Arc<Slot>, core: Arc<Core>) -> Self {
        Self { slot, core, staff: Mutex::default(), used: AtomicU64::new(0) }
    }

    pub fn name(&self) -> &str {
        &self.slot.name
    }

    /// The app, and this worker's instances of it, if it has any.
    pub fn staff(&self) -> Option<Arc<Staff>> {
        lock(&self.staff).clone()
    }

    pub fn app(&self) -> Option<Arc<App>> {
        self.staff().map(|staff| staff.app.clone())
    }

    /// Make instances of the app that is there, if there is one. The error says why there can be none.
    pub async fn open(&self) -> Result<(), String> {
        match self.slot.app() {
            Some(app) => self.switch(app, true).await.map(|_| ()),
            None => Ok(()),
        }
    }

    /// Serve `app` from now on; `warm`: once there are instances of it.
    async fn switch(&self, app: Arc<App>, warm: bool) -> Result<Arc<Staff>, String> {
        if let Some(staff) = &*lock(&self.staff)
            && Arc::ptr_eq(&staff.app, &app)
        {
            return Ok(staff.clone());
        }
        let lanes = Lanes::new(&app, &self.core);
        if warm {
            lanes.warm().await?;
        }
        let (stats, gate) = (app.counters(), Gate::new(&app.limits, app.rate.clone()));
        let staff = Arc::new(Staff { app, lanes, stats, gate });
        let old = lock(&self.staff).replace(staff.clone());
        match old {
            Some(old) => {
                old.lanes.close();
                self.slot.switches.fetch_add(1, Ordering::Relaxed);
            }
            None => self.slot.begin_use(&staff.app),
        }
        Ok(staff)
    }

    /// Serve a stored app, which is loaded first if no worker serves it.
    async fn wake(&self, stored: &Stored) -> Result<Arc<Staff>, Fault> {
        let _one_at_a_time = stored.loading.lock().await;
        let app = match self.slot.app() {
            Some(app) => app,
            None => {
                let app = Arc::new(stored.load().await?);
                match lock(&self.slot.counted).take() {
                    Some((image, counted)) if image == app.component.image => app.resume(counted),
                    _ => {}
                }
                app
            }
        };
        self.switch(app, false).await.map_err(Fault::NoInstance)
    }

    /// Let the instances end: nobody needs them now.
    pub fn leave(&self) {
        if let Some(staff) = lock(&self.staff).take() {
            staff.lanes.close();
            self.slot.end_use();
        }
    }

    /// Switch whenever the app is replaced.
    async fn follow(self: Arc<Self>, mut news: watch::Receiver<Option<Arc<App>>>) {
        while news.changed().await.is_ok() {
            let app = news.borrow_and_update().clone();
            // A worker that does not serve the app takes it up when a request comes.
            let is_needed = lock(&self.staff).is_some();
            if let Some(app) = app
                && is_needed
                && let Err(why) = self.switch(app, true).await
            {
                tracing::error!(
                    app = self.slot.name,
                    "the new version has no instance, so the old one goes on: {why}"
                );
            }
        }
    }
}
