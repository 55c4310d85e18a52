//! A connection that one request has for a transaction.

use crate::sql::engine::{Label, Session};
use crate::sql::job::Job;
use crate::sql::postgres::clean::Effect;
use crate::sql::postgres::run::Connection;
use crate::sql::postgres::server::{self, Server};
use crate::sql::problem::{Kind, SqlProblem};
use deadpool::managed::{Object, Pool};
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::time::timeout_at;

/// The connection's end of a session.
pub struct Requested {
    /// Those that wait are counted by the database.
    pub jobs: UnboundedReceiver<Job>,
    pub writes: bool,
    /// It is closed then.
    pub end: Instant,
    pub request: u64,
    pub label: Arc<Label>,
}

impl Session for UnboundedSender<Job> {
    fn run(&self, job: Job) -> Result<(), Box<Job>> {
        self.send(job).map_err(|unsent| Box::new(unsent.0))
    }
}

/// How far a transaction is.
#[derive(Default)]
struct Transaction {
    is_open: bool,
    /// The last statement has ended it for certain: another one may open it in a way that is not seen.
    is_ended: bool,
    /// Postgres runs no more statements of it, and would answer `commit` with success although it rolls back.
    has_failed: bool,
}

/// Run what comes until the request ends, and roll back what it leaves open.
pub async fn attend(pool: &Pool<Server>, mut requested: Requested) {
    let end = requested.end;
    let mut connection = match server::connection(pool, end).await {
        Ok(connection) => connection,
        Err(problem) => {
            requested.jobs.close();
            while let Some(job) = requested.jobs.recv().await {
                job.answer.fail(problem.clone());
            }
            return;
        }
    };
    let mut transaction = Transaction::default();
    while let Ok(Some(job)) = timeout_at(end.into(), requested.jobs.recv()).await {
        if !transaction.run(&mut connection, &job, requested.writes).await {
            requested.jobs.close();
            drop(Object::take(connection));
            return;
        }
    }
    if transaction.is_open {
        requested.label.left_open(requested.request);
    }
    if !(transaction.is_ended || connection.roll_back().await) || !connection.settle().await {
        drop(Object::take(connection));
    }
}

impl Transaction {
    /// False if the connection is of no more use.
    async fn run(&mut self, connection: &mut Connection, job: &Job, writes: bool) -> bool {
        let traits = connection.traits(&job.text);
        let effect = traits.effect;
        if self.has_failed && effect == Effect::Commits {
            let told = "the transaction was rolled back, because a statement of it has failed";
            job.answer.fail(SqlProblem::new(Kind::Statement, told));
            *self = Self::default();
            return connection.roll_back().await;
        }
        let has_succeeded = connection.run(job, translated(&job.text, writes), traits, false).await;
        if !connection.interrupt().await {
            return false;
        }
        self.is_ended = false;
        match (effect, has_succeeded) {
            (Effect::Begins, true) => self.is_open = true,
            (Effect::Commits | Effect::RollsBack, true) => {
                let is_ended = matches!(&*job.text, "commit" | "rollback");
                *self = Self { is_ended, ..Self::default() };
            }
            (Effect::RestoresSavepoint, true) => self.has_failed = false,
            // The whole transaction is over then, as after a deferred constraint.
            (Effect::Commits, false) => *self = Self::default(),
            (_, false) => self.has_failed = self.is_open,
            (Effect::None, true) => {}
        }
        !connection.is_closed()
    }
}

/// SDKs begin a transaction as SQLite does.
fn translated(text: &str, writes: bool) -> &str {
    match text {
        "begin immediate" => "begin",
        "begin" if !writes => "begin isolation level repeatable read read only",
        text => text,
    }
}
