//! The instances of one app that live by one policy on one worker, and the queue of calls for them.
//!
//! Calls lie in the pool's queue until an instance takes them, one by one, so none is ever stuck behind a handler that
//! computes: when an instance is held up by its guest, another one is woken for the rest of the queue, on a worker whose core
//! is free if there is one. The [`Scheduler`] says which instance does what; this file puts it under a lock and does what it
//! asks for. Each instance is owned by a task of its own, its [`driver`](crate::pool::driver).

use crate::config::Limits;
use crate::pool::call::{Call, CallArgs, CancelPolicy, PendingCall};
use crate::pool::instance::{InstanceState, PooledInstance};
use crate::pool::policy::{self, PoolPolicy};
use crate::pool::scheduler::{Effects, PoolRules, Scheduler, Work};
use crate::pool::worker::Worker;
use crate::sandbox::component::LoadedComponent;
use crate::sandbox::http_client::HttpClient;
use crate::telemetry::counters::PoolCounters;
use crate::util::locks::lock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};
use tokio::sync::Notify;
use tokio::time::Instant;

/// The instances of a pool, and what waits for them, at one moment.
#[derive(Debug, Clone, Copy)]
pub struct PoolCounts {
    pub queued: usize,
    pub idle: usize,
    pub busy: usize,
    /// Retired, and at work on what they had begun.
    pub leaving: usize,
    /// How many it wants to have ready.
    pub spares: usize,
}

/// The same pool on all workers.
#[derive(Default)]
pub struct PoolGroup {
    pools: Mutex<Vec<Weak<InstancePool>>>,
    /// Some pool has calls and no instance for them: whoever has nothing to do may help itself.
    is_stranded: AtomicBool,
}

impl PoolGroup {
    /// The pools that there are, of all workers.
    pub fn all(&self) -> Vec<Arc<InstancePool>> {
        lock(&self.pools).iter().filter_map(Weak::upgrade).collect()
    }
}

/// What an instance is made from, and how its life begins.
#[derive(Clone)]
pub struct Template {
    pub component: Arc<LoadedComponent>,
    /// The app's connections to other servers, of one worker.
    pub client: Arc<HttpClient>,
    /// Its instances have something to do when they are retired.
    pub has_lifespan: bool,
    /// Starts the task that makes an instance and owns it: [`driver::launch`](crate::pool::driver::launch).
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
    /// An instance became idle, or ended, or could not be made.
    settled: Notify,
}

impl InstancePool {
    pub fn new(
        template: Template,
        policy: PoolPolicy,
        limits: &Limits,
        worker: Arc<Worker>,
        group: Arc<PoolGroup>,
    ) -> Arc<Self> {
        let cancel =
            CancelPolicy { cancels: policy.is_async, deadline: limits.deadline, grace: limits.grace };
        let rules = PoolRules {
            policy,
            most: limits.instances,
            turns: worker.turns.clone(),
            max_cpu: limits.max_cpu,
        };
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

    /// Change the scheduler, and do what it then asks for.
    fn schedule<T>(self: &Arc<Self>, change: impl FnOnce(&mut Scheduler) -> T) -> T {
        let (outcome, effects) = {
            let mut scheduler = lock(&self.scheduler);
            (change(&mut scheduler), scheduler.take_effects())
        };
        let Effects { hired, is_stranded, has_settled, computing } = effects;
        self.worker.add_computing(computing);
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

    /// Have a request's handler run; the reply comes to the returned wait.
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

    /// Queue a call where a core is free for it.
    fn submit(self: &Arc<Self>, call: Call) {
        let here = self.worker.computing();
        if here > 0 {
            let others: Vec<_> = self.others().filter(|pool| lock(&pool.scheduler).has_room()).collect();
            if let Some(index) = policy::relief(here, others.iter().map(|pool| pool.worker.computing())) {
                return others[index].schedule(|scheduler| scheduler.submit(call));
            }
        }
        self.schedule(|scheduler| scheduler.submit(call));
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

    /// Take a call off another worker that has no instance for it.
    fn help(&self, instance: &PooledInstance) -> Option<Call> {
        if !self.group.is_stranded.swap(false, Ordering::Relaxed) {
            return None;
        }
        for pool in self.others() {
            let mut scheduler = lock(&pool.scheduler);
            if scheduler.counts().of(InstanceState::Awake) > 0 {
                continue;
            }
            let call = scheduler.pop(instance);
            if scheduler.queued() > 0 {
                self.group.is_stranded.store(true, Ordering::Relaxed);
            }
            if call.is_some() {
                return call;
            }
        }
        None
    }

    /// Called each time an instance's task is about to give the thread back: notice what its guest is doing.
    pub fn observe(self: &Arc<Self>, instance: &Arc<PooledInstance>) {
        let execution = &instance.signals.execution;
        match (execution.is_inside(), instance.is_held()) {
            (true, false) if execution.may_be_a_burst() => {}
            (true, false) => {
                let rest = self.schedule(|scheduler| scheduler.hold(instance));
                rest.into_iter().for_each(|call| self.submit(call));
            }
            (true, true) => {}
            (false, true) => {
                self.schedule(|scheduler| scheduler.release(instance));
                // It may have been kept from looking at the queue.
                instance.signals.wake.notify_one();
            }
            (false, false) => match instance.state() {
                InstanceState::Full if !self.policy.is_full(execution.in_flight()) => {
                    self.schedule(|scheduler| scheduler.has_capacity(instance));
                }
                InstanceState::Leaving if execution.in_flight() == 0 => instance.signals.wake.notify_one(),
                _ => {}
            },
        }
    }

    /// An instance has ended, for whatever reason.
    pub fn ended(self: &Arc<Self>, instance: &Arc<PooledInstance>) {
        self.schedule(|scheduler| scheduler.ended(instance));
    }

    /// Make the spare instances of the policy, and return when they are ready. The error says why they cannot be.
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

    /// Let the instances end: each as soon as it has answered what it has begun, and the queue is empty.
    pub fn close(self: &Arc<Self>) {
        self.schedule(Scheduler::close);
    }

    /// Called once a second.
    pub fn tick(self: &Arc<Self>) {
        self.schedule(|scheduler| {
            scheduler.tick();
            // Handlers that nobody ever asked for need no instances: there may be a thousand apps.
            if self.counters.is_used() {
                scheduler.replenish();
            }
        });
    }

    /// Evict all idle instances; returns how many.
    pub fn evict_idle(self: &Arc<Self>) -> usize {
        self.schedule(Scheduler::evict_idle)
    }

    /// Somebody waits for an instance that is being made.
    pub fn is_waited_for(&self) -> bool {
        lock(&self.scheduler).queued() > 0 || !self.counters.is_used()
    }

    /// What its instances do now.
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
