//! Which of a lane's instances does what: looks for jobs, rests, is full, is held up by its guest, or is on its way out.
//!
//! All of it changes under the lane's lock. The task of an instance asks for work with [`Lane::take`], and after each
//! of its polls [`Lane::observe`] notices what has become of its guest.

use crate::lane::Lane;
use crate::policy::{Isolation, Spares};
use crate::sync::lock;
use crate::ticket::{Fatal, Job, Signals};
use crate::vitals::Vitals;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};

/// The queue of a lane, and its instances.
pub struct Board {
    pub queue: VecDeque<Job>,
    /// Instances without work that could take some; the last one to rest is the warmest.
    pub idle: Vec<Arc<Instance>>,
    /// Instances that are about to look at the queue, or are working through it.
    pub awake: usize,
    pub alive: usize,
    /// Retired, and still serving what they had begun.
    pub leaving: usize,
    /// How many are kept ready.
    pub spares: Spares,
    /// No more requests are to come: instances that are done end.
    pub closing: bool,
    /// Why an instance could not be made.
    pub failure: Option<String>,
}

impl Board {
    pub fn new(spares: Spares) -> Self {
        Self {
            queue: VecDeque::new(),
            idle: Vec::new(),
            awake: 0,
            alive: 0,
            leaving: 0,
            spares,
            closing: false,
            failure: None,
        }
    }

    /// Let the coldest of those that rest end.
    pub fn dismiss(&mut self, count: usize) {
        for instance in self.idle.drain(..count) {
            instance.set(State::Awake);
            instance.dismiss();
            self.awake += 1;
            instance.signals.wake.notify_one();
        }
    }
}

/// What a lane knows of an instance. Its state changes under the lane's lock only.
#[derive(Debug)]
pub struct Instance {
    pub signals: Arc<Signals>,
    state: AtomicU8,
    /// The guest holds on to the thread's task: it computes, or blocks where it should await.
    stuck: AtomicBool,
    computing: AtomicBool,
    pub served: AtomicU64,
    /// It has rested since it was made: what it is given did not wait for it to be made.
    rested: AtomicBool,
    /// It is not needed any more.
    dismissed: AtomicBool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum State {
    Awake,
    Idle,
    Full,
    Leaving,
}

impl Instance {
    /// One that is about to be made, and will look at the queue as soon as it is.
    pub fn new(vitals: Arc<Vitals>) -> Arc<Self> {
        Arc::new(Self {
            signals: Signals::new(vitals),
            state: AtomicU8::new(State::Awake as u8),
            stuck: AtomicBool::new(false),
            computing: AtomicBool::new(false),
            served: AtomicU64::new(0),
            rested: AtomicBool::new(false),
            dismissed: AtomicBool::new(false),
        })
    }

    pub fn dismiss(&self) {
        self.dismissed.store(true, Ordering::Relaxed);
    }

    /// Its first job, which was there before it was made.
    fn was_waited_for(&self) -> bool {
        self.served.load(Ordering::Relaxed) == 1 && !self.rested.load(Ordering::Relaxed)
    }

    /// True when the job is its own now; false when nobody waits for it any more.
    pub fn begins(&self, job: &Job) -> bool {
        let begun = job.ticket.begin(&self.signals);
        self.served.fetch_add(u64::from(begun), Ordering::Relaxed);
        begun
    }

    fn state(&self) -> State {
        match self.state.load(Ordering::Relaxed) {
            0 => State::Awake,
            1 => State::Idle,
            2 => State::Full,
            _ => State::Leaving,
        }
    }

    pub fn set(&self, state: State) {
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
        // While as many as may serve are still draining, worn ones go on serving, for want of room for others. But
        // what is fresh was promised to be so.
        let is_fresh = self.rules.isolation == Isolation::Fresh;
        let over = (board.closing || instance.dismissed.load(Ordering::Relaxed)) && board.queue.is_empty();
        if over || worn && (is_fresh || board.leaving < self.most) {
            self.rest(&mut board, instance, State::Leaving);
            board.alive -= 1;
            board.leaving += 1;
            if is_fresh && vitals.in_flight() > 0 {
                self.replenish(&mut board);
            }
            return if vitals.in_flight() == 0 { Work::Over } else { Work::None };
        }
        if self.rules.is_full(vitals.in_flight()) {
            self.rest(&mut board, instance, State::Full);
            return Work::None;
        }
        while let Some(job) = board.queue.pop_front() {
            if instance.begins(&job) {
                self.stats.took(instance.was_waited_for());
                return Work::Job(job);
            }
        }
        drop(board);
        if self.siblings.stranded.load(Ordering::Relaxed)
            && let Some(job) = self.help(instance)
        {
            self.stats.took(instance.was_waited_for());
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

    /// `instance` stops taking jobs; others see to what is left.
    fn rest(self: &Arc<Self>, board: &mut Board, instance: &Arc<Instance>, state: State) {
        if instance.state() == State::Awake && !instance.is_stuck() {
            board.awake -= 1;
        }
        if state == State::Idle && instance.state() != State::Idle {
            board.idle.push(instance.clone());
            instance.rested.store(true, Ordering::Relaxed);
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
        self.settled.notify_one();
        if let Some(Fatal::NoInstance(why)) = instance.signals.ended.get() {
            board.failure = Some(why.clone());
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
