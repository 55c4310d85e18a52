//! A response that its handler sends in parts, with its clocks: how long the handler may send nothing, how long all of it may
//! take, and the heartbeats of server-sent events.

use crate::apps::app::App;
use crate::codec::reply::Flow;
use crate::config::limit_name;
use crate::config::limit_table::Limit;
use crate::http::connection::Draining;
use crate::http::io::InUse;
use crate::http::stream_record::Record;
use crate::quota::streams::StreamPlace;
use crate::sandbox::problem::Problem;
use crate::sandbox::proxied::Proxied;
use crate::sandbox::rows::Rows;
use crate::sandbox::stream::{StreamEnd, StreamReader};
use crate::sql::problem::SqlProblem;
use crate::telemetry::access_log;
use crate::telemetry::counters::OpenStream;
use crate::topics::topic::{Next, Subscription};
use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, Sleep};

/// A comment, which clients of server-sent events skip.
const HEARTBEAT: Bytes = Bytes::from_static(b": ping\n\n");

/// Where a streamed response comes from.
pub enum StreamSource {
    Handler(StreamReader),
    /// Another server.
    Proxied(Proxied),
    /// A database.
    Rows(Rows),
    /// The events of a topic.
    Topic {
        subscription: Subscription,
        /// It ends when its client is too slow.
        closes: bool,
        /// It counts as one of the app's streams.
        _place: StreamPlace,
    },
}

/// Why nothing follows from a source.
enum SourceEnd {
    Complete,
    /// What it was, as the connection is told.
    Failed(&'static str),
    /// Why another server's response broke off.
    Server(Problem),
    /// Why the rows of a query broke off.
    Query(SqlProblem),
}

impl StreamSource {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Bytes, SourceEnd>> {
        Poll::Ready(match self {
            Self::Handler(reader) => ready!(reader.poll(cx)).map_err(|end| match end {
                StreamEnd::Complete => SourceEnd::Complete,
                StreamEnd::Failed => SourceEnd::Failed("the handler failed"),
                StreamEnd::Lost => SourceEnd::Failed("the instance ended"),
            }),
            Self::Proxied(proxied) => match ready!(proxied.poll(cx)) {
                Some(part) => part.map_err(SourceEnd::Server),
                None => Err(SourceEnd::Complete),
            },
            Self::Rows(rows) => match ready!(rows.poll(cx)) {
                Some(part) => part.map_err(SourceEnd::Query),
                None => Err(SourceEnd::Complete),
            },
            Self::Topic { subscription, closes, .. } => loop {
                match ready!(subscription.poll_next(cx.waker())) {
                    Next::Event(event) => break Ok(event.sse()),
                    Next::Missed(_) if *closes => break Err(SourceEnd::Complete),
                    Next::Missed(_) => {}
                }
            },
        })
    }
}

/// A streamed response.
pub struct StreamBody {
    source: Option<StreamSource>,
    clocks: Clocks,
    /// What the host sends at the end when it drains.
    last: Bytes,
    /// The last bytes that were sent end an event, so a comment may follow.
    is_between_events: bool,
    /// Why it breaks off.
    failure: Option<&'static str>,
    draining: Option<Draining>,
    record: Record,
    _connection: Option<InUse>,
}

struct Clocks {
    /// The next of the clocks below may have run out.
    timer: Pin<Box<Sleep>>,
    /// When something was last sent.
    since: Instant,
    idle: Option<Duration>,
    heartbeat: Option<Duration>,
    end: Instant,
}

/// A clock that has run out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Due {
    End,
    Idle,
    Heartbeat,
}

impl Clocks {
    /// The next clock, and when it runs out.
    fn next(&self) -> (Instant, Due) {
        let waits = [(self.idle, Due::Idle), (self.heartbeat, Due::Heartbeat)];
        let waits = waits.into_iter().filter_map(|(wait, due)| Some((self.since + wait?, due)));
        waits.fold((self.end, Due::End), |first, other| if other.0 < first.0 { other } else { first })
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Due> {
        loop {
            let (at, due) = self.next();
            if at <= Instant::now() {
                return Poll::Ready(due);
            }
            if self.timer.deadline() != at {
                self.timer.as_mut().reset(at);
            }
            ready!(self.timer.as_mut().poll(cx));
        }
    }
}

impl StreamBody {
    /// The response to `request`.
    pub fn new(app: &App, request: u64, flow: Flow, source: StreamSource, open: OpenStream) -> Self {
        let (limits, now) = (&app.limits, Instant::now());
        let (idle, heartbeat, last) = match flow {
            Flow::Plain => (Some(limits.stream_idle), None, Bytes::new()),
            // Its heartbeats find out whether the client is there.
            Flow::Events { heartbeat, last, .. } => (None, heartbeat, last),
        };
        let end = now + limits.stream_max;
        let timer = Box::pin(tokio::time::sleep_until(end));
        Self {
            source: Some(source),
            clocks: Clocks { timer, since: now, idle, heartbeat, end },
            last,
            is_between_events: true,
            failure: None,
            draining: None,
            record: Record::new(app.component.spec.name.clone(), request, open),
            _connection: None,
        }
    }

