//! A slot of the app table, which all workers share: the app that it serves now, and where that app comes from.

use crate::apps::app::App;
use crate::apps::dormant::{BuildState, DormantApp, Version};
#[cfg(feature = "build")]
use crate::apps::reloader::Reloader;
use crate::telemetry::counters::AppCounters;
use crate::util::locks::lock;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;

/// How long a deployment waits for workers to switch to the new version.
const SWITCH_TIMEOUT: Duration = Duration::from_secs(3);

/// A slot of the app table.
pub struct Slot {
    /// The app's name.
    pub name: String,
    /// None while it is not loaded.
    pub(super) app: watch::Sender<Option<Arc<App>>>,
    pub(super) origin: AppOrigin,
    /// How many workers have instances of the app. Locked while the app is evicted.
    users: Mutex<usize>,
    /// How often a worker has switched to another version.
    switches: watch::Sender<usize>,
    /// Counters of an evicted app, with its compiled code: another version starts at zero.
    pub(super) counted: Mutex<Option<(Arc<Path>, Arc<AppCounters>)>>,
}

/// Where a slot's app comes from.
pub(super) enum AppOrigin {
    /// It is always loaded.
    Resident,
    /// Source files, which are checked at every request.
    #[cfg(feature = "build")]
    Reloading(Box<Reloader>),
    /// Compiled code on disk, loaded on request.
    Dormant(Box<DormantApp>),
}

impl Slot {
    pub fn new(name: &str, app: App) -> Self {
        Self::of(name, Some(Arc::new(app)), AppOrigin::Resident)
    }

    /// A slot whose app follows its source files.
    #[cfg(feature = "build")]
    pub fn reloading(name: &str, reloader: Reloader) -> Self {
        Self::of(name, None, AppOrigin::Reloading(Box::new(reloader)))
    }

    /// A slot whose app is loaded on request, and evicted when no request has come for a while.
    pub fn dormant(app: DormantApp) -> Self {
        Self::of(&app.tenant.name.clone(), None, AppOrigin::Dormant(Box::new(app)))
    }

    fn of(name: &str, app: Option<Arc<App>>, origin: AppOrigin) -> Self {
        Self {
            name: name.to_owned(),
            app: watch::Sender::new(app),
            origin,
            users: Mutex::default(),
            switches: watch::Sender::new(0),
            counted: Mutex::default(),
        }
    }

    /// Serve `app` from now on.
    pub fn replace(&self, app: App) {
        self.app.send_replace(Some(Arc::new(app)));
    }

    /// Make this the version of a dormant app that is loaded on request, and replace the old one at once where it is in
    /// use. Returns when every worker has switched, or has had time to log why it could not.
    pub async fn publish(&self, dormant: &DormantApp, version: Version, app: App) {
        let _no_other = dormant.loading.lock().await;
        dormant.set_state(BuildState::Ready(version));
        let mut switches = self.switches.subscribe();
        let wanted = *switches.borrow() + *lock(&self.users);
        self.app.send_if_modified(|now| now.is_some() && now.replace(Arc::new(app)).is_some());
        let switched = switches.wait_for(|count| *count >= wanted);
        let _ = tokio::time::timeout(SWITCH_TIMEOUT, switched).await;
    }

    /// The app that is served now. None while it is not loaded.
    pub fn app(&self) -> Option<Arc<App>> {
        self.app.borrow().clone()
    }

    #[cfg(feature = "build")]
    pub fn reloader(&self) -> Option<&Reloader> {
        if let AppOrigin::Reloading(reloader) = &self.origin { Some(reloader) } else { None }
    }

    pub fn as_dormant(&self) -> Option<&DormantApp> {
        if let AppOrigin::Dormant(app) = &self.origin { Some(app) } else { None }
    }

    /// Whether responses show errors that are otherwise only logged: the clients are the developers.
    pub(super) fn shows_errors(&self) -> bool {
        !matches!(self.origin, AppOrigin::Resident | AppOrigin::Dormant(_))
    }

    /// Whether it can be loaded again, and so may be evicted.
    pub(super) fn is_dormant(&self) -> bool {
        self.as_dormant().is_some()
    }

    /// A worker has switched to another version.
    pub(super) fn switched(&self) {
        self.switches.send_modify(|count| *count += 1);
    }

    pub(super) fn begin_use(&self, app: &Arc<App>) {
        *lock(&self.users) += 1;
        // The last worker may have evicted the app since it was found.
        self.app.send_if_modified(|now| now.is_none() && now.replace(app.clone()).is_none());
    }

    /// A worker stops using the app; the last one evicts it.
    pub(super) fn end_use(&self) {
        let mut users = lock(&self.users);
        *users -= 1;
        if *users == 0
            && self.is_dormant()
            && let Some(app) = self.app.send_replace(None)
        {
            let sum = AppCounters::sum(&app.counters());
            *lock(&self.counted) = sum.map(|sum| (app.component.image.clone(), Arc::new(sum)));
        }
    }
}
