//! An app that is served, the table of all of them, and what each worker keeps for each.

use crate::component::Loaded;
use crate::concurrent::{Concurrent, Seat};
use crate::config::Limits;
use crate::fault::Fault;
use crate::manifest::{Lane, Manifest};
use crate::params::ValidArgs;
use crate::pool::{Lease, Pool};
use crate::route::Router;
use std::sync::Arc;
use tokio::time::Instant;

/// One app, shared by all workers.
pub struct App {
    pub manifest: Manifest,
    pub router: Router,
    pub component: Arc<Loaded>,
    pub limits: Limits,
}

/// The apps of a host. `run` serves a table of one.
#[derive(Clone, Default)]
pub struct AppTable {
    apps: Vec<Arc<App>>,
}

impl AppTable {
    pub fn of_one(app: App) -> Self {
        Self { apps: vec![Arc::new(app)] }
    }

    /// Make a worker's own instances for every app, one per lane that the app uses.
    pub async fn staff(&self) -> wasmtime::Result<Staffed> {
        let mut apps = Vec::with_capacity(self.apps.len());
        for app in &self.apps {
            let lanes = Lanes::new(app);
            lanes.warm(&app.manifest).await?;
            apps.push((app.clone(), lanes));
        }
        Ok(Staffed { apps })
    }
}

/// The table as one worker has it: each app with this worker's instances of it.
pub struct Staffed {
    apps: Vec<(Arc<App>, Lanes)>,
}

impl Staffed {
    /// The app that serves a request. One app has every path, until hosts and prefixes tell several apart.
    pub fn find(&self) -> Option<(&App, &Lanes)> {
        self.apps.first().map(|(app, lanes)| (&**app, lanes))
    }
}

/// One worker's instances of one app. The lanes share nothing, so neither starves the other.
pub struct Lanes {
    pool: Arc<Pool>,
    concurrent: Concurrent,
}

impl Lanes {
    fn new(app: &App) -> Self {
        Self {
            pool: Arc::new(Pool::new(app.component.clone(), &app.limits)),
            concurrent: Concurrent::new(app.component.clone(), &app.limits),
        }
    }

    async fn warm(&self, manifest: &Manifest) -> wasmtime::Result<()> {
        if manifest.has(Lane::Sync) {
            self.pool.warm().await?;
        }
        if manifest.has(Lane::Async) {
            self.concurrent.warm().await?;
        }
        Ok(())
    }

    /// Get hold of an interpreter for a handler of `lane`.
    pub async fn checkout(&self, lane: Lane, deadline: Instant) -> Result<Guest, Fault> {
        match lane {
            Lane::Sync => self.pool.checkout(deadline).await.map(Guest::Leased),
            Lane::Async => Ok(Guest::Seated(self.concurrent.checkout(deadline))),
        }
    }
}

/// An interpreter for one request: alone in it, or with others.
pub enum Guest {
    Leased(Lease),
    Seated(Seat),
}

impl Guest {
    /// Run the handler of `route`; the reply is as the guest wrote it.
    pub async fn call(self, request: u64, route: usize, args: ValidArgs) -> Result<String, Fault> {
        match self {
            Self::Leased(lease) => lease.call(request, route, args).await,
            Self::Seated(seat) => seat.call(request, route, args).await,
        }
    }
}
