//! Makes the connections of a pool, and says when the server is away.

use crate::sql::engine::Label;
use crate::sql::postgres::connect::Connector;
use crate::sql::postgres::run::Connection;
use crate::sql::postgres::terms::Terms;
use crate::sql::problem::{Kind, SqlProblem};
use crate::util::locks::lock;
use deadpool::managed::{self, Metrics, Object, Pool, PoolError, RecycleError, RecycleResult};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How long a connection may take to be of use.
const LONGEST: Duration = Duration::from_secs(10);
const PROCESS: &str = "select pg_backend_pid()";
/// Pause before the server is asked again after a failure, which doubles up to the second one.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(3));

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

impl Server {
    pub fn new(label: Arc<Label>, terms: &Terms) -> Result<Self, String> {
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
        // Others tried at the same time.
        if away.as_ref().is_some_and(|away| Instant::now() < away.until) {
            return self.unreachable();
        }
        let pause = away.as_ref().map_or(PAUSES.0, |away| (away.pause * 2).min(PAUSES.1));
        if away.is_none() {
            let (app, database) = (&*self.label.app, &*self.label.database);
            tracing::error!(app, database, "the database cannot be reached: {why}");
        }
        *away = Some(Away { until: Instant::now() + pause, pause });
        self.unreachable()
    }

    fn unreachable(&self) -> SqlProblem {
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
            return Err(self.unreachable());
        }
        let made = async {
            let connected = self.connector.connect().await?;
            let client = &connected.client;
            let failed = |error| SqlProblem::from(error).message;
            client.batch_execute(&self.settings).await.map_err(failed)?;
            let process: i32 =
                client.query_one(PROCESS, &[]).await.and_then(|row| row.try_get(0)).map_err(failed)?;
            Ok::<_, String>((connected, process))
        };
        // A server may say yes, and then nothing more.
        let made = tokio::time::timeout(LONGEST, made).await;
        let made = made.unwrap_or_else(|_| Err("the server does not answer".to_owned()));
        let (connected, process) = made.map_err(|why| self.failed(&why))?;
        if lock(&self.away).take().is_some() {
            let (app, database) = (&*self.label.app, &*self.label.database);
            tracing::info!(app, database, "the database can be reached again");
        }
        Ok(Connection::new(connected, process, self.connector.clone(), self.settings.clone()))
    }

    async fn recycle(&self, connection: &mut Connection, _: &Metrics) -> RecycleResult<SqlProblem> {
        match connection.is_closed() {
            true => Err(RecycleError::message("the server has ended it")),
            false => Ok(()),
        }
    }
}
