//! The messages of a WebSocket's client, on their way to its handler. What the handler sends is a stream of frames
//! (`sandbox/stream`).

use crate::quota::streams::{LEAST, StreamQuota};
use crate::sandbox::news::News;
use crate::sandbox::stream::Sleeping;
use crate::topics::topic::Start;
use crate::util::locks::lock;
use crate::websocket::deflate::Deflate;
use crate::websocket::message::{CloseFrame, Message};
use futures_util::task::AtomicWaker;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, Weak};
use std::task::{Poll, Wake, Waker};

/// Waits for room in the app's share, which keeps no socket open.
struct Waiting(Weak<Inbox>);

impl Wake for Waiting {
    fn wake(self: Arc<Self>) {
        let Some(inbox) = self.0.upgrade() else { return };
        let connection = lock(&inbox.state).connection.take();
        connection.inspect(Waker::wake_by_ref);
    }
}

/// Largest attachment, in bytes.
const MOST_ATTACHMENT: usize = 2048;
/// What a message costs besides its bytes, in bytes.
const OVERHEAD: usize = 64;
/// Topics of a socket.
const MOST_TOPICS: usize = 16;
/// Most bytes of messages that wait for the handler. Beyond it the host reads nothing more from the client.
const ENOUGH: usize = 64 * 1024;

/// What the handshake of a socket has settled before its handler is called.
#[derive(Debug, Clone, Copy)]
pub struct SocketTerms {
    /// Messages are compressed.
    pub deflate: Option<Deflate>,
    /// Largest message, in bytes.
    pub most_message: usize,
}

/// A WebSocket that sleeps: what its connection and the calls of its handlers share.
pub struct Sleeper {
    pub way: Sleeping,
    pub inbox: Arc<Inbox>,
    pub terms: SocketTerms,
    pub attachment: Attachment,
}

impl std::fmt::Debug for Sleeper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sleeper").field("inbox", &self.inbox).finish_non_exhaustive()
    }
}

/// What the host keeps of a socket that sleeps, for its app.
#[derive(Debug, Clone, Default)]
pub struct Attachment(Arc<Mutex<Vec<u8>>>);

impl Attachment {
    pub fn get(&self) -> Vec<u8> {
        lock(&self.0).clone()
    }

    /// False if it is too large.
    pub fn set(&self, bytes: Vec<u8>) -> bool {
        let fits = bytes.len() <= MOST_ATTACHMENT;
        if fits {
            *lock(&self.0) = bytes;
        }
        fits
    }
}

/// Shared by the connection, which puts messages in, and the instance, which takes them out.
pub struct Inbox {
    request: u64,
    state: Mutex<State>,
    news: Arc<News>,
    quota: StreamQuota,
    /// The connection has to look at the topics.
    attention: AtomicWaker,
}

#[derive(Default)]
struct State {
    messages: VecDeque<Message>,
    /// Bytes of the messages, with their overhead.
    size: usize,
    /// Waits for room.
    connection: Option<Waker>,
    closed: Option<CloseFrame>,
    /// The handler has ended: nobody takes messages.
    is_abandoned: bool,
    /// Each with the place from which on the client gets its events.
    topics: Vec<(String, Start)>,
    sleeps: bool,
    /// They have changed.
    has_joined: bool,
}

fn size(message: &Message) -> usize {
    OVERHEAD
        + match message {
            Message::Text(text) => text.len(),
            Message::Binary(bytes) => bytes.len(),
        }
}

impl Inbox {
    pub fn new(request: u64, news: Arc<News>, quota: StreamQuota) -> Arc<Self> {
        Arc::new(Self { request, state: Mutex::default(), news, quota, attention: AtomicWaker::new() })
    }

    /// Put a message in. The connection asks for room first; the bytes count as its app's from here on.
    pub fn put(&self, message: Message) {
        let mut state = lock(&self.state);
        if state.is_abandoned || state.closed.is_some() {
            return;
        }
        let size = size(&message);
        self.quota.hold_anyway(size);
        state.size += size;
        state.messages.push_back(message);
        drop(state);
        self.tell();
    }

    /// The client gets the events of a topic from there on. False if it has too many topics.
    pub fn join(&self, topic: String, from: Start) -> bool {
        let mut state = lock(&self.state);
        if state.topics.iter().any(|(other, _)| *other == topic) {
            return true;
        }
        if state.topics.len() >= MOST_TOPICS {
            return false;
        }
        state.topics.push((topic, from));
        state.has_joined = true;
        drop(state);
        self.attention.wake();
        true
    }

    pub fn leave(&self, topic: &str) {
        let mut state = lock(&self.state);
        state.topics.retain(|(other, _)| other != topic);
        state.has_joined = true;
        drop(state);
        self.attention.wake();
    }

