//! A place in the table of apps, which all workers share: the app that is served there now, and where it comes from.

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

/// How long a deployment waits for workers that take up the new version.
const SWITCH_TIMEOUT: Duration = Duration::from_secs(3);

/// A place in the table.
pub struct Slot {
    /// What people call the app.
    pub name: String,
    /// None while nobody needs it.
    pub(super) app: watch::Sender<Option<Arc<App>>>,
    pub(super) origin: AppOrigin,
    /// Workers that have instances of the app. Also held while the app is evicted.
    users: Mutex<usize>,
    /// How often a worker took up another app than it had.
    switches: watch::Sender<usize>,
    /// What was counted of an app that was evicted, and its compiled code: another version is counted anew.
    pub(super) counted: Mutex<Option<(Arc<Path>, Arc<AppCounters>)>>,
}

/// Where a slot's app comes from.
pub(super) enum AppOrigin {
    /// It is always there.
    Resident,
    /// Its files say what it is, whenever a request comes.
    #[cfg(feature = "build")]
    Reloading(Box<Reloader>),
    /// On disk, compiled, until it is asked for.
    Dormant(Box<DormantApp>),
}

impl Slot {
    pub fn new(name: &str, app: App) -> Self {
        Self::of(name, Some(Arc::new(app)), AppOrigin::Resident)
    }

    /// A place whose app is what its files are when a request comes.
    #[cfg(feature = "build")]
    pub fn reloading(name: &str, reloader: Reloader) -> Self {
        Self::of(name, None, AppOrigin::Reloading(Box::new(reloader)))
    }

    /// A place whose app is loaded when a request comes, and evicted when none has come for a while.
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

    /// From now on this is the app.
    pub fn replace(&self, app: App) {
        self.app.send_replace(Some(Arc::new(app)));
    }

    /// From now on this version of a dormant app is loaded when it is needed, and at once where the old one is in use.
    /// Returns when every worker has it, or has had time to say in the log why it does not.
    pub async fn publish(&self, dormant: &DormantApp, version: Version, app: App) {
        let _no_other = dormant.loading.lock().await;
        dormant.set_state(BuildState::Ready(version));
        let mut switches = self.switches.subscribe();
        let wanted = *switches.borrow() + *lock(&self.users);
        self.app.send_if_modified(|now| now.is_some() && now.replace(Arc::new(app)).is_some());
        let switched = switches.wait_for(|count| *count >= wanted);
        let _ = tokio::time::timeout(SWITCH_TIMEOUT, switched).await;
    }

    /// What is served now. None: nobody has asked for it lately.
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

    /// Clients of this app are its developers, and are told what only the log is told otherwise.
    pub(super) fn shows_errors(&self) -> bool {
        !matches!(self.origin, AppOrigin::Resident | AppOrigin::Dormant(_))
    }

    /// It can be loaded again, so it may be evicted.
    pub(super) fn is_dormant(&self) -> bool {
        self.as_dormant().is_some()
    }

    /// A worker took up another app than it had.
    pub(super) fn switched(&self) {
        self.switches.send_modify(|count| *count += 1);
    }

    pub(super) fn begin_use(&self, app: &Arc<App>) {
        *lock(&self.users) += 1;
        // The last user may have left since the app was found.
        self.app.send_if_modified(|now| now.is_none() && now.replace(app.clone()).is_none());
    }

    /// The last worker evicts the app.
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
