//! Which of a client's offers of compression is accepted: RFC 6455, 9.1, and RFC 7692, 7.1.
//!
//! Contexts are never kept between messages, in either direction. Any client can do that, whatever it offers.

use crate::websocket::deflate::Deflate;

const NAME: &str = "permessage-deflate";

/// Compression that both sides do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agreement {
    pub deflate: Deflate,
    /// The `Sec-WebSocket-Extensions` of the answer.
    pub header: String,
}

/// Accept the first offer that we can meet. `values`: the lines of `Sec-WebSocket-Extensions`.
///
/// Other extensions are unknown, so they are declined, and so are offers that are not well formed.
pub fn agree<'a>(values: impl IntoIterator<Item = &'a [u8]>) -> Option<Agreement> {
    // A quoted value cannot have a comma: unquoted, it has to be a token.
    values.into_iter().flat_map(|value| value.split(|&byte| byte == b',')).find_map(accept)
}

fn accept(offer: &[u8]) -> Option<Agreement> {
    let mut parts = offer.split(|&byte| byte == b';').map(<[u8]>::trim_ascii);
    if parts.next() != Some(NAME.as_bytes()) {
        return None;
    }
    let mut header = format!("{NAME}; server_no_context_takeover; client_no_context_takeover");
    let mut deflate = Deflate::LARGEST;
    let mut seen = Vec::new();
    for part in parts {
        let (name, value) = parameter(part)?;
        match (name, value) {
            ("server_no_context_takeover" | "client_no_context_takeover", None) => {}
            // What it is ready to do with its window. Ours holds the largest, so we ask for nothing.
            ("client_max_window_bits", None) => {}
            ("client_max_window_bits", Some(bits)) => {
                window_bits(bits)?;
            }
            ("server_max_window_bits", Some(bits)) => {
                deflate = Deflate::new(window_bits(bits)?)?;
                header += &format!("; server_max_window_bits={bits}");
            }
            _ => return None,
        }
        if seen.contains(&name) {
            return None;
        }
        seen.push(name);
    }
    Some(Agreement { deflate, header })
}

fn parameter(part: &[u8]) -> Option<(&str, Option<&str>)> {
    let Some(equals) = part.iter().position(|&byte| byte == b'=') else { return Some((token(part)?, None)) };
    let (name, value) = (part[..equals].trim_ascii(), part[equals + 1..].trim_ascii());
    let unquoted = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\""));
    Some((token(name)?, Some(token(unquoted.unwrap_or(value))?)))
}

/// The base-2 logarithm of a window's size: 8 to 15, without a leading zero.
fn window_bits(digits: &str) -> Option<u8> {
    match digits.as_bytes() {
        [b'8' | b'9'] | [b'1', b'0'..=b'5'] => digits.parse().ok(),
        _ => None,
    }
}

/// The text of a token: RFC 9110, 5.6.2.
pub fn token(bytes: &[u8]) -> Option<&str> {
    let is_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    let is_some = !bytes.is_empty() && bytes.iter().all(is_token);
    is_some.then(|| std::str::from_utf8(bytes).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

    fn agreed(lines: &[&str]) -> Option<(u8, String)> {
        let agreement = agree(lines.iter().map(|line| line.as_bytes()))?;
        let rest = agreement.header.strip_prefix(BASE).unwrap();
        Some((agreement.deflate.window_bits(), rest.to_owned()))
    }

    #[test]
    fn offers_that_are_accepted() {
        for (lines, bits, rest) in [
            (&["permessage-deflate"][..], 15, ""),
            (&["permessage-deflate; client_max_window_bits"], 15, ""),
            (&["permessage-deflate;client_max_window_bits=8"], 15, ""),
            (&["permessage-deflate ; server_max_window_bits = 10"], 10, "; server_max_window_bits=10"),
            (&["permessage-deflate; server_max_window_bits=\"9\""], 9, "; server_max_window_bits=9"),
            (&["permessage-deflate; server_max_window_bits=15"], 15, "; server_max_window_bits=15"),
            (&["permessage-deflate; server_no_context_takeover; client_no_context_takeover"], 15, ""),
            (
                &[
                    "permessage-deflate; client_max_window_bits; server_max_window_bits=10, permessage-deflate",
                ],
                10,
                "; server_max_window_bits=10",
            ),
            // The next offer, when one cannot be met.
            (
                &[
                    "permessage-deflate; server_max_window_bits=8, permessage-deflate; server_max_window_bits=9",
                ],
                9,
                "; server_max_window_bits=9",
            ),
            (&["permessage-deflate; use_a_better_one=yes", "permessage-deflate"], 15, ""),
            (&["x-webkit-deflate-frame, permessage-bzip2; a=\"1\", permessage-deflate"], 15, ""),
            (&["", ",", " permessage-deflate "], 15, ""),
        ] {
            assert_eq!(agreed(lines), Some((bits, rest.to_owned())), "{lines:?}");
        }
    }

    #[test]
    fn offers_that_are_declined() {
        for parameters in [
            "server_max_window_bits=8",
            "server_max_window_bits=16",
            "server_max_window_bits=09",
            "server_max_window_bits=+9",
            "server_max_window_bits=",
            "server_max_window_bits=\"10",
            "server_max_window_bits",
            "server_max_window_bits=10; server_max_window_bits=10",
            "client_max_window_bits; client_max_window_bits=10",
            "client_max_window_bits=7",
            "client_max_window_bits=\"\"",
            "server_no_context_takeover=1",
            "client_no_context_takeover=true",
            "client_no_context_takeover; client_no_context_takeover",
            "unknown",
            "Server_no_context_takeover",
            "",
            "=",
            "é",
        ] {
            assert_eq!(agreed(&[&format!("permessage-deflate; {parameters}")]), None, "{parameters}");
        }
        for lines in [&[][..], &[""], &["permessage-deflat"], &["deflate"], &["permessage-deflate x"]] {
            assert_eq!(agreed(lines), None, "{lines:?}");
        }
    }
}
