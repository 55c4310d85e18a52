//! The route table: maps path and method to a handler, or to 404 or 405.
//!
//! Built once from the manifest. Paths are compared as RFC 3986 (6.2.2) says: it does not matter whether a client escapes a
//! character that it need not escape. An escaped slash (`%2F`) stays inside its parameter.

use crate::manifest::{Manifest, Method};
use std::collections::HashSet;

/// Index of a route in [`Manifest::routes`].
pub type RouteId = usize;

/// A request's handler and the raw (still percent-encoded) values of its path parameters.
#[derive(Debug)]
pub struct RouteMatch<'p> {
    pub route: RouteId,
    /// In the order of the template.
    pub segments: Vec<&'p str>,
}

/// Why no handler matches.
#[derive(Debug, PartialEq, Eq)]
pub enum NoRoute {
    NotFound,
    /// The value of the `Allow` header.
    MethodNotAllowed(String),
}

/// The routes of one method. Those that take the rest of a path are apart: for some of them and a parameter, one tree has no
/// order.
#[derive(Debug, Default)]
struct Paths {
    whole: matchit::Router<RouteId>,
    rest: matchit::Router<RouteId>,
    has_rest: bool,
}

/// The routes of one app.
#[derive(Debug)]
pub struct Router {
    by_method: [Paths; Method::ALL.len() + 1],
    templates: Vec<Template>,
}

impl Router {
    /// Errors are sentences that name the handler.
    pub fn new(manifest: &Manifest) -> Result<Self, String> {
        let mut router = Self { by_method: Default::default(), templates: Vec::new() };
        let mut known = HashSet::new();
        for (id, route) in manifest.routes.iter().enumerate() {
            let at =
                |what: String| format!("{} ({} {}): {what}", route.source, route.method.as_str(), route.path);
            let template = Template::parse(&route.path).map_err(at)?;
            if !known.insert((route.method, template.pattern.clone())) {
                return Err(at("another handler has the same method and path".into()));
            }
            router.by_method[route.method as usize].insert(&template, id).map_err(at)?;
            router.templates.push(template);
        }
        Ok(router)
    }

    /// The path with its trailing slash added or removed, if that one has a route.
    pub fn other_slash(&self, path: &str) -> Option<String> {
        let other = match path.strip_suffix('/') {
            Some("") => return None,
            Some(shorter) => shorter.to_owned(),
            None => format!("{path}/"),
        };
        let canonical = Canonical::of(&other);
        self.by_method
            .iter()
            .any(|paths| paths.find(canonical.path(&other), &self.templates).is_some())
            .then_some(other)
    }

    /// The names of a route's path parameters, in the order of [`RouteMatch::segments`].
    pub fn names(&self, route: RouteId) -> &[String] {
        &self.templates[route].names
    }

    /// Whether a handler has this very path, without a parameter in it.
    pub fn has_fixed(&self, method: Method, path: &str) -> bool {
        self.find(Some(method), path).is_ok_and(|found| self.names(found.route).is_empty())
    }

    /// Find the handler. `HEAD` falls back to `GET`.
    pub fn find<'p>(&self, method: Option<Method>, path: &'p str) -> Result<RouteMatch<'p>, NoRoute> {
        let canonical = Canonical::of(path);
        let shown = canonical.path(path);
        let found = method.and_then(|method| {
            let find = |method: Method| self.by_method[method as usize].find(shown, &self.templates);
            find(method).or_else(|| if method == Method::Head { find(Method::Get) } else { None })
        });
        let Some((route, params)) = found else { return Err(self.no_route(shown)) };
        let raw = |value: &str| {
            let from = value.as_ptr().addr() - shown.as_ptr().addr();
            canonical.raw(path, from, from + value.len())
        };
        let mut segments: Vec<&'p str> = params.iter().map(|(_, value)| raw(value)).collect();
        segments.resize(self.names(route).len(), "");
        Ok(RouteMatch { route, segments })
    }

    fn no_route(&self, path: &str) -> NoRoute {
        let has = |method: Method| self.by_method[method as usize].find(path, &self.templates).is_some();
        let serves = |method: &Method| has(*method) || (*method == Method::Head && has(Method::Get));
        let names: Vec<_> = Method::ALL.into_iter().filter(serves).map(Method::as_str).collect();
        if names.is_empty() { NoRoute::NotFound } else { NoRoute::MethodNotAllowed(names.join(", ")) }
    }
}

