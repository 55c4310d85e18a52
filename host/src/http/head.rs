//! Checks request heads, and reads whole request bodies.

use crate::config::limit_table::Limit;
use crate::error::{Failure, Rejection};
use crate::manifest::Method;
use crate::quota::body_budget::BodyReservation;
use crate::validation::arguments::Head;
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
use std::net::SocketAddr;
use std::time::Duration;

/// Who sent a request, and over what connection.
#[derive(Debug, Clone, Copy)]
pub struct Peer {
    pub address: SocketAddr,
    pub is_secure: bool,
    /// Its head had both framing headers.
    pub is_ambiguous: bool,
}

/// A request that found its app.
#[derive(Debug, Clone, Copy)]
pub struct Arrival<'p> {
    /// The request's number.
    pub id: u64,
    pub peer: Peer,
    /// The path prefix that selected the app. The request's path goes on behind it.
    pub prefix: &'p str,
}

/// The head as a handler may see it. `address`: the peer's, or empty where it is not needed.
pub fn request_head<'r>(head: &'r Parts, arrival: Arrival<'r>, address: &'r str) -> Head<'r> {
    let Arrival { id, peer, prefix } = arrival;
    let client = (address, peer.address.port());
    let scheme = if peer.is_secure { "https" } else { "http" };
    Head { id, method: head.method.as_str(), scheme, prefix, path: head.uri.path(), client: Some(client) }
}

/// Refuse ambiguous heads, which two parsers could understand in two ways. hyper lets these pass.
pub fn check_head(head: &mut Parts, two_framings: bool) -> Result<(), Rejection> {
    settle_host(head)?;
    if two_framings {
        return malformed("The request has both Content-Length and Transfer-Encoding");
    }
    if !head.uri.path().starts_with('/') && !is_for_the_server(head) {
        return malformed("The request target is not a path");
    }
    Ok(())
}

/// `OPTIONS *` asks for what the server can do as a whole (RFC 9110, 9.3.7): that it answers is the answer.
pub fn is_for_the_server(head: &Parts) -> bool {
    head.method == hyper::Method::OPTIONS && head.uri.path() == "*"
}

fn malformed<T>(sentence: &str) -> Result<T, Rejection> {
    Err(Rejection::Malformed(sentence.to_owned()))
}

/// Make the `Host` header the one host of a request, which selects the app and which the app sees. HTTP/2, and clients of
/// proxies, have it in the request target, which wins (RFC 9112, 3.2.2; RFC 9113, 8.3.1); a header may only repeat it.
fn settle_host(head: &mut Parts) -> Result<(), Rejection> {
    let mut hosts = head.headers.get_all(HOST).iter();
    let (given, another) = (hosts.next(), hosts.next());
    if another.is_some() {
        return malformed("The request has more than one Host header");
    }
    let told = match given {
        Some(host) if host.is_empty() => None,
        Some(host) => match Authority::try_from(host.as_bytes()) {
            Ok(host) if is_host(&host) => Some(host),
            _ => return malformed("The Host header is not a host"),
        },
        None if head.version == Version::HTTP_11 => return malformed("The request has no Host header"),
        None => None,
    };
    let Some(target) = head.uri.authority() else {
        let may_lack = given.is_some() || head.version == Version::HTTP_10;
        return if may_lack { Ok(()) } else { malformed("The request has no Host header") };
    };
    if !is_host(target) {
        return malformed("The host of the request target is not a host");
    }
    let is_told = given.is_some();
    if is_told && !told.as_ref().is_some_and(|told| is_same(told, target, head.uri.scheme_str())) {
        return malformed("The Host header is not the host of the request target");
    }
    let settled = HeaderValue::from_str(target.as_str());
    let settled = settled.or_else(|_| malformed("The host of the request target is not a host"))?;
    head.headers.insert(HOST, settled);
    Ok(())
}

