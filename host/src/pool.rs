//! The lane of `def` handlers: idle instances, and leases on them.
//!
//! One pool belongs to one worker, so its lock is never contended. A lease that is dropped without
//! [`Lease::finish`] takes its instance with it: a client that hangs up can never hand a half-run
//! interpreter back.

use crate::component::Loaded;
use crate::config::Limits;
use crate::fault::Fault;
use crate::guest::Instance;
use crate::params::ValidArgs;
use crate::policy::{self, Condition};
use crate::store::lock;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// The instances of one app, worker and lane.
pub struct Pool {
    component: Arc<Loaded>,
    max_requests: u64,
    /// Last in, first out: the warmest instance serves next.
    idle: Mutex<Vec<Instance>>,
    /// One permit for each instance that may exist; waiting requests get theirs in order.
    places: Arc<Semaphore>,
}

impl Pool {
    pub fn new(component: Arc<Loaded>, limits: &Limits) -> Self {
        Self {
            component,
            max_requests: limits.max_requests,
            idle: Mutex::default(),
            places: Arc::new(Semaphore::new(limits.instances)),
        }
    }

    /// Make one instance ahead of the first request.
    pub async fn warm(&self) -> wasmtime::Result<()> {
        let instance = Instance::new(&self.component).await?;
        lock(&self.idle).push(instance);
        Ok(())
    }

    /// Take an instance, waiting until `deadline` for one to be free.
    pub async fn checkout(self: &Arc<Self>, deadline: Instant) -> Result<Lease, Fault> {
        let place = match self.places.clone().try_acquire_owned() {
            Ok(place) => place,
            Err(_) => match tokio::time::timeout_at(deadline, self.places.clone().acquire_owned()).await {
                Ok(Ok(place)) => place,
                Ok(Err(_)) | Err(_) => return Err(Fault::Busy),
            },
        };
        let idle = lock(&self.idle).pop();
        let instance = match idle {
            Some(instance) => instance,
            None => Instance::new(&self.component).await.map_err(|e| Fault::NoInstance(format!("{e:#}")))?,
        };
        Ok(Lease { pool: self.clone(), instance, deadline, _place: place })
    }
}

/// Go to the back of the worker's queue once. Requests that arrived together are then parsed one after the other,
/// and their handlers run one after the other: taking turns between the two evicts each one's code from the caches.
pub async fn line_up() {
    let mut lined_up = false;
    std::future::poll_fn(|cx| {
        if lined_up {
            return Poll::Ready(());
        }
        lined_up = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// The sole use of an instance.
pub struct Lease {
    pool: Arc<Pool>,
    instance: Instance,
    deadline: Instant,
    _place: OwnedSemaphorePermit,
}

impl Lease {
    /// Run the handler. The guest lets go of the thread at every epoch, so the deadline, which is watched
    /// from outside, ends it whatever it does.
    pub async fn call(mut self, request: u64, route: usize, args: ValidArgs) -> Result<String, Fault> {
        line_up().await;
        let call = self.instance.call(request, route as u32, args.0);
        let reply = match tokio::time::timeout_at(self.deadline, call).await {
            Ok(Ok(reply)) => reply,
            Ok(Err(trap)) => return Err(Fault::Trapped(format!("{trap:#}"))),
            Err(_) => return Err(Fault::Deadline),
        };
        self.finish();
        Ok(reply)
    }

    /// Give the instance back, unless it is worn.
    fn finish(self) {
        let condition =
            Condition { served: self.instance.served, exhausted: self.instance.vitals().is_exhausted() };
        if !policy::retire(condition, self.pool.max_requests) {
            lock(&self.pool.idle).push(self.instance);
        }
    }
}
