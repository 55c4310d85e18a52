//! A database of an app: what its statements may hold, and the engine that runs them.

use crate::sql::engine::{Engine, Label, Session};
use crate::sql::job::{Held, Job};
#[cfg(feature = "postgres")]
use crate::sql::postgres::{self, Postgres};
use crate::sql::problem::{Kind, SqlProblem};
use crate::sql::sqlite::lanes::{self, Lanes};
use crate::sql::text;
use std::sync::Arc;
use std::time::Instant;

/// Bytes of statements and arguments that wait.
const MOST_WAITING: usize = 32 * 1024 * 1024;
/// Bytes of results that nobody has read.
const MOST_UNREAD: usize = 64 * 1024 * 1024;

/// What the operator grants of a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Terms {
    Sqlite(lanes::Terms),
    #[cfg(feature = "postgres")]
    Postgres(Box<postgres::Terms>),
}

pub struct Database {
    engine: Arc<dyn Engine>,
    terms: Terms,
    held: Held,
    /// What their results hold that nobody has read.
    unread: Held,
}

impl Database {
    pub fn new(app: Arc<str>, name: String, terms: Terms) -> Arc<Self> {
        let label = Label::new(app, name);
        let engine: Arc<dyn Engine> = match terms.clone() {
            Terms::Sqlite(terms) => Arc::new(Lanes::new(label, terms)),
            #[cfg(feature = "postgres")]
            Terms::Postgres(terms) => Arc::new(Postgres::new(label, &terms)),
        };
        Arc::new(Self { engine, terms, held: Held::default(), unread: Held::default() })
    }

    pub fn terms(&self) -> &Terms {
        &self.terms
    }

    pub fn dialect(&self) -> &'static str {
        self.engine.dialect()
    }

    /// Run a statement on any connection, in its own transaction.
    pub fn submit(&self, job: Job) {
        // The connection goes to another request then, and what follows would not be in it.
        if text::is_of_transaction(&job.text) {
            return job.answer.fail(SqlProblem::no_statement_of_its_own());
        }
        if let Some(job) = self.charged(job) {
            self.engine.clone().submit(job);
        }
    }

    /// Run a statement in a session, after those before it.
    pub fn submit_to(&self, session: &dyn Session, job: Job) {
        let Some(job) = self.charged(job) else { return };
        if let Err(unsent) = session.run(job) {
            let told = "the connection of this transaction is closed";
            unsent.answer.fail(SqlProblem::new(Kind::Operational, told));
        }
    }

    /// A connection of its own for a request, at the latest until `end`.
    pub fn session(&self, writes: bool, request: u64, end: Instant) -> Box<dyn Session> {
        self.engine.clone().session(writes, request, end)
    }

    /// Count what a statement holds. Without room, it fails.
    fn charged(&self, mut job: Job) -> Option<Job> {
        job.charge = self.held.take(job.size(), MOST_WAITING);
        job.answer.count(self.unread.clone(), MOST_UNREAD);
        if job.charge.is_none() {
            job.answer.fail(SqlProblem::queue_is_full());
            return None;
        }
        Some(job)
    }
}
