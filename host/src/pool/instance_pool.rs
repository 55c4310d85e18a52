//! An instance pool: the instances of one app with one policy on one worker, and the queue of calls for them.
//!
//! Calls stay in the pool's queue until an instance takes them, one by one, so none is ever stuck behind a handler that
//! computes: when a guest holds up its instance, another one is woken for the rest of the queue, on a worker whose core
//! is free if there is one. The [`Scheduler`] decides which instance does what; this file keeps it under a lock and
//! carries out its effects. A task owns each instance: its [`driver`](crate::pool::driver).

use crate::config::Limits;
use crate::config::limit_name;
use crate::config::limit_table::Limit;
use crate::pool::call::{Call, CallArgs, CancelPolicy, PendingCall};
use crate::pool::instance::{InstanceState, PooledInstance};
use crate::pool::policy::{self, PoolPolicy};
use crate::pool::scheduler::{Effects, PoolRules, Scheduler, Work};
use crate::pool::worker::Worker;
use crate::sandbox::component::LoadedComponent;
use crate::sandbox::http_client::HttpClient;
use crate::sandbox::turn::CoreShare;
use crate::telemetry::counters::PoolCounters;
use crate::util::locks::lock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// By how much a guest may outlast the deadline and the grace period of a request, which end most of them.
const OVERDUE: Duration = Duration::from_secs(1);

/// A snapshot of a pool's instances and queue.
#[derive(Debug, Clone, Copy)]
pub struct PoolCounts {
    pub queued: usize,
    pub idle: usize,
    pub busy: usize,
    /// Retired, and finishing the calls that they had started.
    pub leaving: usize,
    /// How many it keeps warm.
    pub spares: usize,
}

/// The pools of one policy on all workers.
#[derive(Default)]
pub struct PoolGroup {
    pools: Mutex<Vec<Weak<InstancePool>>>,
    /// Some pool has calls and no instance for them: an idle instance of another pool may take them.
    is_stranded: AtomicBool,
}

impl PoolGroup {
    /// The live pools of all workers.
    pub fn all(&self) -> Vec<Arc<InstancePool>> {
        lock(&self.pools).iter().filter_map(Weak::upgrade).collect()
    }
}

/// What an instance is created from, and how it is launched.
#[derive(Clone)]
pub struct Template {
    pub component: Arc<LoadedComponent>,
    /// The app's HTTP client on one worker.
    pub client: Arc<HttpClient>,
    /// Its instances run shutdown code when they are retired.
    pub has_lifespan: bool,
    /// Spawns the task that creates an instance and owns it: [`driver::launch`](crate::pool::driver::launch).
    pub launch: fn(Arc<InstancePool>, Arc<PooledInstance>),
}

/// One pool of one worker.
pub struct InstancePool {
    pub template: Template,
    pub policy: PoolPolicy,
    pub worker: Arc<Worker>,
    pub counters: PoolCounters,
    cancel: CancelPolicy,
    group: Arc<PoolGroup>,
    scheduler: Mutex<Scheduler>,
    /// An instance became idle, or ended, or could not be created.
    settled: Notify,
}

impl InstancePool {
    pub fn new(
        template: Template,
        policy: PoolPolicy,
        limits: &Limits,
        worker: Arc<Worker>,
        share: Arc<CoreShare>,
        group: Arc<PoolGroup>,
    ) -> Arc<Self> {
        let cancel =
            CancelPolicy { cancels: policy.is_async, deadline: limits.deadline, grace: limits.grace };
        let rules = PoolRules { policy, most: limits.instances, share, max_cpu: limits.max_cpu };
        let pool = Arc::new(Self {
            template,
            policy,
            worker,
            counters: PoolCounters::default(),
            cancel,
            group: group.clone(),
            scheduler: Mutex::new(Scheduler::new(rules)),
            settled: Notify::new(),
        });
        lock(&group.pools).push(Arc::downgrade(&pool));
        pool
    }

