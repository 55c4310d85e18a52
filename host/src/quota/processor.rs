//! Whose guest computes on a core: policy, without clocks or threads.
//!
//! Apps share the core by processor time, in proportion to their weights. Within an app, jobs run first come, first
//! served, each to its end: a job whose working set is in the caches finishes sooner than two that alternate, and the
//! wait of equal jobs is then the same for all. A job that computes for longer than the quantum of its level while
//! another one of its app waits goes to the end of the next lower level (multi-level feedback queue), so a short job
//! waits for a few quanta, however long the others are.
//!
//! A job is whatever a guest does between two moments in which it gives up the thread by itself.

use std::collections::VecDeque;
use std::time::Duration;

/// Number of levels: each has a longer quantum, and waits for those above it.
pub const LEVELS: usize = 3;

/// Processor time after which a job of this level lets other jobs of its app run. Most handlers need less than the first,
/// so they run to their end.
pub const fn quantum(level: usize) -> Duration {
    Duration::from_millis(8 << (2 * level))
}

/// Time that the upper levels of an app get while a lower one waits; then the lower one has a turn.
const PATIENCE: Duration = Duration::from_millis(100);
/// An app that begins to compute is this much ahead of those that do: it need not wait for the job that runs.
const CREDIT: Duration = Duration::from_millis(4);
/// An app keeps the core until another one is this much behind: each change costs the caches.
const MARGIN: Duration = Duration::from_millis(1);
/// The weight of an app that was given none.
pub const WEIGHT: u32 = 100;

/// An app's share of a core. Valid until [`Processor::close`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShareId(usize);

#[derive(Debug)]
struct Share<J> {
    weight: u32,
    /// Processor time divided by the weight, in nanoseconds at weight [`WEIGHT`].
    time: u64,
    /// Processor time, in nanoseconds.
    used: u64,
    /// `used` when a job of a lower level last had its turn, or began to wait.
    low: u64,
    levels: [VecDeque<J>; LEVELS],
    running: usize,
    is_open: bool,
}

impl<J> Share<J> {
    fn is_active(&self) -> bool {
        self.running > 0 || self.is_waiting()
    }

    fn is_waiting(&self) -> bool {
        self.levels.iter().any(|level| !level.is_empty())
    }

    /// The level whose first job is next.
    fn next_level(&self) -> Option<usize> {
        let first = self.levels.iter().position(|level| !level.is_empty())?;
        let lowest = self.levels.iter().rposition(|level| !level.is_empty())?;
        let has_waited = self.used.saturating_sub(self.low) > nanos(PATIENCE);
        Some(if lowest > 0 && has_waited { lowest } else { first })
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// What becomes of a job that has been asked whether it goes on.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict<J> {
    /// It goes on, at this level.
    Keeps { level: usize },
    /// It waits for its next turn, at this level, and `next` computes now.
    Waits { level: usize, next: J },
}

/// The jobs of one worker.
#[derive(Debug)]
pub struct Processor<J> {
    /// How many jobs compute at a time: the threads of the worker.
    cores: usize,
    running: usize,
    shares: Vec<Share<J>>,
    /// Time of the share that had a core last: where one begins that did not compute for a while.
    floor: u64,
    /// The shares that have waiting jobs. There may be a thousand apps, few of which compute at a time.
    waiting: Vec<usize>,
}

impl<J: Clone + PartialEq> Processor<J> {
    pub fn new(cores: usize) -> Self {
        Self { cores: cores.max(1), running: 0, shares: Vec::new(), floor: 0, waiting: Vec::new() }
    }

    /// Add an app.
    pub fn open(&mut self, weight: u32) -> ShareId {
        let share = Share {
            weight: weight.max(1),
            time: 0,
            used: 0,
            low: 0,
            levels: Default::default(),
            running: 0,
            is_open: true,
        };
        let place = match self.shares.iter().position(|share| !share.is_open && !share.is_active()) {
            Some(place) => place,
            None => {
                self.shares.push(share);
                return ShareId(self.shares.len() - 1);
            }
        };
        self.shares[place] = share;
        ShareId(place)
    }

    /// Remove an app, all of whose jobs have left.
    pub fn close(&mut self, share: ShareId) {
        self.shares[share.0].is_open = false;
    }

