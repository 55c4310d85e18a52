//! A request as the app sees it that answers refused requests itself.

use crate::apps::app::App;
use crate::http::body::ReceivedBody;
use crate::http::head::{self, Arrival};
use crate::manifest::router::RouteMatch;
use crate::pool::call::CallArgs;
use crate::quota::body_budget::BodyReservation;
use crate::sandbox::host_state::Attachments;
use crate::validation::arguments::{self, Input};
use hyper::http::request::Parts;
use jiter::JsonValue;

/// A request as the app gets it, marshalled: its head is gone by the time that it is refused.
pub struct SeenRequest {
    request: Vec<u8>,
    /// Body budget of the body in it.
    reservation: Option<BodyReservation>,
}

impl SeenRequest {
    /// The head of a request, if the app answers any refusal itself.
    pub fn of(app: &App, arrival: Arrival<'_>, head: &Parts) -> Option<Self> {
        if app.manifest.refusals.is_empty() {
            return None;
        }
        Some(Self { request: marshalled(app, arrival, None, head, &[]), reservation: None })
    }

    /// The request found its route and has a body, but is not valid.
    pub fn add_body(
        &mut self,
        app: &App,
        arrival: Arrival<'_>,
        found: &RouteMatch<'_>,
        head: &Parts,
        sent: ReceivedBody,
    ) {
        self.request = marshalled(app, arrival, Some(found), head, &sent.bytes);
        self.reservation = Some(sent.reservation);
    }

    /// The arguments of the handler that answers; `told`: why it was refused.
    pub fn into_args(self, told: &JsonValue<'_>) -> CallArgs {
        let values = arguments::refusal(told, &self.request);
        CallArgs { values, attachments: Attachments::default(), reservation: self.reservation }
    }
}

fn marshalled(
    app: &App,
    arrival: Arrival<'_>,
    found: Option<&RouteMatch<'_>>,
    head: &Parts,
    body: &[u8],
) -> Vec<u8> {
    let (headers, address) = (head::pairs(&head.headers), arrival.peer.address.ip().to_string());
    let head_values = head::request_head(head, arrival, &address);
    let input =
        Input { query: head.uri.query(), body, headers: &headers, head: head_values, ..Input::default() };
    arguments::whole_request(&app.manifest, &app.router, found, input)
}
