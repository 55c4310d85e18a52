//! A WebSocket after its handshake: frames between its connection and its handler, pings, and the ways in which it ends.
//!
//! It has no buffers while nothing is on the way: 50 000 sockets mostly rest.

use crate::apps::app::App;
use crate::http::connection::Draining;
use crate::http::farewell::farewell;
use crate::http::sleeping::SleepingCalls;
use crate::http::stream_record::Record;
use crate::quota::streams::StreamQuota;
use crate::sandbox::socket::Inbox;
use crate::sandbox::stream::{StreamEnd, StreamReader};
use crate::telemetry::counters::OpenStream;
use crate::topics::topic::{Next, Subscription, Topics};
use crate::websocket::decoder::Decoder;
use crate::websocket::encoder;
use crate::websocket::message::{CloseFrame, Event, Violation, close_code};
use bytes::{Buf, Bytes};
use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

/// A client from which nothing came for this long is asked whether it is there, and is given up after as long again.
const SILENCE: Duration = Duration::from_secs(20);
/// As long as its messages are not read, how often it is pinged: writing to one that has left fails.
const LOOK: Duration = Duration::from_secs(5);
/// How long a client may take to answer a close.
const PATIENCE: Duration = Duration::from_secs(5);
/// How much is read at a time, in bytes.
const READ: usize = 16 * 1024;
/// What a socket may hold of incomplete messages beyond its app's share, in bytes.
const LITTLE: usize = 4 * 1024;
/// Answers to pings that a client may leave unread, in bytes.
const MOST_PONGS: usize = 2048;
/// Steps before it lets other connections of its worker run.
const STEPS: usize = 32;

thread_local! {
    /// Nothing is left in it between two polls.
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; READ]);
}

/// A WebSocket of an app.
pub struct Socket {
    /// Frames of the handler.
    reader: Option<StreamReader>,
    inbox: Arc<Inbox>,
    topics: Arc<Topics>,
    /// The topics whose events the client gets.
    joined: Vec<(String, Subscription)>,
    /// If it sleeps between messages.
    pub sleeping: Option<SleepingCalls>,
    decoder: Decoder,
    most_message: usize,
    quota: StreamQuota,
    /// What the app's share holds for an incomplete message.
    held: usize,
    /// Read, and not decoded: the handler has enough messages.
    ahead: Bytes,
    /// Being written: whole frames.
    out: Bytes,
    /// What the app's share holds for them, if they are a topic's: their handler's are counted by their pipe.
    out_held: usize,
    /// The client does not take them.
    is_blocked: bool,
    is_flushed: bool,
    /// Control frames that come next.
    pongs: Vec<u8>,
    ping: bool,
    close: Option<Vec<u8>>,
    phase: Phase,
    heard: Instant,
    was_asked: bool,
    /// The handler has enough messages, so the client is not read.
    is_unread: bool,
    end: Instant,
    timer: Pin<Box<Sleep>>,
    pub record: Record,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Open,
    /// The host's close is on its way, or was sent; the client has until then to answer.
    Closing(Instant),
    /// Both sides have closed, or one is lost. What is left to write may be written until then.
    Over(Instant),
}

impl Socket {
    pub fn new(app: &App, request: u64, reader: StreamReader, inbox: Arc<Inbox>, open: OpenStream) -> Self {
        let (limits, spec, now) = (&app.limits, &app.component.spec, Instant::now());
        Self {
            reader: Some(reader),
            inbox,
            sleeping: None,
            topics: spec.topics.clone(),
            joined: Vec::new(),
            decoder: Decoder::new(limits.max_message, false),
            most_message: limits.max_message,
            quota: spec.streams.clone(),
            held: 0,
            ahead: Bytes::new(),
            out: Bytes::new(),
            out_held: 0,
            is_blocked: false,
            is_flushed: true,
            pongs: Vec::new(),
            ping: false,
            close: None,
            phase: Phase::Open,
            heard: now,
            was_asked: false,
            is_unread: false,
            end: now + limits.stream_max,
            timer: Box::pin(tokio::time::sleep_until(now + SILENCE)),
            record: Record::new(spec.name.clone(), request, open),
        }
    }

    /// The handshake agreed on compression.
    pub fn inflate(&mut self) {
        self.decoder = Decoder::new(self.most_message, true);
    }

    /// Serve until it ends. `ahead`: what was read behind the handshake.
    pub async fn run(
        mut self: Box<Self>,
        mut io: impl AsyncRead + AsyncWrite + Unpin,
        ahead: Bytes,
        mut draining: Option<Draining>,
    ) {
        self.ahead = ahead;
        std::future::poll_fn(|cx| self.poll(&mut io, &mut draining, cx)).await;
        // The handler learns it before the client does.
        drop(self);
        let _ = tokio::time::timeout(PATIENCE, farewell(&mut io)).await;
    }

