//! A response that flows: the guest's end, which the instance holds, and the client's end, which the connection holds.
//!
//! Small chunks are joined, so a guest that sends a byte at a time costs a byte at a time.

use crate::codec::latin1::latin1_bytes;
use crate::quota::streams::{StreamPlace, StreamQuota};
use crate::sandbox::bindings::bolt::host::streams::Taken;
use crate::sandbox::execution::Execution;
use crate::sandbox::news::News;
use crate::util::locks::lock;
use bytes::{Bytes, BytesMut};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::task::AbortHandle;
use tokio::time::Instant;

/// Largest chunk, in bytes.
const MOST_CHUNK: usize = 64 * 1024;
/// Chunks of this size are not copied to join them, in bytes.
const LARGE: usize = 8 * 1024;
/// Largest part for the client, in bytes: hyper takes another one while it has less than 64 KiB.
const MOST_PART: usize = 32 * 1024;
/// A guest that has computed for this long should let its other requests run.
const LONG: Duration = Duration::from_millis(5);

/// How a response ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamEnd {
    Complete,
    /// Its handler failed, or the guest broke the rules.
    Failed,
    /// Its instance ended.
    Lost,
}

/// Shared by both ends.
struct Pipe {
    buffer: Mutex<Buffer>,
    /// The instance that has the guest's end.
    listener: Mutex<Option<Listener>>,
    /// The client's end is closed.
    is_gone: AtomicBool,
    /// It has frames of a WebSocket, which are not cut: others of the host come between them.
    is_framed: bool,
    quota: StreamQuota,
    place: Mutex<Option<StreamPlace>>,
    /// Parts that the client has taken.
    parts: AtomicUsize,
    /// Ends the guest's instance unless the guest ends in time.
    patience: Mutex<Option<AbortHandle>>,
}

/// Who is told of progress.
struct Listener {
    request: u64,
    news: Arc<News>,
    execution: Arc<Execution>,
}

#[derive(Default)]
struct Buffer {
    parts: VecDeque<Bytes>,
    /// Small chunks, joined; they come after `parts`.
    last: BytesMut,
    /// Bytes in both.
    size: usize,
    reader: Option<Waker>,
    end: Option<StreamEnd>,
    /// The size of the chunk for which the guest was told that there is no room.
    awaited: Option<usize>,
}

impl Buffer {
    fn push(&mut self, chunk: Vec<u8>) {
        self.size += chunk.len();
        if chunk.len() < LARGE {
            self.last.extend_from_slice(&chunk);
            return;
        }
        if !self.last.is_empty() {
            self.parts.push_back(std::mem::take(&mut self.last).freeze());
        }
        self.parts.push_back(chunk.into());
    }

    fn pop(&mut self, most: usize) -> Option<Bytes> {
        let part = match self.parts.pop_front() {
            Some(mut long) if long.len() > most => {
                let part = long.split_to(most);
                self.parts.push_front(long);
                part
            }
            Some(part) => part,
            None if self.last.is_empty() => return None,
            None => std::mem::take(&mut self.last).freeze(),
        };
        self.size -= part.len();
        Some(part)
    }
}

impl Pipe {
    /// Its number among those that wait for the app's share.
    fn number(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    /// The client gets no more, nothing is kept for it, and the guest is told.
    fn cut(&self) {
        self.is_gone.store(true, Ordering::Relaxed);
        let mut buffer = lock(&self.buffer);
        buffer.end.get_or_insert(StreamEnd::Lost);
        let left = std::mem::take(&mut buffer.size);
        (buffer.parts, buffer.last) = Default::default();
        let reader = buffer.reader.take();
        drop(buffer);
        self.quota.give_back(left);
        reader.inspect(Waker::wake_by_ref);
        self.tell();
    }

    fn tell(&self) {
        if let Some(listener) = &*lock(&self.listener) {
            listener.news.tell(listener.request, || true);
        }
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        self.quota.forget(self.number());
        // What came after the client's end was closed.
        self.quota.give_back(lock(&self.buffer).size);
    }
}

/// Waits for room in the app's share, which keeps no stream open.
struct Waiting(Weak<Pipe>);

impl Wake for Waiting {
    fn wake(self: Arc<Self>) {
        if let Some(pipe) = self.0.upgrade() {
            pipe.tell();
        }
    }
}

/// The guest's end. Dropping it without an end means that the instance has ended, unless the socket sleeps.
pub struct Outlet {
    pipe: Arc<Pipe>,
    request: u64,
    execution: Arc<Execution>,
    sleeps: bool,
}

/// The client's end. Dropping it tells the guest that its client is gone.
pub struct StreamReader {
    pipe: Arc<Pipe>,
    /// How long the guest may take to end then.
    patience: Duration,
    /// The size of the last part: it counts until the next one is asked for.
    taken: AtomicUsize,
}

/// The way to the guest's end of a WebSocket that sleeps.
pub struct Sleeping(Arc<Pipe>);

impl Sleeping {
    /// The guest's end, for a call of one of its handlers.
    pub fn outlet(&self, request: u64, news: &Arc<News>, execution: &Arc<Execution>) -> Outlet {
        let (news, execution) = (news.clone(), execution.clone());
        let listener = Listener { request, news, execution: execution.clone() };
        *lock(&self.0.listener) = Some(listener);
        Outlet { pipe: self.0.clone(), request, execution, sleeps: true }
    }
}

impl std::fmt::Debug for StreamReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StreamReader").finish_non_exhaustive()
    }
}

