//! One outbound request: the body that its guest writes, the parts that it reads, and the task between them and the server.

use crate::codec::latin1::{latin1_copy, latin1_length};
use crate::config::limit_name;
use crate::config::limit_table::Limit;
use crate::quota::body_budget::{BodyBudget, BodyReservation};
use crate::quota::outbound::Window;
use crate::quota::streams::StreamPlace;
use crate::sandbox::http_client::{self, Chunks, HttpClient, Sending};
use crate::sandbox::news::News;
use crate::sandbox::problem::Problem;
use crate::sandbox::request_head::RequestHead;
use crate::util::locks::lock;
use bytes::Bytes;
use hyper::body::Body as _;
use hyper::{Method, Request};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::sync::{Notify, mpsc};
use tokio::task::AbortHandle;

/// Largest part of a response that a guest reads at a time, in bytes.
const MOST_PART: usize = 64 * 1024;

/// Shared by an exchange's tasks and its instance.
struct Shared {
    number: u64,
    state: Mutex<State>,
    changed: Notify,
    /// There is a `patience`.
    limited: Notify,
    is_closed: AtomicBool,
    news: Arc<News>,
}

#[derive(Default)]
struct State {
    /// The response's head or the problem, as JSON.
    response: String,
    /// Since it is under way: large chunks may wait for their budget. Held until it is closed, for the response's head.
    window: Option<Window>,
    /// The guest wants to write, and has to be told when it may.
    wants_to_write: bool,
    /// Budget for the chunk that the guest could not write.
    room: Option<BodyReservation>,
    /// There is a response, whose body has so many bytes if that is known.
    length: Option<Option<u64>>,
    /// All of it has arrived.
    is_complete: bool,
    /// It is one of the app's streams: the host sends it to a client.
    place: Option<StreamPlace>,
    /// How long that client may leave a part where it is.
    patience: Option<Duration>,
}

impl Shared {
    /// Notify the guest that this exchange has changed.
    fn tell(&self) {
        if self.news.tell(self.number, || !self.is_closed.load(Ordering::Relaxed)) {
            self.changed.notify_one();
        }
    }

    fn respond(&self, json: String) {
        lock(&self.state).response = json;
        self.tell();
    }

    /// Nobody reads the rest of the response.
    fn give_up(&self) {
        let mut state = lock(&self.state);
        (state.window, state.place) = (None, None);
    }

    fn fail(&self, problem: &Problem) {
        lock(&self.state).window = None;
        self.respond(problem.json());
    }

    fn is_under_way(&self, window: Window) {
        let mut state = lock(&self.state);
        if self.is_closed.load(Ordering::Relaxed) {
            return;
        }
        state.window = Some(window);
        if std::mem::take(&mut state.wants_to_write) {
            drop(state);
            self.tell();
        }
    }

    /// Returns when the part for the reader has waited for too long.
    async fn overdue(&self) {
        loop {
            let patience = lock(&self.state).patience;
            match patience {
                Some(patience) => return tokio::time::sleep(patience).await,
                None => self.limited.notified().await,
            }
        }
    }

    fn grant(&self, room: Option<BodyReservation>) {
        let mut state = lock(&self.state);
        // The connection may hold this for longer than the guest does.
        if self.is_closed.load(Ordering::Relaxed) {
            return;
        }
        state.room = room;
        drop(state);
        self.tell();
    }
}

/// The result of a read.
pub enum Part {
    Pending,
    Data(Bytes),
    End,
    Failed(Problem),
}

/// An exchange, from its beginning until the guest closes it.
pub struct Exchange {
    shared: Arc<Shared>,
    /// Without a receiver, the request was refused.
    parts: Option<mpsc::Receiver<Result<Bytes, Problem>>>,
    /// The rest of a part that was larger than the guest may read at a time.
    rest: Bytes,
    /// Bytes of the response's body that the guest has read.
    read: u64,
    /// Until the end of the request's body.
    body: Option<Outgoing>,
    task: Option<AbortHandle>,
    /// Waits for the budget of a chunk.
    waiting: Option<AbortHandle>,
}

/// The guest's end of a request body.
struct Outgoing {
    parts: mpsc::Sender<Bytes>,
    is_whole: Arc<AtomicBool>,
}

impl Drop for Exchange {
    fn drop(&mut self) {
        let shared = &self.shared;
        shared.news.forget(shared.number, || shared.is_closed.store(true, Ordering::Relaxed));
        for task in [&self.task, &self.waiting].into_iter().flatten() {
            task.abort();
        }
        let mut state = lock(&self.shared.state);
        (state.room, state.window, state.place) = (None, None, None);
    }
}

