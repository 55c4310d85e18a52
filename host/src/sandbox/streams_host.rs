//! The flowing bodies and the WebSockets of an instance's requests, by the numbers of the requests.

use crate::codec::latin1::latin1_bytes;
use crate::quota::streams::{StreamPlace, StreamQuota};
use crate::sandbox::bindings::bolt::host::sockets::Message as WitMessage;
use crate::sandbox::bindings::bolt::host::streams::{Part, Progress, Taken};
use crate::sandbox::body_stream::{BodyPart, BodyStream, Inlet};
use crate::sandbox::execution::Execution;
use crate::sandbox::news::News;
use crate::sandbox::proxied::Proxied;
use crate::sandbox::rows::Rows;
use crate::sandbox::socket::{Attachment, Inbox, Sleeper, SocketTerms};
use crate::sandbox::stream::{Outlet, StreamEnd, StreamReader, pipe};
use crate::sandbox::timer::GuestTimer;
use crate::topics::topic::Start;
use crate::websocket::encoder;
use crate::websocket::message::{Message, close_code};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

/// What flows to a client after a reply, as the connection gets it.
#[derive(Debug)]
pub enum Flowing {
    /// What the handler sends.
    Handler(StreamReader),
    /// What another server sends.
    Proxied(Proxied),
    /// What a database sends.
    Rows(Rows),
    Socket(FlowingSocket),
}

/// A WebSocket that a handler has accepted.
#[derive(Debug)]
pub struct FlowingSocket {
    /// What the handler sends.
    pub reader: StreamReader,
    /// Where the messages of its client go.
    pub inbox: Arc<Inbox>,
    /// If it sleeps between them.
    pub sleeper: Option<Arc<Sleeper>>,
}

/// The guest's end of a WebSocket, besides its outlet.
struct Socket {
    inbox: Arc<Inbox>,
    terms: SocketTerms,
    attachment: Attachment,
    /// The handler ends with its reply, and the socket does not.
    sleeps: bool,
}

/// The streams of an instance.
pub struct Streams {
    quota: StreamQuota,
    /// How long a guest may take to end a stream whose client is gone.
    patience: Duration,
    outlets: HashMap<u64, Outlet>,
    /// The clients' ends of responses that have not begun.
    readers: HashMap<u64, StreamReader>,
    /// Responses of other servers and databases, for requests that are about to be answered.
    handed_over: HashMap<u64, Flowing>,
    inlets: HashMap<u64, Inlet>,
    /// Handshakes that have not been answered.
    handshakes: HashMap<u64, SocketTerms>,
    sockets: HashMap<u64, Socket>,
    /// Outlets of sockets that sleep, each for a call.
    calls: HashSet<u64>,
    news: Arc<News>,
}

impl Streams {
    /// `timer` rings when a stream has progressed.
    pub fn new(quota: StreamQuota, patience: Duration, timer: Arc<GuestTimer>) -> Self {
        let (outlets, readers, inlets, handshakes, sockets) = Default::default();
        let (handed_over, calls, news) = (HashMap::new(), HashSet::new(), News::new(timer));
        Self { quota, patience, outlets, readers, handed_over, inlets, handshakes, sockets, calls, news }
    }

    /// A request begins whose body is read in parts.
    pub fn take_body(&mut self, request: u64, body: BodyStream) {
        self.inlets.insert(request, Inlet::new(request, body, self.news.clone()));
    }

    /// A request begins that may become a WebSocket.
    pub fn offer(&mut self, request: u64, terms: SocketTerms) {
        self.handshakes.insert(request, terms);
    }

    /// The response to a request will flow. False if the app has too many streams.
    pub fn open(&mut self, request: u64, execution: &Arc<Execution>) -> bool {
        self.outlets.contains_key(&request) || self.make(request, false, execution)
    }

    /// The response to a request comes from elsewhere, if `take` can have it in one of the app's places for streams.
    pub fn hand_over(&mut self, request: u64, take: impl FnOnce(StreamPlace) -> Option<Flowing>) -> bool {
        if self.outlets.contains_key(&request) || self.handed_over.contains_key(&request) {
            return false;
        }
        let flowing = self.quota.open().and_then(take);
        let is_taken = flowing.is_some();
        self.handed_over.extend(flowing.map(|flowing| (request, flowing)));
        is_taken
    }