    /// The connection that sends it.
    pub fn on(&mut self, connection: Option<InUse>, closing: &watch::Receiver<bool>) {
        self._connection = connection;
        // Clients of events connect again by themselves. All others need what they asked for.
        self.draining = self.clocks.idle.is_none().then(|| Draining::of(closing));
    }

    /// End it when its client takes nothing for so long.
    pub fn guard(&self, patience: Duration) {
        match &self.source {
            Some(StreamSource::Handler(reader)) => reader.guard(self.clocks.end, patience),
            Some(StreamSource::Proxied(proxied)) => proxied.guard(patience),
            _ => {}
        }
    }

    /// Log it when it has ended.
    pub fn log(&mut self, line: access_log::Line, status: u16) {
        self.record.log(line, status);
    }

    fn send(&mut self, part: Bytes) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.clocks.since = Instant::now();
        self.is_between_events = part.ends_with(b"\n\n") || part.ends_with(b"\r\n\r\n");
        self.record.sent += part.len() as u64;
        Poll::Ready(Some(Ok(Frame::data(part))))
    }

    /// Nothing follows. A client that gets an error knows that it does not have all.
    fn end(
        &mut self,
        outcome: Result<(), &'static str>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.source = None;
        let Err(why) = outcome else { return Poll::Ready(None) };
        // hyper sends what it has before it asks again. After an error it sends nothing.
        self.failure = Some(why);
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn due(&mut self, due: Due, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let (app, request) = (&*self.record.app, self.record.request);
        match due {
            Due::Heartbeat if self.is_between_events => self.send(HEARTBEAT),
            Due::Heartbeat => {
                // In the middle of an event: the next one is due later.
                self.clocks.since = Instant::now();
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Due::Idle => {
                let limit = limit_name::of(Limit::StreamIdle);
                tracing::error!(
                    app,
                    request,
                    "the handler sent nothing for too long, and its response was broken off ({limit})"
                );
                self.end(Err("the handler sent nothing for too long"), cx)
            }
            // Clients of events connect again.
            Due::End if self.clocks.idle.is_none() => {
                self.last = Bytes::new();
                self.end(Ok(()), cx)
            }
            Due::End => {
                let limit = limit_name::of(Limit::StreamMax);
                tracing::error!(app, request, "the response took too long, and was broken off ({limit})");
                self.end(Err("the response took too long"), cx)
            }
        }
    }
}

impl Body for StreamBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let this = self.get_mut();
        let Some(source) = &mut this.source else {
            if let Some(why) = this.failure {
                return Poll::Ready(Some(Err(io::Error::other(why))));
            }
            return match std::mem::take(&mut this.last) {
                last if last.is_empty() => Poll::Ready(None),
                last => this.send(last),
            };
        };
        match source.poll(cx) {
            // A handler that never stops sending has a clock as well.
            Poll::Ready(Ok(_)) if this.clocks.end <= Instant::now() => return this.due(Due::End, cx),
            Poll::Ready(Ok(part)) => return this.send(part),
            Poll::Ready(Err(SourceEnd::Complete)) => {
                this.last = Bytes::new();
                return this.end(Ok(()), cx);
            }
            Poll::Ready(Err(SourceEnd::Failed(why))) => return this.end(Err(why), cx),
            Poll::Ready(Err(SourceEnd::Server(problem))) => {
                let (app, request) = (&*this.record.app, this.record.request);
                tracing::error!(app, request, "the response of another server broke off: {problem}");
                return this.end(Err("the other server failed"), cx);
            }
            Poll::Ready(Err(SourceEnd::Query(problem))) => {
                let (app, request) = (&*this.record.app, this.record.request);
                tracing::error!(app, request, "the rows of a query broke off: {}", problem.message);
                return this.end(Err("the query failed"), cx);
            }
            Poll::Pending => {}
        }
        if let Some(draining) = &mut this.draining
            && this.is_between_events
            && draining.poll(cx).is_ready()
        {
            this.source = None;
            return Pin::new(this).poll_frame(cx);
        }
        match this.clocks.poll(cx) {
            Poll::Ready(due) => this.due(due, cx),
            Poll::Pending => Poll::Pending,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Some(StreamSource::Proxied(proxied)) => {
                proxied.length().map_or_else(SizeHint::default, SizeHint::with_exact)
            }
            _ => SizeHint::default(),
        }
    }
}