/// Both ends of the response to `request`; `None` if the app has too many streams. `is_framed`: it is a WebSocket.
pub fn pipe(
    (request, is_framed): (u64, bool),
    quota: &StreamQuota,
    news: &Arc<News>,
    execution: &Arc<Execution>,
    patience: Duration,
) -> Option<(Outlet, StreamReader)> {
    let listener = Listener { request, news: news.clone(), execution: execution.clone() };
    let pipe = Arc::new(Pipe {
        buffer: Mutex::default(),
        listener: Mutex::new(Some(listener)),
        is_gone: AtomicBool::new(false),
        is_framed,
        place: Mutex::new(Some(quota.open()?)),
        parts: AtomicUsize::new(0),
        patience: Mutex::default(),
        quota: quota.clone(),
    });
    let outlet = Outlet { pipe: pipe.clone(), request, execution: execution.clone(), sleeps: false };
    Some((outlet, StreamReader { pipe, patience, taken: AtomicUsize::new(0) }))
}

impl Outlet {
    /// Take a chunk of the guest, in which each character stands for a byte.
    pub fn write(&mut self, chunk: String) -> Taken {
        if self.is_gone() {
            return Taken::Gone;
        }
        let Some(chunk) = latin1_bytes(chunk).filter(|chunk| chunk.len() <= MOST_CHUNK) else {
            self.end(StreamEnd::Failed);
            return Taken::Gone;
        };
        self.push(chunk.len(), || chunk)
    }

    /// Take a frame of a WebSocket, which `encode` makes if there is room for its content.
    pub fn send(&mut self, content: usize, encode: impl FnOnce() -> Vec<u8>) -> Taken {
        if self.is_gone() { Taken::Gone } else { self.push(content, encode) }
    }

    /// The last frame of a WebSocket, which has always room.
    pub fn send_last(&mut self, frame: Vec<u8>) {
        let mut buffer = lock(&self.pipe.buffer);
        if buffer.end.is_none() && !self.is_gone() {
            self.pipe.quota.hold_anyway(frame.len());
            buffer.push(frame);
        }
        drop(buffer);
        self.end(StreamEnd::Complete);
    }

    /// The handler ends, and its socket does not.
    pub fn sleep(mut self) {
        self.sleeps = true;
    }

    fn push(&mut self, length: usize, chunk: impl FnOnce() -> Vec<u8>) -> Taken {
        let pipe = &self.pipe;
        let mut buffer = lock(&pipe.buffer);
        if buffer.end.is_some() {
            return Taken::Gone;
        }
        if !pipe.quota.hold(buffer.size, length) {
            buffer.awaited = Some(length);
            let is_short = StreamQuota::fits(buffer.size, length);
            drop(buffer);
            if is_short {
                pipe.quota.wait(pipe.number(), length, Waker::from(Arc::new(Waiting(Arc::downgrade(pipe)))));
            }
            return Taken::Full;
        }
        drop(buffer);
        if length > 0 || pipe.is_framed {
            // It may be compressed, which takes time; nobody else writes.
            let chunk = chunk();
            if pipe.is_framed {
                // A frame has its head as well.
                pipe.quota.hold_anyway(chunk.len());
                pipe.quota.give_back(length);
            }
            let mut buffer = lock(&pipe.buffer);
            buffer.push(chunk);
            let reader = buffer.reader.take();
            drop(buffer);
            reader.inspect(Waker::wake_by_ref);
        }
        if self.execution.held() >= LONG { Taken::Pause } else { Taken::More }
    }

