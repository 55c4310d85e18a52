//! A WebSocket that sleeps: between two messages only its connection knows it, and each message is a call of its own, of the
//! version of the app that is served then.

use crate::apps::worker_apps::{Found, WorkerApps};
use crate::codec::marshal::Writer;
use crate::error::Failure;
use crate::http::calling;
use crate::manifest::{Method, SleeperEvent};
use crate::pool::call::CallArgs;
use crate::sandbox::host_state::Attachments;
use crate::sandbox::socket::{Inbox, Sleeper};
use crate::validation::arguments::ValidArgs;
use crate::websocket::message::{CloseFrame, Message, close_code};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::time::Instant;

/// How often an overloaded app is told of an end, and the pause after each time.
const ATTEMPTS: u32 = 20;
const PAUSE: Duration = Duration::from_secs(1);

type Calling = Pin<Box<dyn Future<Output = Result<(), CloseFrame>> + Send>>;

/// Where a socket's app is found.
#[derive(Debug)]
struct Address {
    host: String,
    /// With the prefix that selects the app.
    path: String,
}

/// The calls of a socket, one after the other.
pub struct SleepingCalls {
    sleeper: Arc<Sleeper>,
    /// Those of the connection's worker.
    apps: Arc<WorkerApps>,
    address: Arc<Address>,
    calling: Option<Calling>,
}

impl SleepingCalls {
    pub fn new(sleeper: Arc<Sleeper>, apps: Arc<WorkerApps>, host: &str, path: String) -> Self {
        let address = Arc::new(Address { host: host.to_owned(), path });
        Self { sleeper, apps, address, calling: None }
    }

    /// Call the handler for each message of the inbox. Ready when the socket has to be closed.
    pub fn poll(&mut self, inbox: &Inbox, cx: &mut Context<'_>) -> Poll<CloseFrame> {
        loop {
            if let Some(calling) = &mut self.calling {
                let outcome = ready!(calling.as_mut().poll(cx));
                self.calling = None;
                if let Err(frame) = outcome {
                    return Poll::Ready(frame);
                }
            }
            let Some(Ok(message)) = inbox.take() else { return Poll::Pending };
            let (apps, sleeper, address) = (self.apps.clone(), self.sleeper.clone(), self.address.clone());
            let arguments = move |attachment: &[u8]| message_arguments(attachment, &message);
            self.calling = Some(Box::pin(call(apps, address, sleeper, SleeperEvent::Message, arguments)));
        }
    }

    /// The socket has ended so: call the handler for that, behind a call that is on its way.
    pub fn end(self, frame: CloseFrame) {
        let Self { sleeper, apps, address, calling } = self;
        // A worker that ends drops its sockets.
        let Ok(runtime) = Handle::try_current() else { return };
        runtime.spawn(async move {
            let mut outcome = match calling {
                Some(calling) => calling.await,
                None => Ok(()),
            };
            // What came before the end.
            while outcome.is_ok()
                && let Some(Ok(message)) = sleeper.inbox.take()
            {
                let arguments = move |attachment: &[u8]| message_arguments(attachment, &message);
                let event = SleeperEvent::Message;
                outcome = call(apps.clone(), address.clone(), sleeper.clone(), event, arguments).await;
            }
            // An app that counts who is there has to hear of the end, also when it is overloaded.
            for _ in 0..ATTEMPTS {
                let arguments = |attachment: &[u8]| end_arguments(attachment, &frame);
                let event = SleeperEvent::Disconnect;
                match call(apps.clone(), address.clone(), sleeper.clone(), event, arguments).await {
                    Err(told) if told.code == close_code::TRY_AGAIN_LATER => tokio::time::sleep(PAUSE).await,
                    _ => return,
                }
            }
        });
    }
}

fn end_arguments(attachment: &[u8], frame: &CloseFrame) -> ValidArgs {
    let mut out = Writer::with_capacity(attachment.len() + 64);
    out.tuple(3);
    out.bytes(attachment);
    out.int(i64::from(frame.code));
    out.str(&frame.reason);
    ValidArgs(out.buf)
}

fn message_arguments(attachment: &[u8], message: &Message) -> ValidArgs {
    let mut out = Writer::with_capacity(attachment.len() + message.as_bytes().len() + 32);
    out.tuple(2);
    out.bytes(attachment);
    match message {
        Message::Text(text) => out.str(text),
        Message::Binary(bytes) => out.bytes(bytes),
    }
    ValidArgs(out.buf)
}

/// Call the handler of an event, if the app has one. The error is the close of the socket.
async fn call(
    apps: Arc<WorkerApps>,
    address: Arc<Address>,
    sleeper: Arc<Sleeper>,
    event: SleeperEvent,
    arguments: impl FnOnce(&[u8]) -> ValidArgs,
) -> Result<(), CloseFrame> {
    let Found { worker_app, prefix } =
        apps.find(&address.host, &address.path).await.map_err(|failure| logged(0, &failure))?;
    let app = &*worker_app.app;
    let path = address.path.get(prefix..).unwrap_or_default();
    let path = if path.starts_with('/') { path } else { "/" };
    let Ok(found) = app.router.find(Some(Method::WebSocket), path) else {
        return Err(closing(close_code::SERVICE_RESTART, "the app has no such socket any more"));
    };
    let Some(number) = app.manifest.sleeper(found.route, event) else { return Ok(()) };
    let id = calling::next_request();
    let mut served = worker_app.counters.begin();
    served.found(found.route);
    let values = arguments(&sleeper.attachment.get());
    let attachments = Attachments { sleeper: Some(sleeper), ..Attachments::default() };
    let args = CallArgs { values, attachments, reservation: None };
    let deadline = Instant::now() + app.limits.deadline;
    match calling::call(&worker_app, id, number, args, deadline).await {
        Ok(answer) => {
            let status = answer.reply.status;
            served.end(status);
            if status < 500 { Ok(()) } else { Err(closing(close_code::INTERNAL_ERROR, "")) }
        }
        Err(failure) => {
            if let Failure::Faulted(fault) = &failure {
                served.faulted(fault);
                served.end(fault.status());
            }
            Err(logged(id, &failure))
        }
    }
}

fn closing(code: u16, reason: &str) -> CloseFrame {
    CloseFrame { code, reason: reason.to_owned() }
}

/// The close of a socket whose handler could not be called.
fn logged(request: u64, failure: &Failure) -> CloseFrame {
    match failure {
        Failure::Overloaded(_) => closing(close_code::TRY_AGAIN_LATER, "too many requests are waiting"),
        failure => {
            tracing::error!(request, "the handler of a WebSocket's message failed: {}", failure.logged());
            closing(close_code::INTERNAL_ERROR, "")
        }
    }
}
