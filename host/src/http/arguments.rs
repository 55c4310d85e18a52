//! Makes a handler's arguments of a received request: at once if that is brief, else on a background thread. What it costs
//! depends on what the client sends and on what the app declares, and other connections of the worker would wait.

use crate::apps::app::App;
use crate::codec::work::Work;
use crate::error::{Failure, Fault};
use crate::http::body::ReceivedBody;
use crate::http::head::{self, Arrival};
use crate::http::seen_request::SeenRequest;
use crate::manifest::router::RouteMatch;
use crate::pool::call::CallArgs;
use crate::sandbox::host_state::Attachments;
use crate::validation::arguments::{self, Input, InvalidArgs, ValidArgs};
use hyper::http::request::Parts;
use std::sync::Arc;
use tokio::time::Instant;

/// Check a request.
pub fn check(
    app: &App,
    arrival: Arrival<'_>,
    found: &RouteMatch<'_>,
    head: &Parts,
    sent: &ReceivedBody,
    work: &mut Work,
) -> Result<ValidArgs, InvalidArgs> {
    let needs = app.manifest.routes[found.route].needs;
    let headers = if needs.headers || needs.request { head::pairs(&head.headers) } else { Vec::new() };
    let address = if needs.request { arrival.peer.address.ip().to_string() } else { String::new() };
    let parsed = if sent.is_url_encoded { Some(arguments::parse_form(&sent.bytes, work)?) } else { None };
    let input = Input {
        query: head.uri.query(),
        body: &sent.bytes,
        is_body_flowing: sent.flow.is_some(),
        is_json: head::is_json(&head.headers),
        headers: &headers,
        form: parsed.as_ref().or(sent.form.as_ref()),
        head: head::request_head(head, arrival, &address),
    };
    arguments::validate(&app.manifest, &app.router, found, input, work)
}

/// Check a request again, in the background.
pub async fn check_again(
    app: &Arc<App>,
    arrival: Arrival<'_>,
    head: Parts,
    sent: ReceivedBody,
    deadline: Instant,
    seen: &mut Option<SeenRequest>,
) -> Result<CallArgs, Failure> {
    let (own, prefix, Arrival { id, peer, .. }) = (app.clone(), arrival.prefix.to_owned(), arrival);
    let mut kept = seen.take();
    let check = move |work: &mut Work| {
        let found = own.router.find(head::method(&head.method), head.uri.path()).ok()?;
        let arrival = Arrival { id, peer, prefix: &prefix };
        match check(&own, arrival, &found, &head, &sent, work) {
            Ok(values) => Some((Ok((values, sent)), kept)),
            Err(invalid) => {
                if let Some(seen) = &mut kept {
                    seen.add_body(&own, arrival, &found, &head, sent);
                }
                Some((Err(invalid), kept))
            }
        }
    };
    let (checked, kept) =
        app.checking.run(app.bodies.reserve(), deadline, check).await?.ok_or(Fault::Lost)?;
    // Also what is valid may still be refused, such as for a file that is not there.
    *seen = kept;
    let (values, sent) = checked?;
    call_args(values, sent)
}

/// A call's arguments, with what they keep of the request.
pub fn call_args(values: ValidArgs, sent: ReceivedBody) -> Result<CallArgs, Failure> {
    let mut reservation = sent.reservation;
    // Defaults may make more of a body than it was.
    reservation.grow(values.0.len().saturating_sub(sent.bytes.len()))?;
    let attachments =
        Attachments { uploads: sent.uploads, body: sent.flow, socket: sent.socket, sleeper: None };
    Ok(CallArgs { values, attachments, reservation: Some(reservation) })
}
