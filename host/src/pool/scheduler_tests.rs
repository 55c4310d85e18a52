//! Random events against the scheduler: the counts match the states, and no call is forgotten.

use super::*;
use crate::manifest::isolation::RouteIsolation;
use crate::pool::call::{CancelPolicy, PendingCall};
use crate::sandbox::turn::Core;
use crate::validation::arguments::ValidArgs;
use proptest::prelude::*;

const MOST: usize = 3;

fn scheduler(isolation: Option<Isolation>, is_async: bool, max_requests: Option<u64>) -> Scheduler {
    let asked = RouteIsolation { isolation, max_concurrency: Some(2), max_requests };
    let policy = PoolPolicy::new(is_async, asked, 0);
    let share = Core::new(1).share(1);
    Scheduler::new(PoolRules { policy, most: MOST, share, max_cpu: None })
}

fn call(request: u64) -> (Call, PendingCall) {
    let cancel = CancelPolicy { cancels: true, deadline: Duration::ZERO, grace: Duration::ZERO };
    PendingCall::new(request, 0, ValidArgs(Vec::new()).into(), tokio::time::Instant::now(), cancel)
}

/// A pool whose instances do what the test tells them.
struct World {
    scheduler: Scheduler,
    alive: Vec<Arc<PooledInstance>>,
    /// The waits for replies. Dropping one gives up its call.
    pending: Vec<PendingCall>,
    begun: usize,
    next: u64,
    is_stranded: bool,
}

impl World {
    fn settle(&mut self) {
        let effects = self.scheduler.take_effects();
        self.alive.extend(effects.hired);
        self.is_stranded |= effects.is_stranded;
    }

    fn pick(&self, index: usize) -> Option<Arc<PooledInstance>> {
        (!self.alive.is_empty()).then(|| self.alive[index % self.alive.len()].clone())
    }

    /// Let an instance look for work until it has to wait.
    fn run(&mut self, instance: &Arc<PooledInstance>) {
        loop {
            match self.scheduler.next(instance) {
                Work::Call(_) => self.begun += 1,
                Work::Nothing => {
                    self.scheduler.rest(instance);
                    return;
                }
                Work::Wait => return,
                Work::Over => return self.end(instance),
            }
        }
    }

    fn end(&mut self, instance: &Arc<PooledInstance>) {
        self.scheduler.ended(instance);
        self.alive.retain(|other| !Arc::ptr_eq(other, instance));
    }

    fn play(&mut self, event: Event) {
        match event {
            Event::Submit => {
                self.next += 1;
                let (call, pending) = call(self.next);
                self.pending.push(pending);
                self.scheduler.submit(call);
            }
            Event::GiveUp(index) if !self.pending.is_empty() => {
                drop(self.pending.swap_remove(index % self.pending.len()));
            }
            Event::Run(index) => {
                if let Some(instance) = self.pick(index).filter(|instance| !instance.is_held()) {
                    self.run(&instance);
                }
            }
            Event::Hold(index) => {
                if let Some(instance) = self.pick(index).filter(|instance| !instance.is_held()) {
                    for call in self.scheduler.hold(&instance) {
                        self.scheduler.submit(call);
                    }
                }
            }
            Event::Release(index) => {
                if let Some(instance) = self.pick(index) {
                    self.scheduler.release(&instance);
                }
            }
            Event::InFlight(index, count) => {
                if let Some(instance) = self.pick(index) {
                    instance.signals.execution.set_in_flight(count);
                    self.scheduler.has_capacity(&instance);
                }
            }
            Event::Exhaust(index) => {
                if let Some(instance) = self.pick(index) {
                    instance.signals.execution.exhaust();
                }
            }
            Event::Die(index) => {
                if let Some(instance) = self.pick(index) {
                    self.end(&instance);
                }
            }
            Event::Tick => {
                self.scheduler.tick();
                self.scheduler.replenish();
            }
            Event::Evict => {
                self.scheduler.evict_idle();
            }
            Event::Help if self.is_stranded => {
                let other = PooledInstance::new(Execution::alone());
                self.begun += usize::from(self.scheduler.pop(&other).is_some());
                self.is_stranded = self.scheduler.queued() > 0;
            }
            Event::Help => {}
            Event::GiveUp(_) => {}
        }
        self.settle();
    }

