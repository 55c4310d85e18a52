//! The pipeline of a request, from its head to its response.
//!
//! `serve` is the whole path, one line per step: route, receive the body, validate, call, respond.
//! The result of each step is the input of the next one.

use crate::apps::app::App;
use crate::apps::worker_apps::{Found, WorkerApp, WorkerApps};
use crate::codec::reply::{self, Flow, Reply};
use crate::codec::work::{Stop, Work};
use crate::error::{Failure, Fault, Overload, Rejection};
use crate::http::arguments;
use crate::http::body;
use crate::http::calling::{Answer, call, next_request};
use crate::http::file_body::{self, Wanted};
use crate::http::head::{self, Arrival, Peer, RequestBody};
use crate::http::response::{self, HttpResponse};
use crate::http::seen_request::SeenRequest;
use crate::http::socket::Socket;
use crate::http::stream_body::{StreamBody, StreamSource};
use crate::http::table;
use crate::http::upgrade::{self, Offer, Upgrade};
use crate::manifest::openapi_pages::Page;
use crate::manifest::router::{NoRoute, RouteMatch};
use crate::manifest::{Method, SleeperEvent};
use crate::pool::call::CallArgs;
use crate::sandbox::streams_host::{Flowing, FlowingSocket};
use crate::telemetry::access_log;
use crate::telemetry::counters::RequestInFlight;
use crate::topics::topic::Start;
use crate::validation::arguments::InvalidArgs;
use hyper::body::Body as _;
use hyper::header::ALLOW;
use hyper::http::HeaderValue;
use hyper::http::request::Parts;
use hyper::{Request, StatusCode, Version};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;
use tokio::time::Instant;

/// Answer one request, whatever happens, and log it.
pub async fn handle(apps: &Arc<WorkerApps>, peer: Peer, http: Request<impl RequestBody>) -> HttpResponse {
    let id = next_request();
    let (head, body) = http.into_parts();
    let mut line = access_log::Line::begin(id, &head);
    let outcome = answer(apps, &mut line, (id, peer), head, body).await;
    let mut response = outcome.unwrap_or_else(|failure| {
        if let Failure::Faulted(fault) = &failure {
            tracing::error!(request = id, "{}", fault.logged());
        }
        if let Some(limit) = failure.limit() {
            line.refused(limit);
        }
        response::from_failure(failure, id, apps.shows_errors())
    });
    // Whoever asks about it can name the request that the log names.
    if response.status().is_server_error() {
        response.headers_mut().entry(response::REQUEST_ID).or_insert(HeaderValue::from(id));
    }
    let status = response.status().as_u16();
    if let Some(socket) = Upgrade::of(&response) {
        socket.log(line, status);
    } else if let Some(stream) = response.body_mut().as_stream() {
        stream.log(line, status);
    } else {
        line.end(status, response.body().size_hint().lower());
    }
    response
}

async fn answer(
    apps: &Arc<WorkerApps>,
    line: &mut access_log::Line,
    (id, peer): (u64, Peer),
    mut head: Parts,
    body: impl RequestBody,
) -> Result<HttpResponse, Failure> {
    head::check_head(&mut head, peer.is_ambiguous)?;
    if head::is_for_the_server(&head) {
        return Ok(response::without_body(StatusCode::NO_CONTENT));
    }
    let Found { worker_app, prefix } = apps.find(head::host(&head), head.uri.path()).await?;
    if apps.is_many() {
        line.of(&worker_app.app.component.spec.name);
    }
    let prefix = head::strip_prefix(&mut head, prefix)?;
    let mut served = worker_app.counters.begin();
    let arrival = Arrival { id, peer, prefix: &prefix };
    let outcome = admitted((apps, &worker_app), arrival, head, body, &mut served).await;
    count(served, outcome)
}

/// Serve a request whose app is known, if the app admits it.
async fn admitted(
    (apps, worker_app): (&Arc<WorkerApps>, &Arc<WorkerApp>),
    arrival: Arrival<'_>,
    head: Parts,
    body: impl RequestBody,
    served: &mut RequestInFlight<'_>,
) -> Result<HttpResponse, Failure> {
    worker_app.admission.check()?;
    let app = &*worker_app.app;
    if let Some(page) = page(app, &head, arrival.prefix) {
        return Ok(response::from_page(page));
    }
    let mut seen = SeenRequest::of(app, arrival, &head);
    match serve((apps, worker_app), arrival, head, body, served, &mut seen).await {
        Err(Failure::Rejected(rejection)) => refuse(worker_app, arrival.id, rejection, seen).await,
        outcome => outcome,
    }
}

