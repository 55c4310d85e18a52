//! Whether a request may become a WebSocket, and what the answer says: RFC 6455, 4.2, and RFC 8441 for HTTP/2.
//!
//! Headers come as a function from a name to the values of its lines, so that this knows no HTTP library's map.

use crate::websocket::negotiation::{self, Agreement};
use headers::{Header, HeaderValue, SecWebsocketAccept, SecWebsocketKey};

/// The version that we speak, for `Sec-WebSocket-Version`.
pub const VERSION: &str = "13";

/// What a client asks for, when it may have a WebSocket.
#[derive(Debug, PartialEq, Eq)]
pub struct Handshake {
    /// The `Sec-WebSocket-Accept` of the answer; HTTP/2 has none.
    pub accept: Option<String>,
    /// The subprotocols that it offers, those that it prefers first. The app chooses one of them, or none.
    pub protocols: Vec<String>,
    /// Compression, if it is offered in a form that we can do.
    pub compression: Option<Agreement>,
}

/// Why a request cannot become a WebSocket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("a WebSocket is opened with GET")]
    Method,
    #[error("Connection does not list upgrade")]
    Connection,
    /// The answer has to name [`VERSION`].
    #[error("Sec-WebSocket-Version is not 13")]
    Version,
    #[error("Sec-WebSocket-Key is not 16 bytes as base64")]
    Key,
    #[error("Sec-WebSocket-Protocol is not a list of different tokens")]
    Protocols,
    /// It would stand where the frames are expected.
    #[error("a WebSocket is opened without a body")]
    Body,
}

impl Refusal {
    pub fn status(self) -> u16 {
        match self {
            Self::Method => 405,
            Self::Version => 426,
            Self::Connection | Self::Key | Self::Protocols | Self::Body => 400,
        }
    }
}

/// Whether a request of HTTP/1.1 asks for a WebSocket at all. Others are answered as if it had no `Upgrade`.
pub fn is_wanted<'a, V: IntoIterator<Item = &'a [u8]>>(values: impl Fn(&'static str) -> V) -> bool {
    lists(values("upgrade"), "websocket")
}

/// Check a request of HTTP/1.1 that [`is_wanted`].
pub fn check_http1<'a, V: IntoIterator<Item = &'a [u8]>>(
    method: &str,
    values: impl Fn(&'static str) -> V,
) -> Result<Handshake, Refusal> {
    if method != "GET" {
        return Err(Refusal::Method);
    }
    if !lists(values("connection"), "upgrade") {
        return Err(Refusal::Connection);
    }
    let has_length = values("content-length").into_iter().any(|length| length != b"0");
    if has_length || values("transfer-encoding").into_iter().next().is_some() {
        return Err(Refusal::Body);
    }
    let handshake = check(&values)?;
    let accept = only(values("sec-websocket-key")).and_then(accept);
    Ok(Handshake { accept: Some(accept.ok_or(Refusal::Key)?), ..handshake })
}

/// Check a request of HTTP/2 whose method is CONNECT and whose `:protocol` is `websocket`.
pub fn check_http2<'a, V: IntoIterator<Item = &'a [u8]>>(
    values: impl Fn(&'static str) -> V,
) -> Result<Handshake, Refusal> {
    check(&values)
}

/// What is the same for both.
fn check<'a, V: IntoIterator<Item = &'a [u8]>>(
    values: &impl Fn(&'static str) -> V,
) -> Result<Handshake, Refusal> {
    if only(values("sec-websocket-version")) != Some(VERSION.as_bytes()) {
        return Err(Refusal::Version);
    }
    let protocols = protocols(values("sec-websocket-protocol"))?;
    let compression = negotiation::agree(values("sec-websocket-extensions"));
    Ok(Handshake { accept: None, protocols, compression })
}

/// The value of a header that may have one line.
fn only<'a>(values: impl IntoIterator<Item = &'a [u8]>) -> Option<&'a [u8]> {
    let mut values = values.into_iter();
    values.next().filter(|_| values.next().is_none()).map(<[u8]>::trim_ascii)
}

/// The elements of a list that may have several lines. It may have empty elements.
fn elements<'a>(values: impl IntoIterator<Item = &'a [u8]>) -> impl Iterator<Item = &'a [u8]> {
    let elements = values.into_iter().flat_map(|value| value.split(|&byte| byte == b','));
    elements.map(<[u8]>::trim_ascii).filter(|element| !element.is_empty())
}

fn lists<'a>(values: impl IntoIterator<Item = &'a [u8]>, wanted: &str) -> bool {
    elements(values).any(|element| element.eq_ignore_ascii_case(wanted.as_bytes()))
}

fn protocols<'a>(values: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<String>, Refusal> {
    let mut protocols: Vec<String> = Vec::new();
    for element in elements(values) {
        let name = negotiation::token(element).ok_or(Refusal::Protocols)?;
        if protocols.iter().any(|known| known == name) {
            return Err(Refusal::Protocols);
        }
        protocols.push(name.to_owned());
    }
    Ok(protocols)
}