    /// The invariants after each event.
    fn check(&self) {
        let scheduler = &self.scheduler;
        for state in InstanceState::ALL {
            let found = self.alive.iter().filter(|instance| instance.state() == state).count();
            assert_eq!(scheduler.counts().of(state), found, "{state:?}");
        }
        let is_idle = |instance: &&Arc<PooledInstance>| instance.state() == InstanceState::Idle;
        assert_eq!(scheduler.idle.len(), self.alive.iter().filter(is_idle).count());
        assert!(scheduler.idle.iter().all(|idle| is_idle(&idle)));
        let held = self.alive.iter().filter(|instance| instance.state() == InstanceState::Held);
        assert!(held.clone().all(|instance| instance.is_held()));
        assert!(scheduler.counts().alive() <= MOST, "{:?}", scheduler.counts());
        assert!(scheduler.counts().alive() + scheduler.counts().leaving() <= 2 * MOST);
        // Somebody takes care of a queued call: an instance that looks at the queue, or other workers.
        if scheduler.queued() > 0 {
            let is_seen_to = scheduler.counts().attending() > 0 || self.is_stranded;
            assert!(is_seen_to, "{} calls wait: {:?}", scheduler.queued(), scheduler.counts());
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Event {
    Submit,
    GiveUp(usize),
    Run(usize),
    Hold(usize),
    Release(usize),
    InFlight(usize, usize),
    Exhaust(usize),
    Die(usize),
    Tick,
    Evict,
    /// An idle instance of another worker takes a call.
    Help,
}

fn event() -> impl Strategy<Value = Event> {
    let which = 0..8usize;
    prop_oneof![
        6 => Just(Event::Submit),
        1 => which.clone().prop_map(Event::GiveUp),
        8 => which.clone().prop_map(Event::Run),
        3 => which.clone().prop_map(Event::Hold),
        3 => which.clone().prop_map(Event::Release),
        3 => (which.clone(), 0..3usize).prop_map(|(index, count)| Event::InFlight(index, count)),
        1 => which.clone().prop_map(Event::Exhaust),
        1 => which.prop_map(Event::Die),
        1 => Just(Event::Tick),
        1 => Just(Event::Evict),
        2 => Just(Event::Help),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn counts_are_those_of_the_states_whatever_happens(
        isolation in prop_oneof![
            Just(Isolation::Fresh), Just(Isolation::Serial), Just(Isolation::Concurrent)
        ],
        is_async in any::<bool>(),
        max_requests in proptest::option::of(1..4u64),
        events in proptest::collection::vec(event(), 1..120),
    ) {
        let scheduler = scheduler(Some(isolation), is_async, max_requests);
        let (alive, pending) = (Vec::new(), Vec::new());
        let mut world = World {
            scheduler, alive, pending, begun: 0, next: 0, is_stranded: false,
        };
        for event in events {
            world.play(event);
            world.check();
        }
        // Without further events it serves all queued calls and lets all instances end.
        world.scheduler.close();
        for _ in 0..200 {
            for instance in world.alive.clone() {
                instance.signals.execution.set_in_flight(0);
                world.scheduler.release(&instance);
                world.run(&instance);
                world.settle();
            }
        }
        prop_assert_eq!((world.scheduler.queued(), world.alive.len()), (0, 0));
        prop_assert_eq!(world.scheduler.counts(), StateCounts::default());
    }
}

fn run(scheduler: &mut Scheduler, instance: &Arc<PooledInstance>) -> &'static str {
    match scheduler.next(instance) {
        Work::Call(_) => "call",
        Work::Nothing => {
            scheduler.rest(instance);
            "nothing"
        }
        Work::Wait => "wait",
        Work::Over => "over",
    }
}

#[test]
fn the_warmest_idle_instance_is_woken_first() {
    let mut scheduler = scheduler(None, false, None);
    let (first, _one) = call(1);
    scheduler.submit(first);
    let cold = scheduler.take_effects().hired.remove(0);
    assert_eq!(run(&mut scheduler, &cold), "call");
    scheduler.hold(&cold);
    let (second, _two) = call(2);
    scheduler.submit(second);
    let warm = scheduler.take_effects().hired.remove(0);
    assert_eq!(run(&mut scheduler, &warm), "call");
    scheduler.release(&cold);
    assert_eq!((run(&mut scheduler, &cold), run(&mut scheduler, &warm)), ("nothing", "nothing"));
    let (third, _three) = call(3);
    scheduler.submit(third);
    assert_eq!((cold.state(), warm.state()), (InstanceState::Idle, InstanceState::Awake));
    assert!(scheduler.take_effects().hired.is_empty());
}

#[test]
fn a_call_waits_for_no_new_instance_while_a_warm_one_is_idle() {
    let mut scheduler = scheduler(None, false, None);
    let (first, _one) = call(1);
    scheduler.submit(first);
    let warm = scheduler.take_effects().hired.remove(0);
    assert_eq!(run(&mut scheduler, &warm), "call");
    scheduler.hold(&warm);
    scheduler.replenish();
    let cold = scheduler.take_effects().hired.remove(0);
    scheduler.release(&warm);
    assert_eq!(run(&mut scheduler, &warm), "nothing");
    let (second, _two) = call(2);
    scheduler.submit(second);
    assert_eq!((cold.state(), warm.state()), (InstanceState::Starting, InstanceState::Awake));
    assert_eq!((run(&mut scheduler, &warm), run(&mut scheduler, &cold)), ("call", "nothing"));
    assert_eq!(run(&mut scheduler, &warm), "nothing");
    let (third, _three) = call(3);
    scheduler.submit(third);
    assert_eq!(
        (cold.state(), warm.state()),
        (InstanceState::Idle, InstanceState::Awake),
        "it was created last"
    );
}

#[test]
fn calls_behind_a_held_instance_are_submitted_anew() {
    let mut scheduler = scheduler(None, false, None);
    let calls: Vec<_> = (1..=3).map(call).collect();
    let mut pending = Vec::new();
    for (call, wait) in calls {
        scheduler.submit(call);
        pending.push(wait);
    }
    let hired = scheduler.take_effects().hired;
    assert_eq!(hired.len(), 1, "one that is awake looks at the whole queue");
    assert_eq!(run(&mut scheduler, &hired[0]), "call");
    assert_eq!(scheduler.hold(&hired[0]).len(), 2);
    assert_eq!((scheduler.queued(), scheduler.counts().of(InstanceState::Held)), (0, 1));
}

#[test]
fn a_pool_at_its_limit_asks_other_workers_for_help() {
    let mut scheduler = scheduler(None, false, None);
    for request in 0..MOST as u64 {
        let (call, wait) = call(request);
        scheduler.submit(call);
        let instance = scheduler.take_effects().hired.remove(0);
        assert_eq!(run(&mut scheduler, &instance), "call");
        assert!(scheduler.hold(&instance).is_empty());
        std::mem::forget(wait);
    }
    assert!(!scheduler.has_room());
    let (call, _wait) = call(9);
    scheduler.submit(call);
    assert!(scheduler.take_effects().is_stranded);
}

#[test]
fn an_instance_that_could_not_be_made_fails_one_call_and_is_tried_again_for_the_next() {
    let mut scheduler = scheduler(None, false, None);
    let ((first, _one), (second, _two)) = (call(1), call(2));
    scheduler.submit(first);
    scheduler.submit(second);
    let broken = scheduler.take_effects().hired.remove(0);
    broken.signals.ended.set(InstanceEnd::NoInstance("no room".to_owned())).unwrap();
    scheduler.ended(&broken);
    assert_eq!((scheduler.failure(), scheduler.queued()), (Some("no room"), 1));
    assert_eq!(scheduler.take_effects().hired.len(), 1);
}
