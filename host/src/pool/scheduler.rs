//! Which instance of a pool does what: plain data under the pool's lock, and the events that change it.
//!
//! Every change of an instance's state is one [`Scheduler::transition`], so the counts cannot drift from the states. What an
//! event has the pool do beside that (instances to make, workers to ask for help) is left in [`Effects`]. The scheduler knows
//! no engine: the property test plays random events on it.

use crate::manifest::isolation::Isolation;
use crate::pool::call::{Call, InstanceEnd};
use crate::pool::instance::{InstanceState, PooledInstance};
use crate::pool::policy::{PoolPolicy, WarmTarget};
use crate::sandbox::execution::Execution;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// How the instances of a pool are made and how many there may be.
#[derive(Debug, Clone)]
pub struct PoolRules {
    pub policy: PoolPolicy,
    /// Most instances, besides those that are leaving.
    pub most: usize,
    /// The right to compute, see [`Worker`](crate::pool::worker::Worker).
    pub turns: Arc<Semaphore>,
    /// Processor time of a call.
    pub max_cpu: Option<Duration>,
}

/// What the pool has to do after an event.
#[derive(Debug, Default)]
pub struct Effects {
    /// Instances that are counted already, and have to be made.
    pub hired: Vec<Arc<PooledInstance>>,
    /// Calls wait, and no instance of this pool can take them: other workers may help.
    pub is_stranded: bool,
    /// An instance became idle or ended: whoever waits for that looks again.
    pub has_settled: bool,
    /// By how many more instances of this worker compute than before.
    pub computing: isize,
}

/// What an instance finds when it looks for work.
#[derive(Debug)]
pub enum Work {
    Call(Call),
    /// The queue is empty: look at other workers, then call [`Scheduler::rest`].
    Nothing,
    /// It takes no calls now: wait to be woken.
    Wait,
    /// It is retired, and has answered all it had taken.
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
}

