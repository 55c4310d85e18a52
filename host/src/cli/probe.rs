//! Probes what a request costs its instance: `inspect` calls every route that can be called without arguments.
//!
//! Nothing gets out of a sandbox without grants, so whatever a handler does is undone when its instance ends.

use crate::apps::app::App;
use crate::codec::reply;
use crate::codec::work::Work;
use crate::error::Fault;
use crate::pool::call::{Call, CallState};
use crate::pool::driver;
use crate::sandbox::component::LoadedComponent;
use crate::sandbox::execution::Execution;
use crate::sandbox::http_client::HttpClient;
use crate::sandbox::instance::Instance;
use crate::sandbox::pagemap::{Maps, Written};
use crate::validation::arguments::{self, Head, Input};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// Calls of each route: the first reset of a memory is not like the following ones.
const CALLS: usize = 9;
/// Longest time of all calls of a route.
const DEADLINE: Duration = Duration::from_secs(1);
/// The value of every path parameter.
const SAMPLE: &str = "1";
/// The number of all requests here; 0 would be none.
const REQUEST: u64 = 1;

/// The cost of a fresh instance for a call of a route.
#[derive(Debug, Clone)]
pub struct Cost {
    pub status: u16,
    /// What an exception of the handler says.
    pub why: Option<String>,
    pub written: Written,
    /// Time to reset the memory of the instance.
    pub wiping: Duration,
}

/// The result of probing an app.
pub struct Probe {
    /// The pages that a new instance writes to before its first call.
    pub start: Written,
    /// By route: its cost, or why that is unknown.
    pub routes: Vec<Result<Cost, String>>,
}

/// Probe all routes. `load` returns the app's component in an unused pool, because a memory keeps the pages that were
/// written. The error is a user-facing message.
pub async fn of(app: &App, load: impl Fn() -> Result<LoadedComponent, String>) -> Result<Probe, String> {
    let mut routes = Vec::with_capacity(app.manifest.routes.len());
    for route in 0..app.manifest.routes.len() {
        let Some(args) = arguments(app, route) else {
            routes.push(Err("not tried: it needs arguments".to_owned()));
            continue;
        };
        let component = load()?;
        let trial = tokio::time::timeout(DEADLINE, cost(&component, route, &args, app.limits.max_response));
        routes.push(trial.await.unwrap_or_else(|_| Err("took longer than a second".to_owned())));
    }
    Ok(Probe { start: of_start(&load()?).await?, routes })
}

async fn begin(component: &LoadedComponent) -> Result<Instance, String> {
    let made = Instance::new(component, Execution::alone(), HttpClient::new(Arc::default())).await;
    made.map_err(|e| format!("it cannot be started: {e:#}"))
}

async fn of_start(component: &LoadedComponent) -> Result<Written, String> {
    let _alive = begin(component).await?;
    written(component)
}

/// The pages that the only instance of `component` has written to.
fn written(component: &LoadedComponent) -> Result<Written, String> {
    let memories = Maps::look().and_then(|maps| maps.written(&component.image)).unwrap_or_default();
    memories
        .into_iter()
        .max_by_key(|written| written.pages)
        .ok_or_else(|| "this system does not report written pages".to_owned())
}

/// Arguments from a path alone, if the route accepts them.
fn arguments(app: &App, index: usize) -> Option<Vec<u8>> {
    let route = &app.manifest.routes[index];
    let segments = route.path.split('/');
    let path: Vec<_> = segments.map(|part| if part.contains('{') { SAMPLE } else { part }).collect();
    let path = path.join("/");
    let found = app.router.find(Some(route.method), &path).ok().filter(|found| found.route == index)?;
    let head = Head {
        id: REQUEST,
        method: route.method.as_str(),
        scheme: "http",
        prefix: "",
        path: &path,
        client: None,
    };
    let input = Input { head, ..Input::default() };
    arguments::validate(&app.manifest, &app.router, &found, input, &mut Work::alone()).ok().map(|args| args.0)
}

async fn cost(component: &LoadedComponent, route: usize, args: &[u8], limit: usize) -> Result<Cost, String> {
    let mut first = None;
    let mut times = Vec::with_capacity(CALLS);
    for _ in 0..CALLS {
        let mut guest = begin(component).await?;
        let text = call(&mut guest, route, args).await?;
        if first.is_none() {
            first = Some((text, guest.last_error(), written(component)?));
        }
        let begun = Instant::now();
        drop(guest);
        times.push(begun.elapsed());
    }
    times.sort();
    let (text, why, written) = first.ok_or("not tried")?;
    let reply = reply::bytes(text).and_then(|data| reply::decode(&data, limit, &mut Work::alone()));
    let reply = reply.map_err(|error| Fault::from(error).logged())?;
    let why = why.filter(|_| reply.status >= 500);
    Ok(Cost { status: reply.status, why, written, wiping: times[CALLS / 2] })
}

async fn call(guest: &mut Instance, route: usize, args: &[u8]) -> Result<String, String> {
    let (reply, inbox) = oneshot::channel();
    let args = arguments::ValidArgs(args.to_vec()).into();
    let state = Arc::<CallState>::default();
    let asked = Call { request: REQUEST, route: route as u32, args, state, reply };
    let done = guest.enter(async |guest, app| {
        tokio::select! {
            biased;
            outcome = async { driver::call(guest, app, asked).await?; Ok(inbox.await.ok()) } => outcome,
            stopped = app.bolt_host_handlers().call_run(guest) => stopped.map(|()| None),
        }
    });
    let reply = done.await.map_err(|trap| format!("{trap:#}"))?;
    reply.map(|reply| reply.text).ok_or_else(|| "it does not reply".to_owned())
}
