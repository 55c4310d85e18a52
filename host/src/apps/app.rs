//! A loaded app, shared by all workers: its manifest, its compiled component, and its quotas.

use crate::config::egress::Grants;
use crate::config::limits::MAX_POOLS;
use crate::config::{AppConfig, Limits};
use crate::manifest::Manifest;
use crate::manifest::isolation::RouteIsolation;
use crate::manifest::router::Router;
use crate::pool::instance_pool::{InstancePool, PoolGroup};
use crate::pool::offload::{Background, Decoder};
use crate::pool::policy::PoolPolicy;
use crate::quota::body_budget::BodyBudget;
use crate::quota::outbound::Outbound;
use crate::quota::rate_limit::RateLimit;
use crate::sandbox::component::LoadedComponent;
use crate::telemetry::counters::AppCounters;
use crate::util::locks::lock;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Burst allowance of the request rate, as time at that rate.
const BURST: Duration = Duration::from_millis(100);

/// A loaded app.
pub struct App {
    pub manifest: Manifest,
    pub router: Router,
    pub component: Arc<LoadedComponent>,
    pub limits: Limits,
    /// Where its handlers may connect to.
    pub grants: Arc<Grants>,
    /// The distinct policies of its routes, each with its pools on all workers.
    pub(super) pools: Vec<(PoolPolicy, Arc<PoolGroup>)>,
    /// The pool of each route, and then of each handler of a refusal and of a sleeping socket.
    pub(super) pool_of: Arc<[usize]>,
    /// Limit on requests per second.
    pub rate: Option<Arc<RateLimit>>,
    /// Memory budget for bodies that arrive or are sent.
    pub bodies: BodyBudget,
    /// Where large replies are decoded.
    decoding: Background,
    /// Where large requests are checked.
    pub checking: Background,
    /// Memory budget for its requests to other servers.
    pub outbound: Outbound,
    /// The counters of each worker.
    counters: Mutex<Vec<Arc<AppCounters>>>,
}

impl App {
    /// The error is a user-facing message.
    pub fn new(
        manifest: Manifest,
        component: Arc<LoadedComponent>,
        config: &AppConfig,
    ) -> Result<Self, String> {
        let limits = config.limits.clone();
        let router = Router::new(&manifest)?;
        let mut pools: Vec<(PoolPolicy, Arc<PoolGroup>)> = Vec::new();
        let mut pool_of = Vec::with_capacity(manifest.routes.len());
        let routes = manifest.routes.iter().map(|route| (route.is_async, route.isolation));
        let refusals = manifest.refusals.iter().map(|refusal| (refusal.is_async, RouteIsolation::default()));
        let of_its_route = |route: usize| manifest.routes.get(route).map(|route| route.isolation);
        let sleepers = manifest.sleepers.iter();
        let sleepers = sleepers.map(|one| (one.is_async, of_its_route(one.route).unwrap_or_default()));
        for (is_async, mut wishes) in routes.chain(refusals).chain(sleepers) {
            wishes.isolation = wishes.isolation.or(config.isolation);
            let policy = PoolPolicy::new(is_async, wishes, limits.max_requests);
            let known = pools.iter().position(|(other, _)| *other == policy);
            pool_of.push(known.unwrap_or(pools.len()));
            if known.is_none() {
                pools.push((policy, Arc::default()));
            }
        }
        if pools.len() > MAX_POOLS {
            return Err(format!(
                "its routes ask for {} different combinations of isolation, max_concurrency and max_requests, and \
                 at most {MAX_POOLS} are supported",
                pools.len()
            ));
        }
        let rate = limits.rate.map(|per_second| Arc::new(RateLimit::new(u64::from(per_second), BURST)));
        let bodies = BodyBudget::new(limits.transit);
        Ok(Self {
            decoding: Background::default(),
            checking: Background::default(),
            outbound: Outbound::new(bodies.clone(), limits.transit, component.spec.files.clone()),
            bodies,
            manifest,
            router,
            component,
            limits,
            grants: Arc::new(config.grants.clone()),
            pools,
            pool_of: pool_of.into(),
            rate,
            counters: Mutex::default(),
        })
    }

    /// Limits for decoding its replies.
    pub fn decoder(&self) -> Decoder<'_> {
        Decoder { limit: self.limits.max_response, background: &self.decoding, bodies: &self.bodies }
    }

    /// Add counters for one more worker.
    pub fn new_counters(&self) -> Arc<AppCounters> {
        let counters = Arc::new(AppCounters::new(self.manifest.routes.len()));
        lock(&self.counters).push(counters.clone());
        counters
    }

    /// Restore the counters from before it was evicted.
    pub fn resume(&self, counted: Arc<AppCounters>) {
        if counted.routes.len() == self.manifest.routes.len() + 1 {
            lock(&self.counters).push(counted);
        }
    }

    /// The counters of all workers.
    pub fn counters(&self) -> Vec<Arc<AppCounters>> {
        lock(&self.counters).clone()
    }

    /// Its pools on all workers.
    pub fn pools(&self) -> impl Iterator<Item = Arc<InstancePool>> {
        self.pools.iter().flat_map(|(_, group)| group.all())
    }
}
