//! The connections of one database, and who waits for them.

use crate::sql::engine::{Engine, Label, Session};
use crate::sql::job::Job;
use crate::sql::postgres::server::{Server, connection};
use crate::sql::postgres::session::{self, Requested};
use crate::sql::postgres::terms::Terms;
use crate::sql::problem::{Kind, SqlProblem};
use crate::util::server_thread;
use deadpool::managed::{Object, Pool, QueueMode};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Statements and sessions that wait or run.
const MOST_TASKS: usize = 10_000;
/// How long a connection is kept that nobody uses.
const IDLE: Duration = Duration::from_secs(60);
/// A database of a Postgres server.
pub struct Postgres {
    label: Arc<Label>,
    /// The error is for the log, which has it.
    pool: Result<Pool<Server>, ()>,
    tasks: Arc<AtomicUsize>,
}

/// One of the tasks that count, until it is dropped.
pub struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Postgres {
    pub fn new(label: Arc<Label>, terms: &Terms) -> Self {
        let pool = Server::new(label.clone(), terms).map_err(|why| {
            let (app, database) = (&*label.app, &*label.database);
            tracing::error!(app, database, "the database cannot be used: {why}");
        });
        let pool = pool.and_then(|server| {
            let builder = Pool::builder(server).max_size(terms.connections).queue_mode(QueueMode::Lifo);
            builder.build().map_err(|_| ())
        });
        if let (Ok(pool), Some(runtime)) = (&pool, server_thread::runtime()) {
            let pool = pool.weak();
            runtime.spawn(async move {
                loop {
                    tokio::time::sleep(IDLE / 4).await;
                    let Some(pool) = pool.upgrade() else { return };
                    pool.retain(|_, metrics| metrics.last_used() < IDLE);
                }
            });
        }
        Self { label, pool, tasks: Arc::default() }
    }

    fn place(&self) -> Option<Place> {
        let more = |tasks: usize| (tasks < MOST_TASKS).then_some(tasks + 1);
        self.tasks.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
        Some(Place(self.tasks.clone()))
    }
}

impl Engine for Postgres {
    fn dialect(&self) -> &'static str {
        "postgres"
    }

    fn submit(self: Arc<Self>, job: Job) {
        let (Ok(pool), Some(runtime)) = (&self.pool, server_thread::runtime()) else {
            return job.answer.fail(unusable(&self.label));
        };
        let Some(place) = self.place() else { return job.answer.fail(SqlProblem::queue_is_full()) };
        let pool = pool.clone();
        runtime.spawn(async move {
            match connection(&pool, job.end).await {
                Ok(mut connection) => {
                    connection.run_alone(&job).await;
                    if !connection.settle().await {
                        drop(Object::take(connection));
                    }
                }
                Err(problem) => job.answer.fail(problem),
            }
            drop(place);
        });
    }

    fn session(self: Arc<Self>, writes: bool, request: u64, end: Instant) -> Box<dyn Session> {
        let (sender, jobs) = tokio::sync::mpsc::unbounded_channel();
        // Whose tasks are dropped tells the statements that come.
        if let (Ok(pool), Some(runtime), Some(place)) = (&self.pool, server_thread::runtime(), self.place()) {
            let requested = Requested { jobs, writes, end, request, label: self.label.clone() };
            let pool = pool.clone();
            runtime.spawn(async move {
                session::attend(&pool, requested).await;
                drop(place);
            });
        }
        Box::new(sender)
    }
}

fn unusable(label: &Label) -> SqlProblem {
    SqlProblem::new(Kind::Operational, format!("the database {:?} cannot be used", label.database))
}
