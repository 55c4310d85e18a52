//! Who may use the admin endpoint: a web page may not, whatever name it is reached by, and over TCP only who has the token.
//!
//! A page can make its visitor's browser send requests to loopback (CSRF), or give its own name the address of loopback
//! (DNS rebinding). The former have `Origin` or `Sec-Fetch-Site`, the latter a foreign `Host`.

use crate::config::admin_access::{AdminAccess, AdminToken};
use hyper::header::{AUTHORIZATION, HOST, ORIGIN};
use hyper::http::request::Parts;
use hyper::http::uri::Authority;
use hyper::{Method, StatusCode};
use std::net::IpAddr;
use subtle::ConstantTimeEq;

/// What a request must have.
pub struct Guard {
    /// `None`: a Unix socket, which only its owner can open.
    access: Option<AdminAccess>,
}

/// Why a request is refused: for the client.
#[derive(Debug, PartialEq, Eq)]
pub enum Refusal {
    Page,
    ForeignHost(String),
    Token,
}

impl Refusal {
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Page | Self::ForeignHost(_) => StatusCode::FORBIDDEN,
            Self::Token => StatusCode::UNAUTHORIZED,
        }
    }

    pub fn sentence(&self) -> String {
        match self {
            Self::Page => "the admin endpoint does not answer web pages".to_owned(),
            Self::ForeignHost(host) => format!(
                "{host:?} is not a name of this admin endpoint: name it with --admin-name, or admin-names in [server]"
            ),
            Self::Token => "the admin endpoint needs its token, as Authorization: Bearer TOKEN; bolt-host takes it from \
                            --admin-token-file or BOLT_ADMIN_TOKEN, and finds one that a host of the same user has made"
                .to_owned(),
        }
    }
}

impl Guard {
    pub fn of_tcp(access: AdminAccess) -> Self {
        Self { access: Some(access) }
    }

    pub fn of_socket() -> Self {
        Self { access: None }
    }

    /// `local`: the address at which the client reached the endpoint.
    pub fn check(&self, head: &Parts, local: Option<IpAddr>) -> Result<(), Refusal> {
        if is_from_page(head) {
            return Err(Refusal::Page);
        }
        let Some(access) = &self.access else { return Ok(()) };
        if let Some(host) = hosts(head).find(|host| !is_own(host, local, &access.names)) {
            return Err(Refusal::ForeignHost(host.chars().take(256).collect()));
        }
        let is_read = matches!(head.method, Method::GET | Method::HEAD);
        let is_open = match head.uri.path() {
            "/healthz" | "/readyz" => true,
            "/metrics" => access.open_metrics,
            _ => false,
        };
        if is_read && is_open || access.token.as_ref().is_some_and(|token| has_token(head, token)) {
            return Ok(());
        }
        Err(Refusal::Token)
    }
}

/// Whether a page has a browser send this. What a person types into the address bar has `Sec-Fetch-Site: none`.
fn is_from_page(head: &Parts) -> bool {
    let is_own = |site: &[u8]| matches!(site, b"none" | b"same-origin");
    let sites = head.headers.get_all("sec-fetch-site");
    head.headers.contains_key(ORIGIN) || sites.iter().any(|site| !is_own(site.as_bytes()))
}

/// Every host that the request names. A client that names none is no browser.
fn hosts(head: &Parts) -> impl Iterator<Item = String> {
    let target = head.uri.authority().map(|authority| authority.as_str().to_owned());
    let named =
        head.headers.get_all(HOST).iter().map(|host| String::from_utf8_lossy(host.as_bytes()).into_owned());
    target.into_iter().chain(named)
}

/// Whether a `Host` is loopback, the address that the client connected to, or one of `names`.
fn is_own(host: &str, local: Option<IpAddr>, names: &[String]) -> bool {
    let Ok(authority) = host.parse::<Authority>() else { return false };
    if host.contains('@') {
        return false;
    }
    let name = authority.host().trim_start_matches('[').trim_end_matches(']');
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    let is_named = names.contains(&name);
    match name.parse::<IpAddr>() {
        Ok(address) => {
            let address = address.to_canonical();
            is_named || address.is_loopback() || local.is_some_and(|local| local.to_canonical() == address)
        }
        Err(_) => is_named || name == "localhost" || name.ends_with(".localhost"),
    }
}

