//! The instances of one app that live by one set of rules on one worker, and the queue of requests for them.
//!
//! Jobs lie in the lane's queue until an instance takes them, one by one, so none is ever stuck behind a handler
//! that computes: when an instance is held up by its guest, another one is roused for the rest of the queue, on a
//! worker whose core is free if there is one. The [`roster`](crate::roster) says which instance does what. Each
//! instance is owned by a task of its own, its [`driver`](crate::driver).

use crate::component::Loaded;
use crate::config::Limits;
use crate::driver;
use crate::outbound::Outbound;
use crate::policy::{self, Isolation, Rules, Spares};
use crate::pressure::Pressure;
use crate::roster::{Board, Instance, State};
use crate::stats::LaneStats;
use crate::sync::lock;
use crate::ticket::{Given, Job, Patience, Waiting};
use crate::vitals::Vitals;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;
use tokio::sync::{Notify, Semaphore};
use tokio::time::Instant;

/// What a worker's lanes share: its thread, seen from outside.
#[derive(Debug)]
pub struct Core {
    /// Where the worker's tasks run.
    pub runtime: tokio::runtime::Handle,
    /// Handlers that were interrupted because they compute.
    pub computing: AtomicUsize,
    /// The right to compute beyond the first tick: one handler at a time on a thread, so that a connection waits for
    /// one.
    pub turns: Arc<Semaphore>,
    /// The right to give back the memory of a large instance.
    pub endings: Semaphore,
    /// That of all workers.
    pub pressure: Pressure,
}

impl Core {
    /// That of the runtime that calls this. A worker's has one thread.
    pub fn current(pressure: Pressure) -> Arc<Self> {
        Arc::new(Self {
            runtime: tokio::runtime::Handle::current(),
            computing: AtomicUsize::new(0),
            turns: Arc::new(Semaphore::new(tokio::runtime::Handle::current().metrics().num_workers())),
            endings: Semaphore::new(1),
            pressure,
        })
    }

    fn computing(&self) -> usize {
        self.computing.load(Ordering::Relaxed)
    }
}

/// The instances of a lane, and what waits for them, at one moment.
#[derive(Debug, Clone, Copy)]
pub struct Census {
    pub queued: usize,
    pub idle: usize,
    pub busy: usize,
    /// Retired, and at work on what they had begun.
    pub leaving: usize,
    /// How many it wants to have ready.
    pub spares: usize,
}

/// The same lane on all workers.
#[derive(Default)]
pub struct Siblings {
    lanes: Mutex<Vec<Weak<Lane>>>,
    /// Some lane has jobs and no instance for them: whoever has nothing to do may help itself.
    pub(crate) stranded: AtomicBool,
}

impl Siblings {
    /// The lanes that there are, of all workers.
    pub fn all(&self) -> Vec<Arc<Lane>> {
        lock(&self.lanes).iter().filter_map(Weak::upgrade).collect()
    }
}

/// One lane of one worker.
pub struct Lane {
    pub component: Arc<Loaded>,
    pub rules: Rules,
    pub core: Arc<Core>,
    pub outbound: Arc<Outbound>,
    /// Its instances have something to do when they are retired.
    pub has_lifespan: bool,
    pub stats: LaneStats,
    pub(crate) most: usize,
    max_cpu: Option<Duration>,
    patience: Patience,
    pub(crate) siblings: Arc<Siblings>,
    pub(crate) board: Mutex<Board>,
    /// An instance came to rest, or could not be made.
    pub(crate) settled: Notify,
}

impl Lane {
    pub fn new(
        (component, has_lifespan): (Arc<Loaded>, bool),
        rules: Rules,
        limits: &Limits,
        core: Arc<Core>,
        outbound: Arc<Outbound>,
        siblings: Arc<Siblings>,
    ) -> Arc<Self> {
        let patience = Patience { cancels: rules.is_async, deadline: limits.deadline, grace: limits.grace };
        let (most, max_cpu) = (limits.instances, limits.max_cpu);
        let most_spares = if rules.isolation == Isolation::Fresh { most } else { rules.spares };
        let lane = Arc::new(Self {
            component,
            rules,
            core,
            outbound,
            has_lifespan,
            stats: LaneStats::default(),
            most,
            max_cpu,
            patience,
            siblings: siblings.clone(),
            board: Mutex::new(Board::new(Spares::new(rules.spares.min(most), most_spares))),
            settled: Notify::new(),
        });
        lock(&siblings.lanes).push(Arc::downgrade(&lane));
        lane
    }

