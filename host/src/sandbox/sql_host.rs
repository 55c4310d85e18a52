//! The statements and sessions of one instance, by the numbers that its guest knows them by.

use crate::codec::latin1::latin1_bytes;
use crate::quota::streams::StreamPlace;
use crate::sandbox::bindings::bolt::host::sql::Part as WitPart;
use crate::sandbox::news::{News, Progress};
use crate::sandbox::rows::Rows;
use crate::sandbox::timer::GuestTimer;
use crate::sql::arguments;
use crate::sql::batch::Form;
use crate::sql::databases::Databases;
use crate::sql::engine::Session;
use crate::sql::job::{self, Answer, Job, Part, Sent, Ticket};
use crate::sql::problem::{Kind, SqlProblem};
use std::collections::HashMap;
use std::sync::Arc;
use std::task::{Wake, Waker};
use std::time::Instant;
use tokio::sync::Notify;
use tokio::sync::mpsc::{self, error::TryRecvError};

/// Statements and sessions of an instance: `async def` handlers may be many at a time. What they hold is counted elsewhere.
const MOST: usize = 1000;
/// The number of every statement and session beyond that.
const REFUSED: u64 = 0;

pub struct Sql {
    databases: Arc<Databases>,
    statements: HashMap<u64, Open>,
    sessions: HashMap<u64, Held>,
    last: u64,
    news: Arc<News>,
}

/// For whom a statement is, and where.
struct Names<'a> {
    request: Option<u64>,
    database: &'a str,
    session: u64,
}

/// A session, and the request that has it.
struct Held {
    request: u64,
    session: Box<dyn Session>,
}

/// A statement.
struct Open {
    request: u64,
    parts: mpsc::Receiver<Sent>,
    told: Arc<Told>,
    ticket: Arc<Ticket>,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.ticket.cancel();
        self.told.progress.end();
    }
}

/// Tells the guest of a part, and whoever blocks for it.
struct Told {
    progress: Arc<Progress>,
    changed: Notify,
}

impl Wake for Told {
    fn wake(self: Arc<Self>) {
        self.changed.notify_one();
        self.progress.clone().wake();
    }
}

impl Sql {
    /// `timer` rings when a statement has progressed.
    pub fn new(databases: Arc<Databases>, timer: Arc<GuestTimer>) -> Self {
        let (statements, sessions) = Default::default();
        Self { databases, statements, sessions, last: REFUSED, news: News::new(timer) }
    }

    fn number(&mut self) -> Option<u64> {
        if self.statements.len() + self.sessions.len() >= MOST {
            return None;
        }
        self.last += 1;
        Some(self.last)
    }

    /// Begin a statement for a request, if it has not ended. What is wrong with it is its result.
    pub fn begin(
        &mut self,
        request: Option<u64>,
        names: (&str, u64),
        text: String,
        arguments: String,
    ) -> u64 {
        let Some(number) = self.number() else { return REFUSED };
        let progress = Progress::new(number, self.news.clone());
        let told = Arc::new(Told { progress, changed: Notify::new() });
        let (answer, parts) = Answer::new(Waker::from(told.clone()), job::FOR_GUESTS);
        let ticket = Arc::<Ticket>::default();
        let owner = request.unwrap_or_default();
        self.statements.insert(number, Open { request: owner, parts, told, ticket: ticket.clone() });
        let names = Names { request, database: names.0, session: names.1 };
        self.submit(&names, text, arguments, Form::Marshal, (answer, ticket));
        number
    }

    /// Begin a statement whose rows the client of a request gets.
    pub fn rows(
        &self,
        request: u64,
        database: &str,
        text: String,
        arguments: String,
        place: StreamPlace,
    ) -> Rows {
        let (answer, parts) = Answer::new(Waker::noop().clone(), job::FOR_CLIENTS);
        let ticket = Arc::<Ticket>::default();
        let names = Names { request: Some(request), database, session: REFUSED };
        self.submit(&names, text, arguments, Form::Json, (answer, ticket.clone()));
        Rows::new(parts, ticket, place)
    }

