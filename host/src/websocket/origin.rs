//! Which web pages may open a WebSocket. Browsers let any page do so, with the user's cookies; they say where it is from in
//! `Origin`, and leave it to the server to refuse: RFC 6455, 10.2.

/// Whether a request with this `Origin` may open one.
///
/// `host`: the request's `Host` or `:authority`. `is_secure`: it came over TLS. `allowed`: origins as browsers write them,
/// `https://*.example.com` for all hosts below a domain, `*` for all; `None`: only pages of `host` itself.
pub fn is_allowed(origin: Option<&str>, host: &str, is_secure: bool, allowed: Option<&[String]>) -> bool {
    // Only browsers have cookies to abuse, and they always send it.
    let Some(origin) = origin else { return true };
    match allowed {
        None => is_same(origin, host, is_secure),
        Some(allowed) => allowed.iter().any(|pattern| fits(origin, pattern)),
    }
}

/// The parts of an origin with a host. The port is that of the scheme if it has none.
struct Parts<'a> {
    scheme: &'a str,
    host: &'a str,
    port: Option<u16>,
}

impl<'a> Parts<'a> {
    fn of(origin: &'a str) -> Option<Self> {
        let (scheme, authority) = origin.split_once("://")?;
        let (host, port) = host_and_port(authority)?;
        Some(Self { scheme, host, port: port.or_else(|| default_port(scheme)) })
    }
}

fn default_port(scheme: &str) -> Option<u16> {
    if scheme.eq_ignore_ascii_case("https") {
        Some(443)
    } else if scheme.eq_ignore_ascii_case("http") {
        Some(80)
    } else {
        None
    }
}

/// `None`: it has parts that no host has.
fn host_and_port(authority: &str) -> Option<(&str, Option<u16>)> {
    // The colons of an IPv6 address are within brackets.
    let address = authority.find(']').map_or(0, |end| end + 1);
    let (host, port) = match authority[address..].find(':') {
        Some(colon) => (&authority[..address + colon], Some(authority[address + colon + 1..].parse().ok()?)),
        None => (authority, None),
    };
    let is_host = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%:[]*".contains(&byte);
    (!host.is_empty() && host.bytes().all(is_host)).then_some((host, port))
}

fn is_same(origin: &str, host: &str, is_secure: bool) -> bool {
    let (Some(page), Some((host, port))) = (Parts::of(origin), host_and_port(host)) else { return false };
    // A page that did not come over HTTP has no host.
    let Some(default) = default_port(page.scheme) else { return false };
    // A proxy may do TLS for us. Then the page says `https`, and a host without a port is the proxy's.
    let port = port.unwrap_or(if is_secure { 443 } else { default });
    page.host.eq_ignore_ascii_case(host) && page.port == Some(port)
}