impl Exchange {
    /// Begin a request; see `begin` in `wit/bolt.wit`.
    pub fn begin(
        number: u64,
        client: &Arc<HttpClient>,
        text: [&str; 2],
        more: bool,
        news: Arc<News>,
    ) -> Self {
        let (state, changed, limited, is_closed) = Default::default();
        let shared = Arc::new(Shared { number, state, changed, limited, is_closed, news });
        let (rest, read) = (Bytes::new(), 0);
        let mut exchange = Self { shared, parts: None, rest, read, body: None, task: None, waiting: None };
        match exchange.request(client, text, more) {
            Ok((request, timeout)) => {
                let (parts_in, parts) = mpsc::channel(1);
                let running = run(client.clone(), request, timeout, exchange.shared.clone(), parts_in);
                exchange.parts = Some(parts);
                exchange.task = Some(tokio::spawn(running).abort_handle());
            }
            Err(problem) => exchange.shared.fail(&problem),
        }
        exchange
    }

    fn request(
        &mut self,
        client: &HttpClient,
        [head, body]: [&str; 2],
        more: bool,
    ) -> Result<(Request<Sending>, Option<Duration>), Problem> {
        let RequestHead { mut request, host, port, timeout } = RequestHead::parse(head, more)?;
        client.grants.check_host(&host, port).map_err(|why| Problem::new("denied", why))?;
        let mut reservation = client.outbound.bodies.reserve();
        reservation.grow(latin1_length(body)).map_err(|_| too_much())?;
        let first = reservation.attach(bytes(body)?);
        if more {
            let (sender, parts) = mpsc::channel(1);
            if !first.is_empty() {
                let _ = sender.try_send(first);
            }
            let (is_whole, shared) = (Arc::<AtomicBool>::default(), self.shared.clone());
            self.body = Some(Outgoing { parts: sender, is_whole: is_whole.clone() });
            let taken = Box::new(move || shared.tell());
            *request.body_mut() = Sending::Chunks(Chunks { parts, is_whole, taken, is_over: false });
        } else if !first.is_empty() {
            *request.body_mut() = Sending::Whole(Some(first));
        }
        Ok((request, timeout))
    }

    /// Send a chunk of the request's body. False means not yet: the guest is told when to try again.
    pub fn write(&mut self, bodies: &BodyBudget, chunk: &str, more: bool) -> bool {
        // A finished exchange accepts everything: its response says what happened.
        let Some(body) = &self.body else { return true };
        if body.parts.is_closed() {
            self.body = None;
            return true;
        }
        if !chunk.is_empty() {
            if body.parts.capacity() == 0 {
                return false;
            }
            let sender = body.parts.clone();
            let length = latin1_length(chunk);
            if !bodies.holds(length) {
                return self.fail(&too_much());
            }
            let Some(room) = self.room(bodies, length) else { return false };
            match bytes(chunk) {
                Ok(chunk) => drop(sender.try_send(room.attach(chunk))),
                Err(problem) => return self.fail(&problem),
            }
        }
        if !more && let Some(body) = self.body.take() {
            body.is_whole.store(true, Ordering::Release);
        }
        true
    }

    /// End it for a reason that the guest reads as its response.
    fn fail(&mut self, problem: &Problem) -> bool {
        self.body = None;
        self.task.take().inspect(AbortHandle::abort);
        self.shared.fail(problem);
        true
    }

    /// Budget for a chunk. Without any left, one task waits for it.
    fn room(&mut self, bodies: &BodyBudget, length: usize) -> Option<BodyReservation> {
        let mut state = lock(&self.shared.state);
        if let Some(room) = state.room.take()
            && room.size() >= length
        {
            return Some(room);
        }
        let mut room = bodies.reserve();
        if room.grow(length).is_ok() {
            return Some(room);
        }
        state.wants_to_write = state.window.is_none();
        if state.window.is_some() {
            let (bodies, shared) = (bodies.clone(), self.shared.clone());
            let waiting = tokio::spawn(async move { shared.grant(bodies.room(length).await) });
            if let Some(before) = self.waiting.replace(waiting.abort_handle()) {
                before.abort();
            }
        }
        None
    }

    /// The head of the response as JSON, or the problem; empty while there is neither.
    pub fn response(&self) -> String {
        lock(&self.shared.state).response.clone()
    }

