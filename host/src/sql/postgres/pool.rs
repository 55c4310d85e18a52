//! The connections of one database, and who waits for them.

use crate::sql::engine::{Engine, Label, Session};
use crate::sql::job::Job;
use crate::sql::postgres::connect::{Connected, Connector};
use crate::sql::postgres::run::Connection;
use crate::sql::postgres::session::{self, Requested};
use crate::sql::postgres::terms::Terms;
use crate::sql::postgres::thread;
use crate::sql::problem::{Kind, SqlProblem};
use crate::util::locks::lock;
use deadpool::managed::{self, Metrics, Object, Pool, PoolError, QueueMode, RecycleError, RecycleResult};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Statements and sessions that wait or run.
const MOST_TASKS: usize = 10_000;
/// How long a connection is kept that nobody uses.
const IDLE: Duration = Duration::from_secs(60);
/// Pause before the server is asked again after a failure, which doubles up to the second one.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(3));

/// A database of a Postgres server.
pub struct Postgres {
    label: Arc<Label>,
    /// The error is for the log, which has it.
    pool: Result<Pool<Server>, ()>,
    tasks: Arc<AtomicUsize>,
}

/// Makes its connections.
pub struct Server {
    label: Arc<Label>,
    connector: Arc<Connector>,
    settings: String,
    away: Mutex<Option<Away>>,
}

/// The server could not be reached.
struct Away {
    /// Nobody tries before.
    until: Instant,
    pause: Duration,
}

/// One of the tasks that count, until it is dropped.
pub struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Postgres {
    pub fn new(label: Arc<Label>, terms: Terms) -> Self {
        let pool = Server::new(label.clone(), &terms).map_err(|why| {
            let (app, database) = (&*label.app, &*label.database);
            tracing::error!(app, database, "the database cannot be used: {why}");
        });
        let pool = pool.and_then(|server| {
            let builder = Pool::builder(server).max_size(terms.connections).queue_mode(QueueMode::Lifo);
            builder.build().map_err(|_| ())
        });
        if let (Ok(pool), Some(runtime)) = (&pool, thread::runtime()) {
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
        let (Ok(pool), Some(runtime)) = (&self.pool, thread::runtime()) else {
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
        if let (Ok(pool), Some(runtime), Some(place)) = (&self.pool, thread::runtime(), self.place()) {
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

/// A connection, at the latest at `end`.
pub async fn connection(pool: &Pool<Server>, end: Instant) -> Result<Object<Server>, SqlProblem> {
    match tokio::time::timeout_at(end.into(), pool.get()).await {
        Ok(Ok(connection)) => Ok(connection),
        Ok(Err(PoolError::Backend(problem))) => Err(problem),
        Ok(Err(_)) => Err(SqlProblem::new(Kind::Operational, "the database cannot be used")),
        Err(_) => {
            Err(SqlProblem::new(Kind::Busy, "no connection to the database was free before the deadline"))
        }
    }
}

fn unusable(label: &Label) -> SqlProblem {
    SqlProblem::new(Kind::Operational, format!("the database {:?} cannot be used", label.database))
}

impl Server {
    fn new(label: Arc<Label>, terms: &Terms) -> Result<Self, String> {
        // What a guest sets ends with its request, and the server gives up by itself on what the host has lost.
        let patience = terms.deadline.as_millis() + 2000;
        let settings = format!(
            "set time zone 'UTC'; set statement_timeout to {patience}; \
             set idle_in_transaction_session_timeout to {patience}"
        );
        Ok(Self { label, connector: Arc::new(Connector::new(terms)?), settings, away: Mutex::default() })
    }

    fn failed(&self, why: &str) -> SqlProblem {
        let mut away = lock(&self.away);
        let pause = away.as_ref().map_or(PAUSES.0, |away| (away.pause * 2).min(PAUSES.1));
        if away.is_none() {
            let (app, database) = (&*self.label.app, &*self.label.database);
            tracing::error!(app, database, "the database cannot be reached: {why}");
        }
        *away = Some(Away { until: Instant::now() + pause, pause });
        self.is_away()
    }

    fn is_away(&self) -> SqlProblem {
        // The app does not learn where it is.
        let told = format!("the database {:?} cannot be reached", self.label.database);
        SqlProblem::new(Kind::Operational, told)
    }
}

impl managed::Manager for Server {
    type Type = Connection;
    type Error = SqlProblem;

    async fn create(&self) -> Result<Connection, SqlProblem> {
        if lock(&self.away).as_ref().is_some_and(|away| Instant::now() < away.until) {
            return Err(self.is_away());
        }
        let Connected { client, task, state } =
            self.connector.connect().await.map_err(|why| self.failed(&why))?;
        client.batch_execute(&self.settings).await.map_err(|error| self.failed(&error.to_string()))?;
        if lock(&self.away).take().is_some() {
            let (app, database) = (&*self.label.app, &*self.label.database);
            tracing::info!(app, database, "the database can be reached again");
        }
        Ok(Connection::new(client, task, state, self.connector.clone(), self.settings.clone()))
    }

    async fn recycle(&self, connection: &mut Connection, _: &Metrics) -> RecycleResult<SqlProblem> {
        match connection.is_closed() {
            true => Err(RecycleError::message("the server has ended it")),
            false => Ok(()),
        }
    }
}