    /// Have a request's handler run; the reply comes to the returned wait.
    pub fn call(self: &Arc<Self>, request: u64, route: usize, given: Given, deadline: Instant) -> Waiting {
        let (job, waiting) = Waiting::new(request, route, given, deadline, self.patience);
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
                if board.idle.len() >= board.spares.want() {
                    return Ok(());
                }
            }
            settled.await;
        }
    }

    /// Let the instances end: each as soon as it has answered what it has begun, and the queue is empty.
    pub fn close(&self) {
        let mut board = lock(&self.board);
        board.closing = true;
        for instance in std::mem::take(&mut board.idle) {
            instance.set(State::Awake);
            board.awake += 1;
            instance.signals.wake.notify_one();
        }
    }

    /// Return when no instance is left.
    pub async fn closed(&self) {
        loop {
            let settled = self.settled.notified();
            {
                let board = lock(&self.board);
                if board.alive + board.leaving == 0 {
                    return;
                }
            }
            settled.await;
        }
    }

    /// Called once a second: let go of instances that nobody needed lately, the coldest first.
    pub fn tend(self: &Arc<Self>) {
        let mut board = lock(&self.board);
        let resting = board.idle.len();
        let unneeded = board.spares.look(resting);
        board.dismiss(unneeded);
        // Handlers that nobody ever asked for need no instances: there may be a thousand apps.
        if self.stats.is_used() {
            self.replenish(&mut board);
        }
    }

    /// Let go of all that rest; returns how many.
    pub fn make_room(&self) -> usize {
        let mut board = lock(&self.board);
        let resting = board.idle.len();
        board.dismiss(resting);
        resting
    }

    /// Somebody waits for an instance that is being made.
    pub fn is_waited_for(&self) -> bool {
        !lock(&self.board).queue.is_empty() || !self.stats.is_used()
    }

    pub(crate) fn replenish(self: &Arc<Self>, board: &mut Board) {
        let want = board.spares.want();
        while !board.closing && board.idle.len() + board.awake < want && self.may_grow(board) {
            self.hire(board);
        }
    }

    /// Queue a job where a core is free for it.
    pub(crate) fn submit(self: &Arc<Self>, job: Job) {
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
        let waiting = board.queue.len();
        board.spares.waiting(waiting);
        self.rouse(&mut board);
    }

    fn others(&self) -> impl Iterator<Item = Arc<Lane>> {
        self.siblings.all().into_iter().filter(|lane| !std::ptr::eq(&**lane, self))
    }

    /// What its instances do now.
    pub fn census(&self) -> Census {
        let board = lock(&self.board);
        Census {
            queued: board.queue.len(),
            idle: board.idle.len(),
            busy: board.alive - board.idle.len(),
            leaving: board.leaving,
            spares: board.spares.want(),
        }
    }

    fn has_room(&self) -> bool {
        let board = lock(&self.board);
        board.awake > 0 || !board.idle.is_empty() || self.may_grow(&board)
    }

    fn may_grow(&self, board: &Board) -> bool {
        board.alive < self.most && board.alive + board.leaving < 2 * self.most
    }

    /// See to it that an instance looks at the queue.
    pub(crate) fn rouse(self: &Arc<Self>, board: &mut Board) {
        if board.awake > 0 {
            return;
        }
        if let Some(instance) = board.idle.pop() {
            let resting = board.idle.len();
            board.spares.resting(resting);
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
        let instance = Instance::new(Vitals::new(self.core.turns.clone(), self.max_cpu));
        self.core.runtime.spawn(driver::drive(self.clone(), instance));
    }

    /// Take a job off another worker that has no instance for it.
    pub(crate) fn help(&self, instance: &Instance) -> Option<Job> {
        self.siblings.stranded.store(false, Ordering::Relaxed);
        for lane in self.others() {
            let mut board = lock(&lane.board);
            while board.awake == 0
                && let Some(job) = board.queue.pop_front()
            {
                if !board.queue.is_empty() {
                    self.siblings.stranded.store(true, Ordering::Relaxed);
                }
                if instance.begins(&job) {
                    return Some(job);
                }
            }
        }
        None
    }
}