fn count(
    served: RequestInFlight<'_>,
    outcome: Result<HttpResponse, Failure>,
) -> Result<HttpResponse, Failure> {
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

/// The path of an admitted request, one line per step.
async fn serve(
    (apps, worker_app): (&Arc<WorkerApps>, &Arc<WorkerApp>),
    arrival: Arrival<'_>,
    head: Parts,
    body: impl RequestBody,
    served: &mut RequestInFlight<'_>,
    seen: &mut Option<SeenRequest>,
) -> Result<HttpResponse, Failure> {
    let app = &*worker_app.app;
    let found = route(app, &head, arrival.prefix)?;
    served.found(found.route);
    let offer = Offer::of((apps, app), found.route, &head, arrival)?;
    let mut sent = body::receive(body, &head.headers, app, found.route).await?;
    sent.socket = offer.as_ref().map(|offer| offer.terms(app));
    let deadline = Instant::now() + app.limits.deadline;
    let checked = arguments::check(app, arrival, &found, &head, &sent, &mut Work::brief());
    let (route, wanted) = (found.route, wanted(app, &head));
    // A client may ask for many replies and take none. Over HTTP/1.1 it waits for one at a time.
    let is_one_of_many = head.version == Version::HTTP_2;
    let args = match checked {
        // Boxed: it is rare, and its state would make the path of every request larger.
        Err(InvalidArgs::Stopped(Stop::Long)) => {
            Box::pin(arguments::check_again(&worker_app.app, arrival, head, sent, deadline, seen)).await?
        }
        Err(InvalidArgs::Invalid(errors)) if offer.is_some() => {
            return Err(Rejection::Unacceptable(errors).into());
        }
        Err(invalid) => {
            if let Some(seen) = seen {
                seen.add_body(app, arrival, &found, &head, sent);
            }
            return Err(invalid.into());
        }
        Ok(values) => {
            // Thousands of handlers may wait for long: the head alone keeps the 8 KiB that hyper read it into.
            drop(head);
            arguments::call_args(values, sent)?
        }
    };
    if offer.is_some() && app.manifest.sleeper(route, SleeperEvent::Disconnect).is_some() {
        return open(worker_app.clone(), (arrival.id, route), args, deadline, offer).await;
    }
    let mut answer = match &app.manifest.routes[route].query {
        // Boxed, as above.
        Some(query) => {
            Box::pin(table::answer(worker_app, (arrival.id, route), query, args, deadline)).await?
        }
        None => call(worker_app, arrival.id, route, args, deadline).await?,
    };
    if is_one_of_many && let reply::Body::Bytes(body) = &mut answer.reply.body {
        *body = app.bodies.keep_among_many(std::mem::take(body))?;
    }
    respond(worker_app, answer, wanted, offer).await
}

/// Open a socket that sleeps. Its handler runs to its end, also if the client leaves meanwhile, because an app that has accepted
/// a socket hears of its end.
async fn open(
    worker_app: Arc<WorkerApp>,
    (id, route): (u64, usize),
    args: CallArgs,
    deadline: Instant,
    offer: Option<Offer>,
) -> Result<HttpResponse, Failure> {
    let opening = tokio::spawn(async move {
        let answer = call(&worker_app, id, route, args, deadline).await?;
        respond(&worker_app, answer, Wanted::default(), offer).await
    });
    opening.await.unwrap_or_else(|_| Err(Fault::Lost.into()))
}

/// The conditional and range headers of a request. Only an app with folders can send files.
fn wanted(app: &App, head: &Parts) -> Wanted {
    let after = Wanted::last_event(&head.headers);
    let may_send = !app.component.spec.preopens.is_empty()
        && matches!(head.method, hyper::Method::GET | hyper::Method::HEAD);
    let mut wanted = if may_send { Wanted::of(&head.method, &head.headers) } else { Wanted::default() };
    wanted.after = after;
    wanted
}

async fn respond(
    worker_app: &WorkerApp,
    answer: Answer,
    wanted: Wanted,
    offer: Option<Offer>,
) -> Result<HttpResponse, Failure> {
    let Answer { id, route, mut reply, mut stream } = answer;
    let app = &*worker_app.app;
    if reply.body != reply::Body::Socket {
        // A handler of a socket that sleeps may refuse it after it has opened it.
        stream.take_if(|flowing| matches!(flowing, Flowing::Socket(socket) if socket.sleeper.is_some()));
    }
    match (&mut reply.body, stream, offer) {
        (reply::Body::Bytes(_), None, _) => Ok(response::from_reply(reply)?),
        (reply::Body::File(path), None, _) => {
            let file = file_body::open(&app.component.spec, path).await?;
            Ok(response::from_file(reply, file, wanted)?)
        }
        (reply::Body::Stream(flow), Some(Flowing::Handler(reader)), _) => {
            let flow = std::mem::replace(flow, Flow::Plain);
            streamed(worker_app, (id, route), reply, flow, StreamSource::Handler(reader))
        }
        (reply::Body::Stream(Flow::Plain), Some(Flowing::Proxied(body)), _) => {
            streamed(worker_app, (id, route), reply, Flow::Plain, StreamSource::Proxied(body))
        }
        (reply::Body::Stream(Flow::Plain), Some(Flowing::Rows(mut rows)), _) => {
            let whole = rows.whole().await.map_err(table::fault)?;
            let Some(whole) = whole else {
                return streamed(worker_app, (id, route), reply, Flow::Plain, StreamSource::Rows(rows));
            };
            reply.body = reply::Body::Bytes(whole);
            Ok(response::from_reply(reply)?)
        }
        (reply::Body::Stream(flow @ Flow::Events { topic: Some(_), .. }), None, _) => {
            let flow = std::mem::replace(flow, Flow::Plain);
            let source = topic(app, &flow, wanted.after).await?;
            streamed(worker_app, (id, route), reply, flow, source)
        }
        (reply::Body::Socket, Some(Flowing::Socket(flowing)), Some(offer)) => {
            let FlowingSocket { reader, inbox, sleeper } = flowing;
            let open = worker_app.counters.stream(route);
            Ok(offer.accept(reply, Socket::new(app, id, reader, inbox, open), sleeper)?)
        }
        _ => Err(Fault::BadReply("it opened a stream, or replied with one, and not both".to_owned()).into()),
    }
}

/// A response that is sent in parts, wherever they come from.
fn streamed(
    worker_app: &WorkerApp,
    (id, route): (u64, usize),
    reply: Reply,
    flow: Flow,
    source: StreamSource,
) -> Result<HttpResponse, Failure> {
    let open = worker_app.counters.stream(route);
    Ok(response::from_stream(reply, StreamBody::new(&worker_app.app, id, flow, source, open))?)
}

/// How long a client waits until the broker sends the events of a topic.
const LOADING: Duration = Duration::from_secs(2);

/// The events of a topic, after the last one that the client has seen. Who has the head of the response misses none.
async fn topic(app: &App, flow: &Flow, after: Option<u64>) -> Result<StreamSource, Failure> {
    let Flow::Events { topic: Some((name, closes)), .. } = flow else { return Err(Fault::Lost.into()) };
    let place = app.component.spec.streams.open().ok_or(Overload::Streams)?;
    let start = after.map_or(Start::Now, Start::After);
    let subscription = app.component.spec.topics.subscribe(name, start).map_err(Fault::BadReply)?;
    if subscription.poll_loaded(Waker::noop()).is_pending() {
        let loaded = poll_fn(|cx| subscription.poll_loaded(cx.waker()));
        // A broker that is away does not keep the client from hearing that it is there.
        let _ = tokio::time::timeout(LOADING, loaded).await;
    }
    Ok(StreamSource::Topic { subscription, closes: *closes, _place: place })
}

/// Let the app answer a request that was refused, if it has a handler for that.
async fn refuse(
    worker_app: &WorkerApp,
    id: u64,
    rejection: Rejection,
    seen: Option<SeenRequest>,
) -> Result<HttpResponse, Failure> {
    let app = &*worker_app.app;
    let (Some(seen), Some(route)) = (seen, app.manifest.refusal(rejection.status())) else {
        return Err(rejection.into());
    };
    let allow = match &rejection {
        Rejection::MethodNotAllowed { allow } => HeaderValue::from_str(allow).ok(),
        _ => None,
    };
    let args = seen.into_args(&rejection.told_to_app());
    let deadline = Instant::now() + app.limits.deadline;
    let answer = call(worker_app, id, route, args, deadline).await?;
    let mut response = respond(worker_app, answer, Wanted::default(), None).await?;
    // RFC 9110, 15.5.6: a 405 says what is allowed, whoever answers it.
    if let (Some(allow), StatusCode::METHOD_NOT_ALLOWED) = (allow, response.status()) {
        response.headers_mut().entry(ALLOW).or_insert(allow);
    }
    Ok(response)
}

/// A page of the app's API documentation, unless a handler has this very path. Routes with parameters do not hide it.
fn page(app: &App, head: &Parts, prefix: &str) -> Option<Page> {
    let docs = app.manifest.docs.as_ref()?;
    let path = head.uri.path();
    let is_page = matches!(head.method, hyper::Method::GET | hyper::Method::HEAD) && docs.has(path);
    if !is_page || app.router.has_fixed(Method::Get, path) {
        return None;
    }
    docs.page(path, prefix)
}

fn route<'h>(app: &App, head: &'h Parts, prefix: &str) -> Result<RouteMatch<'h>, Rejection> {
    let path = head.uri.path();
    if upgrade::is_wanted(head) {
        // A client may ask for more than there is: a route of this path may answer without.
        match app.router.find(Some(Method::WebSocket), path) {
            Err(_) if head.method == hyper::Method::GET => {}
            found => return found.map_err(|_| Rejection::NotFound),
        }
    }
    app.router.find(head::method(&head.method), path).map_err(|no_route| match no_route {
        NoRoute::NotFound => elsewhere(app, head, prefix).unwrap_or(Rejection::NotFound),
        NoRoute::MethodNotAllowed(allow) => Rejection::MethodNotAllowed { allow },
    })
}

