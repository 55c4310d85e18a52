//! One request, from its head to its response.
//!
//! [`answer`] is the whole path, a line a step: route, read the body, validate, call, decode.
//! Each step's result is the next one's input; nothing goes back.

use crate::app::{App, Lanes, Staffed};
use crate::fault::{Failure, Rejection};
use crate::params::{self, BadArgs, Input, ValidArgs};
use crate::request;
use crate::response::{self, HttpResponse};
use crate::route::{NoRoute, RouteMatch};
use crate::{accesslog, reply};
use hyper::Request;
use hyper::body::Incoming;
use hyper::http::request::Parts;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::time::Instant;

/// Requests are numbered for the life of the process; 0 stands for none.
static NEXT_REQUEST: AtomicU64 = AtomicU64::new(1);

/// Answer one request, whatever happens, and log it.
/// `ambiguous`: its head had both framings.
pub async fn handle(apps: &Staffed, ambiguous: bool, http: Request<Incoming>) -> HttpResponse {
    let id = NEXT_REQUEST.fetch_add(1, Ordering::Relaxed);
    let (head, body) = http.into_parts();
    let line = accesslog::Line::begin(id, &head);
    let outcome = answer(apps, id, ambiguous, head, body).await;
    let response = outcome.unwrap_or_else(|failure| {
        if let Failure::Faulted(fault) = &failure {
            tracing::error!(request = id, "{}", fault.logged());
        }
        response::from_failure(failure, id)
    });
    line.end(&response);
    response
}

async fn answer(
    apps: &Staffed,
    id: u64,
    ambiguous: bool,
    head: Parts,
    body: Incoming,
) -> Result<HttpResponse, Failure> {
    request::check_head(&head, ambiguous)?;
    let (app, lanes) = apps.find().ok_or(Rejection::NotFound)?;
    let found = route(app, &head)?;
    let body = request::read_body(body, app.limits.max_body, app.limits.body_timeout).await?;
    let args = validate(app, &found, &head, &body)?;
    let route = found.route;
    // Thousands of handlers may wait for long: the head alone holds on to 8 KiB that hyper read it into.
    drop((head, body));
    let reply = call(app, lanes, id, route, args).await?;
    let reply = reply::decode(reply, app.limits.max_response)?;
    Ok(response::from_reply(reply)?)
}

fn route<'h>(app: &App, head: &'h Parts) -> Result<RouteMatch<'h>, Rejection> {
    app.router.find(request::method(&head.method), head.uri.path()).map_err(|no_route| match no_route {
        NoRoute::NotFound => Rejection::NotFound,
        NoRoute::MethodNotAllowed(allow) => Rejection::MethodNotAllowed { allow },
    })
}

fn validate(app: &App, found: &RouteMatch<'_>, head: &Parts, body: &[u8]) -> Result<ValidArgs, Rejection> {
    let input = Input { query: head.uri.query(), body, is_json: request::is_json(&head.headers) };
    params::validate(&app.manifest, &app.router, found, input).map_err(|bad| match bad {
        BadArgs::Malformed(sentence) => Rejection::Malformed(sentence),
        BadArgs::Invalid(errors) => Rejection::Invalid(errors),
    })
}

/// Run the handler in an instance of its lane. The deadline covers the wait for one.
async fn call(app: &App, lanes: &Lanes, id: u64, route: usize, args: ValidArgs) -> Result<String, Failure> {
    let deadline = Instant::now() + app.limits.deadline;
    Ok(lanes.of(route).call(id, route, args, deadline).reply().await?)
}
