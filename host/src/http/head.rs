//! Checks request heads, and reads whole request bodies.

use crate::config::limit_table::Limit;
use crate::error::{Failure, Rejection};
use crate::manifest::Method;
use crate::quota::body_budget::BodyReservation;
use crate::validation::named_values::Pair;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use http_body_util::BodyExt;
use hyper::body::Body;
use hyper::header::{CONTENT_TYPE, HOST, HeaderValue};
use hyper::http::request::Parts;
use hyper::http::uri::{Authority, PathAndQuery};
use hyper::{HeaderMap, Uri, Version};
use std::borrow::Cow;
use std::time::Duration;

/// Refuse ambiguous heads, which two parsers could understand in two ways. hyper lets these pass.
pub fn check_head(head: &mut Parts, two_framings: bool) -> Result<(), Rejection> {
    let malformed = |sentence: &str| Err(Rejection::Malformed(sentence.to_owned()));
    // HTTP/2 has the host in the request target. Apps expect it in the header.
    if head.version == Version::HTTP_2
        && !head.headers.contains_key(HOST)
        && let Some(host) = head.uri.authority()
        && let Ok(host) = HeaderValue::from_str(host.as_str())
    {
        head.headers.insert(HOST, host);
    }
    let mut hosts = head.headers.get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (_, Some(_)) => return malformed("The request has more than one Host header"),
        (None, None) if head.version != Version::HTTP_10 => {
            return malformed("The request has no Host header");
        }
        (Some(host), None) if !host.is_empty() && Authority::try_from(host.as_bytes()).is_err() => {
            return malformed("The Host header is not a host");
        }
        _ => {}
    }
    if two_framings {
        return malformed("The request has both Content-Length and Transfer-Encoding");
    }
    if !head.uri.path().starts_with('/') {
        return malformed("The request target is not a path");
    }
    Ok(())
}

/// The host that a request is for, with its port.
pub fn host(head: &Parts) -> &str {
    let named = head.uri.authority().map(Authority::as_str);
    named.or_else(|| head.headers.get(HOST)?.to_str().ok()).unwrap_or_default()
}

/// Strip the first `length` bytes from the path, and return them.
pub fn strip_prefix(head: &mut Parts, length: usize) -> Result<String, Rejection> {
    if length == 0 {
        return Ok(String::new());
    }
    let whole = head.uri.path_and_query().map_or("", PathAndQuery::as_str);
    let (prefix, rest) = whole.split_at_checked(length).unwrap_or((whole, ""));
    let slash = if rest.starts_with('/') { "" } else { "/" };
    let uri = Uri::try_from(format!("{slash}{rest}"));
    let prefix = prefix.to_owned();
    head.uri = uri.map_err(|_| Rejection::Malformed("The request target is not a path".to_owned()))?;
    Ok(prefix)
}

pub fn method(method: &hyper::Method) -> Option<Method> {
    Method::parse(method.as_str())
}

/// Headers as text. Names are in lower case; values are latin-1, as Python reads them.
pub fn pairs(headers: &HeaderMap) -> Vec<Pair<'_>> {
    let text = |value: &'_ [u8]| -> String { value.iter().map(|byte| char::from(*byte)).collect() };
    headers
        .iter()
        .map(|(name, value)| {
            let value = match value.to_str() {
                Ok(ascii) => Cow::Borrowed(ascii),
                Err(_) => Cow::Owned(text(value.as_bytes())),
            };
            (Cow::Borrowed(name.as_str()), value)
        })
        .collect()
}

/// `application/json`, or a type that ends in `+json`.
pub fn is_json(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()) else { return false };
    let essence = value.split(';').next().unwrap_or_default().trim();
    let Some((kind, subtype)) = essence.split_once('/') else { return false };
    let suffixed =
        subtype.len() >= 5 && subtype.as_bytes()[subtype.len() - 5..].eq_ignore_ascii_case(b"+json");
    kind.eq_ignore_ascii_case("application") && (subtype.eq_ignore_ascii_case("json") || suffixed)
}

/// The body of a request: hyper's, or that of an embedding server.
pub trait RequestBody: Body<Data = Bytes, Error: Into<BodyError>> + Unpin + Send + 'static {}

impl<B: Body<Data = Bytes, Error: Into<BodyError>> + Unpin + Send + 'static> RequestBody for B {}

pub type BodyError = Box<dyn std::error::Error + Send + Sync>;

const NOT_WELL_FORMED: &str = "The request body is not well formed";

/// Bytes of a body that are read before the task yields.
const AT_ONCE: usize = 32 * 1024;

/// Read the whole body, of at most `limit` bytes, within `patience`.
pub async fn read_body(
    body: impl RequestBody,
    limit: usize,
    patience: Duration,
    reservation: &mut BodyReservation,
) -> Result<Bytes, Failure> {
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    if body.size_hint().lower() > limit as u64 {
        return Err(Rejection::TooLarge { most: limit, limit: Limit::MaxBody }.into());
    }
    tokio::time::timeout(patience, collect(body, limit, reservation))
        .await
        .map_err(|_| Rejection::BodyTimeout)?
}

async fn collect(
    body: impl RequestBody,
    limit: usize,
    reservation: &mut BodyReservation,
) -> Result<Bytes, Failure> {
    let mut first = Bytes::new();
    let mut joined = BytesMut::new();
    let mut at_once = 0;
    // The stream leaves out trailers.
    let mut parts = body.into_data_stream().map(|part| part.map_err(|_| NOT_WELL_FORMED));
    while let Some(part) = parts.next().await {
        let data = part.map_err(|why| Rejection::Malformed(why.to_owned()))?;
        if first.len() + joined.len() + data.len() > limit {
            return Err(Rejection::TooLarge { most: limit, limit: Limit::MaxBody }.into());
        }
        reservation.grow(data.len())?;
        at_once += data.len();
        if at_once > AT_ONCE {
            at_once = 0;
            tokio::task::yield_now().await;
        }
        if first.is_empty() && joined.is_empty() {
            // Most bodies arrive in one piece, which is then not copied.
            first = data;
            continue;
        }
        if joined.is_empty() {
            joined.extend_from_slice(&std::mem::take(&mut first));
        }
        joined.extend_from_slice(&data);
    }
    Ok(if joined.is_empty() { first } else { joined.freeze() })
}
