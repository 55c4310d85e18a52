//! A pool's scheduler: which instance does what, as plain data under the pool's lock, and the events that change it.
//!
//! Every state change of an instance goes through [`Scheduler::transition`], so the counts cannot drift from the
//! states. What the pool has to do after an event (instances to create, workers to ask for help) is left in
//! [`Effects`]. The scheduler does not know the engine, so a property test can play random events on it.

use crate::manifest::isolation::Isolation;
use crate::pool::call::{Call, InstanceEnd};
use crate::pool::instance::{InstanceState, PooledInstance};
use crate::pool::policy::{PoolPolicy, WarmTarget};
use crate::sandbox::execution::Execution;
use crate::sandbox::turn::CoreShare;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// How the instances of a pool are created, and how many there may be.
#[derive(Debug, Clone)]
pub struct PoolRules {
    pub policy: PoolPolicy,
    /// Most instances, not counting those that are leaving.
    pub most: usize,
    /// The app's share of the worker's core.
    pub share: Arc<CoreShare>,
    /// Processor budget of a call.
    pub max_cpu: Option<Duration>,
}

/// What the pool has to do after an event.
#[derive(Debug, Default)]
pub struct Effects {
    /// Instances to launch, which are already counted.
    pub hired: Vec<Arc<PooledInstance>>,
    /// Calls wait, and no instance of this pool can take them: other workers may help.
    pub is_stranded: bool,
    /// An instance became idle or ended: those who wait for that look again.
    pub has_settled: bool,
}

/// What an instance does next.
#[derive(Debug)]
pub enum Work {
    Call(Call),
    /// The queue is empty: try other workers, then call [`Scheduler::rest`].
    Nothing,
    /// It takes no calls now: wait to be woken.
    Wait,
    /// It is retired, and has finished all its calls.
    Over,
}

/// How many instances are in each state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StateCounts([usize; InstanceState::ALL.len()]);

impl StateCounts {
    pub fn of(&self, state: InstanceState) -> usize {
        self.0[state as usize]
    }

    /// All but those that are leaving.
    pub fn alive(&self) -> usize {
        self.0.iter().sum::<usize>() - self.leaving()
    }

    pub fn leaving(&self) -> usize {
        self.of(InstanceState::Leaving)
    }

    /// Those that look at the queue now, or will as soon as they are created.
    pub fn attending(&self) -> usize {
        self.of(InstanceState::Awake) + self.of(InstanceState::Starting)
    }
}

/// The queue of a pool, and its instances.
#[derive(Debug)]
pub struct Scheduler {
    rules: PoolRules,
    queue: VecDeque<Call>,
    /// Every instance, also those that are leaving.
    all: Vec<Arc<PooledInstance>>,
    /// The idle instances; the last one is the warmest.
    idle: Vec<Arc<PooledInstance>>,
    counts: StateCounts,
    target: WarmTarget,
    /// The pool drains: instances end when they are done.
    is_closing: bool,
    /// Why an instance could not be created.
    failure: Option<String>,
    effects: Effects,
}

impl Scheduler {
    pub fn new(rules: PoolRules) -> Self {
        let policy = rules.policy;
        let most_spares = if policy.isolation == Isolation::Fresh { rules.most } else { policy.spares };
        Self {
            target: WarmTarget::new(policy.spares.min(rules.most), most_spares),
            rules,
            queue: VecDeque::new(),
            all: Vec::new(),
            idle: Vec::new(),
            counts: StateCounts::default(),
            is_closing: false,
            failure: None,
            effects: Effects::default(),
        }
    }

    /// The effects of events since the last call.
    pub fn take_effects(&mut self) -> Effects {
        std::mem::take(&mut self.effects)
    }

    pub fn counts(&self) -> StateCounts {
        self.counts
    }

    pub fn queued(&self) -> usize {
        self.queue.len()
    }

    /// How many instances to keep warm.
    pub fn wanted(&self) -> usize {
        self.target.want()
    }

