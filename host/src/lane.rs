//! The instances of one app that live by one set of rules on one worker, and the queue of requests for them.
//!
//! Jobs lie in the lane's queue until an instance takes them, one by one, so none is ever stuck behind a handler
//! that computes: when an instance is held up by its guest, another one is roused for the rest of the queue, on a
//! worker whose core is free if there is one. Each instance is owned by a task of its own, its [`driver`](crate::driver).

use crate::component::Loaded;
use crate::config::Limits;
use crate::driver;
use crate::outbound::Outbound;
use crate::params::ValidArgs;
use crate::policy::{self, Isolation, Rules};
use crate::store::lock;
use crate::ticket::{Fatal, Job, Patience, Signals, Waiting};
use crate::vitals::Vitals;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};
use tokio::sync::{Notify, Semaphore};
use tokio::time::Instant;

/// What a worker's lanes share: its thread, seen from outside.
#[derive(Debug)]
pub struct Core {
    /// Where the worker's tasks run.
    pub runtime: tokio::runtime::Handle,
    /// Handlers that were interrupted because they compute.
    pub computing: AtomicUsize,
    /// The right to compute beyond the first tick: one handler at a time, so that a connection waits for one.
    pub turns: Arc<Semaphore>,
}

impl Core {
    /// The core of the worker that calls this.
    pub fn current() -> Arc<Self> {
        Arc::new(Self {
            runtime: tokio::runtime::Handle::current(),
            computing: AtomicUsize::new(0),
            turns: Arc::new(Semaphore::new(1)),
        })
    }

    fn computing(&self) -> usize {
        self.computing.load(Ordering::Relaxed)
    }
}

/// The same lane on all workers.
#[derive(Default)]
pub struct Siblings {
    lanes: Mutex<Vec<Weak<Lane>>>,
    /// Some lane has jobs and no instance for them: whoever has nothing to do may help itself.
    stranded: AtomicBool,
}

/// One lane of one worker.
pub struct Lane {
    pub component: Arc<Loaded>,
    pub rules: Rules,
    pub core: Arc<Core>,
    pub outbound: Arc<Outbound>,
    most: usize,
    max_cpu: Option<std::time::Duration>,
    patience: Patience,
    siblings: Arc<Siblings>,
    board: Mutex<Board>,
    /// An instance came to rest, or could not be made.
    settled: Notify,
}

#[derive(Default)]
struct Board {
    queue: VecDeque<Job>,
    /// Instances without work that could take some; the last one to rest is the warmest.
    idle: Vec<Arc<Instance>>,
    /// Instances that are about to look at the queue, or are working through it.
    awake: usize,
    alive: usize,
    /// Retired, and still serving what they had begun.
    leaving: usize,
    /// Why an instance could not be made.
    failure: Option<String>,
}

/// What a lane knows of an instance. Its state changes under the lane's lock only.
#[derive(Debug)]
pub struct Instance {
    pub signals: Arc<Signals>,
    state: AtomicU8,
    /// The guest holds on to the thread's task: it computes, or blocks where it should await.
    stuck: AtomicBool,
    computing: AtomicBool,
    served: AtomicU64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum State {
    Awake,
    Idle,
    Full,
    Leaving,
}

impl Instance {
    fn state(&self) -> State {
        match self.state.load(Ordering::Relaxed) {
            0 => State::Awake,
            1 => State::Idle,
            2 => State::Full,
            _ => State::Leaving,
        }
    }

    fn set(&self, state: State) {
        self.state.store(state as u8, Ordering::Relaxed);
    }

    fn is_stuck(&self) -> bool {
        self.stuck.load(Ordering::Relaxed)
    }
}

/// What an instance finds when it looks for work.
pub enum Work {
    Job(Job),
    /// Nothing now: wait to be woken.
    None,
    /// Nothing ever: it is retired, and has answered all it had taken.
    Over,
}

impl Lane {
    pub fn new(
        component: Arc<Loaded>,
        rules: Rules,
        limits: &Limits,
        core: Arc<Core>,
        outbound: Arc<Outbound>,
        siblings: Arc<Siblings>,
    ) -> Arc<Self> {
        let patience = Patience { cancels: rules.is_async, deadline: limits.deadline, grace: limits.grace };
        let (most, max_cpu) = (limits.instances, limits.max_cpu);
        let lane = Arc::new(Self {
            component,
            rules,
            core,
            outbound,
            most,
            max_cpu,
            patience,
            siblings: siblings.clone(),
            board: Mutex::default(),
            settled: Notify::new(),
        });
        lock(&siblings.lanes).push(Arc::downgrade(&lane));
        lane
    }

    /// Have a request's handler run; the reply comes to the returned wait.
    pub fn call(self: &Arc<Self>, request: u64, route: usize, args: ValidArgs, deadline: Instant) -> Waiting {
        let (job, waiting) = Waiting::new(request, route, args.0, deadline, self.patience);
        self.submit(job);
        waiting
    }

