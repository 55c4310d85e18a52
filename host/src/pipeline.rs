//! One request, from its head to its response.
//!
//! `serve` is the whole path, a line a step: route, receive the body, validate, call, respond.
//! Each step's result is the next one's input; nothing goes back.

use crate::accesslog;
use crate::app::App;
use crate::aside;
use crate::body::{self, Sent};
use crate::docs::Page;
use crate::fault::{Failure, Rejection};
use crate::files::{self, Wanted};
use crate::manifest::Method;
use crate::params::{self, Head, Input, ValidArgs};
use crate::reply::{self, Reply};
use crate::request::{self, RequestBody};
use crate::response::{self, HttpResponse};
use crate::route::{NoRoute, RouteMatch};
use crate::stats::Served;
use crate::table::{Found, Staff, Staffed};
use crate::ticket::Given;
use hyper::Request;
use hyper::http::request::Parts;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::time::Instant;

/// Requests are numbered for the life of the process; 0 stands for none.
static NEXT_REQUEST: AtomicU64 = AtomicU64::new(1);

pub fn next_request() -> u64 {
    NEXT_REQUEST.fetch_add(1, Ordering::Relaxed)
}

/// Who sent a request, and how it came.
#[derive(Debug, Clone, Copy)]
pub struct Peer {
    pub address: SocketAddr,
    pub is_secure: bool,
    /// Its head had both framings.
    pub is_ambiguous: bool,
}

/// Answer one request, whatever happens, and log it.
pub async fn handle(apps: &Staffed, peer: Peer, http: Request<impl RequestBody>) -> HttpResponse {
    let id = next_request();
    let (head, body) = http.into_parts();
    let mut line = accesslog::Line::begin(id, &head);
    let outcome = answer(apps, &mut line, (id, peer), head, body).await;
    let response = outcome.unwrap_or_else(|failure| {
        if let Failure::Faulted(fault) = &failure {
            tracing::error!(request = id, "{}", fault.logged());
        }
        response::from_failure(failure, id, apps.shows_errors())
    });
    line.end(&response);
    response
}

async fn answer(
    apps: &Staffed,
    line: &mut accesslog::Line,
    (id, peer): (u64, Peer),
    mut head: Parts,
    body: impl RequestBody,
) -> Result<HttpResponse, Failure> {
    request::check_head(&mut head, peer.is_ambiguous)?;
    let Found { staff, prefix } = apps.find(request::host(&head), head.uri.path()).await?;
    if apps.is_many() {
        line.of(&staff.app);
    }
    let prefix = request::strip_prefix(&mut head, prefix)?;
    let mut served = staff.stats.begin();
    let outcome = admitted(&staff, &prefix, (id, peer), head, body, &mut served).await;
    count(served, outcome)
}

/// A request whose app is found: let in, or sent away.
async fn admitted(
    staff: &Staff,
    prefix: &str,
    (id, peer): (u64, Peer),
    head: Parts,
    body: impl RequestBody,
    served: &mut Served<'_>,
) -> Result<HttpResponse, Failure> {
    staff.gate.check()?;
    let app = &*staff.app;
    if let Some(page) = page(app, &head, prefix) {
        return Ok(response::from_page(page));
    }
    let seen = own_refusals(app, (id, peer), &head);
    match serve(staff, prefix, (id, peer), head, body, served).await {
        Err(Failure::Rejected(rejection)) => refuse(staff, id, rejection, seen).await,
        outcome => outcome,
    }
}

fn count(served: Served<'_>, outcome: Result<HttpResponse, Failure>) -> Result<HttpResponse, Failure> {
    let status = match &outcome {
        Ok(response) => response.status().as_u16(),
        Err(Failure::Rejected(rejection)) => rejection.status(),
        Err(Failure::Overloaded(overload)) => {
            served.sent_away(*overload);
            overload.status()
        }
        Err(Failure::Faulted(fault)) => {
            served.faulted(fault);
            fault.status()
        }
    };
    served.end(status);
    outcome
}

/// The path of a request that is served, a line a step.
async fn serve(
    staff: &Staff,
    prefix: &str,
    (id, peer): (u64, Peer),
    head: Parts,
    body: impl RequestBody,
    served: &mut Served<'_>,
) -> Result<HttpResponse, Failure> {
    let app = &*staff.app;
    let found = route(app, &head, prefix)?;
    served.found(found.route);
    let sent = body::receive(body, &head.headers, app, found.route).await?;
    let args = validate(app, (id, peer), &found, &head, &sent)?;
    let (route, wanted) = (found.route, wanted(app, &head));
    let given = Given { args, uploads: sent.uploads, room: Some(sent.room) };
    // Thousands of handlers may wait for long: the head alone holds on to 8 KiB that hyper read it into.
    drop((head, sent.bytes, sent.form));
    let reply = call(staff, id, route, given).await?;
    respond(app, reply, wanted).await
}