/// The queue of a pool, and its instances.
#[derive(Debug)]
pub struct Scheduler {
    rules: PoolRules,
    queue: VecDeque<Call>,
    /// Those in the state of that name; the last one is the warmest.
    idle: Vec<Arc<PooledInstance>>,
    counts: StateCounts,
    target: WarmTarget,
    /// No more calls are to come: instances that are done end.
    is_closing: bool,
    /// Why an instance could not be made.
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
            idle: Vec::new(),
            counts: StateCounts::default(),
            is_closing: false,
            failure: None,
            effects: Effects::default(),
        }
    }

    /// What is to be done since this was asked last.
    pub fn take_effects(&mut self) -> Effects {
        std::mem::take(&mut self.effects)
    }

    pub fn counts(&self) -> StateCounts {
        self.counts
    }

    pub fn queued(&self) -> usize {
        self.queue.len()
    }

    /// How many instances are to be kept ready.
    pub fn wanted(&self) -> usize {
        self.target.want()
    }

    pub fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }

    /// Whether a call could be taken here, now or when another instance is made.
    pub fn has_room(&self) -> bool {
        self.counts.of(InstanceState::Awake) > 0 || !self.idle.is_empty() || self.may_grow()
    }

    fn may_grow(&self) -> bool {
        let most = self.rules.most;
        self.counts.alive() < most && self.counts.alive() + self.counts.leaving() < 2 * most
    }

    /// The one place where states change. `from` or `to` is `None` for an instance that comes or goes.
    fn transition(
        &mut self,
        instance: &Arc<PooledInstance>,
        from: Option<InstanceState>,
        to: Option<InstanceState>,
    ) {
        if from == to {
            return;
        }
        if let Some(from) = from {
            self.counts.0[from as usize] -= 1;
            if from == InstanceState::Idle {
                self.idle.retain(|other| !Arc::ptr_eq(other, instance));
            }
        }
        if let Some(to) = to {
            self.counts.0[to as usize] += 1;
            instance.set_state(to);
            if to == InstanceState::Idle {
                self.idle.push(instance.clone());
                self.effects.has_settled = true;
            }
        }
    }

    fn set(&mut self, instance: &Arc<PooledInstance>, to: InstanceState) {
        self.transition(instance, Some(instance.state()), Some(to));
    }

    /// A call comes in.
    pub fn submit(&mut self, call: Call) {
        self.queue.push_back(call);
        self.target.waiting(self.queue.len());
        self.rouse();
    }

    /// See to it that an instance looks at the queue.
    pub fn rouse(&mut self) {
        if self.counts.of(InstanceState::Awake) > 0 {
            return;
        }
        if let Some(warmest) = self.idle.last().cloned() {
            self.wake(&warmest);
            self.target.resting(self.idle.len());
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
        let instance = PooledInstance::new(Execution::new(rules.turns.clone(), rules.max_cpu));
        self.transition(&instance, None, Some(InstanceState::Awake));
        self.effects.hired.push(instance);
    }

    /// Have as many instances made as are to be kept ready.
    pub fn replenish(&mut self) {
        while !self.is_closing
            && self.idle.len() + self.counts.of(InstanceState::Awake) < self.wanted()
            && self.may_grow()
        {
            self.hire();
        }
    }

    /// What `instance` does next.
    pub fn next(&mut self, instance: &Arc<PooledInstance>) -> Work {
        self.release(instance);
        let execution = &instance.signals.execution;
        if matches!(instance.state(), InstanceState::Idle | InstanceState::Full) {
            // Woken for another reason than a call, or for a call that is gone.
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

    /// Whether `instance` has served its time.
    fn is_over(&self, instance: &PooledInstance) -> bool {
        let is_exhausted = instance.signals.execution.is_exhausted();
        let is_worn = self.rules.policy.retire(instance.served(), is_exhausted);
        // Past the drain limit an instance is reused beyond `max_requests`. But a fresh one was promised to be so.
        let may_leave =
            self.rules.policy.isolation == Isolation::Fresh || self.counts.leaving() < self.rules.most;
        let is_unneeded = (self.is_closing || instance.is_dismissed()) && self.queue.is_empty();
        is_unneeded || is_worn && may_leave
    }

    /// The first call of the queue that somebody still waits for: it is `instance`'s now.
    pub fn pop(&mut self, instance: &PooledInstance) -> Option<Call> {
        while let Some(call) = self.queue.pop_front() {
            if instance.begins(&call) {
                return Some(call);
            }
        }
        None
    }

    /// `instance` found nothing anywhere. Another thread may have brought a call since.
    pub fn rest(&mut self, instance: &Arc<PooledInstance>) {
        if self.queue.is_empty() {
            self.set(instance, InstanceState::Idle);
        } else {
            instance.signals.wake.notify_one();
        }
    }

    /// `instance` stops taking calls; others see to what is left.
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

    /// The guest of `instance` was suspended in the middle of something. Returns the calls that have to be submitted anew,
    /// because nobody here looks at the queue.
    pub fn hold(&mut self, instance: &Arc<PooledInstance>) -> VecDeque<Call> {
        if matches!(instance.state(), InstanceState::Awake | InstanceState::Idle) {
            self.set(instance, InstanceState::Held);
        }
        instance.set_held(true);
        if instance.signals.execution.interrupted() > 0 && !instance.set_computing(true) {
            self.effects.computing += 1;
        }
        if self.counts.of(InstanceState::Awake) == 0 {
            std::mem::take(&mut self.queue)
        } else {
            VecDeque::new()
        }
    }

    /// The guest of `instance` goes on, or has given the thread back.
    pub fn release(&mut self, instance: &Arc<PooledInstance>) {
        if !instance.set_held(false) {
            return;
        }
        if instance.set_computing(false) {
            self.effects.computing -= 1;
        }
        if instance.state() == InstanceState::Held {
            self.set(instance, InstanceState::Awake);
        }
    }

    /// `instance` has ended, for whatever reason.
    pub fn ended(&mut self, instance: &Arc<PooledInstance>) {
        self.transition(instance, Some(instance.state()), None);
        if instance.set_computing(false) {
            self.effects.computing -= 1;
        }
        self.effects.has_settled = true;
        if let Some(InstanceEnd::NoInstance(why)) = instance.signals.ended.get() {
            self.failure = Some(why.clone());
            // The call that waits longest is told; the next attempt is for the others.
            let _ = self.pop(instance);
        } else if self.rules.policy.isolation == Isolation::Fresh {
            self.replenish();
        }
        if !self.queue.is_empty() {
            self.rouse();
        }
    }

    /// Once a second: evict instances that nobody needed lately, the coldest first.
    pub fn tick(&mut self) {
        let unneeded = self.target.look(self.idle.len());
        self.evict(unneeded);
    }

    /// Evict all idle instances; returns how many.
    pub fn evict_idle(&mut self) -> usize {
        let idle = self.idle.len();
        self.evict(idle);
        idle
    }

    fn evict(&mut self, count: usize) {
        for instance in self.idle[..count].to_vec() {
            instance.dismiss();
            self.wake(&instance);
        }
    }

    /// Let the instances end: each as soon as it has answered what it has begun, and the queue is empty.
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