    /// Make the spare instances of the rules, and return when they are ready. The error says why they cannot be.
    pub async fn warm(self: &Arc<Self>) -> Result<(), String> {
        self.replenish(&mut lock(&self.board));
        loop {
            let settled = self.settled.notified();
            {
                let board = lock(&self.board);
                if let Some(why) = &board.failure {
                    return Err(why.clone());
                }
                if board.idle.len() >= self.spares() {
                    return Ok(());
                }
            }
            settled.await;
        }
    }

    fn spares(&self) -> usize {
        self.rules.spares.min(self.most)
    }

    fn replenish(self: &Arc<Self>, board: &mut Board) {
        while board.idle.len() + board.awake < self.spares() && self.may_grow(board) {
            self.hire(board);
        }
    }

    /// Queue a job where a core is free for it.
    fn submit(self: &Arc<Self>, job: Job) {
        let here = self.core.computing();
        if here > 0 {
            let others: Vec<_> = self.others().filter(|lane| lane.has_room()).collect();
            if let Some(index) = policy::relief(here, others.iter().map(|lane| lane.core.computing())) {
                return others[index].accept(job);
            }
        }
        self.accept(job);
    }

    fn accept(self: &Arc<Self>, job: Job) {
        let mut board = lock(&self.board);
        board.queue.push_back(job);
        self.rouse(&mut board);
    }

    fn others(&self) -> impl Iterator<Item = Arc<Lane>> {
        let all: Vec<_> = lock(&self.siblings.lanes).iter().filter_map(Weak::upgrade).collect();
        all.into_iter().filter(|lane| !std::ptr::eq(&**lane, self))
    }

    fn has_room(&self) -> bool {
        let board = lock(&self.board);
        board.awake > 0 || !board.idle.is_empty() || self.may_grow(&board)
    }

    fn may_grow(&self, board: &Board) -> bool {
        board.alive < self.most && board.alive + board.leaving < 2 * self.most
    }

    /// See to it that an instance looks at the queue.
    fn rouse(self: &Arc<Self>, board: &mut Board) {
        if board.awake > 0 {
            return;
        }
        if let Some(instance) = board.idle.pop() {
            instance.set(State::Awake);
            board.awake += 1;
            instance.signals.wake.notify_one();
        } else if self.may_grow(board) {
            self.hire(board);
        } else {
            self.siblings.stranded.store(true, Ordering::Relaxed);
        }
    }

    /// Have one more instance made, on this lane's worker, whichever thread asks.
    fn hire(self: &Arc<Self>, board: &mut Board) {
        board.alive += 1;
        board.awake += 1;
        let vitals = Vitals::new(self.core.turns.clone(), self.max_cpu);
        let instance = Arc::new(Instance {
            signals: Signals::new(vitals),
            state: AtomicU8::new(State::Awake as u8),
            stuck: AtomicBool::new(false),
            computing: AtomicBool::new(false),
            served: AtomicU64::new(0),
        });
        self.core.runtime.spawn(driver::drive(self.clone(), instance));
    }

    /// What `instance` does next.
    pub fn take(self: &Arc<Self>, instance: &Arc<Instance>) -> Work {
        let mut board = lock(&self.board);
        self.unstick(&mut board, instance);
        let vitals = &instance.signals.vitals;
        if matches!(instance.state(), State::Idle | State::Full) {
            // Woken for another reason than a job, or for a job that is gone.
            board.idle.retain(|other| !Arc::ptr_eq(other, instance));
            instance.set(State::Awake);
            board.awake += 1;
        }
        if instance.state() == State::Leaving {
            return if vitals.in_flight() == 0 { Work::Over } else { Work::None };
        }
        let worn = self.rules.retire(instance.served.load(Ordering::Relaxed), vitals.is_exhausted());
        // While as many as may serve are still draining, worn ones go on serving: the pool has no room for more.
        if worn && board.leaving < self.most {
            self.rest(&mut board, instance, State::Leaving);
            board.alive -= 1;
            board.leaving += 1;
            if self.rules.isolation == Isolation::Fresh && vitals.in_flight() > 0 {
                self.replenish(&mut board);
            }
            return if vitals.in_flight() == 0 { Work::Over } else { Work::None };
        }
        if self.rules.is_full(vitals.in_flight()) {
            self.rest(&mut board, instance, State::Full);
            return Work::None;
        }
        while let Some(job) = board.queue.pop_front() {
            if job.ticket.begin(&instance.signals) {
                instance.served.fetch_add(1, Ordering::Relaxed);
                return Work::Job(job);
            }
        }
        drop(board);
        if self.siblings.stranded.load(Ordering::Relaxed)
            && let Some(job) = self.help(instance)
        {
            return Work::Job(job);
        }
        let mut board = lock(&self.board);
        // Another thread may have brought a job since.
        if board.queue.is_empty() {
            self.rest(&mut board, instance, State::Idle);
        } else {
            instance.signals.wake.notify_one();
        }
        Work::None
    }

