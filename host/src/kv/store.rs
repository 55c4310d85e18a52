//! A store of an app: its file, a thread that writes, and the connections that workers read with.
//!
//! Commands that wait together are committed together. A worker reads a single key by itself: that takes microseconds, and a thread
//! would take ten times as many.

use crate::kv::command::Command;
use crate::kv::reply::Reply;
use crate::kv::table::Table;
use crate::sql::job::{Charge, Held};
use crate::sql::problem::{Kind, SqlProblem};
use crate::util::affinity;
use crate::util::locks::lock;
use crate::util::memory_trim;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long the thread waits for work before it closes its connection.
const IDLE: Duration = Duration::from_secs(3);
/// Commands that wait.
const MOST_WAITING: usize = 10_000;
/// What they hold together, in bytes.
const MOST_HELD: usize = 32 * 1024 * 1024;
/// What a command costs besides its keys and values, in bytes.
const OVERHEAD: usize = 512;
/// Commands that are committed together.
const MOST_TOGETHER: usize = 256;
/// Connections that are kept for workers.
const READERS: usize = 8;
/// How long a store that is full removes what has expired, before it refuses.
const MAKING_ROOM: Duration = Duration::from_millis(200);
/// How often what has expired is removed.
const TIDY: Duration = Duration::from_secs(1);

/// What a store may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    pub path: PathBuf,
    /// Its size, in bytes.
    pub most_bytes: u64,
}

pub struct Store {
    /// In the log.
    name: (Arc<str>, String),
    terms: Terms,
    queue: Mutex<Queue>,
    wake: Condvar,
    held: Held,
    readers: Mutex<Vec<Table>>,
    /// It could not be opened, which the log has said.
    is_broken: AtomicBool,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Waiting>,
    is_served: bool,
}

struct Waiting {
    command: Command,
    reply: Reply,
    /// Nobody waits for it after that.
    end: Instant,
    _charge: Charge,
}

impl Store {
    pub fn new(app: Arc<str>, name: String, terms: Terms) -> Arc<Self> {
        Arc::new(Self {
            name: (app, name),
            terms,
            queue: Mutex::default(),
            wake: Condvar::new(),
            held: Held::default(),
            readers: Mutex::default(),
            is_broken: AtomicBool::new(false),
        })
    }

    /// The value of a key at once. `None` if that is not possible now, and the thread has to find out.
    pub fn get_now(&self, key: &str) -> Option<Option<Vec<u8>>> {
        let reader = lock(&self.readers).pop();
        let reader = match reader {
            Some(reader) => reader,
            // The thread makes the file.
            None if !self.terms.path.exists() => return None,
            None => Table::open(&self.terms.path, self.terms.most_bytes, true).ok()?,
        };
        let found = reader.get(key).ok()?;
        let mut readers = lock(&self.readers);
        if readers.len() < READERS {
            readers.push(reader);
        }
        Some(found)
    }

    /// Run a command on the thread.
    pub fn submit(self: &Arc<Self>, command: Command, end: Instant, reply: Reply) {
        let busy = || SqlProblem::new(Kind::Busy, "too many commands wait for this store");
        let Some(charge) = self.held.take(command.size() + OVERHEAD, MOST_HELD) else {
            return reply(Err(busy()));
        };
        let mut queue = lock(&self.queue);
        if queue.waiting.len() >= MOST_WAITING {
            drop(queue);
            return reply(Err(busy()));
        }
        queue.waiting.push_back(Waiting { command, reply, end, _charge: charge });
        if queue.is_served {
            drop(queue);
            return self.wake.notify_one();
        }
        queue.is_served = true;
        drop(queue);
        let store = self.clone();
        if std::thread::Builder::new().name("kv".to_owned()).spawn(move || store.work()).is_err() {
            let mut queue = lock(&self.queue);
            queue.is_served = false;
            let waiting = std::mem::take(&mut queue.waiting);
            drop(queue);
            let told = SqlProblem::new(Kind::Operational, "the host can start no thread for this store");
            waiting.into_iter().for_each(|one| (one.reply)(Err(told.clone())));
        }
    }

    fn work(self: Arc<Self>) {
        affinity::enter_background();
        let (mut table, mut tidied) = (None, Instant::now());
        while let Some(batch) = self.next() {
            let open = match table.take() {
                Some(open) => open,
                None => match self.open() {
                    Ok(open) => open,
                    Err(problem) => {
                        batch.into_iter().for_each(|one| (one.reply)(Err(problem.clone())));
                        continue;
                    }
                },
            };
            // A file that somebody has damaged may make the library panic. Whoever waits is told by the reply that is dropped.
            let served = catch_unwind(AssertUnwindSafe(|| serve(&open, batch)));
            if served.is_ok() {
                if tidied.elapsed() > TIDY {
                    tidied = Instant::now();
                    let _ = open.tidy();
                }
                table = Some(open);
            }
        }
        drop(table);
        lock(&self.readers).clear();
        memory_trim::trim_now();
    }

    /// What waits; `None` ends the thread.
    fn next(&self) -> Option<Vec<Waiting>> {
        let mut queue = lock(&self.queue);
        loop {
            if !queue.waiting.is_empty() {
                let count = queue.waiting.len().min(MOST_TOGETHER);
                return Some(queue.waiting.drain(..count).collect());
            }
            let waited = self.wake.wait_timeout(queue, IDLE).unwrap_or_else(PoisonError::into_inner);
            queue = waited.0;
            if waited.1.timed_out() && queue.waiting.is_empty() {
                queue.is_served = false;
                return None;
            }
        }
    }

    fn open(&self) -> Result<Table, SqlProblem> {
        let opened = Table::open(&self.terms.path, self.terms.most_bytes, false);
        let was_broken = self.is_broken.swap(opened.is_err(), Ordering::Relaxed);
        opened.map_err(|problem| {
            let (app, store) = (&*self.name.0, &*self.name.1);
            // An app may try for ever.
            if !was_broken {
                let path = self.terms.path.display();
                tracing::error!(app, store, "{path} cannot be opened: {}", problem.message);
            }
            // The app does not learn where it is.
            SqlProblem::new(Kind::Operational, format!("the store {store:?} cannot be opened"))
        })
    }
}

fn serve(table: &Table, batch: Vec<Waiting>) {
    let now = Instant::now();
    let (batch, late): (Vec<_>, Vec<_>) = batch.into_iter().partition(|one| one.end > now);
    for one in late {
        (one.reply)(Err(SqlProblem::too_slow()));
    }
    let commands: Vec<_> = batch.iter().map(|one| &one.command).collect();
    let mut ran = table.run(&commands);
    // What has expired makes room.
    let begun = Instant::now();
    while matches!(&ran, Err(problem) if problem.kind == Kind::Limit)
        && begun.elapsed() < MAKING_ROOM
        && table.tidy().is_ok_and(|removed| removed > 0)
    {
        ran = table.run(&commands);
    }
    match ran {
        Ok(outcomes) => batch.into_iter().zip(outcomes).for_each(|(one, outcome)| (one.reply)(outcome)),
        Err(problem) if batch.len() == 1 => {
            batch.into_iter().for_each(|one| (one.reply)(Err(problem.clone())))
        }
        // One of them is the reason, and the others do not pay for it.
        Err(_) => {
            for one in batch {
                let ran = table.run(&[&one.command]);
                let outcome = ran.and_then(|mut outcomes| {
                    outcomes
                        .pop()
                        .unwrap_or_else(|| Err(SqlProblem::new(Kind::Operational, "nothing came of it")))
                });
                (one.reply)(outcome);
            }
        }
    }
}