fn has_token(head: &Parts, token: &AdminToken) -> bool {
    let mut given = head.headers.get_all(AUTHORIZATION).iter();
    let (Some(given), None) = (given.next(), given.next()) else { return false };
    let Some((scheme, secret)) = given.as_bytes().split_at_checked(7) else { return false };
    // The comparison takes the same time wherever the two differ.
    scheme.eq_ignore_ascii_case(b"Bearer ") && bool::from(secret.ct_eq(token.as_str().as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::Request;

    const TOKEN: &str = "0123456789abcdef";

    fn guard(open_metrics: bool) -> Guard {
        let token = Some(AdminToken::parse(TOKEN).unwrap());
        Guard::of_tcp(AdminAccess { token, names: vec!["host.example".to_owned()], open_metrics })
    }

    fn head(method: &str, target: &str, headers: &[(&str, &str)]) -> Parts {
        let mut request = Request::builder().method(method).uri(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    fn local() -> Option<IpAddr> {
        Some("192.0.2.7".parse().unwrap())
    }

    #[test]
    fn all_but_the_probes_needs_the_token() {
        let bearer = format!("Bearer {TOKEN}");
        let check = |method, path, value: &str| {
            let headers: &[_] = if value.is_empty() { &[] } else { &[("authorization", value)] };
            guard(false).check(&head(method, path, headers), local())
        };
        for path in ["/healthz", "/readyz"] {
            assert_eq!(check("GET", path, ""), Ok(()), "{path}");
            assert_eq!(check("HEAD", path, ""), Ok(()), "{path}");
            assert_eq!(check("POST", path, ""), Err(Refusal::Token), "{path}");
        }
        for (method, path) in [
            ("GET", "/"),
            ("GET", "/metrics"),
            ("GET", "/apps"),
            ("GET", "/readyz/"),
            ("GET", "/healthz/../apps"),
            ("POST", "/apps/a/deploy"),
            ("POST", "/apps/a/rollback"),
            ("POST", "/loglevel"),
        ] {
            assert_eq!(check(method, path, &bearer), Ok(()), "{path}");
            for value in [
                "",
                "Bearer",
                "Bearer ",
                "Bearer x",
                TOKEN,
                "Basic 0123456789abcdef",
                &bearer[..22],
                &(bearer.clone() + "0"),
            ] {
                assert_eq!(check(method, path, value), Err(Refusal::Token), "{path} {value:?}");
            }
        }
        assert_eq!(check("GET", "/apps", &format!("bearer {TOKEN}")), Ok(()));
        let twice = head("GET", "/apps", &[("authorization", &bearer), ("authorization", &bearer)]);
        assert_eq!(guard(false).check(&twice, local()), Err(Refusal::Token));
        assert_eq!(guard(true).check(&head("GET", "/metrics", &[]), local()), Ok(()));
        assert_eq!(guard(true).check(&head("GET", "/apps", &[]), local()), Err(Refusal::Token));
    }

    #[test]
    fn it_answers_to_its_own_names_only() {
        for host in [
            "localhost",
            "LOCALHOST:9000",
            "localhost.",
            "a.localhost:1",
            "127.0.0.1:9000",
            "127.1.2.3",
            "[::1]:9000",
            "[::ffff:127.0.0.1]",
            "192.0.2.7:9000",
            "Host.Example:80",
        ] {
            assert_eq!(
                guard(false).check(&head("GET", "/healthz", &[("host", host)]), local()),
                Ok(()),
                "{host}"
            );
        }
        for host in [
            "evil.example",
            "evil.example:9000",
            "localhost.evil.example",
            "notlocalhost",
            "192.0.2.8",
            "host.example.evil",
            "localhost@evil.example",
            "evil.example@localhost",
            "127.0.0.1.evil.example",
            "",
            "a b",
            "0.0.0.0:9000",
        ] {
            let refused = guard(false).check(&head("GET", "/healthz", &[("host", host)]), local());
            assert!(matches!(refused, Err(Refusal::ForeignHost(_))), "{host}: {refused:?}");
        }
        let two = head("GET", "/healthz", &[("host", "localhost"), ("host", "evil.example")]);
        assert!(matches!(guard(false).check(&two, local()), Err(Refusal::ForeignHost(_))));
        let absolute = head("GET", "http://evil.example/healthz", &[("host", "localhost")]);
        assert!(matches!(guard(false).check(&absolute, local()), Err(Refusal::ForeignHost(_))));
    }

    #[test]
    fn no_page_is_answered_even_with_the_token() {
        let bearer = format!("Bearer {TOKEN}");
        for (name, value) in [
            ("origin", "http://evil.example"),
            ("origin", "null"),
            ("origin", "http://localhost:9000"),
            ("origin", ""),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
            ("sec-fetch-site", "anything"),
        ] {
            let head = head("POST", "/apps/a/deploy", &[(name, value), ("authorization", &bearer)]);
            assert_eq!(guard(false).check(&head, local()), Err(Refusal::Page), "{name}: {value}");
            assert_eq!(Guard::of_socket().check(&head, None), Err(Refusal::Page), "{name}: {value}");
        }
        for site in ["none", "same-origin"] {
            let head = head("GET", "/apps", &[("sec-fetch-site", site), ("authorization", &bearer)]);
            assert_eq!(guard(false).check(&head, local()), Ok(()), "{site}");
        }
        assert_eq!(Guard::of_socket().check(&head("POST", "/loglevel", &[("host", "admin")]), None), Ok(()));
    }
}
