//! The interface `http` of `wit/bolt.wit` as an instance has it: its exchanges, each a task, and their news.

use crate::alarm::Alarm;
use crate::bindings::bolt::host::http::{Chunk, Host};
use crate::outbound::{self, Outbound, Problem, Sending};
use crate::store::GuestState;
use crate::sync::lock;
use bytes::Bytes;
use hyper::Request;
use hyper::header::{HeaderName, HeaderValue};
use serde::Deserialize;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::mpsc::error::{TryRecvError, TrySendError};
use tokio::sync::{Notify, mpsc};
use tokio::task::AbortHandle;

/// Headers that belong to the connection, which is the host's.
const OWN_HEADERS: [&str; 9] = [
    "connection",
    "host",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// The exchanges of an instance.
pub struct Exchanges {
    outbound: Arc<Outbound>,
    /// Most at a time.
    most: usize,
    open: HashMap<u64, Exchange>,
    last: u64,
    news: Arc<News>,
}

struct Exchange {
    shared: Arc<Shared>,
    parts: mpsc::Receiver<Result<Bytes, Problem>>,
    body: Option<mpsc::Sender<Option<Bytes>>>,
    task: Option<AbortHandle>,
}

/// Between an exchange's task and its instance.
struct Shared {
    number: u64,
    response: Mutex<String>,
    changed: Notify,
    news: Arc<News>,
}

struct News {
    numbers: Mutex<BTreeSet<u64>>,
    alarm: Arc<Alarm>,
}

impl Shared {
    /// There is something new for the guest to look at.
    fn tell(&self) {
        lock(&self.news.numbers).insert(self.number);
        self.changed.notify_one();
        self.news.alarm.ring_now();
    }

    fn respond(&self, json: String) {
        *lock(&self.response) = json;
        self.tell();
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

/// What the guest says of a request.
#[derive(Deserialize)]
struct Head {
    method: String,
    url: String,
    headers: Vec<(String, String)>,
    timeout: Option<f64>,
}

impl Exchanges {
    /// `alarm` rings when there is news.
    pub fn new(outbound: Arc<Outbound>, most: usize, alarm: Arc<Alarm>) -> Self {
        let news = Arc::new(News { numbers: Mutex::default(), alarm });
        Self { outbound, most, open: HashMap::new(), last: 0, news }
    }

    fn begin(&mut self, head: &str, body: &str, more: bool) -> u64 {
        self.last += 1;
        let (parts_in, parts) = mpsc::channel(1);
        let shared = Arc::new(Shared {
            number: self.last,
            response: Mutex::default(),
            changed: Notify::new(),
            news: self.news.clone(),
        });
        let mut exchange = Exchange { shared: shared.clone(), parts, body: None, task: None };
        match self.request(head, body, more, &mut exchange) {
            Ok((request, timeout)) => {
                let running = run(self.outbound.clone(), request, timeout, shared, parts_in);
                exchange.task = Some(tokio::spawn(running).abort_handle());
            }
            Err(problem) => shared.respond(problem.json()),
        }
        self.open.insert(self.last, exchange);
        self.last
    }

    fn request(
        &self,
        head: &str,
        body: &str,
        more: bool,
        exchange: &mut Exchange,
    ) -> Result<(Request<Sending>, Option<Duration>), Problem> {
        if self.open.len() >= self.most {
            let message = format!("this instance has {} exchanges open (--max-exchanges)", self.most);
            return Err(Problem::new("limit", message));
        }
        let invalid = |what: String| Problem::new("invalid", what);
        let head: Head =
            serde_json::from_str(head).map_err(|e| invalid(format!("the request is malformed: {e}")))?;
        let mut request = Request::builder()
            .method(&*head.method)
            .uri(&*head.url)
            .body(Sending::Whole(None))
            .map_err(|e| invalid(format!("{} {} cannot be requested: {e}", head.method, head.url)))?;
        if request.method() == hyper::Method::CONNECT {
            return Err(invalid("CONNECT is not offered".into()));
        }
        if request.uri().authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return Err(invalid(
                "a URL must not hold a user or a password: send an authorization header".into(),
            ));
        }
        let (host, port) = outbound::target(request.uri())?;
        self.outbound.grants.check_host(&host, port).map_err(|why| Problem::new("denied", why))?;
        for (name, value) in &head.headers {
            let lower = name.to_ascii_lowercase();
            if OWN_HEADERS.contains(&&*lower) || (lower == "content-length" && !more) {
                continue;
            }
            let name: HeaderName =
                lower.parse().map_err(|_| invalid(format!("{name:?} is not a header's name")))?;
            let value: Vec<u8> = value.chars().map(|c| u8::try_from(c).unwrap_or(b'?')).collect();
            let value = HeaderValue::from_bytes(&value)
                .map_err(|_| invalid(format!("the header {name} has a value that cannot be sent")))?;
            request.headers_mut().append(name, value);
        }
        let first = bytes(body)?;
        if more {
            let (sender, chunks) = mpsc::channel(1);
            if !first.is_empty() {
                let _ = sender.try_send(Some(first));
            }
            let shared = exchange.shared.clone();
            exchange.body = Some(sender);
            *request.body_mut() =
                Sending::Chunks { chunks, taken: Box::new(move || shared.tell()), over: false };
        } else if !first.is_empty() {
            *request.body_mut() = Sending::Whole(Some(first));
        }
        let timeout = head.timeout.filter(|seconds| seconds.is_finite() && *seconds >= 0.0);
        Ok((request, timeout.map(|seconds| Duration::from_secs_f64(seconds.min(86_400.0)))))
    }
}

/// Bytes, each written as the character of the same number.
fn bytes(text: &str) -> Result<Bytes, Problem> {
    let bytes: Result<Vec<u8>, _> = text.chars().map(u8::try_from).collect();
    bytes.map(Bytes::from).map_err(|_| Problem::new("invalid", "the body is not made of bytes"))
}

/// One exchange, from its request to the last part of its response.
async fn run(
    outbound: Arc<Outbound>,
    request: Request<Sending>,
    timeout: Option<Duration>,
    shared: Arc<Shared>,
    parts: mpsc::Sender<Result<Bytes, Problem>>,
) {
    let response = match limited(timeout, outbound.send(request)).await.and_then(|response| response) {
        Ok(response) => response,
        Err(problem) => return shared.respond(problem.json()),
    };
    let headers: Vec<_> = response
        .headers()
        .iter()
        .map(|(name, value)| {
            (name.as_str(), value.as_bytes().iter().map(|&b| char::from(b)).collect::<String>())
        })
        .collect();
    let head = serde_json::json!({ "status": response.status().as_u16(), "headers": headers });
    shared.respond(head.to_string());
    let mut body = response.into_body();
    loop {
        let next = limited(timeout, outbound::next_part(&mut body)).await;
        let part = match next {
            Ok(None) => break,
            Ok(Some(part)) => part,
            Err(problem) => Err(problem),
        };
        let failed = part.is_err();
        if parts.send(part).await.is_err() {
            return;
        }
        shared.tell();
        if failed {
            return;
        }
    }
    drop(parts);
    shared.tell();
}

async fn limited<T>(timeout: Option<Duration>, future: impl Future<Output = T>) -> Result<T, Problem> {
    let Some(timeout) = timeout else { return Ok(future.await) };
    tokio::time::timeout(timeout, future)
        .await
        .map_err(|_| Problem::new("timeout", format!("no answer within {} s", timeout.as_secs_f64())))
}

impl Host for GuestState {
    fn begin(&mut self, head: String, body: String, more: bool) -> wasmtime::Result<u64> {
        Ok(self.exchanges.begin(&head, &body, more))
    }

    fn write(&mut self, exchange: u64, chunk: String, more: bool) -> wasmtime::Result<bool> {
        // An exchange that is over takes everything: its response tells what happened.
        let Some(open) = self.exchanges.open.get_mut(&exchange) else { return Ok(true) };
        let Some(body) = &open.body else { return Ok(true) };
        let Ok(chunk) = bytes(&chunk) else {
            open.body = None;
            return Ok(true);
        };
        if !chunk.is_empty() {
            match body.try_send(Some(chunk)) {
                Ok(()) if more => return Ok(true),
                // The end needs a place of its own: the guest comes back with an empty last chunk.
                Ok(()) => {}
                Err(TrySendError::Full(_)) => return Ok(false),
                Err(TrySendError::Closed(_)) => {
                    open.body = None;
                    return Ok(true);
                }
            }
        }
        if more {
            return Ok(true);
        }
        let body = open.body.take();
        if let Some(body) = body {
            // Waits for its place without the guest; dropped with the exchange's task.
            tokio::spawn(async move {
                let _ = body.send(None).await;
            });
        }
        Ok(true)
    }

    fn response(&mut self, exchange: u64) -> wasmtime::Result<String> {
        Ok(match self.exchanges.open.get(&exchange) {
            Some(open) => lock(&open.shared.response).clone(),
            None => Problem::new("invalid", "there is no such exchange").json(),
        })
    }

    fn read(&mut self, exchange: u64) -> wasmtime::Result<Chunk> {
        let Some(open) = self.exchanges.open.get_mut(&exchange) else { return Ok(Chunk::End) };
        Ok(match open.parts.try_recv() {
            Ok(Ok(part)) => Chunk::Data(part.to_vec()),
            Ok(Err(problem)) => Chunk::Failed(problem.json()),
            Err(TryRecvError::Empty) => Chunk::Pending,
            Err(TryRecvError::Disconnected) => Chunk::End,
        })
    }

    fn close(&mut self, exchange: u64) -> wasmtime::Result<()> {
        self.exchanges.open.remove(&exchange);
        Ok(())
    }

    async fn wait(&mut self, exchange: u64) -> wasmtime::Result<()> {
        if let Some(open) = self.exchanges.open.get(&exchange) {
            let shared = open.shared.clone();
            shared.changed.notified().await;
        }
        Ok(())
    }

    fn news(&mut self) -> wasmtime::Result<Vec<u64>> {
        Ok(std::mem::take(&mut *lock(&self.exchanges.news.numbers)).into_iter().collect())
    }
}