impl Paths {
    fn insert(&mut self, template: &Template, route: RouteId) -> Result<(), String> {
        let conflict = |e: matchit::InsertError| format!("the path conflicts with another one: {e}");
        let Some(prefix) = template.pattern.strip_suffix(CATCH_ALL) else {
            return self.whole.insert(&template.pattern, route).map_err(conflict);
        };
        self.has_rest = true;
        self.rest.insert(&template.pattern, route).map_err(conflict)?;
        // It also takes the empty string, which matchit's does not.
        self.rest.insert(prefix, route).map_err(conflict)
    }

    fn find<'s>(
        &'s self,
        path: &'s str,
        templates: &[Template],
    ) -> Option<(RouteId, matchit::Params<'s, 's>)> {
        let at = |paths: &'s matchit::Router<RouteId>| {
            paths.at(path).ok().map(|found| (*found.value, found.params))
        };
        let whole = at(&self.whole);
        if !self.has_rest {
            return whole;
        }
        let rest = at(&self.rest);
        match (&whole, &rest) {
            (Some((one, _)), Some((other, _))) if templates[*one].kinds <= templates[*other].kinds => whole,
            (_, Some(_)) => rest,
            _ => whole,
        }
    }
}

const CATCH_ALL: &str = "{*rest}";

/// What a segment of a template is. The first one is the most specific.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Segment {
    Fixed,
    Parameter,
    Rest,
}

/// A path template with numbered parameters, so that two routes with the same path may name them differently.
#[derive(Debug)]
struct Template {
    pattern: String,
    names: Vec<String>,
    /// Of two templates that match a path, the one whose kinds come first is the more specific one.
    kinds: Vec<Segment>,
}

impl Template {
    fn parse(path: &str) -> Result<Self, String> {
        if !path.starts_with('/') {
            return Err("a path must start with /".into());
        }
        let (mut pattern, mut names, mut rest) = (String::new(), Vec::new(), path);
        while let Some(open) = rest.find('{') {
            let close = rest[open..].find('}').ok_or("a { is not closed")? + open;
            escape(&rest[..open], &mut pattern);
            let name = &rest[open + 1..close];
            rest = &rest[close + 1..];
            match name.split_once(':') {
                Some((name, "path")) => {
                    if !rest.is_empty() {
                        return Err(format!("{{{name}:path}} takes the rest of the path and must be last"));
                    }
                    pattern.push_str(CATCH_ALL);
                    names.push(name.to_owned());
                }
                Some((name, _)) => return Err(format!("annotate the parameter {name} instead of the path")),
                None => {
                    pattern.push_str(&format!("{{p{}}}", names.len()));
                    names.push(name.to_owned());
                }
            }
        }
        escape(rest, &mut pattern);
        let kind = |segment: &str| match segment {
            CATCH_ALL => Segment::Rest,
            other if other.contains('{') => Segment::Parameter,
            _ => Segment::Fixed,
        };
        let kinds = pattern.split('/').map(kind).collect();
        Ok(Self { pattern, names, kinds })
    }
}

/// Whether a character of a path stands for itself: unreserved, a sub-delimiter, `:`, `@` and the slash.
const fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'-' | b'.'
                | b'_'
                | b'~'
                | b'!'
                | b'$'
                | b'&'
                | b'\''
                | b'('
                | b')'
                | b'*'
                | b'+'
                | b','
                | b';'
                | b'='
                | b':'
                | b'@'
                | b'/'
        )
}

fn push(byte: u8, is_plain: bool, out: &mut String) {
    if is_plain {
        out.push(char::from(byte));
    } else {
        out.push_str(&format!("%{byte:02X}"));
    }
}

/// Text, in the form of a [`Canonical`] path.
fn escape(text: &str, out: &mut String) {
    text.bytes().for_each(|byte| push(byte, is_plain(byte), out));
}

/// A path with those characters escaped that are not plain, and no others; `None` if it is written so.
struct Canonical(Option<Rewritten>);

struct Rewritten {
    path: String,
    /// For each byte of `path`, and for its end: where its character is in the path as it was sent.
    sent: Vec<usize>,
}

