//! The apps of a host, and what each worker has of them. An app may be replaced while it is served.
//!
//! A request is served to its end by the app it began with. When an app is replaced, the instances of the old one end as
//! soon as they are done.

use crate::app::{App, Lanes};
use crate::dev::Reloader;
use crate::fault::{Failure, Fault, Rejection};
use crate::lane::Core;
use crate::stats::AppStats;
use crate::sync::lock;
use std::sync::{Arc, Mutex};
use tokio::sync::watch;

/// A place in the table. All workers share it.
pub struct Slot {
    /// What people call the app.
    pub name: String,
    app: watch::Sender<Option<Arc<App>>>,
    /// Says before each request what the app is by now.
    reloader: Option<Reloader>,
}

impl Slot {
    pub fn new(name: &str, app: App) -> Self {
        Self { name: name.to_owned(), app: watch::Sender::new(Some(Arc::new(app))), reloader: None }
    }

    /// A place whose app is what its files are when a request comes.
    pub fn reloading(name: &str, reloader: Reloader) -> Self {
        Self { name: name.to_owned(), app: watch::Sender::new(None), reloader: Some(reloader) }
    }

    /// From now on this is the app.
    pub fn replace(&self, app: App) {
        self.app.send_replace(Some(Arc::new(app)));
    }

    /// What is served now; none until a reloader was asked.
    pub fn app(&self) -> Option<Arc<App>> {
        self.app.borrow().clone()
    }

    pub fn reloader(&self) -> Option<&Reloader> {
        self.reloader.as_ref()
    }
}

/// The apps of a host. `run` serves a table of one.
#[derive(Clone)]
pub struct AppTable {
    slots: Vec<Arc<Slot>>,
}

impl AppTable {
    pub fn of_one(slot: Arc<Slot>) -> Self {
        Self { slots: vec![slot] }
    }

    pub fn slots(&self) -> &[Arc<Slot>] {
        &self.slots
    }

    /// Make the calling worker's own instances of every app. The error says why there can be none.
    pub async fn staff(&self) -> Result<Arc<Staffed>, String> {
        let core = Core::current();
        let mut places = Vec::with_capacity(self.slots.len());
        for slot in &self.slots {
            let place = Arc::new(Place { slot: slot.clone(), core: core.clone(), staff: Mutex::default() });
            let mut news = slot.app.subscribe();
            let app = news.borrow_and_update().clone();
            if let Some(app) = app {
                place.switch(app, true).await?;
            }
            tokio::spawn(place.clone().follow(news));
            places.push(place);
        }
        Ok(Arc::new(Staffed { places }))
    }
}

/// The table as one worker has it.
pub struct Staffed {
    places: Vec<Arc<Place>>,
}

impl Staffed {
    /// The app that serves a request. One app has every path, until hosts and prefixes tell several apart.
    pub async fn find(&self) -> Result<Arc<Staff>, Failure> {
        let place = self.places.first().ok_or(Rejection::NotFound)?;
        if let Some(reloader) = &place.slot.reloader {
            let app = reloader.current().await.map_err(Fault::NotLoaded)?;
            place.switch(app, false).await.map_err(Fault::NoInstance)?;
        }
        let staff = lock(&place.staff).clone();
        Ok(staff.ok_or(Rejection::NotFound)?)
    }

    /// Clients are told what only the log is told otherwise.
    pub fn shows_errors(&self) -> bool {
        self.places.iter().any(|place| place.slot.reloader.is_some())
    }

    /// Called once a second.
    pub fn tend(&self) {
        for place in &self.places {
            let staff = lock(&place.staff).clone();
            if let Some(staff) = staff {
                staff.lanes.tend();
            }
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

/// An app, and the instances of it that one worker has.
pub struct Staff {
    pub app: Arc<App>,
    pub lanes: Lanes,
    pub stats: Arc<AppStats>,
}

/// A slot, seen from one worker.
struct Place {
    slot: Arc<Slot>,
    core: Arc<Core>,
    staff: Mutex<Option<Arc<Staff>>>,
}

impl Place {
    /// Serve `app` from now on; `warm`: once there are instances of it.
    async fn switch(&self, app: Arc<App>, warm: bool) -> Result<(), String> {
        if lock(&self.staff).as_ref().is_some_and(|staff| Arc::ptr_eq(&staff.app, &app)) {
            return Ok(());
        }
        let lanes = Lanes::new(&app, &self.core);
        if warm {
            lanes.warm().await?;
        }
        let stats = app.counters();
        let old = lock(&self.staff).replace(Arc::new(Staff { app, lanes, stats }));
        if let Some(old) = old {
            old.lanes.close();
        }
        Ok(())
    }

    /// Switch whenever the app is replaced.
    async fn follow(self: Arc<Self>, mut news: watch::Receiver<Option<Arc<App>>>) {
        while news.changed().await.is_ok() {
            let app = news.borrow_and_update().clone();
            if let Some(app) = app
                && let Err(why) = self.switch(app, true).await
            {
                tracing::error!("the new version of the app has no instance, so the old one goes on: {why}");
            }
        }
    }
}
