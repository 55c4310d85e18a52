//! A connection that writes and several that read, each on a thread of its own, and who waits for them.
//!
//! SQLite lets one connection write at a time. Writers of one host wait in a queue instead of for a lock, which they would poll.

use crate::sql::engine::{Engine, Label, Session};
use crate::sql::job::Job;
use crate::sql::problem::{Kind, SqlProblem};
use crate::sql::sqlite::runner::{Ran, Runner};
use crate::sql::text;
use crate::util::affinity;
use crate::util::locks::lock;
use crate::util::memory_trim;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a thread waits for work before it closes its connection.
const IDLE: Duration = Duration::from_secs(3);
/// Statements and sessions that wait.
const MOST_TASKS: usize = 10_000;

/// What the operator grants of a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    pub path: PathBuf,
    /// Connections that read.
    pub readers: usize,
    /// Its size, in bytes.
    pub most_bytes: u64,
}

/// A file, and its two kinds of connections.
pub struct Lanes {
    label: Arc<Label>,
    terms: Terms,
    lanes: [Lane; 2],
    /// It could not be opened, which the log has said.
    is_broken: AtomicBool,
    /// Two connections that make a database at a time would disturb each other.
    opening: Mutex<()>,
}

/// Who waits for a kind of connection.
#[derive(Default)]
struct Lane {
    queue: Mutex<Queue>,
    wake: Condvar,
}

#[derive(Default)]
struct Queue {
    tasks: VecDeque<Task>,
    threads: usize,
    idle: usize,
}

enum Task {
    Statement(Job),
    Session(SessionTask),
}

/// The connection's end of a session.
struct SessionTask {
    jobs: Receiver<Job>,
    /// It is closed then.
    end: Instant,
    request: u64,
}

const READ: usize = 0;
const WRITE: usize = 1;

impl Engine for Lanes {
    fn dialect(&self) -> &'static str {
        "sqlite"
    }

    fn submit(self: Arc<Self>, job: Job) {
        let lane = if text::looks_like_a_read(&job.text) { READ } else { WRITE };
        self.queue(lane, Task::Statement(job));
    }

    fn session(self: Arc<Self>, writes: bool, request: u64, end: Instant) -> Box<dyn Session> {
        let (sender, jobs) = std::sync::mpsc::channel();
        let lane = if writes { WRITE } else { READ };
        self.queue(lane, Task::Session(SessionTask { jobs, end, request }));
        Box::new(sender)
    }
}

impl Session for Sender<Job> {
    fn run(&self, job: Job) -> Result<(), Box<Job>> {
        self.send(job).map_err(|unsent| Box::new(unsent.0))
    }
}

impl Lanes {
    pub fn new(label: Arc<Label>, terms: Terms) -> Self {
        Self {
            label,
            terms,
            lanes: Default::default(),
            is_broken: AtomicBool::new(false),
            opening: Mutex::default(),
        }
    }

    fn queue(self: &Arc<Self>, lane: usize, task: Task) {
        let at = &self.lanes[lane];
        let mut queue = lock(&at.queue);
        if queue.tasks.len() >= MOST_TASKS {
            drop(queue);
            // A session whose task is dropped tells its statements.
            if let Task::Statement(job) = task {
                job.answer.fail(SqlProblem::queue_is_full());
            }
            return;
        }
        queue.tasks.push_back(task);
        let most = if lane == WRITE { 1 } else { self.terms.readers };
        // An idle thread may not have woken up for the task before.
        if queue.tasks.len() > queue.idle && queue.threads < most {
            queue.threads += 1;
            drop(queue);
            self.spawn(lane);
        } else {
            drop(queue);
            at.wake.notify_one();
        }
    }

    fn spawn(self: &Arc<Self>, lane: usize) {
        let database = self.clone();
        let thread = std::thread::Builder::new().name("sql".to_owned());
        if thread.spawn(move || database.work(lane)).is_err() {
            let mut queue = lock(&self.lanes[lane].queue);
            queue.threads -= 1;
            if queue.threads == 0 {
                let problem =
                    SqlProblem::new(Kind::Operational, "the host can start no thread for this database");
                fail_all(&mut queue, &problem);
            }
        }
    }