    pub fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }

    /// Whether a call could be taken here, now or by a new instance.
    pub fn has_room(&self) -> bool {
        self.counts.attending() > 0 || !self.idle.is_empty() || self.may_grow()
    }

    fn may_grow(&self) -> bool {
        let most = self.rules.most;
        self.counts.alive() < most && self.counts.alive() + self.counts.leaving() < 2 * most
    }

    /// The only place where states change. `from` is `None` for a new instance, `to` for one that has ended.
    fn transition(
        &mut self,
        instance: &Arc<PooledInstance>,
        from: Option<InstanceState>,
        to: Option<InstanceState>,
    ) {
        if from == to {
            return;
        }
        match (from, to) {
            (None, _) => self.all.push(instance.clone()),
            (_, None) => self.all.retain(|other| !Arc::ptr_eq(other, instance)),
            _ => {}
        }
        if let Some(from) = from {
            self.counts.0[from as usize] -= 1;
            if from == InstanceState::Idle {
                // Mostly the warmest one, which is the last.
                match self.idle.pop_if(|last| Arc::ptr_eq(last, instance)) {
                    Some(_) => {}
                    None => self.idle.retain(|other| !Arc::ptr_eq(other, instance)),
                }
            }
        }
        if let Some(to) = to {
            self.counts.0[to as usize] += 1;
            instance.set_state(to);
            if to == InstanceState::Idle {
                // One that has served nothing is the coldest. The order of fresh ones is that of their creation.
                let is_cold = instance.served() == 0 && self.rules.policy.isolation != Isolation::Fresh;
                let place = if is_cold { 0 } else { self.idle.len() };
                self.idle.insert(place, instance.clone());
                self.effects.has_settled = true;
            }
        }
    }

    fn set(&mut self, instance: &Arc<PooledInstance>, to: InstanceState) {
        self.transition(instance, Some(instance.state()), Some(to));
    }

    /// Queue a call.
    pub fn submit(&mut self, call: Call) {
        self.queue.push_back(call);
        self.target.waiting(self.queue.len());
        self.rouse();
    }

    /// Make sure that an instance looks at the queue.
    pub fn rouse(&mut self) {
        if self.counts.of(InstanceState::Awake) > 0 {
            return;
        }
        if let Some(warmest) = self.idle.last().cloned() {
            self.wake(&warmest);
            self.target.resting(self.idle.len());
        } else if self.counts.of(InstanceState::Starting) > 0 {
            // It takes the queue as soon as it is created.
        } else if self.may_grow() {
            self.hire();
        } else {
            self.effects.is_stranded = true;
        }
    }

    fn wake(&mut self, instance: &Arc<PooledInstance>) {
        self.set(instance, InstanceState::Awake);
        instance.signals.wake.notify_one();
    }

    fn hire(&mut self) {
        let rules = &self.rules;
        let instance = PooledInstance::new(Execution::new(rules.share.clone(), rules.max_cpu));
        self.transition(&instance, None, Some(InstanceState::Starting));
        self.effects.hired.push(instance);
    }

    /// Create instances until enough are warm.
    pub fn replenish(&mut self) {
        while !self.is_closing && self.idle.len() + self.counts.attending() < self.wanted() && self.may_grow()
        {
            self.hire();
        }
    }

    /// What `instance` does next.
    pub fn next(&mut self, instance: &Arc<PooledInstance>) -> Work {
        self.release(instance);
        let execution = &instance.signals.execution;
        if matches!(instance.state(), InstanceState::Starting | InstanceState::Idle | InstanceState::Full) {
            // Created, or woken for something other than a call, or for a call that is gone.
            self.set(instance, InstanceState::Awake);
        }
        if instance.state() != InstanceState::Leaving && self.is_over(instance) {
            self.leave(instance, InstanceState::Leaving);
            if self.rules.policy.isolation == Isolation::Fresh && execution.in_flight() > 0 {
                self.replenish();
            }
        }
        if instance.state() == InstanceState::Leaving {
            return if execution.in_flight() == 0 { Work::Over } else { Work::Wait };
        }
        if self.rules.policy.is_full(execution.in_flight()) {
            self.leave(instance, InstanceState::Full);
            return Work::Wait;
        }
        match self.pop(instance) {
            Some(call) => Work::Call(call),
            None => Work::Nothing,
        }
    }

    /// Whether `instance` should retire.
    fn is_over(&self, instance: &PooledInstance) -> bool {
        let is_exhausted = instance.signals.execution.is_exhausted();
        let is_worn = self.rules.policy.retire(instance.served(), is_exhausted);
        // Past the drain limit an instance is reused beyond `max_requests`. A fresh one never is.
        let may_leave =
            self.rules.policy.isolation == Isolation::Fresh || self.counts.leaving() < self.rules.most;
        let is_unneeded = (self.is_closing || instance.is_dismissed()) && self.queue.is_empty();
        is_unneeded || is_worn && may_leave
    }

    /// Start the first queued call that somebody still waits for on `instance`.
    pub fn pop(&mut self, instance: &PooledInstance) -> Option<Call> {
        while let Some(call) = self.queue.pop_front() {
            if instance.begins(&call) {
                return Some(call);
            }
        }
        None
    }

    /// `instance` found no work anywhere. Another thread may have queued a call since.
    pub fn rest(&mut self, instance: &Arc<PooledInstance>) {
        // A pool that is closing has no idle instances: this one looks again, and leaves.
        if self.queue.is_empty() && !self.is_closing {
            self.set(instance, InstanceState::Idle);
        } else {
            instance.signals.wake.notify_one();
        }
    }

    /// `instance` stops taking calls; others take the rest of the queue.
    fn leave(&mut self, instance: &Arc<PooledInstance>, state: InstanceState) {
        self.set(instance, state);
        if !self.queue.is_empty() {
            self.rouse();
        }
    }

    /// An instance that was full has room again.
    pub fn has_capacity(&mut self, instance: &Arc<PooledInstance>) {
        if instance.state() == InstanceState::Full {
            self.wake(instance);
        }
    }

    /// The guest of `instance` is stuck midway. Returns the calls that have to be submitted again, because no
    /// instance here looks at the queue.
    pub fn hold(&mut self, instance: &Arc<PooledInstance>) -> VecDeque<Call> {
        if matches!(instance.state(), InstanceState::Awake | InstanceState::Idle) {
            self.set(instance, InstanceState::Held);
        }
        instance.set_held(true);
        if self.counts.of(InstanceState::Awake) == 0 {
            std::mem::take(&mut self.queue)
        } else {
            VecDeque::new()
        }
    }

    /// The guest of `instance` resumes, or has given up the thread.
    pub fn release(&mut self, instance: &Arc<PooledInstance>) {
        if !instance.set_held(false) {
            return;
        }
        if instance.state() == InstanceState::Held {
            self.set(instance, InstanceState::Awake);
        }
    }

    /// `instance` has ended, for whatever reason.
    pub fn ended(&mut self, instance: &Arc<PooledInstance>) {
        self.transition(instance, Some(instance.state()), None);
        self.effects.has_settled = true;
        if let Some(InstanceEnd::NoInstance(why)) = instance.signals.ended.get() {
            self.failure = Some(why.clone());
            // The call that waits longest fails; the next attempt is for the others.
            let _ = self.pop(instance);
        } else if self.rules.policy.isolation == Isolation::Fresh {
            self.replenish();
        }
        if !self.queue.is_empty() {
            self.rouse();
        }
    }

    /// The instances whose guest has not given up the thread by itself for longer than `most`.
    pub fn overdue(&self, most: Duration) -> Vec<Arc<PooledInstance>> {
        self.all.iter().filter(|instance| instance.signals.execution.held() > most).cloned().collect()
    }

    /// Once a second: evict instances that were not needed lately, the coldest first.
    pub fn tick(&mut self) {
        let unneeded = self.target.look(self.idle.len());
        self.evict(unneeded);
    }

    /// `instance` was denied memory. An idle one ends at once: it holds what its handlers did not clean up, and its pool may
    /// get no further request.
    pub fn exhausted(&mut self, instance: &Arc<PooledInstance>) {
        if instance.state() == InstanceState::Idle {
            instance.dismiss();
            self.wake(instance);
        }
    }

    /// Evict all idle instances; returns how many.
    pub fn evict_idle(&mut self) -> usize {
        let idle = self.idle.len();
        self.evict(idle);
        idle
    }

    fn evict(&mut self, count: usize) {
        let coldest = self.idle[..count].to_vec();
        for instance in &coldest {
            instance.dismiss();
            self.wake(instance);
        }
    }

    /// Drain: each instance ends as soon as it has finished its calls and the queue is empty.
    pub fn close(&mut self) {
        self.is_closing = true;
        for instance in self.idle.clone() {
            self.wake(&instance);
        }
    }
}

#[cfg(test)]
#[path = "scheduler_tests.rs"]
mod tests;
