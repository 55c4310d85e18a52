//! The head of an outbound request, as a guest writes it.

use crate::sandbox::http_client::{self, Sending};
use crate::sandbox::problem::Problem;
use hyper::Request;
use hyper::header::{HeaderName, HeaderValue};
use serde::Deserialize;
use std::time::Duration;

/// Most bytes of a head. It is checked before anything is made of them.
const MOST_BYTES: usize = 64 * 1024;

/// Longest time that a guest may set for a wait, in seconds: a day.
const LONGEST: f64 = 86_400.0;

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

#[derive(Deserialize)]
struct Head {
    method: String,
    url: String,
    headers: Vec<(String, String)>,
    timeout: Option<f64>,
}

/// A request without its body, and where it goes.
pub struct RequestHead {
    pub request: Request<Sending>,
    pub host: String,
    pub port: u16,
    /// Of each wait for the server.
    pub timeout: Option<Duration>,
}

fn invalid(what: impl Into<String>) -> Problem {
    Problem::new("invalid", what)
}

impl RequestHead {
    /// `json`: see `begin` in `wit/bolt.wit`. With `is_open` the body's end is not known.
    pub fn parse(json: &str, is_open: bool) -> Result<Self, Problem> {
        if json.len() > MOST_BYTES {
            return Err(invalid(format!("the URL and the headers have more than {MOST_BYTES} bytes")));
        }
        let head: Head =
            serde_json::from_str(json).map_err(|e| invalid(format!("the request is malformed: {e}")))?;
        let mut request =
            Request::builder().method(&*head.method).uri(&*head.url).body(Sending::Whole(None)).map_err(
                |e| invalid(format!("the request cannot be sent: {e}: {} {}", head.method, head.url)),
            )?;
        if request.method() == hyper::Method::CONNECT {
            return Err(invalid("CONNECT is not supported"));
        }
        if request.uri().authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return Err(invalid(
                "a URL must not contain a user name or password: send an authorization header",
            ));
        }
        let (host, port) = http_client::target(request.uri())?;
        for (name, value) in &head.headers {
            let lower = name.to_ascii_lowercase();
            if OWN_HEADERS.contains(&&*lower) || (lower == "content-length" && !is_open) {
                continue;
            }
            let name: HeaderName =
                lower.parse().map_err(|_| invalid(format!("{name:?} is not a header name")))?;
            let value: Vec<u8> = value.chars().map(|c| u8::try_from(c).unwrap_or(b'?')).collect();
            let value = HeaderValue::from_bytes(&value)
                .map_err(|_| invalid(format!("the value of header {name} cannot be sent")))?;
            let added = request.headers_mut().try_append(name, value);
            added.map_err(|_| invalid("there are too many headers"))?;
        }
        let timeout = head.timeout.filter(|seconds| seconds.is_finite() && *seconds >= 0.0);
        let timeout = timeout.map(|seconds| Duration::from_secs_f64(seconds.min(LONGEST)));
        Ok(Self { request, host, port, timeout })
    }
}