    /// A request will become a WebSocket. False if the app has too many streams, or it is no handshake.
    pub fn open_socket(&mut self, request: u64, execution: &Arc<Execution>) -> bool {
        let Some(&terms) = self.handshakes.get(&request) else { return false };
        if self.outlets.contains_key(&request) || !self.make(request, true, execution) {
            return false;
        }
        let inbox = Inbox::new(request, self.news.clone(), self.quota.clone());
        self.sockets
            .insert(request, Socket { inbox, terms, attachment: Attachment::default(), sleeps: false });
        true
    }

    /// The socket of a request will sleep.
    pub fn sleep(&mut self, request: u64) {
        if let Some(socket) = self.sockets.get_mut(&request) {
            socket.sleeps = true;
        }
    }

    /// A handler of a socket that sleeps is called.
    pub fn wake(&mut self, request: u64, sleeper: &Sleeper, execution: &Arc<Execution>) {
        self.outlets.insert(request, sleeper.way.outlet(request, &self.news, execution));
        let (inbox, attachment) = (sleeper.inbox.clone(), sleeper.attachment.clone());
        self.sockets.insert(request, Socket { inbox, terms: sleeper.terms, attachment, sleeps: true });
        self.calls.insert(request);
    }

    /// Keep an attachment of a socket that sleeps. False if it is too large.
    pub fn attach(&mut self, request: u64, attachment: String) -> bool {
        let Some(socket) = self.sockets.get(&request) else { return true };
        latin1_bytes(attachment).is_some_and(|bytes| socket.attachment.set(bytes))
    }

    fn make(&mut self, request: u64, is_framed: bool, execution: &Arc<Execution>) -> bool {
        let name = (request, is_framed);
        let Some((outlet, reader)) = pipe(name, &self.quota, &self.news, execution, self.patience) else {
            return false;
        };
        self.outlets.insert(request, outlet);
        self.readers.insert(request, reader);
        true
    }

    /// The request is answered: the client's end, if it flows. Otherwise nothing more of its body is read.
    pub fn answered(&mut self, request: u64) -> Option<Flowing> {
        if self.outlets.is_empty()
            && self.inlets.is_empty()
            && self.handshakes.is_empty()
            && self.handed_over.is_empty()
        {
            return None;
        }
        if let Some(flowing) = self.handed_over.remove(&request) {
            self.inlets.remove(&request);
            return Some(flowing);
        }
        self.handshakes.remove(&request);
        let slept = self.sockets.remove(&request).and_then(|socket| {
            if socket.sleeps {
                if let Some(outlet) = self.outlets.remove(&request) {
                    outlet.sleep();
                }
                self.calls.remove(&request);
                return Some(socket);
            }
            self.sockets.insert(request, socket);
            None
        });
        let Some(reader) = self.readers.remove(&request) else {
            self.inlets.remove(&request);
            return None;
        };
        let sleeper = slept.map(|Socket { inbox, terms, attachment, .. }| {
            inbox.sleep();
            Arc::new(Sleeper { way: reader.sleeping(), inbox, terms, attachment })
        });
        let awake = self.sockets.get(&request).map(|socket| &socket.inbox);
        let inbox = sleeper.as_ref().map(|sleeper| &sleeper.inbox).or(awake).cloned();
        Some(match inbox {
            Some(inbox) => Flowing::Socket(FlowingSocket { reader, inbox, sleeper }),
            None => Flowing::Handler(reader),
        })
    }

    /// Whether the response to a request flows, and has not ended.
    pub fn is_open(&self, request: u64) -> bool {
        self.outlets.contains_key(&request)
    }

    /// How many responses flow, beside requests that have no reply yet.
    pub fn count(&self) -> usize {
        self.outlets.len().saturating_sub(self.readers.len() + self.calls.len())
    }

    pub fn write(&mut self, request: u64, chunk: String) -> Taken {
        // Its bytes would stand between frames.
        if self.sockets.contains_key(&request) {
            return Taken::Gone;
        }
        self.outlets.get_mut(&request).map_or(Taken::Gone, |outlet| outlet.write(chunk))
    }

