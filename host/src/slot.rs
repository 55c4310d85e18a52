//! A place in the table of apps, which all workers share: the app that is in it now, and where it comes from.

use crate::app::App;
use crate::dev::Reloader;
use crate::stats::AppStats;
use crate::stored::{State, Stored, Version};
use crate::sync::lock;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;

/// How long workers are waited for that take up a new version.
const PATIENCE: Duration = Duration::from_secs(3);

/// A place in the table. All workers share it.
pub struct Slot {
    /// What people call the app.
    pub name: String,
    /// None while nobody needs it.
    pub(crate) app: watch::Sender<Option<Arc<App>>>,
    pub(crate) origin: Kept,
    /// Workers that have instances of the app. Also held while the app is put away.
    users: Mutex<usize>,
    /// How often a worker took up another app than it had.
    pub(crate) switches: AtomicUsize,
    /// What was counted of an app that was put away, and its compiled code: another version is counted anew.
    pub(crate) counted: Mutex<Option<(Arc<Path>, Arc<AppStats>)>>,
}

/// Where a slot's app comes from.
pub(crate) enum Kept {
    /// It is always there.
    Here,
    /// Its files say what it is, whenever a request comes.
    Reloading(Box<Reloader>),
    /// On disk, compiled, until it is asked for.
    Stored(Box<Stored>),
}

impl Slot {
    pub fn new(name: &str, app: App) -> Self {
        Self::of(name, Some(Arc::new(app)), Kept::Here)
    }

    /// A place whose app is what its files are when a request comes.
    pub fn reloading(name: &str, reloader: Reloader) -> Self {
        Self::of(name, None, Kept::Reloading(Box::new(reloader)))
    }

    /// A place whose app is loaded when a request comes, and put away when none has come for a while.
    pub fn stored(stored: Stored) -> Self {
        Self::of(&stored.tenant.name.clone(), None, Kept::Stored(Box::new(stored)))
    }

    fn of(name: &str, app: Option<Arc<App>>, origin: Kept) -> Self {
        Self {
            name: name.to_owned(),
            app: watch::Sender::new(app),
            origin,
            users: Mutex::default(),
            switches: AtomicUsize::new(0),
            counted: Mutex::default(),
        }
    }

    /// From now on this is the app.
    pub fn replace(&self, app: App) {
        self.app.send_replace(Some(Arc::new(app)));
    }

    /// From now on this version of a stored app is loaded when it is needed, and at once where the old one is in use.
    /// Returns when every worker has it, or has had time to say in the log why it does not.
    pub async fn publish(&self, stored: &Stored, version: Version, app: App) {
        let _no_other = stored.loading.lock().await;
        stored.is_now(State::Ready(version));
        let wanted = self.switches.load(Ordering::Relaxed) + *lock(&self.users);
        self.app.send_if_modified(|now| now.is_some() && now.replace(Arc::new(app)).is_some());
        for _ in 0..PATIENCE.as_millis() {
            if self.switches.load(Ordering::Relaxed) >= wanted {
                return;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// What is served now. None: nobody has asked for it lately.
    pub fn app(&self) -> Option<Arc<App>> {
        self.app.borrow().clone()
    }

    pub fn reloader(&self) -> Option<&Reloader> {
        if let Kept::Reloading(reloader) = &self.origin { Some(reloader) } else { None }
    }

    pub fn kept(&self) -> Option<&Stored> {
        if let Kept::Stored(stored) = &self.origin { Some(stored) } else { None }
    }

    pub(crate) fn begin_use(&self, app: &Arc<App>) {
        *lock(&self.users) += 1;
        // The last user may have left since the app was found.
        self.app.send_if_modified(|now| now.is_none() && now.replace(app.clone()).is_none());
    }

    /// The last worker puts the app away.
    pub(crate) fn end_use(&self) {
        let mut users = lock(&self.users);
        *users -= 1;
        if *users == 0
            && self.kept().is_some()
            && let Some(app) = self.app.send_replace(None)
        {
            let sum = AppStats::sum(&app.stats());
            *lock(&self.counted) = sum.map(|sum| (app.component.image.clone(), Arc::new(sum)));
        }
    }
}