    /// Take a job off another worker that has no instance for it.
    fn help(&self, instance: &Instance) -> Option<Job> {
        self.siblings.stranded.store(false, Ordering::Relaxed);
        for lane in self.others() {
            let mut board = lock(&lane.board);
            while board.awake == 0
                && let Some(job) = board.queue.pop_front()
            {
                if !board.queue.is_empty() {
                    self.siblings.stranded.store(true, Ordering::Relaxed);
                }
                if job.ticket.begin(&instance.signals) {
                    instance.served.fetch_add(1, Ordering::Relaxed);
                    return Some(job);
                }
            }
        }
        None
    }

    /// `instance` stops taking jobs; others see to what is left.
    fn rest(self: &Arc<Self>, board: &mut Board, instance: &Arc<Instance>, state: State) {
        if instance.state() == State::Awake && !instance.is_stuck() {
            board.awake -= 1;
        }
        if state == State::Idle && instance.state() != State::Idle {
            board.idle.push(instance.clone());
            self.settled.notify_one();
        }
        instance.set(state);
        if !board.queue.is_empty() {
            self.rouse(board);
        }
    }

    /// Called each time an instance's task is about to give the thread back: notice what its guest is doing.
    pub fn observe(self: &Arc<Self>, instance: &Arc<Instance>) {
        let vitals = &instance.signals.vitals;
        match (vitals.is_inside(), instance.is_stuck()) {
            (true, false) if vitals.may_be_a_burst() => {}
            (true, false) => self.stick(instance),
            (true, true) => {}
            (false, true) => {
                let mut board = lock(&self.board);
                self.unstick(&mut board, instance);
                // It may have been kept from looking at the queue.
                instance.signals.wake.notify_one();
            }
            (false, false) => match instance.state() {
                State::Full if !self.rules.is_full(vitals.in_flight()) => {
                    let mut board = lock(&self.board);
                    instance.set(State::Awake);
                    board.awake += 1;
                    instance.signals.wake.notify_one();
                }
                State::Leaving if vitals.in_flight() == 0 => instance.signals.wake.notify_one(),
                _ => {}
            },
        }
    }

    /// The guest of `instance` was suspended in the middle of something: the queue is for others.
    fn stick(self: &Arc<Self>, instance: &Arc<Instance>) {
        let mut board = lock(&self.board);
        match instance.state() {
            State::Awake => board.awake -= 1,
            State::Idle => {
                board.idle.retain(|other| !Arc::ptr_eq(other, instance));
            }
            State::Full | State::Leaving => {}
        }
        instance.stuck.store(true, Ordering::Relaxed);
        if instance.signals.vitals.interrupted() > 0 {
            instance.computing.store(true, Ordering::Relaxed);
            self.core.computing.fetch_add(1, Ordering::Relaxed);
        }
        if board.awake == 0 {
            let rest = std::mem::take(&mut board.queue);
            drop(board);
            rest.into_iter().for_each(|job| self.submit(job));
        }
    }

    fn unstick(&self, board: &mut Board, instance: &Arc<Instance>) {
        if !instance.stuck.swap(false, Ordering::Relaxed) {
            return;
        }
        if instance.computing.swap(false, Ordering::Relaxed) {
            self.core.computing.fetch_sub(1, Ordering::Relaxed);
        }
        if matches!(instance.state(), State::Awake | State::Idle) {
            instance.set(State::Awake);
            board.awake += 1;
        }
    }

    /// An instance has ended, for whatever reason.
    pub fn ended(self: &Arc<Self>, instance: &Arc<Instance>) {
        let mut board = lock(&self.board);
        match instance.state() {
            State::Leaving => board.leaving -= 1,
            state => {
                board.alive -= 1;
                if state == State::Awake && !instance.is_stuck() {
                    board.awake -= 1;
                }
                board.idle.retain(|other| !Arc::ptr_eq(other, instance));
            }
        }
        if instance.is_stuck() && instance.computing.load(Ordering::Relaxed) {
            self.core.computing.fetch_sub(1, Ordering::Relaxed);
        }
        if let Some(Fatal::NoInstance(why)) = instance.signals.ended.get() {
            board.failure = Some(why.clone());
            self.settled.notify_one();
            // The one that waits longest is told; the next attempt is for the others.
            while let Some(job) = board.queue.pop_front() {
                if job.ticket.begin(&instance.signals) {
                    break;
                }
            }
        } else if self.rules.isolation == Isolation::Fresh {
            self.replenish(&mut board);
        }
        if !board.queue.is_empty() {
            self.rouse(&mut board);
        }
    }
}
