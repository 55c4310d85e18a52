//! A statement on its way to a connection, and what comes back.

use crate::sql::arguments::Value;
use crate::sql::problem::SqlProblem;
use crate::util::locks::lock;
use rusqlite::InterruptHandle;
use std::sync::{Arc, Mutex};
use std::task::Waker;
use std::time::Instant;
use tokio::sync::mpsc;

/// Parts that wait for a guest. A statement whose guest does not read waits with its connection.
const MOST_PARTS: usize = 2;

/// What a statement gives its guest. There is nothing after the part that says so.
#[derive(Debug)]
pub enum Part {
    /// See [`batch`](super::batch).
    Batch(Vec<u8>),
    Failed(SqlProblem),
}

/// A statement.
pub struct Job {
    pub text: String,
    pub arguments: Vec<Value>,
    /// Most rows of the result.
    pub most_rows: u64,
    /// Most bytes of the result.
    pub most_bytes: usize,
    /// It is interrupted then.
    pub end: Instant,
    pub answer: Answer,
    pub ticket: Arc<Ticket>,
}

impl Job {
    /// What it holds while it waits, in bytes.
    pub fn size(&self) -> usize {
        let of = |value: &Value| match value {
            Value::Text(text) => text.len(),
            Value::Bytes(bytes) => bytes.len(),
            _ => 0,
        };
        self.text.len() + self.arguments.iter().map(|value| of(value) + size_of::<Value>()).sum::<usize>()
    }
}

/// The way back to the guest.
pub struct Answer {
    parts: mpsc::Sender<Part>,
    told: Waker,
}

impl Answer {
    /// `told`: is woken for each part.
    pub fn new(told: Waker) -> (Self, mpsc::Receiver<Part>) {
        let (parts, receiver) = mpsc::channel(MOST_PARTS);
        (Self { parts, told }, receiver)
    }

    /// Send a part, and wait if the guest has not taken the last ones. False if nobody wants it.
    pub fn send(&self, part: Part) -> bool {
        let is_wanted = self.parts.blocking_send(part).is_ok();
        self.told.wake_by_ref();
        is_wanted
    }

    /// Send the only part. It does not wait.
    pub fn fail(&self, problem: SqlProblem) {
        let _ = self.parts.try_send(Part::Failed(problem));
        self.told.wake_by_ref();
    }
}

/// Whether a statement has to end, known to both sides. A connection is interrupted only while it runs this statement.
#[derive(Default)]
pub struct Ticket(Mutex<State>);

#[derive(Default)]
enum State {
    #[default]
    Waiting,
    Running(InterruptHandle),
    /// It was cancelled.
    Over,
}

impl Ticket {
    /// The connection begins. False if nobody wants the statement any more.
    pub fn begin(&self, handle: InterruptHandle) -> bool {
        let mut state = lock(&self.0);
        let is_wanted = matches!(*state, State::Waiting);
        if is_wanted {
            *state = State::Running(handle);
        }
        is_wanted
    }

    /// The connection does something else from now on.
    pub fn end(&self) {
        let mut state = lock(&self.0);
        if matches!(*state, State::Running(_)) {
            *state = State::Waiting;
        }
    }

    pub fn cancel(&self) {
        let before = std::mem::replace(&mut *lock(&self.0), State::Over);
        if let State::Running(handle) = before {
            handle.interrupt();
        }
    }
}