/// A host with or without a port, and nothing else.
fn is_host(authority: &Authority) -> bool {
    let (whole, name) = (authority.as_str(), authority.host());
    let Some(rest) = whole.strip_prefix(name) else { return false };
    let is_port = |port: &str| {
        port.is_empty() || port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok()
    };
    !name.is_empty() && (rest.is_empty() || rest.strip_prefix(':').is_some_and(is_port))
}

/// Whether both mean the same host and port.
fn is_same(one: &Authority, other: &Authority, scheme: Option<&str>) -> bool {
    let usual = if scheme == Some("https") { 443 } else { 80 };
    let name = |host: &'_ Authority| {
        let name = host.host();
        name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
    };
    let port = |host: &Authority| host.port_u16().unwrap_or(usual);
    name(one) == name(other) && port(one) == port(other)
}

/// The host that a request is for, with its port.
pub fn host(head: &Parts) -> &str {
    head.headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default()
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

pub const NOT_WELL_FORMED: &str = "The request body is not well formed";

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

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::Request;

    fn settled(version: Version, target: &str, hosts: &[&str]) -> Result<String, String> {
        let mut request = Request::builder().version(version).uri(target);
        for host in hosts {
            request = request.header(HOST, *host);
        }
        let (mut head, ()) = request.body(()).unwrap().into_parts();
        match check_head(&mut head, false) {
            Ok(()) => Ok(host(&head).to_owned()),
            Err(Rejection::Malformed(sentence)) => Err(sentence),
            Err(other) => Err(format!("{other:?}")),
        }
    }

    #[test]
    fn a_request_has_one_host() {
        const H1: Version = Version::HTTP_11;
        const H2: Version = Version::HTTP_2;
        for (version, target, hosts, seen) in [
            (H1, "/", &["a.example"][..], "a.example"),
            (H1, "/", &["A.Example.:80"], "A.Example.:80"),
            (H1, "/", &["[::1]:8000"], "[::1]:8000"),
            (H1, "/", &["a.example:"], "a.example:"),
            (H1, "/", &[""], ""),
            (Version::HTTP_10, "/", &[], ""),
            (Version::HTTP_10, "http://a.example/", &[], "a.example"),
            (H1, "http://a.example/", &["a.example"], "a.example"),
            (H1, "http://a.example/", &["A.EXAMPLE."], "a.example"),
            (H1, "http://a.example:80/", &["a.example"], "a.example:80"),
            (H2, "https://a.example/", &["a.example:443"], "a.example"),
            (H2, "https://a.example/", &[], "a.example"),
            (H2, "/", &["a.example"], "a.example"),
        ] {
            assert_eq!(settled(version, target, hosts).as_deref(), Ok(seen), "{target} {hosts:?}");
        }
        for (version, target, hosts) in [
            (H1, "/", &[][..]),
            (H2, "/", &[]),
            (H1, "/", &["a.example", "a.example"]),
            (H1, "/", &["a.example", ""]),
            (H1, "/", &["a.example:x"]),
            (H1, "/", &["a.example:65536"]),
            (H1, "/", &["a.example:+1"]),
            (H1, "/", &["a.example:80:80"]),
            (H1, "/", &["user@a.example"]),
            (H1, "/", &["a.example@b.example"]),
            (H1, "/", &["a.example/b"]),
            (H1, "/", &["a b"]),
            (H1, "/", &[":80"]),
            (H1, "http://a.example/", &[]),
            (H1, "http://a.example/", &[""]),
            (H1, "http://a.example/", &["b.example"]),
            (H1, "http://a.example/", &["a.example:81"]),
            (H1, "http://a.example:81/", &["a.example"]),
            (H1, "http://user@a.example/", &["user@a.example"]),
            (H2, "http://a.example/", &["b.example"]),
            (H2, "http://a.example/", &["a.example:443"]),
            (H2, "http://a.example/", &["a.example", "a.example"]),
            (H2, "http://user@a.example/", &[]),
        ] {
            assert!(settled(version, target, hosts).is_err(), "{version:?} {target} {hosts:?}");
        }
    }
}