fn fits(origin: &str, pattern: &str) -> bool {
    if pattern == "*" || origin.eq_ignore_ascii_case(pattern) {
        return true;
    }
    let (Some(page), Some(pattern)) = (Parts::of(origin), Parts::of(pattern)) else { return false };
    let fits_host = match pattern.host.strip_prefix('*') {
        Some(domain) => {
            let (below, end) =
                page.host.split_at_checked(page.host.len().saturating_sub(domain.len())).unzip();
            domain.starts_with('.')
                && below.is_some_and(|below| !below.is_empty())
                && end.is_some_and(|end| end.eq_ignore_ascii_case(domain))
        }
        None => page.host.eq_ignore_ascii_case(pattern.host),
    };
    fits_host && page.scheme.eq_ignore_ascii_case(pattern.scheme) && page.port == pattern.port
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_the_host_itself() {
        for (origin, host, is_secure, expected) in [
            ("http://example.com", "example.com", false, true),
            ("http://example.com", "example.com:80", false, true),
            ("http://example.com:80", "example.com", false, true),
            ("http://EXAMPLE.com", "example.COM", false, true),
            ("https://example.com", "example.com", true, true),
            ("https://example.com", "example.com:443", true, true),
            ("http://localhost:8000", "localhost:8000", false, true),
            ("http://[::1]:8000", "[::1]:8000", false, true),
            ("http://[::1]", "[::1]", false, true),
            // A proxy does TLS.
            ("https://example.com", "example.com", false, true),
            ("https://example.com", "example.com:443", false, true),
            ("http://example.com", "example.com", true, false),
            ("https://example.com", "example.com:80", true, false),
            ("http://example.com:8000", "example.com:8001", false, false),
            ("http://example.com:8000", "example.com", false, false),
            ("http://example.com", "example.com:8000", false, false),
            ("http://evil.com", "example.com", false, false),
            ("http://www.example.com", "example.com", false, false),
            ("http://example.com.evil.com", "example.com", false, false),
            ("http://evilexample.com", "example.com", false, false),
            ("http://[::2]", "[::1]", false, false),
            ("null", "example.com", false, false),
            ("null", "null", false, false),
            ("", "example.com", false, false),
            ("", "", false, false),
            ("example.com", "example.com", false, false),
            ("http://", "", false, false),
            ("chrome-extension://example.com", "example.com", false, false),
            ("ftp://example.com:80", "example.com", false, false),
            ("http://user@example.com", "example.com", false, false),
            ("http://example.com/", "example.com", false, false),
            ("http://example.com:port", "example.com", false, false),
            ("http://example.com http://evil.com", "example.com", false, false),
        ] {
            assert_eq!(
                is_allowed(Some(origin), host, is_secure, None),
                expected,
                "{origin} {host} {is_secure}"
            );
        }
    }

    #[test]
    fn what_has_no_origin_is_no_browser() {
        assert!(is_allowed(None, "example.com", true, None));
        assert!(is_allowed(None, "example.com", true, Some(&[])));
    }

    #[test]
    fn lists_of_origins() {
        for (origin, pattern, expected) in [
            ("https://example.com", "https://example.com", true),
            ("https://example.com", "HTTPS://Example.com", true),
            ("https://example.com", "https://example.com:443", true),
            ("https://example.com:8443", "https://example.com:8443", true),
            ("https://example.com:8443", "https://example.com", false),
            ("http://example.com", "https://example.com", false),
            ("https://www.example.com", "https://example.com", false),
            ("https://www.example.com", "https://*.example.com", true),
            ("https://a.b.EXAMPLE.com", "https://*.example.com", true),
            ("https://www.example.com:443", "https://*.example.com", true),
            ("https://www.example.com:8443", "https://*.example.com:8443", true),
            ("https://www.example.com:8443", "https://*.example.com", false),
            ("http://www.example.com", "https://*.example.com", false),
            ("https://example.com", "https://*.example.com", false),
            ("https://.example.com", "https://*.example.com", false),
            ("https://evilexample.com", "https://*.example.com", false),
            ("https://evilexample.com", "https://*example.com", false),
            ("https://example.com.evil.com", "https://*.example.com", false),
            ("https://evil.com/.example.com", "https://*.example.com", false),
            ("https://evil.com#.example.com", "https://*.example.com", false),
            ("https://éééé.com", "https://*.example.com", false),
            ("https://example.com", "example.com", false),
            ("chrome-extension://abc", "chrome-extension://abc", true),
            ("chrome-extension://abd", "chrome-extension://abc", false),
            ("https://anything", "*", true),
            ("null", "*", true),
            ("null", "null", true),
            ("null", "https://example.com", false),
        ] {
            let allowed = ["https://other.com".to_owned(), pattern.to_owned()];
            assert_eq!(is_allowed(Some(origin), "h", true, Some(&allowed)), expected, "{origin} {pattern}");
        }
        assert!(!is_allowed(Some("https://h"), "h", true, Some(&[])));
    }
}