    /// Send a message over a WebSocket.
    pub fn send(&mut self, request: u64, is_text: bool, data: String) -> Taken {
        let (Some(outlet), Some(socket)) = (self.outlets.get_mut(&request), self.sockets.get(&request))
        else {
            return Taken::Gone;
        };
        let content = if is_text { Some(data.into_bytes()) } else { latin1_bytes(data) };
        let Some(content) = content else {
            outlet.send_last(encoder::close(close_code::INTERNAL_ERROR, ""));
            return Taken::Gone;
        };
        if content.len() > socket.terms.most_message {
            outlet
                .send_last(encoder::close(close_code::MESSAGE_TOO_BIG, "a message of the app is too large"));
            return Taken::Gone;
        }
        let encode = || encoder::message(is_text, &content, socket.terms.deflate);
        outlet.send(content.len(), encode)
    }

    /// The next message of a WebSocket's client.
    pub fn receive(&mut self, request: u64) -> WitMessage {
        let lost = || WitMessage::Closed((close_code::ABNORMAL, String::new()));
        let Some(socket) = self.sockets.get(&request) else { return lost() };
        match socket.inbox.take() {
            None => WitMessage::Pending,
            Some(Ok(Message::Text(text))) => WitMessage::Text(text),
            Some(Ok(Message::Binary(bytes))) => WitMessage::Binary(bytes),
            Some(Err(frame)) => WitMessage::Closed((frame.code, frame.reason)),
        }
    }

    /// A WebSocket gets the events of a topic from there on. False if it has too many topics.
    pub fn join(&self, request: u64, topic: String, from: Start) -> bool {
        self.sockets.get(&request).is_none_or(|socket| socket.inbox.join(topic, from))
    }

    pub fn leave(&self, request: u64, topic: &str) {
        if let Some(socket) = self.sockets.get(&request) {
            socket.inbox.leave(topic);
        }
    }

    /// The app closes a WebSocket. False if it is none.
    pub fn close_socket(&mut self, request: u64, code: u16, reason: &str) -> bool {
        let Some(socket) = self.sockets.get(&request) else { return false };
        let sleeps = socket.sleeps;
        if !sleeps {
            socket.inbox.abandon();
        }
        if let Some(outlet) = self.outlets.get_mut(&request) {
            let code = if close_code::is_valid(code) { code } else { close_code::INTERNAL_ERROR };
            outlet.send_last(encoder::close(code, reason));
        }
        // The reply to a call of a socket that sleeps is still to come.
        !sleeps && self.close(request, false)
    }

    /// The response has ended. False if it did not flow.
    pub fn close(&mut self, request: u64, has_failed: bool) -> bool {
        let Some(mut outlet) = self.outlets.remove(&request) else { return false };
        outlet.end(if has_failed { StreamEnd::Failed } else { StreamEnd::Complete });
        self.readers.remove(&request);
        self.inlets.remove(&request);
        self.calls.remove(&request);
        if let Some(socket) = self.sockets.remove(&request)
            && !socket.sleeps
        {
            socket.inbox.abandon();
        }
        // Thousands of streams at a time are rare.
        if self.outlets.is_empty() && self.outlets.capacity() > 64 {
            self.outlets.shrink_to_fit();
            self.inlets.shrink_to_fit();
            self.sockets.shrink_to_fit();
        }
        true
    }

    pub fn read(&mut self, request: u64) -> Part {
        let Some(inlet) = self.inlets.get_mut(&request) else { return Part::End };
        match inlet.read() {
            BodyPart::Pending => Part::Pending,
            BodyPart::Data(part) => Part::Data(part.to_vec()),
            BodyPart::End => Part::End,
            BodyPart::Failed(failure) => Part::Failed(serde_json::to_string(&failure).unwrap_or_default()),
        }
    }

    /// Return when the body of this request can be read.
    pub async fn ready(&mut self, request: u64) {
        if let Some(inlet) = self.inlets.get_mut(&request) {
            inlet.ready().await;
        }
    }

    /// The requests that have progressed since the last call.
    pub fn take_news(&self) -> Vec<Progress> {
        let is_closed = |request| self.sockets.get(&request).is_some_and(|socket| socket.inbox.is_closed());
        let gone = |request| self.outlets.get(&request).is_some_and(Outlet::is_gone) || is_closed(request);
        self.news.take().into_iter().map(|request| Progress { request, gone: gone(request) }).collect()
    }
}
