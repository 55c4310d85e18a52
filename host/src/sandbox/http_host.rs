//! Outbound requests of one instance: each exchange is a task that notifies the guest of its progress.

use crate::config::limit_name;
use crate::config::limit_table::Limit;
use crate::sandbox::bindings::bolt::host::http::Chunk;
use crate::sandbox::http_client::{self, HttpClient, Problem, Sending};
use crate::sandbox::timer::GuestTimer;
use crate::util::locks::lock;
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

/// Connection-level headers, which only the host may set.
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
    client: Arc<HttpClient>,
    /// Most exchanges open at a time.
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

/// Shared by an exchange's task and its instance.
struct Shared {
    number: u64,
    response: Mutex<String>,
    changed: Notify,
    news: Arc<News>,
}

struct News {
    numbers: Mutex<BTreeSet<u64>>,
    timer: Arc<GuestTimer>,
}

impl Shared {
    /// Notify the guest that this exchange has changed.
    fn tell(&self) {
        lock(&self.news.numbers).insert(self.number);
        self.changed.notify_one();
        self.news.timer.ring_now();
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

/// The head of a request, as the guest sends it.
#[derive(Deserialize)]
struct Head {
    method: String,
    url: String,
    headers: Vec<(String, String)>,
    timeout: Option<f64>,
}

impl Exchanges {
    /// `timer` rings when an exchange has changed.
    pub fn new(client: Arc<HttpClient>, most: usize, timer: Arc<GuestTimer>) -> Self {
        let news = Arc::new(News { numbers: Mutex::default(), timer });
        Self { client, most, open: HashMap::new(), last: 0, news }
    }

    /// Start a request; `head` is JSON; with `more`, further parts of its body follow. Returns its number.
    pub fn begin(&mut self, head: &str, body: &str, more: bool) -> u64 {
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
                let running = run(self.client.clone(), request, timeout, shared, parts_in);
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
            let limit = limit_name::of(Limit::MaxExchanges);
            let message = format!("this instance has {} exchanges open ({limit})", self.most);
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
            return Err(invalid("CONNECT is not supported".into()));
        }
        if request.uri().authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return Err(invalid(
                "a URL must not contain a user name or password: send an authorization header".into(),
            ));
        }
        let (host, port) = http_client::target(request.uri())?;
        self.client.grants.check_host(&host, port).map_err(|why| Problem::new("denied", why))?;
        for (name, value) in &head.headers {
            let lower = name.to_ascii_lowercase();
            if OWN_HEADERS.contains(&&*lower) || (lower == "content-length" && !more) {
                continue;
            }
            let name: HeaderName =
                lower.parse().map_err(|_| invalid(format!("{name:?} is not a header name")))?;
            let value: Vec<u8> = value.chars().map(|c| u8::try_from(c).unwrap_or(b'?')).collect();
            let value = HeaderValue::from_bytes(&value)
                .map_err(|_| invalid(format!("the value of header {name} cannot be sent")))?;
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

/// Decode latin-1: each character stands for the byte of the same number.
fn bytes(text: &str) -> Result<Bytes, Problem> {
    let bytes: Result<Vec<u8>, _> = text.chars().map(u8::try_from).collect();
    bytes.map(Bytes::from).map_err(|_| Problem::new("invalid", "the body is not made of bytes"))
}

/// One exchange, from its request to the last part of its response.
async fn run(
    client: Arc<HttpClient>,
    request: Request<Sending>,
    timeout: Option<Duration>,
    shared: Arc<Shared>,
    parts: mpsc::Sender<Result<Bytes, Problem>>,
) {
    let response = match limited(timeout, client.send(request)).await.and_then(|response| response) {
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
        let next = limited(timeout, http_client::next_part(&mut body)).await;
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

impl Exchanges {
    /// Send a part of a request body. False when the channel is full: the guest is notified once there is room.
    pub fn write(&mut self, exchange: u64, chunk: &str, more: bool) -> bool {
        // A finished exchange accepts everything: its response says what happened.
        let Some(open) = self.open.get_mut(&exchange) else { return true };
        let Some(body) = &open.body else { return true };
        let Ok(chunk) = bytes(chunk) else {
            open.body = None;
            return true;
        };
        if !chunk.is_empty() {
            match body.try_send(Some(chunk)) {
                Ok(()) if more => return true,
                // The end marker takes a slot of its own: it is sent below.
                Ok(()) => {}
                Err(TrySendError::Full(_)) => return false,
                Err(TrySendError::Closed(_)) => {
                    open.body = None;
                    return true;
                }
            }
        }
        if more {
            return true;
        }
        let body = open.body.take();
        if let Some(body) = body {
            // Waits for a slot without the guest; ends with the exchange's task, which drops the receiver.
            tokio::spawn(async move {
                let _ = body.send(None).await;
            });
        }
        true
    }

    /// The head of the response as JSON, or the problem; empty while there is neither.
    pub fn response(&self, exchange: u64) -> String {
        match self.open.get(&exchange) {
            Some(open) => lock(&open.shared.response).clone(),
            None => Problem::new("invalid", "there is no such exchange").json(),
        }
    }

    /// The next part of the response's body.
    pub fn read(&mut self, exchange: u64) -> Chunk {
        let Some(open) = self.open.get_mut(&exchange) else { return Chunk::End };
        match open.parts.try_recv() {
            Ok(Ok(part)) => Chunk::Data(part.to_vec()),
            Ok(Err(problem)) => Chunk::Failed(problem.json()),
            Err(TryRecvError::Empty) => Chunk::Pending,
            Err(TryRecvError::Disconnected) => Chunk::End,
        }
    }

    /// Abort an exchange, or forget a finished one.
    pub fn close(&mut self, exchange: u64) {
        self.open.remove(&exchange);
    }

    /// Return when this exchange has changed.
    pub async fn changed(&self, exchange: u64) {
        if let Some(open) = self.open.get(&exchange) {
            let shared = open.shared.clone();
            shared.changed.notified().await;
        }
    }

    /// The exchanges that have changed since the last call.
    pub fn take_news(&self) -> Vec<u64> {
        std::mem::take(&mut *lock(&self.news.numbers)).into_iter().collect()
    }
}