    /// The response ends so. The first end counts.
    pub fn end(&mut self, end: StreamEnd) {
        let mut buffer = lock(&self.pipe.buffer);
        buffer.end.get_or_insert(end);
        let reader = buffer.reader.take();
        drop(buffer);
        reader.inspect(Waker::wake_by_ref);
    }

    pub fn is_gone(&self) -> bool {
        self.pipe.is_gone.load(Ordering::Relaxed)
    }
}

impl Drop for Outlet {
    fn drop(&mut self) {
        if !self.sleeps {
            self.end(StreamEnd::Lost);
        }
        let listener = lock(&self.pipe.listener).take_if(|listener| listener.request == self.request);
        if let Some(listener) = listener {
            listener.news.forget(listener.request, || ());
            lock(&self.pipe.patience).take().inspect(AbortHandle::abort);
        }
    }
}

impl StreamReader {
    /// End it at `end`, and when the client takes nothing for so long although there is something. A connection that does not
    /// ask for more while its client does not read would keep it for ever.
    pub fn guard(&self, end: Instant, patience: Duration) {
        let pipe = Arc::downgrade(&self.pipe);
        tokio::spawn(async move {
            let mut seen = None;
            loop {
                tokio::time::sleep(patience).await;
                let Some(pipe) = pipe.upgrade().filter(|pipe| !pipe.is_gone.load(Ordering::Relaxed)) else {
                    return;
                };
                let waits = lock(&pipe.buffer).size > 0;
                let now = waits.then(|| pipe.parts.load(Ordering::Relaxed));
                if now.is_some() && seen == now || Instant::now() >= end {
                    // The connection keeps its end of the pipe.
                    drop(lock(&pipe.place).take());
                    return pipe.cut();
                }
                seen = now;
            }
        });
    }

    /// The way to the guest's end, for a socket that sleeps.
    pub fn sleeping(&self) -> Sleeping {
        Sleeping(self.pipe.clone())
    }

    /// The next bytes, or the end.
    pub fn poll(&self, cx: &mut Context<'_>) -> Poll<Result<Bytes, StreamEnd>> {
        let pipe = &self.pipe;
        pipe.quota.give_back(self.taken.swap(0, Ordering::Relaxed));
        let mut buffer = lock(&pipe.buffer);
        let most = if pipe.is_framed { usize::MAX } else { MOST_PART };
        let Some(part) = buffer.pop(most) else {
            return match buffer.end {
                Some(end) => Poll::Ready(Err(end)),
                None => {
                    buffer.reader = Some(cx.waker().clone());
                    Poll::Pending
                }
            };
        };
        let size = buffer.size;
        let has_room = buffer.awaited.take_if(|chunk| StreamQuota::fits(size, *chunk)).is_some();
        drop(buffer);
        self.taken.store(part.len(), Ordering::Relaxed);
        pipe.parts.fetch_add(1, Ordering::Relaxed);
        if has_room {
            pipe.tell();
        }
        Poll::Ready(Ok(part))
    }
}

impl Drop for StreamReader {
    fn drop(&mut self) {
        let pipe = &self.pipe;
        pipe.quota.give_back(self.taken.swap(0, Ordering::Relaxed));
        pipe.cut();
        let guest = lock(&pipe.listener).as_ref().map(|guest| (guest.request, guest.execution.clone()));
        // As for work after a reply: the guest may take its time to end, and no longer.
        let (patience, pipe) = (self.patience, Arc::downgrade(pipe));
        if let (Some((request, execution)), Ok(runtime)) = (guest, Handle::try_current()) {
            let own = pipe.clone();
            let ending = runtime.spawn(async move {
                tokio::time::sleep(patience).await;
                let Some(pipe) = pipe.upgrade() else { return };
                if lock(&pipe.listener).as_ref().is_some_and(|guest| guest.request == request) {
                    execution.overstayed.notify_one();
                }
            });
            if let Some(pipe) = own.upgrade() {
                *lock(&pipe.patience) = Some(ending.abort_handle());
            }
        }
    }
}

#[cfg(test)]
#[path = "stream_tests.rs"]
mod tests;
