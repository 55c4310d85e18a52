//! An app that is served, and the instances that a worker has of it.

use crate::aside;
use crate::component::Loaded;
use crate::config::{AppConfig, Limits, MAX_LANES};
use crate::grants::Grants;
use crate::lane::{Census, Core, Lane, Siblings};
use crate::manifest::Manifest;
use crate::outbound::Outbound;
use crate::policy::{Rules, Wishes};
use crate::rate::Rate;
use crate::route::Router;
use crate::stats::AppStats;
use crate::sync::lock;
use crate::transit::Transit;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Semaphore;

/// Requests that may come at once, as time of the rate.
const BURST: Duration = Duration::from_millis(100);

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
    /// Requests that may come in a second.
    pub rate: Option<Arc<Rate>>,
    /// Memory for bodies on their way.
    pub transit: Transit,
    /// Turns to decode large replies.
    pub decoding: Arc<Semaphore>,
    /// What each worker has counted.
    stats: Mutex<Vec<Arc<AppStats>>>,
}

impl App {
    /// The error is a sentence.
    pub fn new(manifest: Manifest, component: Arc<Loaded>, config: &AppConfig) -> Result<Self, String> {
        let limits = config.limits.clone();
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
        let rate = limits.rate.map(|per_second| Arc::new(Rate::new(u64::from(per_second), BURST)));
        Ok(Self {
            transit: Transit::new(limits.transit),
            decoding: Arc::new(Semaphore::new(aside::MOST_AT_ONCE)),
            manifest,
            router,
            component,
            limits,
            grants: Arc::new(config.grants.clone()),
            lanes,
            lane_of,
            rate,
            stats: Mutex::default(),
        })
    }

    /// For one more worker to count in.
    pub fn counters(&self) -> Arc<AppStats> {
        let stats = Arc::new(AppStats::new(self.manifest.routes.len()));
        lock(&self.stats).push(stats.clone());
        stats
    }

    /// What was counted of it before it was put away.
    pub fn resume(&self, counted: Arc<AppStats>) {
        if counted.routes.len() == self.manifest.routes.len() + 1 {
            lock(&self.stats).push(counted);
        }
    }

    /// The counters of all workers.
    pub fn stats(&self) -> Vec<Arc<AppStats>> {
        lock(&self.stats).clone()
    }

    /// Its lanes, those of all workers.
    pub fn lanes(&self) -> impl Iterator<Item = Arc<Lane>> {
        self.lanes.iter().flat_map(|(_, siblings)| siblings.all())
    }
}

/// One worker's instances of one app. The lanes share nothing, so none starves another.
pub struct Lanes {
    lanes: Vec<Arc<Lane>>,
    lane_of: Vec<usize>,
}

impl Lanes {
    pub fn new(app: &App, core: &Arc<Core>) -> Self {
        // One pool of connections for all lanes.
        let outbound = Outbound::new(app.grants.clone());
        let lane = |(rules, siblings): &(Rules, Arc<Siblings>)| {
            Lane::new(
                (app.component.clone(), app.manifest.lifespan),
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

    /// Return when every lane has its spare instances. The error says why it cannot.
    pub async fn warm(&self) -> Result<(), String> {
        for lane in &self.lanes {
            lane.warm().await?;
        }
        Ok(())
    }

    /// Called once a second.
    pub fn tend(&self) {
        self.lanes.iter().for_each(Lane::tend);
    }

    /// What the instances of each lane do now.
    pub fn census(&self) -> impl Iterator<Item = Census> {
        self.lanes.iter().map(|lane| lane.census())
    }

    /// Let go of the instances that rest; returns how many.
    pub fn make_room(&self) -> usize {
        self.lanes.iter().map(|lane| lane.make_room()).sum()
    }

    /// Let all instances end when they have answered what they were asked.
    pub fn close(&self) {
        self.lanes.iter().for_each(|lane| lane.close());
    }

    /// Return when none is left.
    pub async fn closed(&self) {
        for lane in &self.lanes {
            lane.closed().await;
        }
    }
}