impl Canonical {
    fn of(path: &str) -> Self {
        if path.bytes().all(is_plain) {
            return Self(None);
        }
        let bytes = path.as_bytes();
        let (mut rewritten, mut at) = (Rewritten { path: String::new(), sent: Vec::new() }, 0);
        while let Some(&byte) = bytes.get(at) {
            let escaped = if byte == b'%' { escaped(&bytes[at + 1..]) } else { None };
            let (value, length) = escaped.map_or((byte, 1), |value| (value, 3));
            let stays = is_plain(value) && !(value == b'/' && escaped.is_some());
            push(value, stays, &mut rewritten.path);
            rewritten.sent.resize(rewritten.path.len(), at);
            at += length;
        }
        rewritten.sent.push(at);
        Self(Some(rewritten))
    }

    fn path<'s>(&'s self, sent: &'s str) -> &'s str {
        self.0.as_ref().map_or(sent, |rewritten| &rewritten.path)
    }

    /// A part of the path, as it was sent.
    fn raw<'p>(&self, sent: &'p str, from: usize, to: usize) -> &'p str {
        let place = |at: usize| self.0.as_ref().map_or(at, |rewritten| rewritten.sent[at]);
        &sent[place(from)..place(to)]
    }
}

/// The byte that two hexadecimal digits stand for.
fn escaped(digits: &[u8]) -> Option<u8> {
    let digit = |at: usize| char::from(*digits.get(at)?).to_digit(16);
    Some((digit(0)? * 16 + digit(1)?) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn router(routes: &[(&str, &str)]) -> Result<Router, String> {
        let routes: Vec<_> = routes
            .iter()
            .map(|(method, path)| {
                serde_json::json!({"method": method, "path": path, "name": "h", "file": "app.py", "line": 1,
                    "async": false, "status": 200, "params": []})
            })
            .collect();
        let manifest = serde_json::json!({"abi": crate::manifest::ABI, "sdk": "0", "interpreter": "3.14", "marshal": 4, "app": "app:api",
            "routes": routes});
        Router::new(&Manifest::parse(&manifest.to_string())?)
    }

    #[test]
    fn a_path_may_name_its_parameters_differently_for_each_method() {
        let r = router(&[("GET", "/u/{id}"), ("DELETE", "/u/{user}")]).unwrap();
        assert_eq!(r.find(Some(Method::Delete), "/u/7").unwrap().route, 1);
        assert_eq!(r.find(Some(Method::Get), "/u/a%2Fb").unwrap().segments, ["a%2Fb"]);
    }

    #[test]
    fn head_falls_back_to_get_and_others_are_told_what_is_allowed() {
        let r = router(&[("GET", "/a"), ("POST", "/a")]).unwrap();
        assert_eq!(r.find(Some(Method::Head), "/a").unwrap().route, 0);
        let allow = NoRoute::MethodNotAllowed("GET, HEAD, POST".into());
        assert_eq!(r.find(Some(Method::Put), "/a").unwrap_err(), allow);
        assert_eq!(r.find(None, "/a").unwrap_err(), allow);
        assert_eq!(r.find(Some(Method::Get), "/b").unwrap_err(), NoRoute::NotFound);
    }

    #[test]
    fn a_path_parameter_takes_slashes_and_nothing_at_all() {
        let r = router(&[("GET", "/f/{p:path}")]).unwrap();
        assert_eq!(r.find(Some(Method::Get), "/f/a/b").unwrap().segments, ["a/b"]);
        assert_eq!(r.find(Some(Method::Get), "/f/").unwrap().segments, [""]);
    }

    #[test]
    fn a_catch_all_leaves_the_exact_path_to_its_own_handler() {
        let r = router(&[("GET", "/{p:path}"), ("GET", "/"), ("POST", "/{p:path}")]).unwrap();
        assert_eq!(r.find(Some(Method::Get), "/").unwrap().route, 1);
        assert_eq!(r.find(Some(Method::Post), "/").unwrap().segments, [""]);
        assert_eq!(r.find(Some(Method::Get), "/a/b").unwrap().route, 0);
    }

    /// RFC 3986, 6.2.2: the case of escapes, and escapes of characters that need none, make no difference.
    #[test]
    fn fixed_text_matches_as_clients_send_it() {
        for (template, sent) in [
            ("/café", &["/caf%C3%A9", "/caf%c3%a9", "/%63af%c3%A9"][..]),
            ("/users/@me", &["/users/@me", "/users/%40me", "/%75sers/%40%6De"]),
            ("/fix ed", &["/fix%20ed", "/%66ix%20ed"]),
            ("/a%b", &["/a%25b", "/a%b"]),
            ("/~x", &["/~x", "/%7Ex", "/%7ex"]),
            ("/a|b^", &["/a|b^", "/a%7Cb%5e"]),
        ] {
            let r = router(&[("GET", template)]).unwrap();
            for path in sent {
                assert_eq!(r.find(Some(Method::Get), path).map(|found| found.route), Ok(0), "{path}");
            }
        }
        let r = router(&[("GET", "/a/b")]).unwrap();
        for path in ["/a%2Fb", "/A/b", "/a/b%00", "/a%20/b", "/a/b%"] {
            assert_eq!(r.find(Some(Method::Get), path).unwrap_err(), NoRoute::NotFound, "{path}");
        }
    }

    #[test]
    fn parameters_are_found_as_they_were_sent() {
        let r = router(&[("GET", "/ü/{a}/{b}"), ("GET", "/f/{p:path}")]).unwrap();
        for (path, segments) in [
            ("/%c3%bc/x%2fy/%41%zz", ["x%2fy", "%41%zz"]),
            ("/%C3%BC/%40/%", ["%40", "%"]),
            ("/ü/é/ ", ["é", " "]),
        ] {
            assert_eq!(r.find(Some(Method::Get), path).unwrap().segments, segments, "{path}");
        }
        assert_eq!(r.find(Some(Method::Get), "/%66/a%2fb/%7e/").unwrap().segments, ["a%2fb/%7e/"]);
    }

    /// FastAPI 0.165 with these routes, declared in this order.
    #[test]
    fn a_route_of_another_method_hides_none() {
        let r = router(&[
            ("POST", "/items/search"),
            ("GET", "/items/{id}"),
            ("DELETE", "/f/{id}"),
            ("GET", "/f/{p:path}"),
            ("GET", "/{org}/settings"),
            ("GET", "/{p:path}"),
        ])
        .unwrap();
        let find = |method, path| r.find(Some(method), path).map(|found| found.route);
        assert_eq!(find(Method::Get, "/items/search"), Ok(1));
        assert_eq!(find(Method::Post, "/items/search"), Ok(0));
        assert_eq!(find(Method::Delete, "/f/7"), Ok(2));
        assert_eq!(find(Method::Get, "/f/7"), Ok(3));
        assert_eq!(find(Method::Get, "/me/settings"), Ok(4));
        assert_eq!(find(Method::Get, "/me/other"), Ok(5));
        let allow = |methods: &str| Err(NoRoute::MethodNotAllowed(methods.into()));
        assert_eq!(find(Method::Delete, "/items/search"), allow("GET, HEAD, POST"));
        assert_eq!(find(Method::Put, "/f/7"), allow("GET, HEAD, DELETE"));
    }

    #[test]
    fn the_more_specific_route_wins_whatever_takes_the_rest() {
        let r = router(&[("GET", "/{a}/{b}"), ("GET", "/static/{p:path}"), ("GET", "/{p:path}")]).unwrap();
        for (path, route) in [("/static/app.js", 1), ("/x/y", 0), ("/x", 2), ("/x/y/z", 2), ("/static/", 1)] {
            assert_eq!(r.find(Some(Method::Get), path).unwrap().route, route, "{path}");
        }
    }

    #[test]
    fn only_a_path_without_parameters_is_fixed() {
        let r = router(&[("GET", "/docs"), ("GET", "/{p:path}"), ("GET", "/x/{y}")]).unwrap();
        for (path, is_fixed) in [("/docs", true), ("/openapi.json", false), ("/x/y", false)] {
            assert_eq!(r.has_fixed(Method::Get, path), is_fixed, "{path}");
        }
    }

    #[test]
    fn what_cannot_be_routed_is_named() {
        for path in ["a", "/{x", "/{x:int}", "/{x:path}/y"] {
            assert!(router(&[("GET", path)]).unwrap_err().contains("app.py:1"), "{path}");
        }
        assert!(router(&[("GET", "/{a}"), ("GET", "/{b}")]).unwrap_err().contains("same method and path"));
    }
}
