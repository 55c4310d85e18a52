//! A statement on its way to a connection, and what comes back.

use crate::sql::arguments::Value;
use crate::sql::batch::Form;
use crate::sql::cell::Shown;
use crate::sql::problem::SqlProblem;
use crate::util::locks::lock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Waker;
use std::time::{Duration, Instant};
use tokio::sync::mpsc::{self, error::TrySendError};

/// Parts that wait for a guest. A statement whose guest does not read waits with its connection.
pub const FOR_GUESTS: usize = 2;
/// Parts that wait for a client: a result of some megabytes lets go of its connection, however slow the client is.
pub const FOR_CLIENTS: usize = 64;
/// What a part costs besides its bytes.
const PART: usize = 256;

/// Longest statement, in bytes.
pub const MOST_TEXT: usize = 1024 * 1024;
/// What a job costs besides its text and its arguments, in bytes.
const OVERHEAD: usize = 1024;
/// How often a connection looks whether its guest has read something.
const PAUSE: Duration = Duration::from_millis(1);

/// What a statement gives its guest. There is nothing after the part that says so.
#[derive(Debug)]
pub enum Part {
    /// See [`batch`](super::batch).
    Batch(Vec<u8>),
    /// The same, and nothing follows.
    Last(Vec<u8>),
    Failed(SqlProblem),
}

/// A statement.
pub struct Job {
    pub text: String,
    pub arguments: Vec<Value>,
    pub form: Form,
    /// How the columns' values are shown, if the database does not know.
    pub shown: Option<Vec<Shown>>,
    /// Most rows of the result.
    pub most_rows: u64,
    /// Most bytes of the result.
    pub most_bytes: usize,
    /// It is interrupted then.
    pub end: Instant,
    pub answer: Answer,
    pub ticket: Arc<Ticket>,
    /// Counts what the job holds, from when it is submitted.
    pub charge: Option<Charge>,
}

/// Bytes that are held together.
#[derive(Debug, Clone, Default)]
pub struct Held(Arc<AtomicUsize>);

/// A part of them, until it is dropped.
#[derive(Debug)]
pub struct Charge(Arc<AtomicUsize>, usize);

impl Held {
    /// Hold so many bytes more, of at most `most`.
    pub fn take(&self, bytes: usize, most: usize) -> Option<Charge> {
        let more = |held: usize| held.checked_add(bytes).filter(|held| *held <= most);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
        Some(Charge(self.0.clone(), bytes))
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.0.fetch_sub(self.1, Ordering::Relaxed);
    }
}

impl Job {
    /// What it holds while it waits, in bytes.
    pub fn size(&self) -> usize {
        let of = |value: &Value| match value {
            Value::Text(text) => text.len(),
            Value::Bytes(bytes) => bytes.len(),
            _ => 0,
        };
        // Also an empty one counts: a guest may send any number to a session that waits.
        OVERHEAD
            + self.text.len()
            + self.arguments.iter().map(|value| of(value) + size_of::<Value>()).sum::<usize>()
    }
}

/// A part on its way, which counts until it is read.
#[derive(Debug)]
pub struct Sent {
    pub part: Part,
    _charge: Option<Charge>,
}

/// The way back to the guest.
pub struct Answer {
    /// Until the last part.
    parts: Mutex<Option<mpsc::Sender<Sent>>>,
    told: Waker,
    /// What results that nobody has read hold, and how much they may.
    unread: Option<(Held, usize)>,
}

impl Drop for Answer {
    /// Nothing follows, although no part has said so: the guest must not wait for it.
    fn drop(&mut self) {
        if lock(&self.parts).take().is_some() {
            self.told.wake_by_ref();
        }
    }
}

impl Answer {
    /// `told`: is woken for each part.
    pub fn new(told: Waker, most_parts: usize) -> (Self, mpsc::Receiver<Sent>) {
        let (parts, receiver) = mpsc::channel(most_parts);
        (Self { parts: Mutex::new(Some(parts)), told, unread: None }, receiver)
    }

    /// Parts count from now on. Without room, they wait as if there were too many; a single one may be larger.
    pub fn count(&mut self, unread: Held, most: usize) {
        self.unread = Some((unread, most));
    }

    /// Send a part, and wait until `end` if the guest has not taken the last ones. False if nobody takes it.
    pub fn send(&self, part: Part, end: Instant) -> bool {
        let mut part = part;
        loop {
            match self.offer(part) {
                Ok(taken) => return taken,
                Err(unsent) if Instant::now() < end => part = unsent,
                Err(_) => return false,
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// As `send`, without blocking the thread.
    #[cfg(feature = "postgres")]
    pub async fn sent(&self, part: Part, end: Instant) -> bool {
        let mut part = part;
        loop {
            match self.offer(part) {
                Ok(taken) => return taken,
                Err(unsent) if Instant::now() < end => part = unsent,
                Err(_) => return false,
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Whether somebody has taken it; the part itself if there is no room.
    fn offer(&self, part: Part) -> Result<bool, Part> {
        let parts = lock(&self.parts);
        let Some(parts) = &*parts else { return Ok(false) };
        if parts.is_closed() {
            return Ok(false);
        }
        let charge = match (&self.unread, &part) {
            (Some((unread, most)), Part::Batch(bytes) | Part::Last(bytes)) => {
                let size = bytes.len() + PART;
                let Some(charge) = unread.take(size, (*most).max(size)) else { return Err(part) };
                Some(charge)
            }
            _ => None,
        };
        match parts.try_send(Sent { part, _charge: charge }) {
            Ok(()) => {
                self.told.wake_by_ref();
                Ok(true)
            }
            Err(TrySendError::Full(unsent)) => Err(unsent.part),
            Err(TrySendError::Closed(_)) => Ok(false),
        }
    }

    /// Nothing follows the part that was sent last, which says so.
    pub fn close(&self) {
        lock(&self.parts).take();
    }

    /// Send the last part.
    pub fn end(&self, part: Part, end: Instant) {
        if self.send(part, end) {
            self.close();
        }
    }

    /// Send the only part. It does not wait.
    pub fn fail(&self, problem: SqlProblem) {
        self.end(Part::Failed(problem), Instant::now());
    }
}

/// Whether a statement has to end, known to both sides. A connection is interrupted only while it runs this statement.
#[derive(Default)]
pub struct Ticket(Mutex<State>);

#[derive(Default)]
enum State {
    #[default]
    Waiting,
    /// With what interrupts it.
    Running(Box<dyn FnOnce() + Send>),
    /// It was cancelled.
    Over,
}

impl Ticket {
    /// The connection begins. False if nobody wants the statement any more.
    pub fn begin(&self, interrupt: impl FnOnce() + Send + 'static) -> bool {
        let mut state = lock(&self.0);
        let is_wanted = matches!(*state, State::Waiting);
        if is_wanted {
            *state = State::Running(Box::new(interrupt));
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
        let mut state = lock(&self.0);
        // Under the lock: the connection may not begin another statement before.
        if let State::Running(interrupt) = std::mem::replace(&mut *state, State::Over) {
            interrupt();
        }
    }
}
