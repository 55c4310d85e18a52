//! A request body that its handler reads in parts. Nothing is read before the handler asks, so a client that waits for
//! `100 Continue` gets it then.

use crate::sandbox::news::{News, Progress};
use crate::util::locks::lock;
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::time::Instant;

/// Largest part that a guest reads at a time, in bytes.
const MOST_PART: usize = 64 * 1024;

/// Why the rest of a body will not come, as the client would be told.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct BodyFailure {
    pub status: u16,
    pub detail: String,
}

pub type BodyParts = Pin<Box<dyn Stream<Item = Result<Bytes, BodyFailure>> + Send>>;

/// The body of a request, on its way to an instance.
pub struct BodyStream {
    pub parts: BodyParts,
    pub clock: Arc<BodyClock>,
}

impl std::fmt::Debug for BodyStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BodyStream").field("clock", &self.clock).finish_non_exhaustive()
    }
}

/// When its handler last read a part. The handler's deadline counts from there.
#[derive(Debug)]
pub struct BodyClock(Mutex<Instant>);

impl BodyClock {
    pub fn start() -> Arc<Self> {
        Arc::new(Self(Mutex::new(Instant::now())))
    }

    fn read(&self) {
        *lock(&self.0) = Instant::now();
    }

    /// When a handler is late that may take so long after each part.
    pub fn due(&self, deadline: Duration) -> Instant {
        *lock(&self.0) + deadline
    }
}

/// The result of a read.
#[derive(Debug, PartialEq, Eq)]
pub enum BodyPart {
    Pending,
    Data(Bytes),
    End,
    Failed(BodyFailure),
}

/// The guest's end.
pub struct Inlet {
    body: BodyStream,
    /// What has been read of the body and not by the guest.
    rest: Bytes,
    end: Option<Result<(), BodyFailure>>,
    progress: Arc<Progress>,
}

impl Drop for Inlet {
    fn drop(&mut self) {
        self.progress.end();
    }
}

impl Inlet {
    pub fn new(request: u64, body: BodyStream, news: Arc<News>) -> Self {
        Self { body, rest: Bytes::new(), end: None, progress: Progress::new(request, news) }
    }

    /// The next part. After `Pending`, the guest is told when to read again.
    pub fn read(&mut self) -> BodyPart {
        let waker = Waker::from(self.progress.clone());
        if self.fill(&mut Context::from_waker(&waker)).is_pending() {
            return BodyPart::Pending;
        }
        match &self.end {
            _ if !self.rest.is_empty() => {
                self.body.clock.read();
                let part = self.rest.split_to(MOST_PART.min(self.rest.len()));
                BodyPart::Data(part)
            }
            Some(Err(failure)) => BodyPart::Failed(failure.clone()),
            _ => BodyPart::End,
        }
    }

    /// Return when there is something to read.
    pub async fn ready(&mut self) {
        poll_fn(|cx| self.fill(cx)).await;
    }

    fn fill(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while self.rest.is_empty() && self.end.is_none() {
            match std::task::ready!(self.body.parts.poll_next_unpin(cx)) {
                Some(Ok(part)) => self.rest = part,
                Some(Err(failure)) => self.end = Some(Err(failure)),
                None => self.end = Some(Ok(())),
            }
        }
        Poll::Ready(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::timer::GuestTimer;
    use tokio::sync::mpsc;

    fn inlet() -> (mpsc::UnboundedSender<Result<Bytes, BodyFailure>>, Inlet, Arc<News>) {
        let (sender, mut parts) = mpsc::unbounded_channel();
        let news = News::new(Arc::<GuestTimer>::default());
        let parts = futures_util::stream::poll_fn(move |cx| parts.poll_recv(cx));
        let body = BodyStream { parts: Box::pin(parts), clock: BodyClock::start() };
        (sender, Inlet::new(3, body, news.clone()), news)
    }

    #[tokio::test]
    async fn parts_are_read_as_they_come_and_are_bounded() {
        let (sender, mut inlet, news) = inlet();
        assert_eq!((inlet.read(), news.take().len()), (BodyPart::Pending, 0));
        sender.send(Ok(Bytes::new())).unwrap();
        sender.send(Ok(vec![b'x'; MOST_PART + 1].into())).unwrap();
        assert_eq!(news.take(), [3]);
        assert_eq!(inlet.read(), BodyPart::Data(vec![b'x'; MOST_PART].into()));
        assert_eq!(inlet.read(), BodyPart::Data("x".into()));
        assert_eq!(inlet.read(), BodyPart::Pending);
        drop(sender);
        inlet.ready().await;
        assert_eq!((inlet.read(), inlet.read()), (BodyPart::End, BodyPart::End));
    }

    #[tokio::test]
    async fn a_body_that_fails_says_so_each_time() {
        let (sender, mut inlet, _) = inlet();
        let failure = BodyFailure { status: 413, detail: "too large".to_owned() };
        sender.send(Ok("x".into())).unwrap();
        sender.send(Err(failure.clone())).unwrap();
        assert_eq!(inlet.read(), BodyPart::Data("x".into()));
        assert_eq!([inlet.read(), inlet.read()], [(); 2].map(|()| BodyPart::Failed(failure.clone())));
    }
}