/// What the client has of a file already, and the part it wants. Only an app with folders can send one.
fn wanted(app: &App, head: &Parts) -> Wanted {
    let may_send =
        !app.component.folders.is_empty() && matches!(head.method, hyper::Method::GET | hyper::Method::HEAD);
    if may_send { Wanted::of(&head.headers) } else { Wanted::default() }
}

async fn respond(app: &App, reply: Reply, wanted: Wanted) -> Result<HttpResponse, Failure> {
    let reply::Body::File(path) = &reply.body else { return Ok(response::from_reply(reply)?) };
    let file = files::open(&app.component.folders, path).await?;
    Ok(response::from_file(reply, file, wanted).await?)
}

/// The request as an app sees it that answers refusals itself. The head is gone when a refusal is known.
fn own_refusals(app: &App, (id, peer): (u64, Peer), head: &Parts) -> Option<Vec<u8>> {
    if app.manifest.refusals.is_empty() {
        return None;
    }
    let (headers, address) = (request::pairs(&head.headers), peer.address.ip().to_string());
    let query = head.uri.query();
    let head = request_head(head, id, peer, &address);
    Some(params::whole_request(Input { query, headers: &headers, head, ..Input::default() }))
}

/// Have the app answer a request that was refused, if it wants to.
async fn refuse(
    staff: &Staff,
    id: u64,
    rejection: Rejection,
    request: Option<Vec<u8>>,
) -> Result<HttpResponse, Failure> {
    let app = &*staff.app;
    let (Some(request), Some(route)) = (request, app.manifest.refusal(rejection.status())) else {
        return Err(rejection.into());
    };
    let args = params::refusal(&rejection.told_to_app(), &request);
    let reply = call(staff, id, route, args.into()).await?;
    respond(app, reply, Wanted::default()).await
}

/// `address`: that of the peer, where it is needed.
fn request_head<'r>(head: &'r Parts, id: u64, peer: Peer, address: &'r str) -> Head<'r> {
    let client = (address, peer.address.port());
    let scheme = if peer.is_secure { "https" } else { "http" };
    Head { id, method: head.method.as_str(), scheme, path: head.uri.path(), client: Some(client) }
}

/// The pages that describe the app, for paths that it does not serve itself.
fn page(app: &App, head: &Parts, prefix: &str) -> Option<Page> {
    let docs = app.manifest.docs.as_ref()?;
    let path = head.uri.path();
    let is_page = matches!(head.method, hyper::Method::GET | hyper::Method::HEAD) && docs.has(path);
    if !is_page || app.router.find(Some(Method::Get), path).is_ok() {
        return None;
    }
    docs.page(path, prefix)
}

fn route<'h>(app: &App, head: &'h Parts, prefix: &str) -> Result<RouteMatch<'h>, Rejection> {
    app.router.find(request::method(&head.method), head.uri.path()).map_err(|no_route| match no_route {
        NoRoute::NotFound => elsewhere(app, head, prefix).unwrap_or(Rejection::NotFound),
        NoRoute::MethodNotAllowed(allow) => Rejection::MethodNotAllowed { allow },
    })
}

/// A path that is wrong by its final slash.
fn elsewhere(app: &App, head: &Parts, prefix: &str) -> Option<Rejection> {
    if !app.manifest.redirect_slashes {
        return None;
    }
    let mut location = prefix.to_owned() + &app.router.other_slash(head.uri.path())?;
    // A browser takes this for another host.
    if location.starts_with("//") {
        return None;
    }
    if let Some(query) = head.uri.query() {
        location.push('?');
        location.push_str(query);
    }
    Some(Rejection::Elsewhere { location })
}

fn validate(
    app: &App,
    (id, peer): (u64, Peer),
    found: &RouteMatch<'_>,
    head: &Parts,
    sent: &Sent,
) -> Result<ValidArgs, Rejection> {
    let needs = app.manifest.routes[found.route].needs;
    let headers = if needs.headers || needs.request { request::pairs(&head.headers) } else { Vec::new() };
    let address = if needs.request { peer.address.ip().to_string() } else { String::new() };
    let input = Input {
        query: head.uri.query(),
        body: &sent.bytes,
        is_json: request::is_json(&head.headers),
        headers: &headers,
        form: sent.form.as_ref(),
        head: request_head(head, id, peer, &address),
    };
    Ok(params::validate(&app.manifest, &app.router, found, input)?)
}

/// Run the handler in an instance of its lane, and decode what it replies. The deadline covers the wait for an instance.
pub async fn call(staff: &Staff, id: u64, route: usize, given: Given) -> Result<Reply, Failure> {
    let deadline = Instant::now() + staff.app.limits.deadline;
    let _place = staff.gate.enter(deadline).await?;
    let text = staff.lanes.of(route).call(id, route, given, deadline).reply().await?;
    aside::decode(text, &staff.app).await
}