    /// Apply an event to the scheduler, and carry out its effects.
    fn schedule<T>(self: &Arc<Self>, change: impl FnOnce(&mut Scheduler) -> T) -> T {
        let (outcome, effects) = {
            let mut scheduler = lock(&self.scheduler);
            (change(&mut scheduler), scheduler.take_effects())
        };
        let Effects { hired, is_stranded, has_settled } = effects;
        if is_stranded {
            self.group.is_stranded.store(true, Ordering::Relaxed);
        }
        if has_settled {
            self.settled.notify_one();
        }
        for instance in hired {
            (self.template.launch)(self.clone(), instance);
        }
        outcome
    }

    /// Call a request's handler; the returned wait gets the reply.
    pub fn call(
        self: &Arc<Self>,
        request: u64,
        route: usize,
        args: CallArgs,
        deadline: Instant,
    ) -> PendingCall {
        let (call, pending) = PendingCall::new(request, route, args, deadline, self.cancel);
        self.submit(call);
        pending
    }

    /// Queue a call here, or on an idle worker.
    fn submit(self: &Arc<Self>, call: Call) {
        let here = self.worker.core.computing();
        if here > 0 {
            let others: Vec<_> = self.others().collect();
            let load = |pool: &Arc<Self>| {
                let (queued, has_room) = pool.queued();
                if has_room { pool.worker.core.computing() + queued } else { usize::MAX }
            };
            if let Some(index) = policy::relief(here, others.iter().map(load)) {
                return others[index].schedule(|scheduler| scheduler.submit(call));
            }
        }
        self.schedule(|scheduler| scheduler.submit(call));
    }

    /// The calls that wait here, and whether an instance could take one.
    fn queued(&self) -> (usize, bool) {
        let scheduler = lock(&self.scheduler);
        (scheduler.queued(), scheduler.has_room())
    }

    fn others(&self) -> impl Iterator<Item = Arc<Self>> {
        self.group.all().into_iter().filter(|pool| !std::ptr::eq(&**pool, self))
    }

    /// What `instance` does next: never [`Work::Nothing`].
    pub fn take(self: &Arc<Self>, instance: &Arc<PooledInstance>) -> Work {
        let work = match self.schedule(|scheduler| scheduler.next(instance)) {
            Work::Nothing => match self.help(instance) {
                Some(call) => Work::Call(call),
                None => {
                    self.schedule(|scheduler| scheduler.rest(instance));
                    Work::Wait
                }
            },
            work => work,
        };
        if matches!(work, Work::Call(_)) {
            self.counters.took(instance.was_waited_for());
        }
        work
    }

    /// Take a call from another worker that has no instance for it.
    fn help(&self, instance: &PooledInstance) -> Option<Call> {
        // Load before the swap: idle instances of every worker come here, and a swap takes the cache line.
        let is_stranded = &self.group.is_stranded;
        if !is_stranded.load(Ordering::Relaxed) || !is_stranded.swap(false, Ordering::Relaxed) {
            return None;
        }
        for pool in self.others() {
            let mut scheduler = lock(&pool.scheduler);
            if scheduler.counts().attending() > 0 {
                continue;
            }
            let call = scheduler.pop(instance);
            // After a call, further queues may hold more: the next instance looks again.
            if call.is_some() || scheduler.queued() > 0 {
                is_stranded.store(true, Ordering::Relaxed);
            }
            if call.is_some() {
                return call;
            }
        }
        None
    }

