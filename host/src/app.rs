//! An app that is served, the table of all of them, and what each worker keeps for each.

use crate::component::Loaded;
use crate::config::{Limits, MAX_LANES};
use crate::grants::Grants;
use crate::lane::{Core, Lane, Siblings};
use crate::manifest::Manifest;
use crate::outbound::Outbound;
use crate::policy::{Rules, Wishes};
use crate::route::Router;
use std::sync::Arc;

/// One app, shared by all workers.
pub struct App {
    pub manifest: Manifest,
    pub router: Router,
    pub component: Arc<Loaded>,
    pub limits: Limits,
    /// Where its handlers may connect to.
    pub grants: Arc<Grants>,
    /// The different rules of its routes, a lane for each on every worker.
    lanes: Vec<(Rules, Arc<Siblings>)>,
    /// The lane of each route, and of each refusal behind them.
    lane_of: Vec<usize>,
}

impl App {
    /// The error is a sentence.
    pub fn new(
        manifest: Manifest,
        component: Arc<Loaded>,
        limits: Limits,
        grants: Grants,
    ) -> Result<Self, String> {
        let router = Router::new(&manifest)?;
        let mut lanes: Vec<(Rules, Arc<Siblings>)> = Vec::new();
        let mut lane_of = Vec::with_capacity(manifest.routes.len());
        let routes = manifest.routes.iter().map(|route| (route.is_async, route.wishes));
        let refusals = manifest.refusals.iter().map(|refusal| (refusal.is_async, Wishes::default()));
        for (is_async, wishes) in routes.chain(refusals) {
            let rules = Rules::new(is_async, wishes, limits.max_requests);
            let known = lanes.iter().position(|(other, _)| *other == rules);
            lane_of.push(known.unwrap_or(lanes.len()));
            if known.is_none() {
                lanes.push((rules, Arc::default()));
            }
        }
        if lanes.len() > MAX_LANES {
            return Err(format!(
                "its routes ask for {} different combinations of isolation, max_concurrency and max_requests, and \
                 at most {MAX_LANES} are supported",
                lanes.len()
            ));
        }
        Ok(Self { manifest, router, component, limits, grants: Arc::new(grants), lanes, lane_of })
    }
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

    /// Make the calling worker's own instances of every app. The error says why there can be none.
    pub async fn staff(&self) -> Result<Staffed, String> {
        let core = Core::current();
        let mut apps = Vec::with_capacity(self.apps.len());
        for app in &self.apps {
            let lanes = Lanes::new(app, &core);
            for lane in &lanes.lanes {
                lane.warm().await?;
            }
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

/// One worker's instances of one app. The lanes share nothing, so none starves another.
pub struct Lanes {
    lanes: Vec<Arc<Lane>>,
    lane_of: Vec<usize>,
}

impl Lanes {
    fn new(app: &App, core: &Arc<Core>) -> Self {
        // One pool of connections for all lanes.
        let outbound = Outbound::new(app.grants.clone());
        let lane = |(rules, siblings): &(Rules, Arc<Siblings>)| {
            Lane::new(
                app.component.clone(),
                *rules,
                &app.limits,
                core.clone(),
                outbound.clone(),
                siblings.clone(),
            )
        };
        Self { lanes: app.lanes.iter().map(lane).collect(), lane_of: app.lane_of.clone() }
    }

    /// The lane of a route.
    pub fn of(&self, route: usize) -> &Arc<Lane> {
        &self.lanes[self.lane_of[route]]
    }
}
