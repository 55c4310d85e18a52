//! The pools of one app on one worker: one for each policy that its routes ask for.

use crate::apps::app::App;
use crate::pool::driver;
use crate::pool::instance_pool::{InstancePool, PoolCounts, Template};
use crate::pool::worker::Worker;
use crate::sandbox::http_client::HttpClient;
use std::sync::Arc;

/// The pools share nothing but the worker and the app's HTTP client, so none starves another.
pub struct PoolSet {
    pools: Vec<Arc<InstancePool>>,
    pool_of: Arc<[usize]>,
}

impl PoolSet {
    pub fn new(app: &App, worker: &Arc<Worker>) -> Self {
        let template = Template {
            component: app.component.clone(),
            client: HttpClient::within(app.grants.clone(), app.outbound.clone()),
            has_lifespan: app.manifest.lifespan,
            launch: driver::launch,
        };
        let share = worker.core.share(app.limits.weight);
        let pools = app.pools.iter().map(|(policy, group)| {
            let (worker, share) = (worker.clone(), share.clone());
            InstancePool::new(template.clone(), *policy, &app.limits, worker, share, group.clone())
        });
        Self { pools: pools.collect(), pool_of: app.pool_of.clone() }
    }

    /// The pool of a route.
    pub fn of(&self, route: usize) -> &Arc<InstancePool> {
        &self.pools[self.pool_of[route]]
    }

    /// Return when every pool has its warm instances. The error says why that failed.
    pub async fn warm(&self) -> Result<(), String> {
        for pool in &self.pools {
            pool.warm().await?;
        }
        Ok(())
    }

    /// Called once a second.
    pub fn tick(&self) {
        self.pools.iter().for_each(InstancePool::tick);
    }

    /// A snapshot of each pool.
    pub fn counts(&self) -> impl Iterator<Item = PoolCounts> {
        self.pools.iter().map(|pool| pool.counts())
    }

    /// Evict the idle instances; returns how many.
    pub fn evict_idle(&self) -> usize {
        self.pools.iter().map(InstancePool::evict_idle).sum()
    }

    /// Drain all pools.
    pub fn close(&self) {
        self.pools.iter().for_each(InstancePool::close);
    }

    /// Return when no instance is left.
    pub async fn closed(&self) {
        for pool in &self.pools {
            pool.closed().await;
        }
    }
}