    /// What a thread does: serve the lane until nothing has come for a while.
    fn work(self: Arc<Self>, lane: usize) {
        affinity::enter_background();
        let mut runner = None;
        while let Some(task) = self.next(lane) {
            let open = match runner.take() {
                Some(open) => open,
                None => match self.open(lane) {
                    Ok(open) => open,
                    Err(problem) => {
                        refuse(task, &problem);
                        continue;
                    }
                },
            };
            // A database that somebody has damaged may make the library panic.
            let served = catch_unwind(AssertUnwindSafe(|| self.serve(&open, task)));
            if served.unwrap_or(false) {
                runner = Some(open);
            }
        }
        drop(runner);
        memory_trim::trim_now();
    }

    /// The next task; `None` ends the thread.
    fn next(&self, lane: usize) -> Option<Task> {
        let Lane { queue, wake } = &self.lanes[lane];
        let mut queue = lock(queue);
        loop {
            if let Some(task) = queue.tasks.pop_front() {
                return Some(task);
            }
            queue.idle += 1;
            let waited = wake.wait_timeout(queue, IDLE).unwrap_or_else(PoisonError::into_inner);
            queue = waited.0;
            queue.idle -= 1;
            if waited.1.timed_out() && queue.tasks.is_empty() {
                queue.threads -= 1;
                return None;
            }
        }
    }

    fn open(&self, lane: usize) -> Result<Runner, SqlProblem> {
        let _alone = lock(&self.opening);
        let opened = Runner::open(&self.terms.path, self.terms.most_bytes, lane == READ);
        let was_broken = self.is_broken.swap(opened.is_err(), Ordering::Relaxed);
        opened.map_err(|problem| {
            let (app, database) = (&*self.label.app, &*self.label.database);
            // An app may try for ever.
            if !was_broken {
                let path = self.terms.path.display();
                tracing::error!(app, database, "{path} cannot be opened: {}", problem.message);
            }
            // The app does not learn where it is.
            SqlProblem::new(Kind::Operational, format!("the database {database:?} cannot be opened"))
        })
    }

    /// Whether the connection can serve others.
    fn serve(self: &Arc<Self>, runner: &Runner, task: Task) -> bool {
        match task {
            Task::Statement(job) => {
                let may_set = text::starts_with(&job.text, &["pragma"]);
                if let Ran::Writes(job) = runner.run(job) {
                    self.queue(WRITE, Task::Statement(job));
                }
                // It may have begun a transaction, or changed a setting, and the connection goes to another one.
                !(may_set || runner.is_within()) || runner.clean()
            }
            Task::Session(session) => {
                self.attend(runner, &session);
                if runner.is_within() {
                    self.label.left_open(session.request);
                }
                runner.clean()
            }
        }
    }

    fn attend(&self, runner: &Runner, session: &SessionTask) {
        // SQLite has rolled the transaction back, as after an interrupt, and what followed would be kept.
        let mut is_lost = false;
        loop {
            let left = session.end.saturating_duration_since(Instant::now());
            match session.jobs.recv_timeout(left) {
                Ok(job) => {
                    let ends = text::ends_transaction(&job.text);
                    if is_lost && !(ends && text::starts_with(&job.text, &["rollback"])) {
                        let told = "the transaction was rolled back by the database";
                        job.answer.fail(SqlProblem::new(Kind::Operational, told));
                        continue;
                    }
                    let was_within = runner.is_within();
                    if let Ran::Writes(job) = runner.run(job) {
                        let told = "this transaction only reads: begin one that writes";
                        job.answer.fail(SqlProblem::new(Kind::Statement, told));
                    }
                    is_lost = !ends && (is_lost || was_within && !runner.is_within());
                }
                Err(RecvTimeoutError::Disconnected | RecvTimeoutError::Timeout) => return,
            }
        }
    }
}

fn refuse(task: Task, problem: &SqlProblem) {
    match task {
        Task::Statement(job) => job.answer.fail(problem.clone()),
        Task::Session(session) => {
            while let Ok(job) = session.jobs.try_recv() {
                job.answer.fail(problem.clone());
            }
        }
    }
}

fn fail_all(queue: &mut Queue, problem: &SqlProblem) {
    std::mem::take(&mut queue.tasks).into_iter().for_each(|task| refuse(task, problem));
}
