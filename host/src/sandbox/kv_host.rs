//! The commands of one instance for stores of keys and values, by the numbers that its guest knows them by.

use crate::codec::latin1::latin1_bytes;
use crate::kv::command::{Command, Outcome};
use crate::kv::reply::Reply;
use crate::kv::stores::Stores;
use crate::sandbox::bindings::bolt::host::kv::Outcome as WitOutcome;
use crate::sandbox::news::{News, Progress};
use crate::sandbox::timer::GuestTimer;
use crate::sql::arguments;
use crate::sql::job::{Charge, Held};
use crate::sql::problem::{Kind, SqlProblem};
use crate::util::locks::lock;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::task::Wake;
use std::time::Instant;
use tokio::sync::Notify;

/// Commands of an instance that have no result yet, or whose result was not read.
const MOST: usize = 1000;
/// Bytes of results of an app that were not read.
const MOST_UNREAD: usize = 64 * 1024 * 1024;

pub struct Kv {
    stores: Arc<Stores>,
    open: HashMap<u64, Open>,
    last: u64,
    news: Arc<News>,
}

/// A command, and the request that has it.
struct Open {
    request: u64,
    shared: Arc<Shared>,
}

type Unread = (Result<Outcome, SqlProblem>, Option<Charge>);

struct Shared {
    /// With what it counts until it is read.
    result: Mutex<Option<Unread>>,
    unread: Held,
    progress: Arc<Progress>,
    changed: Notify,
}

/// Answers also if it is dropped.
struct Answer(Option<Arc<Shared>>);

impl Answer {
    fn give(mut self, result: Result<Outcome, SqlProblem>) {
        if let Some(shared) = self.0.take() {
            shared.set(result);
        }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        if let Some(shared) = self.0.take() {
            shared.set(Err(SqlProblem::new(Kind::Operational, "the store has failed")));
        }
    }
}

impl Shared {
    fn set(&self, result: Result<Outcome, SqlProblem>) {
        let size = result.as_ref().map_or(0, Outcome::size);
        let charge = self.unread.take(size, MOST_UNREAD);
        let full = || SqlProblem::new(Kind::Busy, "too many results of this app were not read");
        let result = if charge.is_some() { result } else { Err(full()) };
        *lock(&self.result) = Some((result, charge));
        self.changed.notify_one();
        self.progress.clone().wake();
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.shared.progress.end();
    }
}

impl Kv {
    /// `timer` rings when a command has a result.
    pub fn new(stores: Arc<Stores>, timer: Arc<GuestTimer>) -> Self {
        Self { stores, open: HashMap::new(), last: 0, news: News::new(timer) }
    }

    /// Run a command for a request, if it has not ended.
    pub fn call(&mut self, request: Option<u64>, store: &str, name: &str, arguments: String) -> WitOutcome {
        match self.begin(request, store, name, arguments) {
            Ok(begun) => begun,
            Err(problem) => WitOutcome::Failed(problem.json()),
        }
    }

    fn begin(
        &mut self,
        request: Option<u64>,
        store: &str,
        name: &str,
        arguments: String,
    ) -> Result<WitOutcome, SqlProblem> {
        let request = request
            .ok_or_else(|| SqlProblem::new(Kind::Operational, "the request of this command has ended"))?;
        let store = self.stores.get(store)?.clone();
        let bounds = self.stores.bounds();
        let arguments = latin1_bytes(arguments).ok_or_else(|| "the arguments are malformed".to_owned());
        let arguments = arguments.and_then(|bytes| arguments::read(&bytes));
        let arguments = arguments.map_err(|why| SqlProblem::new(Kind::Data, why))?;
        let command = Command::parse(name, arguments, bounds.value, &bounds.limit)?;
        if let Command::Get(keys) = &command
            && let [key] = &keys[..]
            && let Some(value) = store.get_now(key)
        {
            return Ok(WitOutcome::Done(Outcome::Values(vec![value]).marshal()));
        }
        if self.open.len() >= MOST {
            let told = format!("this interpreter has {MOST} commands open");
            return Err(SqlProblem::new(Kind::Limit, told));
        }
        self.last += 1;
        let progress = Progress::new(self.last, self.news.clone());
        let shared = Arc::new(Shared {
            result: Mutex::default(),
            unread: self.stores.unread.clone(),
            progress,
            changed: Notify::new(),
        });
        self.open.insert(self.last, Open { request, shared: shared.clone() });
        let answer = Answer(Some(shared));
        let reply: Reply = Box::new(move |result| answer.give(result));
        store.submit(command, Instant::now() + bounds.deadline, reply);
        Ok(WitOutcome::Pending(self.last))
    }

    /// The result of a command, after which it is not known any more.
    pub fn read(&mut self, number: u64) -> WitOutcome {
        let Some(open) = self.open.get(&number) else {
            return WitOutcome::Failed(SqlProblem::new(Kind::Data, "there is no such command").json());
        };
        let Some((result, _charge)) = lock(&open.shared.result).take() else {
            return WitOutcome::Pending(number);
        };
        self.open.remove(&number);
        match result {
            Ok(outcome) => WitOutcome::Done(outcome.marshal()),
            Err(problem) => WitOutcome::Failed(problem.json()),
        }
    }

    pub fn close(&mut self, number: u64) {
        self.open.remove(&number);
    }

    /// A request has ended, and nobody reads its results.
    pub fn end(&mut self, request: u64) {
        if !self.open.is_empty() {
            self.open.retain(|_, open| open.request != request);
        }
    }

    /// Return when this command has a result.
    pub async fn changed(&self, number: u64) {
        if let Some(open) = self.open.get(&number) {
            open.shared.changed.notified().await;
        }
    }

    pub fn take_news(&self) -> Vec<u64> {
        self.news.take()
    }
}