    /// The next part of the response's body.
    pub fn read(&mut self) -> Part {
        use mpsc::error::TryRecvError::{Disconnected, Empty};
        if self.rest.is_empty() {
            let Some(parts) = &mut self.parts else { return Part::End };
            self.rest = match parts.try_recv() {
                Ok(Ok(part)) => part,
                Ok(Err(problem)) => return Part::Failed(problem),
                Err(Empty) => return Part::Pending,
                Err(Disconnected) => return Part::End,
            };
        }
        let part = self.rest.split_to(self.rest.len().min(MOST_PART));
        self.read += part.len() as u64;
        Part::Data(part)
    }

    /// The host sends the rest of the response's body, whose length is returned if it is known; the guest is not told of
    /// progress. `None` if there is no response yet, or the guest has not sent the whole request.
    pub fn hand_over(&self, place: StreamPlace) -> Option<Option<u64>> {
        let shared = &self.shared;
        let mut state = lock(&shared.state);
        let length = state.length.filter(|_| self.body.is_none())?;
        state.place = Some(place);
        drop(state);
        shared.news.forget(shared.number, || shared.is_closed.store(true, Ordering::Relaxed));
        Some(length.map(|length| length.saturating_sub(self.read)))
    }

    /// The next part of a response that was handed over; `None` at its end.
    pub fn poll_part(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Problem>>> {
        if !self.rest.is_empty() {
            return Poll::Ready(Some(Ok(std::mem::take(&mut self.rest))));
        }
        let next = match &mut self.parts {
            Some(parts) => ready!(parts.poll_recv(cx)),
            None => None,
        };
        let is_broken = next.is_none() && !lock(&self.shared.state).is_complete;
        let broken = || Err(Problem::new("timeout", "the client took nothing for too long"));
        Poll::Ready(if is_broken { Some(broken()) } else { next })
    }

    /// End the exchange when a part of the response's body is not taken for so long.
    pub fn limit(&self, patience: Duration) {
        lock(&self.shared.state).patience = Some(patience);
        self.shared.limited.notify_one();
    }

    /// Returns when it has changed.
    pub fn changed(&self) -> impl Future<Output = ()> + use<> {
        let shared = self.shared.clone();
        async move { shared.changed.notified().await }
    }
}

fn too_much() -> Problem {
    let limit = limit_name::of(Limit::Transit);
    Problem::new(
        "limit",
        format!("there is no memory for the request's body ({limit}); send it in smaller parts"),
    )
}

fn bytes(text: &str) -> Result<Bytes, Problem> {
    let bytes = latin1_copy(text).ok_or_else(|| Problem::new("invalid", "the body is not made of bytes"))?;
    Ok(bytes.into())
}

/// An exchange's task, from its request to the last part of its response.
async fn run(
    client: Arc<HttpClient>,
    request: Request<Sending>,
    timeout: Option<Duration>,
    shared: Arc<Shared>,
    parts: mpsc::Sender<Result<Bytes, Problem>>,
) {
    let is_head = request.method() == Method::HEAD;
    let beginning = async {
        shared.is_under_way(client.outbound.window().await);
        client.send(request).await
    };
    let (response, _connection) = match limited(timeout, beginning).await.and_then(|response| response) {
        Ok(begun) => begun,
        Err(problem) => return shared.fail(&problem),
    };
    let headers: Vec<_> = response
        .headers()
        .iter()
        .map(|(name, value)| {
            (name.as_str(), value.as_bytes().iter().map(|&b| char::from(b)).collect::<String>())
        })
        .collect();
    let head = serde_json::json!({ "status": response.status().as_u16(), "headers": headers });
    lock(&shared.state).length = Some(response.body().size_hint().exact().filter(|_| !is_head));
    shared.respond(head.to_string());
    let mut body = response.into_body();
    loop {
        // The next part is not asked for before the guest has read the last one.
        let place = tokio::select! {
            place = parts.reserve() => place.ok(),
            () = shared.overdue() => None,
        };
        let Some(place) = place else { return shared.give_up() };
        let part = match limited(timeout, http_client::next_part(&mut body)).await {
            Ok(None) => break,
            Ok(Some(part)) => part,
            Err(problem) => Err(problem),
        };
        let has_failed = part.is_err();
        place.send(part);
        shared.tell();
        if has_failed {
            return;
        }
    }
    lock(&shared.state).is_complete = true;
    drop(parts);
    shared.tell();
}

async fn limited<T>(timeout: Option<Duration>, future: impl Future<Output = T>) -> Result<T, Problem> {
    let Some(timeout) = timeout else { return Ok(future.await) };
    tokio::time::timeout(timeout, future)
        .await
        .map_err(|_| Problem::new("timeout", format!("no answer within {} s", timeout.as_secs_f64())))
}
