//! The call of a handler: from its arguments to its decoded reply.

use crate::apps::app::App;
use crate::apps::worker_apps::WorkerApp;
use crate::codec::reply::Reply;
use crate::error::Failure;
use crate::pool::call::CallArgs;
use crate::sandbox::streams_host::Flowing;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::time::Instant;

/// Requests are numbered within the process; 0 stands for none.
static NEXT_REQUEST: AtomicU64 = AtomicU64::new(1);

pub fn next_request() -> u64 {
    NEXT_REQUEST.fetch_add(1, Ordering::Relaxed)
}

/// What a handler answered.
pub struct Answer {
    pub id: u64,
    pub route: usize,
    pub reply: Reply,
    /// The reply's body, if it flows.
    pub stream: Option<Flowing>,
}

/// Call the handler in an instance of its pool, and decode its reply. The deadline covers the wait for an instance, and counts
/// from when the handler last read a part of the body, if it does.
pub async fn call(
    worker_app: &WorkerApp,
    id: u64,
    route: usize,
    args: CallArgs,
    deadline: Instant,
) -> Result<Answer, Failure> {
    let _permit = worker_app.admission.enter(deadline).await?;
    let (answered, deadline) = worker_app.pools.of(route).call(id, route, args, deadline).reply().await?;
    let reply = worker_app.app.decoder().decode(answered.text, deadline).await;
    let reply = reply.map_err(|failure| failure.of_handler(|| handler(&worker_app.app, route)))?;
    Ok(Answer { id, route, reply, stream: answered.stream })
}

/// A handler as the log names it.
fn handler(app: &App, route: usize) -> String {
    let found = app.manifest.routes.get(route);
    found.map_or_else(
        || "an exception handler".to_owned(),
        |route| format!("{}, {}", route.name, route.source),
    )
}