    fn poll<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        io: &mut S,
        draining: &mut Option<Draining>,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        if self.phase == Phase::Open && draining.as_mut().is_some_and(|draining| draining.poll(cx).is_ready())
        {
            self.close_with(close_code::GOING_AWAY, "the server shuts down");
        }
        for _ in 0..STEPS {
            let Ok(written) = self.write(io, cx) else { return self.lose() };
            if matches!(self.phase, Phase::Over(_)) && written.is_ready() {
                return Poll::Ready(());
            }
            let Ok(read) = self.read(io, cx) else { return self.lose() };
            if self.phase == Phase::Open
                && let Some(sleeping) = &mut self.sleeping
                && let Poll::Ready(frame) = sleeping.poll(&self.inbox, cx)
            {
                self.close_with(frame.code, &frame.reason);
            }
            if self.clocks(cx).is_break() {
                return self.lose();
            }
            let has_more =
                !self.out.is_empty() || !self.pongs.is_empty() || self.ping || self.close.is_some();
            if read.is_pending() && (written.is_pending() || !has_more) {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// The connection is broken, or the client is not there.
    fn lose(&self) -> Poll<()> {
        self.inbox.close(CloseFrame { code: close_code::ABNORMAL, reason: String::new() });
        Poll::Ready(())
    }

    /// Write what there is. Ready when nothing is left.
    fn write<S: AsyncWrite + Unpin>(&mut self, io: &mut S, cx: &mut Context<'_>) -> io::Result<Poll<()>> {
        loop {
            if self.out.is_empty() && !self.next_frames(cx) {
                break;
            }
            let Poll::Ready(written) = Pin::new(&mut *io).poll_write(cx, &self.out)? else {
                self.is_blocked = true;
                return Ok(Poll::Pending);
            };
            if std::mem::take(&mut self.is_blocked) {
                // It reads, so it is there.
                self.heard = Instant::now();
            }
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            self.out.advance(written);
            self.record.sent += written as u64;
            self.is_flushed = false;
        }
        if !self.is_flushed {
            let Poll::Ready(()) = Pin::new(io).poll_flush(cx)? else { return Ok(Poll::Pending) };
            self.is_flushed = true;
        }
        // Its buffer goes.
        self.out = Bytes::new();
        self.quota.give_back(std::mem::take(&mut self.out_held));
        Ok(Poll::Ready(()))
    }

    /// Take the next frames to write. Frames of the host go between those of the handler.
    fn next_frames(&mut self, cx: &mut Context<'_>) -> bool {
        let pongs = Some(std::mem::take(&mut self.pongs)).filter(|pongs| !pongs.is_empty());
        let own = pongs.or_else(|| std::mem::take(&mut self.ping).then(|| encoder::ping(b"")));
        if let Some(frames) = own.or_else(|| self.close.take()) {
            self.out = frames.into();
            return true;
        }
        if self.phase != Phase::Open {
            return false;
        }
        let Some(reader) = &self.reader else { return false };
        match reader.poll(cx) {
            Poll::Pending => self.next_event(cx),
            Poll::Ready(Ok(frames)) => {
                self.out = frames;
                true
            }
            // The last frame was its close.
            Poll::Ready(Err(StreamEnd::Complete)) => {
                self.begin_closing();
                false
            }
            Poll::Ready(Err(StreamEnd::Failed | StreamEnd::Lost)) => {
                self.close_with(close_code::INTERNAL_ERROR, "the instance ended");
                self.next_frames(cx)
            }
        }
    }

    /// Take the next event of a topic.
    fn next_event(&mut self, cx: &Context<'_>) -> bool {
        if let Some(topics) = self.inbox.joined(cx.waker()) {
            self.joined.retain(|(known, _)| topics.iter().any(|(name, _)| name == known));
            for (name, from) in topics {
                if !self.joined.iter().any(|(known, _)| *known == name)
                    && let Ok(subscription) = self.topics.subscribe(&name, from)
                {
                    self.joined.push((name, subscription));
                }
            }
        }
        for (_, subscription) in &mut self.joined {
            while let Poll::Ready(next) = subscription.poll_next(cx.waker()) {
                if let Next::Event(event) = next {
                    self.out = event.frame();
                    self.quota.hold_anyway(self.out.len());
                    self.out_held += self.out.len();
                    return true;
                }
            }
        }
        false
    }

    /// Read and decode. Ready if there was something.
    fn read<S: AsyncRead + Unpin>(&mut self, io: &mut S, cx: &mut Context<'_>) -> io::Result<Poll<()>> {
        if matches!(self.phase, Phase::Over(_)) {
            return Ok(Poll::Pending);
        }
        if self.is_full(cx) {
            if !std::mem::replace(&mut self.is_unread, true) {
                self.heard = Instant::now();
            }
            return Ok(Poll::Pending);
        }
        if std::mem::take(&mut self.is_unread) {
            self.heard = Instant::now();
        }
        if !self.ahead.is_empty() {
            let ahead = std::mem::take(&mut self.ahead);
            self.decode(&ahead, cx);
            return Ok(Poll::Ready(()));
        }
        SCRATCH.with_borrow_mut(|scratch| {
            let mut buffer = ReadBuf::new(scratch);
            let Poll::Ready(()) = Pin::new(io).poll_read(cx, &mut buffer)? else { return Ok(Poll::Pending) };
            if buffer.filled().is_empty() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            (self.heard, self.was_asked) = (Instant::now(), false);
            self.decode(buffer.filled(), cx);
            Ok(Poll::Ready(()))
        })
    }

    fn is_full(&self, cx: &Context<'_>) -> bool {
        self.phase == Phase::Open && self.inbox.poll_room(cx.waker()).is_pending()
    }

    fn decode(&mut self, mut input: &[u8], cx: &Context<'_>) {
        while !input.is_empty() && !matches!(self.phase, Phase::Over(_)) {
            if self.is_full(cx) {
                self.ahead = Bytes::copy_from_slice(input);
                break;
            }
            match self.decoder.next(&mut input) {
                Ok(Some(event)) => self.take(event),
                Ok(None) => break,
                Err(violation) => self.refuse(violation),
            }
        }
        self.count();
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Message(message) => {
                if self.phase == Phase::Open {
                    self.count();
                    self.inbox.put(message);
                }
            }
            // The host's close is its last frame.
            Event::Ping(_) if self.phase != Phase::Open => {}
            Event::Ping(payload) => {
                // Only the last of several has to be answered (RFC 6455, 5.5.3).
                if self.pongs.len() > MOST_PONGS {
                    self.pongs.clear();
                }
                self.pongs.extend(encoder::pong(&payload));
            }
            Event::Pong(_) => {}
            Event::Close(frame) => {
                let answer = match &frame {
                    Some(frame) => encoder::close(frame.code, ""),
                    None => encoder::close_without_code(),
                };
                if self.phase == Phase::Open {
                    self.close = Some(answer);
                }
                let frame =
                    frame.unwrap_or(CloseFrame { code: close_code::NO_STATUS, reason: String::new() });
                self.inbox.close(frame);
                self.end_soon();
            }
        }
    }

    /// The app's share holds what the decoder has of an incomplete message.
    fn count(&mut self) {
        let wanted = self.decoder.held().saturating_sub(LITTLE);
        if wanted > self.held && !self.quota.hold_shared(wanted - self.held) {
            let reason = "the app has too many large messages on their way";
            return self.refuse(Violation { code: close_code::TRY_AGAIN_LATER, reason });
        }
        if wanted < self.held {
            self.quota.give_back(self.held - wanted);
        }
        self.held = wanted;
    }

    /// The client's bytes have no meaning from here on.
    fn refuse(&mut self, violation: Violation) {
        if self.phase == Phase::Open {
            self.close = Some(encoder::close(violation.code, violation.reason));
        }
        self.inbox.close(CloseFrame { code: violation.code, reason: violation.reason.to_owned() });
        self.end_soon();
    }

    /// Send a close, and wait for the client's.
    fn close_with(&mut self, code: u16, reason: &str) {
        self.close = Some(encoder::close(code, reason));
        self.inbox.close(CloseFrame { code, reason: reason.to_owned() });
        self.begin_closing();
    }

    fn begin_closing(&mut self) {
        self.reader = None;
        self.decoder.discard();
        self.phase = Phase::Closing(Instant::now() + PATIENCE);
    }

    fn end_soon(&mut self) {
        self.reader = None;
        self.phase = Phase::Over(Instant::now() + PATIENCE);
    }

    /// Look at the clocks. Breaks when the client has had its time.
    fn clocks(&mut self, cx: &mut Context<'_>) -> std::ops::ControlFlow<()> {
        use std::ops::ControlFlow::{Break, Continue};
        loop {
            let now = Instant::now();
            let next = match self.phase {
                Phase::Closing(until) | Phase::Over(until) if until <= now => return Break(()),
                Phase::Closing(until) | Phase::Over(until) => until,
                Phase::Open if self.end <= now => {
                    self.close_with(close_code::GOING_AWAY, "the socket was open for too long");
                    continue;
                }
                // What the client says is not read, so its silence says nothing.
                Phase::Open if self.is_unread => {
                    if self.heard + LOOK <= now {
                        (self.ping, self.heard) = (true, now);
                    }
                    self.heard + LOOK
                }
                Phase::Open if self.heard + 2 * SILENCE <= now => return Break(()),
                Phase::Open if self.heard + SILENCE <= now => {
                    self.ping |= !std::mem::replace(&mut self.was_asked, true);
                    self.heard + 2 * SILENCE
                }
                Phase::Open => self.heard + SILENCE,
            };
            let next = if self.phase == Phase::Open { next.min(self.end) } else { next };
            // One that is too early costs less than one that is set for each message.
            if next < self.timer.deadline() || self.timer.is_elapsed() {
                self.timer.as_mut().reset(next);
            }
            if self.timer.as_mut().poll(cx).is_pending() {
                return Continue(());
            }
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.inbox.close(CloseFrame { code: close_code::ABNORMAL, reason: String::new() });
        if let (Some(sleeping), Some(frame)) = (self.sleeping.take(), self.inbox.closed()) {
            sleeping.end(frame);
        }
        self.quota.give_back(self.held + self.out_held);
    }
}