/// The proof that we have read the key; `None` when that is not 16 bytes as base64.
fn accept(key: &[u8]) -> Option<String> {
    let (digits, padding) = key.split_at_checked(22)?;
    let is_digit = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    if padding != b"==" || !digits.iter().all(is_digit) {
        return None;
    }
    let key = HeaderValue::from_bytes(key).ok()?;
    let key = SecWebsocketKey::decode(&mut [&key].into_iter()).ok()?;
    let mut accept: Vec<HeaderValue> = Vec::new();
    SecWebsocketAccept::from(key).encode(&mut accept);
    Some(accept.first()?.to_str().ok()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
    const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

    type Lines = Vec<(&'static str, &'static str)>;

    fn values(lines: &Lines) -> impl Fn(&'static str) -> Vec<&[u8]> {
        move |wanted| {
            lines.iter().filter(|(name, _)| *name == wanted).map(|(_, value)| value.as_bytes()).collect()
        }
    }

    /// A request that is fine, but for the lines of these names.
    fn request(changed: &[(&'static str, &'static str)]) -> Lines {
        let fine = [
            ("upgrade", "websocket"),
            ("connection", "Upgrade"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", KEY),
        ];
        let kept = fine.into_iter().filter(|(name, _)| !changed.iter().any(|(other, _)| other == name));
        kept.chain(changed.iter().copied().filter(|(_, value)| *value != "absent")).collect()
    }

    #[test]
    fn the_example_of_the_rfc() {
        let lines = request(&[("sec-websocket-protocol", "chat, superchat")]);
        assert!(is_wanted(values(&lines)));
        let handshake = check_http1("GET", values(&lines)).unwrap();
        assert_eq!(handshake.accept.as_deref(), Some(ACCEPT));
        assert_eq!(handshake.protocols, ["chat", "superchat"]);
        assert_eq!(handshake.compression, None);
    }

    #[test]
    fn requests_that_are_accepted() {
        for changed in [
            &[("connection", "keep-alive, Upgrade")][..],
            &[("connection", "keep-alive"), ("connection", " ,UPGRADE")],
            &[("upgrade", "h2c, WebSocket")],
            &[("upgrade", "h2c"), ("upgrade", "websocket")],
            &[("content-length", "0")],
            &[("sec-websocket-protocol", "")],
            &[("sec-websocket-version", " 13 ")],
        ] {
            let lines = request(changed);
            assert!(is_wanted(values(&lines)), "{changed:?}");
            let handshake = check_http1("GET", values(&lines)).unwrap();
            assert_eq!((handshake.accept.as_deref(), handshake.protocols.len()), (Some(ACCEPT), 0));
        }
    }

    #[test]
    fn requests_that_want_something_else() {
        for upgrade in ["absent", "h2c", "websockets", "web socket", ""] {
            assert!(!is_wanted(values(&request(&[("upgrade", upgrade)]))), "{upgrade}");
        }
    }

    #[test]
    fn requests_that_are_refused() {
        let lines = request(&[]);
        for method in ["POST", "get", "CONNECT"] {
            assert_eq!(check_http1(method, values(&lines)), Err(Refusal::Method));
        }
        for (changed, refusal, status) in [
            (&[("connection", "absent")][..], Refusal::Connection, 400),
            (&[("connection", "keep-alive")], Refusal::Connection, 400),
            (&[("connection", "no-upgrade")], Refusal::Connection, 400),
            (&[("sec-websocket-version", "absent")], Refusal::Version, 426),
            (&[("sec-websocket-version", "8")], Refusal::Version, 426),
            (&[("sec-websocket-version", "13, 8")], Refusal::Version, 426),
            (&[("sec-websocket-version", "13"), ("sec-websocket-version", "13")], Refusal::Version, 426),
            (&[("sec-websocket-key", "absent")], Refusal::Key, 400),
            (&[("sec-websocket-key", "")], Refusal::Key, 400),
            (&[("sec-websocket-key", "dGhlIHNhbXBsZQ==")], Refusal::Key, 400),
            (&[("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZSE=")], Refusal::Key, 400),
            (&[("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZSEh")], Refusal::Key, 400),
            (&[("sec-websocket-key", "dGhlIHNhbXBsZSBub25j!Q==")], Refusal::Key, 400),
            (&[("sec-websocket-key", KEY), ("sec-websocket-key", KEY)], Refusal::Key, 400),
            (&[("sec-websocket-protocol", "a b")], Refusal::Protocols, 400),
            (&[("sec-websocket-protocol", "a, b, a")], Refusal::Protocols, 400),
            (&[("sec-websocket-protocol", "a"), ("sec-websocket-protocol", "a")], Refusal::Protocols, 400),
            (&[("sec-websocket-protocol", "a/é")], Refusal::Protocols, 400),
            (&[("content-length", "5")], Refusal::Body, 400),
            (&[("transfer-encoding", "chunked")], Refusal::Body, 400),
        ] {
            let refused = check_http1("GET", values(&request(changed)));
            assert_eq!(refused, Err(refusal), "{changed:?}");
            assert_eq!(refusal.status(), status, "{changed:?}");
        }
    }

    #[test]
    fn http2_has_neither_a_key_nor_an_upgrade() {
        let lines = vec![
            ("sec-websocket-version", "13"),
            ("sec-websocket-protocol", "chat"),
            ("sec-websocket-extensions", "permessage-deflate"),
        ];
        let handshake = check_http2(values(&lines)).unwrap();
        assert_eq!((handshake.accept, handshake.protocols.len()), (None, 1));
        assert!(handshake.compression.is_some());
        assert_eq!(check_http2(values(&vec![])), Err(Refusal::Version));
    }
}