    /// A job wants to compute. False: it waits at the end of the first level, and a later call returns it.
    pub fn enter(&mut self, share: ShareId, job: &J) -> bool {
        let own = &mut self.shares[share.0];
        if !own.is_active() {
            own.time = own.time.max(self.floor.saturating_sub(nanos(CREDIT)));
        }
        if self.running < self.cores && self.waiting.is_empty() {
            own.running += 1;
            self.running += 1;
            self.floor = self.floor.max(own.time);
            return true;
        }
        self.wait(share.0, 0, |level| level.push_back(job.clone()));
        false
    }

    fn wait(&mut self, share: usize, level: usize, push: impl FnOnce(&mut VecDeque<J>)) {
        let own = &mut self.shares[share];
        if !own.is_waiting() {
            self.waiting.push(share);
        }
        if level > 0 && own.levels[1..].iter().all(VecDeque::is_empty) {
            own.low = own.used;
        }
        push(&mut own.levels[level]);
    }

    /// Called after a job of `share` was taken from its queue.
    fn waited(&mut self, share: usize) {
        if !self.shares[share].is_waiting() {
            self.waiting.retain(|other| *other != share);
        }
    }

    /// A running job gives up its turn, after it used this much processor time since the last report. Returns the next.
    pub fn leave(&mut self, share: ShareId, used: Duration) -> Option<J> {
        self.charge(share, used);
        self.shares[share.0].running -= 1;
        self.running -= 1;
        self.next()
    }

    /// Another job may run instead of this one, which used `used` since the last report, and `in_level` at its level.
    pub fn reconsider(
        &mut self,
        share: ShareId,
        job: &J,
        level: usize,
        used: Duration,
        in_level: Duration,
    ) -> Verdict<J> {
        self.charge(share, used);
        if self.waiting.is_empty() {
            self.floor = self.floor.max(self.shares[share.0].time);
            return Verdict::Keeps { level };
        }
        let own = &self.shares[share.0];
        let mut others =
            self.waiting.iter().filter(|other| **other != share.0).map(|other| &self.shares[*other]);
        let is_preempted = others.any(|other| other.time.saturating_add(nanos(MARGIN)) < own.time);
        let is_demoted = own.is_waiting() && in_level >= quantum(level);
        // A turn of a lower level is short once a job of an upper one waits.
        let is_overtaken = own.levels[..level].iter().any(|upper| !upper.is_empty())
            && own.used.saturating_sub(own.low) >= nanos(quantum(0));
        if !is_preempted && !is_demoted && !is_overtaken {
            return Verdict::Keeps { level };
        }
        let level = if is_demoted { (level + 1).min(LEVELS - 1) } else { level };
        self.wait(share.0, level, |queue| {
            if is_demoted {
                queue.push_back(job.clone());
            } else {
                // It keeps its place.
                queue.push_front(job.clone());
            }
        });
        self.shares[share.0].running -= 1;
        self.running -= 1;
        match self.next() {
            Some(next) if next == *job => Verdict::Keeps { level },
            Some(next) => Verdict::Waits { level, next },
            None => Verdict::Keeps { level },
        }
    }

    /// A waiting job is gone.
    pub fn remove(&mut self, share: ShareId, job: &J) {
        for level in &mut self.shares[share.0].levels {
            if let Some(place) = level.iter().position(|other| other == job) {
                level.remove(place);
                self.waited(share.0);
                return;
            }
        }
    }

    fn charge(&mut self, share: ShareId, used: Duration) {
        let own = &mut self.shares[share.0];
        let used = nanos(used);
        own.used = own.used.saturating_add(used);
        own.time = own.time.saturating_add(used.saturating_mul(u64::from(WEIGHT)) / u64::from(own.weight));
    }

    /// Let the next job compute, if a core is free: the first one of the app that is furthest behind.
    fn next(&mut self) -> Option<J> {
        if self.running >= self.cores {
            return None;
        }
        let share = self.waiting.iter().copied().min_by_key(|share| self.shares[*share].time)?;
        let own = &mut self.shares[share];
        let level = own.next_level()?;
        let job = own.levels[level].pop_front()?;
        if level > 0 {
            own.low = own.used;
        }
        own.running += 1;
        self.running += 1;
        self.floor = self.floor.max(own.time);
        self.waited(share);
        Some(job)
    }
}

#[cfg(test)]
#[path = "processor_tests.rs"]
mod tests;