/// What a client may not find unescaped in a path: browsers take `\` for `/`.
const ESCAPED: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'<')
    .add(b'>')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// A path as the target of a redirect. `None` if a browser would take it for another host.
fn local_path(prefix: &str, path: &str) -> Option<String> {
    let location =
        utf8_percent_encode(prefix, ESCAPED).to_string() + &utf8_percent_encode(path, ESCAPED).to_string();
    (location.starts_with('/') && !location.starts_with("//")).then_some(location)
}

/// The redirect for a path that is only wrong by its trailing slash.
fn elsewhere(app: &App, head: &Parts, prefix: &str) -> Option<Rejection> {
    if !app.manifest.redirect_slashes {
        return None;
    }
    let mut location = local_path(prefix, &app.router.other_slash(head.uri.path())?)?;
    if let Some(query) = head.uri.query() {
        location.push('?');
        location.push_str(query);
    }
    Some(Rejection::Elsewhere { location })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_stays_on_its_host() {
        for (prefix, path, location) in [
            ("", "/a/", Some("/a/")),
            ("/shop", "/a", Some("/shop/a")),
            ("", "/a%2Fb%5C/", Some("/a%2Fb%5C/")),
            ("", "/\\evil.example/", Some("/%5Cevil.example/")),
            ("/shop", "/\\evil.example/", Some("/shop/%5Cevil.example/")),
            ("/shop", "//evil.example", Some("/shop//evil.example")),
            ("", "/\t/evil.example/", Some("/%09/evil.example/")),
            ("", "/\u{e4}\u{202e}/", Some("/%C3%A4%E2%80%AE/")),
            ("", "/\r\nset-cookie: a=b/", Some("/%0D%0Aset-cookie:%20a=b/")),
            ("", "//evil.example/", None),
            ("", "///evil.example/", None),
            ("", "https://evil.example/", None),
            ("", "", None),
        ] {
            assert_eq!(local_path(prefix, path).as_deref(), location, "{prefix} {path}");
        }
    }
}