    /// The topics of the client, if they have changed. From now on `waker` is woken when they do.
    pub fn joined(&self, waker: &Waker) -> Option<Vec<(String, Start)>> {
        self.attention.register(waker);
        let mut state = lock(&self.state);
        std::mem::take(&mut state.has_joined).then(|| state.topics.clone())
    }

    /// The socket is closed so. The first reason counts.
    pub fn close(&self, frame: CloseFrame) {
        lock(&self.state).closed.get_or_insert(frame);
        self.tell();
    }

    fn tell(&self) {
        self.news.tell(self.request, || {
            let state = lock(&self.state);
            !state.is_abandoned && !state.sleeps
        });
    }

    /// Only the connection takes messages from here on.
    pub fn sleep(&self) {
        lock(&self.state).sleeps = true;
    }

    /// Return when it has room for more.
    pub fn poll_room(self: &Arc<Self>, waker: &Waker) -> Poll<()> {
        let mut state = lock(&self.state);
        let is_short = state.size >= LEAST && self.quota.is_used_up();
        if state.is_abandoned || state.size < ENOUGH && !is_short {
            return Poll::Ready(());
        }
        state.connection = Some(waker.clone());
        drop(state);
        if is_short {
            let number = std::ptr::from_ref(&**self).addr();
            self.quota.wait(number, 1, Waker::from(Arc::new(Waiting(Arc::downgrade(self)))));
        }
        Poll::Pending
    }

    /// The next message; then, again and again, why the socket is closed.
    pub fn take(&self) -> Option<Result<Message, CloseFrame>> {
        let mut state = lock(&self.state);
        let Some(message) = state.messages.pop_front() else { return state.closed.clone().map(Err) };
        let size = size(&message);
        state.size -= size;
        if state.messages.is_empty() {
            // A socket that rests has no memory.
            state.messages = VecDeque::new();
        }
        let connection = if state.size < ENOUGH { state.connection.take() } else { None };
        drop(state);
        self.quota.give_back(size);
        connection.inspect(Waker::wake_by_ref);
        Some(Ok(message))
    }

    pub fn is_closed(&self) -> bool {
        lock(&self.state).closed.is_some()
    }

    /// Why it is closed.
    pub fn closed(&self) -> Option<CloseFrame> {
        lock(&self.state).closed.clone()
    }

    /// The handler has ended.
    pub fn abandon(&self) {
        let mut state = lock(&self.state);
        state.is_abandoned = true;
        let (size, connection) = (std::mem::take(&mut state.size), state.connection.take());
        state.messages = VecDeque::new();
        drop(state);
        self.quota.give_back(size);
        connection.inspect(Waker::wake_by_ref);
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        self.quota.forget(std::ptr::from_ref(self).addr());
        self.abandon();
    }
}

impl std::fmt::Debug for Inbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inbox").field("request", &self.request).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::timer::GuestTimer;

    fn text(length: usize) -> Message {
        Message::Text("x".repeat(length))
    }

    #[test]
    fn a_handler_that_takes_nothing_stops_its_client() {
        let (quota, news) = (StreamQuota::new(1, 1 << 20), News::new(Arc::<GuestTimer>::default()));
        let inbox = Inbox::new(7, news.clone(), quota.clone());
        inbox.put(text(ENOUGH));
        assert!(inbox.poll_room(Waker::noop()).is_pending());
        assert_eq!((news.take(), quota.held()), (vec![7], ENOUGH + OVERHEAD));
        assert_eq!(inbox.take(), Some(Ok(text(ENOUGH))));
        assert!(inbox.poll_room(Waker::noop()).is_ready());
        inbox.put(text(1));
        let frame = CloseFrame { code: 1001, reason: "gone".to_owned() };
        inbox.close(frame.clone());
        inbox.close(CloseFrame { code: 1006, reason: String::new() });
        inbox.put(text(1));
        assert_eq!(inbox.take(), Some(Ok(text(1))));
        assert_eq!([inbox.take(), inbox.take()], [(); 2].map(|()| Some(Err(frame.clone()))));
        inbox.abandon();
        assert_eq!(quota.held(), 0);
    }

    #[test]
    fn sockets_share_what_their_app_may_hold() {
        let (quota, news) = (StreamQuota::new(2, 2 * LEAST), News::new(Arc::<GuestTimer>::default()));
        let [first, second] = [1, 2].map(|request| Inbox::new(request, news.clone(), quota.clone()));
        first.put(text(2 * LEAST));
        assert!(first.poll_room(Waker::noop()).is_pending() && second.poll_room(Waker::noop()).is_ready());
        second.put(text(LEAST));
        assert!(second.poll_room(Waker::noop()).is_pending());
        first.abandon();
        drop(first);
        second.take();
        assert!(second.poll_room(Waker::noop()).is_ready());
        drop(second);
        assert_eq!(quota.held(), 0);
    }
}