    /// Called each time an instance's task is about to yield the thread: note what its guest is doing.
    pub fn observe(self: &Arc<Self>, instance: &Arc<PooledInstance>) {
        let execution = &instance.signals.execution;
        instance.guest_rests();
        match (execution.is_stuck(), instance.is_held()) {
            (true, false) => {
                let rest = self.schedule(|scheduler| scheduler.hold(instance));
                rest.into_iter().for_each(|call| self.submit(call));
            }
            (true, true) => {}
            // It has its turn again, but its calls would wait for the rest of a long job.
            (false, true) if execution.is_inside() => {}
            (false, true) => {
                self.schedule(|scheduler| scheduler.release(instance));
                // While held it could not take calls.
                instance.signals.wake.notify_one();
            }
            (false, false) => match instance.state() {
                InstanceState::Full if !self.policy.is_full(execution.in_flight()) => {
                    self.schedule(|scheduler| scheduler.has_capacity(instance));
                }
                InstanceState::Leaving if execution.in_flight() == 0 => instance.signals.wake.notify_one(),
                InstanceState::Idle if execution.is_exhausted() => {
                    self.schedule(|scheduler| scheduler.exhausted(instance));
                }
                _ => {}
            },
        }
    }

    /// An instance has ended, for whatever reason.
    pub fn ended(self: &Arc<Self>, instance: &Arc<PooledInstance>) {
        self.schedule(|scheduler| scheduler.ended(instance));
    }

    /// Create the warm instances of the policy, and return when they are ready. The error says why that failed.
    pub async fn warm(self: &Arc<Self>) -> Result<(), String> {
        self.schedule(Scheduler::replenish);
        self.wait_until(|scheduler| match scheduler.failure() {
            Some(why) => Some(Err(why.to_owned())),
            None => (scheduler.counts().of(InstanceState::Idle) >= scheduler.wanted()).then_some(Ok(())),
        })
        .await
    }

    /// Return when no instance is left.
    pub async fn closed(&self) {
        let is_empty = |counts: crate::pool::scheduler::StateCounts| counts.alive() + counts.leaving() == 0;
        self.wait_until(|scheduler| is_empty(scheduler.counts()).then_some(())).await;
    }

    async fn wait_until<T>(&self, look: impl Fn(&Scheduler) -> Option<T>) -> T {
        loop {
            let settled = self.settled.notified();
            if let Some(found) = look(&lock(&self.scheduler)) {
                return found;
            }
            settled.await;
        }
    }

    /// Drain: each instance ends as soon as it has finished its calls and the queue is empty.
    pub fn close(self: &Arc<Self>) {
        self.schedule(Scheduler::close);
    }

    /// Called once a second.
    pub fn tick(self: &Arc<Self>) {
        self.end_overdue();
        self.schedule(|scheduler| {
            scheduler.tick();
            // A pool that was never used needs no warm instances: there may be a thousand apps.
            if self.counters.is_used() {
                scheduler.replenish();
            }
        });
    }

    /// How long a guest may compute or block without giving up the thread.
    pub fn most_inside(&self) -> Duration {
        self.cancel.deadline + 2 * self.cancel.grace + OVERDUE
    }

    /// Handlers have deadlines of their own. This is the clock of everything else that a guest does: the work of its event
    /// loop, of a cancellation, after a reply, and at its leaving.
    fn end_overdue(&self) {
        for instance in lock(&self.scheduler).overdue(self.most_inside()) {
            tracing::error!(
                app = &*self.template.component.spec.name,
                request = instance.signals.execution.serving(),
                "an instance computed or blocked for longer than the deadline, and was ended ({})",
                limit_name::of(Limit::Deadline)
            );
            instance.signals.kill.notify_one();
        }
    }

    /// Evict all idle instances; returns how many.
    pub fn evict_idle(self: &Arc<Self>) -> usize {
        self.schedule(Scheduler::evict_idle)
    }

    /// Whether somebody waits for an instance that is being created.
    pub fn is_waited_for(&self) -> bool {
        lock(&self.scheduler).queued() > 0 || !self.counters.is_used()
    }

    /// A snapshot of its instances and queue.
    pub fn counts(&self) -> PoolCounts {
        let scheduler = lock(&self.scheduler);
        let (counts, idle) = (scheduler.counts(), scheduler.counts().of(InstanceState::Idle));
        PoolCounts {
            queued: scheduler.queued(),
            idle,
            busy: counts.alive() - idle,
            leaving: counts.leaving(),
            spares: scheduler.wanted(),
        }
    }
}