    pub fn dialect(&self, database: &str) -> &'static str {
        self.databases.get(database).map_or("", |database| database.dialect())
    }

    fn submit(
        &self,
        names: &Names<'_>,
        text: String,
        arguments: String,
        form: Form,
        (answer, ticket): (Answer, Arc<Ticket>),
    ) {
        let Names { request, database, session } = *names;
        let Some(request) = request else {
            // Nothing would end it.
            return answer
                .fail(SqlProblem::new(Kind::Operational, "the request of this statement has ended"));
        };
        let database = match self.databases.get(database) {
            Ok(database) => database,
            Err(problem) => return answer.fail(problem),
        };
        if text.len() > job::MOST_TEXT || text.contains('\0') {
            let told = format!("a statement has at most {} bytes, and none of them is zero", job::MOST_TEXT);
            return answer.fail(SqlProblem::new(Kind::Statement, told));
        }
        let arguments = latin1_bytes(arguments).ok_or_else(|| "the arguments are malformed".to_owned());
        let arguments = match arguments.and_then(|bytes| arguments::read(&bytes)) {
            Ok(arguments) => arguments,
            Err(why) => return answer.fail(SqlProblem::new(Kind::Data, why)),
        };
        let bounds = self.databases.bounds();
        let end = Instant::now() + bounds.deadline;
        let (most_rows, most_bytes) = (bounds.rows, bounds.bytes);
        let job = Job {
            text,
            arguments,
            form,
            shown: None,
            most_rows,
            most_bytes,
            end,
            answer,
            ticket,
            charge: None,
        };
        if session == REFUSED {
            return database.submit(job);
        }
        match self.sessions.get(&session).filter(|held| held.request == request) {
            Some(held) => database.submit_to(&*held.session, job),
            None => job.answer.fail(SqlProblem::new(Kind::Operational, "there is no such transaction")),
        }
    }

    /// The next part of a statement's result.
    pub fn read(&mut self, statement: u64) -> WitPart {
        let Some(open) = self.statements.get_mut(&statement) else {
            let told = format!("this interpreter has {MOST} statements and transactions open");
            return match statement {
                REFUSED => WitPart::Failed(SqlProblem::new(Kind::Limit, told).json()),
                _ => WitPart::End,
            };
        };
        match open.parts.try_recv().map(|sent| sent.part) {
            Ok(Part::Batch(batch) | Part::Last(batch)) => WitPart::Batch(batch),
            Ok(Part::Failed(problem)) => WitPart::Failed(problem.json()),
            Err(TryRecvError::Empty) => WitPart::Pending,
            Err(TryRecvError::Disconnected) => WitPart::End,
        }
    }

    pub fn close(&mut self, statement: u64) {
        self.statements.remove(&statement);
    }

    /// Have a connection for a request.
    pub fn session(&mut self, request: u64, database: &str, writes: bool) -> u64 {
        let Ok(database) = self.databases.get(database).cloned() else { return REFUSED };
        let Some(number) = self.number() else { return REFUSED };
        let end = Instant::now() + self.databases.bounds().deadline;
        let session = database.session(writes, request, end);
        self.sessions.insert(number, Held { request, session });
        number
    }

    pub fn release(&mut self, session: u64) {
        self.sessions.remove(&session);
    }

    /// A request has ended, and whatever it has left open ends too.
    pub fn end(&mut self, request: u64) {
        if !self.statements.is_empty() {
            self.statements.retain(|_, open| open.request != request);
        }
        if !self.sessions.is_empty() {
            self.sessions.retain(|_, held| held.request != request);
        }
    }

    /// Return when this statement has progressed.
    pub async fn changed(&self, statement: u64) {
        if let Some(open) = self.statements.get(&statement) {
            open.told.changed.notified().await;
        }
    }

    pub fn take_news(&self) -> Vec<u64> {
        self.news.take()
    }
}
